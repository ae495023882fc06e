"""The page of the evidence: from the tables of the runs to benchmarks/evidence.md."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Recipe
from storage.warehouse import Warehouse


def write_page(
    path: Path, recipe: Recipe, warehouse: Warehouse, overlap: str, costs: dict[str, float]
) -> None:
    """Write the page."""
