"""Parsers of dumps, wikitext, titles and Wikidata; they know no tables."""
