"""diff: two versions of a table side by side."""

from __future__ import annotations

import pytest

from pipeline.diff import difference_text, find_version
from storage.errors import ConfigError, MissingArtifactError
from storage.refs import Refs
from tests.pipeline import toy
from tests.pipeline.toy import Mill


@pytest.fixture(autouse=True)
def toy_dag() -> object:
    with toy.installed():
        yield


def test_config_rows_and_a_sample_of_changed_rows_are_told(mill: Mill) -> None:
    one, two = mill.run(), mill.run(mark={"style": "?"})
    old = find_version(mill.warehouse, one.steps["mark"], None)
    new = find_version(mill.warehouse, two.steps["mark"], None)
    lines = difference_text(old, new, None).splitlines()
    assert lines[0] == f"marks: {one.steps['mark']} -> {two.steps['mark']}"
    assert lines[1] == '  config style: (none) -> "?"'
    assert lines[2] == "  rows: 12 -> 12"
    assert lines[3] == "  - 12 rows only in the old"
    assert lines[4] == "    - page_id=0, mark='word0!'"
    assert "  + 12 rows only in the new" in lines
    assert len(lines) == 4 + 5 + 1 + 5


def test_changed_inputs_are_told(mill: Mill) -> None:
    one, two = mill.run(), mill.run(mark={"style": "?"})
    text = difference_text(
        find_version(mill.warehouse, one.id, "joined"),
        find_version(mill.warehouse, two.id, "joined"),
        "joined",
    )
    assert "  input marks changed" in text
    assert "input index" not in text


def test_the_same_artifact_is_told_in_one_line(mill: Mill) -> None:
    one, two = mill.run(), mill.run()
    old = find_version(mill.warehouse, one.id, "marks")
    new = find_version(mill.warehouse, two.id, "marks")
    assert difference_text(old, new, "marks") == "marks: the same artifact, 12 rows"


def test_a_tag_names_a_version_too(mill: Mill) -> None:
    run = mill.run()
    Refs(mill.warehouse).tag("first", run)
    assert find_version(mill.warehouse, "first", "marks").arrow("marks").num_rows == 12


def test_a_run_holds_many_tables_so_one_must_be_named(mill: Mill) -> None:
    run = mill.run()
    with pytest.raises(ConfigError, match="--table"):
        find_version(mill.warehouse, run.id, None)


def test_a_name_that_stands_for_nothing_is_told(mill: Mill) -> None:
    with pytest.raises(MissingArtifactError, match="'nothing' is neither"):
        find_version(mill.warehouse, "nothing", "marks")
    with pytest.raises(MissingArtifactError, match="mark/0000"):
        find_version(mill.warehouse, "mark/0000", None)


def test_versions_without_a_common_table_are_told(mill: Mill) -> None:
    run = mill.run()
    versions = [find_version(mill.warehouse, run.steps[s], None) for s in ("mark", "read")]
    with pytest.raises(ConfigError, match="no table in common"):
        difference_text(versions[0], versions[1], None)
