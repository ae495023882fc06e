"""dag and draw: edges follow from what stages read and write."""

from __future__ import annotations

import pytest

from pipeline.dag import ancestry, parents, stage, writer
from pipeline.draw import mermaid
from storage.errors import ConfigError
from tests.pipeline import toy


@pytest.fixture(autouse=True)
def toy_dag() -> object:
    with toy.installed():
        yield


def test_a_stage_is_found_by_name() -> None:
    assert stage("mark") is toy.MARK


def test_an_unknown_stage_is_answered_with_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigError) as caught:
        stage("indx")
    assert str(caught.value) == (
        "there is no stage 'indx'. "
        "Did you mean index? There are: gather, read, tally, mark, index, join."
    )


def test_a_name_like_none_of_them_is_answered_with_the_list_alone() -> None:
    with pytest.raises(ConfigError) as caught:
        stage("zzz")
    assert "Did you mean" not in str(caught.value)


def test_parents_are_the_writers_of_what_a_stage_reads_in_the_order_of_the_dag() -> None:
    assert [s.name for s in parents(toy.JOIN)] == ["read", "mark", "index"]
    assert parents(toy.GATHER) == ()
    assert [s.name for s in parents(toy.READ)] == ["gather"]
    assert writer(toy.INDEX) is toy.INDEX_STAGE


def test_ancestry_is_all_that_a_stage_depends_on_and_itself() -> None:
    assert [s.name for s in ancestry(toy.INDEX_STAGE)] == ["gather", "read", "tally", "index"]
    assert [s.name for s in ancestry(toy.GATHER)] == ["gather"]


def test_the_diagram_has_a_box_a_stage_and_an_arrow_a_dependency() -> None:
    lines = mermaid().splitlines()
    assert lines[0] == "flowchart TD"
    assert '    join["<b>join</b><br>joined"]' in lines
    assert "    read -- words --> join" in lines
    assert "    gather -- raw --> read" in lines
    assert len(lines) == 1 + 6 + sum(len(parents(s)) for s in toy.DAG)
