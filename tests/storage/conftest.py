"""A warehouse in a folder of its own, and a small table."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.warehouse import Artifact, Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


@pytest.fixture
def artifact(warehouse: Warehouse) -> Artifact:
    return warehouse.artifact("redo", "0123456789abcdef")
