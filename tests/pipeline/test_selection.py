"""selection: which tables a person means."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.selection import select
from storage.errors import ConfigError, MissingArtifactError
from storage.refs import Refs, RunRecord
from storage.warehouse import Warehouse


def test_without_a_run_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError) as caught:
        select(Warehouse(tmp_path), "tiny")
    assert "relmill run tiny --root" in str(caught.value)
    assert caught.value.exit_code == 2


def test_with_overrides_the_missing_table_names_the_command_that_makes_it(tmp_path: Path) -> None:
    tables = select(Warehouse(tmp_path), "tiny", ["recognize.model=blank"])
    with pytest.raises(MissingArtifactError) as caught:
        tables.arrow("tuples")
    assert "tiny --set recognize.model=blank has no table tuples yet" in str(caught.value)
    assert f"relmill run tiny --root {tmp_path} --set recognize.model=blank" in str(caught.value)


def test_a_tag_and_overrides_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        select(Warehouse(tmp_path), "tiny", ["seed=1"], tag="first")


def test_an_unknown_tag_is_told_with_those_there_are(tmp_path: Path) -> None:
    refs = Refs(Warehouse(tmp_path))
    refs.tag("first", RunRecord("r", "tiny", [], "align", "now", "succeeded"))
    with pytest.raises(MissingArtifactError, match=r"no tag 'second'. The tags are: first"):
        select(Warehouse(tmp_path), "tiny", tag="second")
