"""A fresh warehouse with the toy pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.toy import Mill


@pytest.fixture
def mill(tmp_path: Path) -> Mill:
    return Mill(tmp_path)
