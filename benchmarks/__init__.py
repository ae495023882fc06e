"""Measurements: each prints figures beside those of named peers."""
