"""A knowledge graph and texts of one's own, in plain files, in place of Wikidata and Wikipedia."""
