"""Pairs of entities against a knowledge graph: what is stated of them, also under older ids."""
