"""Saved questions in SQL."""
