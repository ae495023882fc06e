"""The spaCy pipelines behind recognize."""
