"""Benchmarks: what relmill does beside named peers, on the same input in one run."""
