"""relmill doctor: settings that Prefect ignores, a server that is away, and the status."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app


def test_slips_and_a_missing_server_are_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_ULR", "http://127.0.0.1:9/api")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    well = CliRunner().invoke(app, ["doctor", "--root", str(tmp_path)])
    assert well.exit_code == 0, well.output
    assert "PREFECT_API_ULR" in well.output
    assert "look for a slip" in well.output
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    ill = CliRunner().invoke(app, ["doctor", "--root", str(tmp_path)])
    assert ill.exit_code == 1
    assert "! Prefect's server" in ill.output
    assert "-> Start it" in ill.output
