"""refs: which run is the newest, what a tag holds, and what may go."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from storage.errors import ConfigError, MissingArtifactError
from storage.refs import Refs, RunRecord, freed_bytes, remove, run_lock
from storage.warehouse import Warehouse
from tests.storage import made
from tests.storage.made import NAMES

NO_GRACE = timedelta(seconds=-1)


def names(refs: Refs, keep: int, grace: timedelta = NO_GRACE) -> set[str]:
    return {artifact.name for artifact in refs.prunable(keep, grace)}


def run(warehouse: Warehouse, digits: str, **values: str) -> RunRecord:
    """A run that pins one artifact, which is made with it."""
    artifact = warehouse.artifact("redo", digits)
    made.put(artifact, NAMES, [[(1, "a", None)]])
    refs = Refs(warehouse)
    recipe = values.pop("recipe", "toy")
    folder = refs.new_run(recipe)
    record = RunRecord(folder.name, recipe, [], "redo", "now", steps={"redo": artifact.name})
    record.status = values.get("status", "succeeded")  # type: ignore[assignment]
    refs.save(folder, record)
    return record


def test_runs_come_newest_first_even_many_of_one_second(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    made_in_order = []
    for _ in range(25):
        folder = refs.new_run("toy")
        refs.save(folder, RunRecord(folder.name, "toy", [], "x", "now"))
        made_in_order.append(folder.name)
    assert [r.id for r in refs.runs()] == made_in_order[::-1]


def test_a_record_of_a_run_reads_back_as_it_was(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    folder = refs.new_run("toy")
    record = RunRecord(folder.name, "toy", ["a.b=1"], "link", "now", "failed", error="why")
    refs.save(folder, record)
    assert list(refs.runs()) == [record]
    assert refs.find_run(record.id) == record


def test_the_newest_successful_run_of_a_recipe_counts(warehouse: Warehouse) -> None:
    first = run(warehouse, "aa")
    run(warehouse, "bb", status="failed")
    run(warehouse, "cc", status="interrupted")
    run(warehouse, "dd", status="running")
    run(warehouse, "ee", recipe="other")
    assert Refs(warehouse).newest("toy") == first


def test_without_a_successful_run_the_command_is_named(warehouse: Warehouse) -> None:
    run(warehouse, "aa", status="failed")
    with pytest.raises(MissingArtifactError) as caught:
        Refs(warehouse).newest("toy")
    assert f"relmill run toy --root {warehouse.root}" in str(caught.value)


def test_a_run_that_is_not_there_is_told(warehouse: Warehouse) -> None:
    with pytest.raises(MissingArtifactError, match="no run '20260101'"):
        Refs(warehouse).find_run("20260101")


def test_a_tag_pins_the_steps_of_its_run(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    first = run(warehouse, "aa")
    refs.tag("paper-1.0", first)
    run(warehouse, "bb")
    assert refs.find_tag("paper-1.0").steps == {"redo": "redo/aa"}
    assert [tag.name for tag in refs.tags()] == ["paper-1.0"]


def test_a_tag_of_another_run_is_not_moved_in_silence(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    first, second = run(warehouse, "aa"), run(warehouse, "bb")
    refs.tag("paper", first)
    refs.tag("paper", first)
    with pytest.raises(ConfigError, match=f"the tag paper names the run {first.id}"):
        refs.tag("paper", second)
    refs.remove_tag("paper")
    assert refs.tag("paper", second).run == second.id


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "-x", "ä", 'a"b'])
def test_a_name_that_cannot_be_a_tag_is_refused(warehouse: Warehouse, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a tag"):
        Refs(warehouse).tag(name, run(warehouse, "aa"))


def test_a_tag_that_is_not_there_is_told_with_those_there_are(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    with pytest.raises(MissingArtifactError, match="The tags are: none"):
        refs.find_tag("paper")
    refs.tag("one", run(warehouse, "aa"))
    with pytest.raises(MissingArtifactError, match="The tags are: one"):
        refs.remove_tag("paper")


def test_prune_keeps_the_last_successful_runs_of_each_recipe(warehouse: Warehouse) -> None:
    for digits in ("aa", "bb", "cc"):
        run(warehouse, digits)
    run(warehouse, "dd", recipe="other")
    refs = Refs(warehouse)
    assert names(refs, keep=1) == {"redo/aa", "redo/bb"}
    assert names(refs, keep=2) == {"redo/aa"}
    assert names(refs, keep=3) == set()
    assert names(refs, keep=0) == {"redo/aa", "redo/bb", "redo/cc", "redo/dd"}


def test_prune_keeps_what_a_tag_or_a_run_under_way_holds(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    refs.tag("paper", run(warehouse, "aa"))
    alive = run(warehouse, "bb", status="running")
    run(warehouse, "cc")
    run(warehouse, "dd")
    with warehouse.lock(run_lock(alive.id)):
        assert names(refs, keep=1) == {"redo/cc"}
    assert names(refs, keep=1) == {"redo/bb", "redo/cc"}


def test_a_run_whose_process_is_gone_was_interrupted(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    killed = run(warehouse, "aa", status="running")
    with warehouse.lock(run_lock(killed.id)):
        assert refs.find_run(killed.id).status == "running"
    record = refs.find_run(killed.id)
    assert (record.status, record.error) == ("interrupted", "its process is gone")


def test_prune_keeps_what_an_older_and_a_newer_run_share(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    first = run(warehouse, "aa")
    folder = refs.new_run("toy")
    refs.save(folder, RunRecord(folder.name, "toy", [], "x", "now", "succeeded", "", first.steps))
    assert names(refs, keep=1) == set()


def test_prune_takes_what_was_never_finished_once_the_grace_is_over(warehouse: Warehouse) -> None:
    refs = Refs(warehouse)
    run(warehouse, "aa")
    half = warehouse.artifact("redo", "bb")
    half.put_part(NAMES, 0, [])
    assert names(refs, 1, timedelta(hours=1)) == set()
    old = time.time() - 7200
    for path in (half.folder / "names", half.folder):
        os.utime(path, (old, old))
    assert names(refs, 1, timedelta(hours=1)) == {"redo/bb"}
    assert names(refs, 1, timedelta(hours=3)) == set()


def test_a_removed_artifact_is_gone_and_what_it_shares_stays(warehouse: Warehouse) -> None:
    old, new = warehouse.artifact("redo", "aa"), warehouse.artifact("redo", "bb")
    manifest = made.put(old, NAMES, [[(1, "a", None)]])
    alone = freed_bytes(old)
    new.take_over(0, old, manifest.records[0])
    shared = old.part("names", 0).stat().st_size + old.file("0.bin").stat().st_size
    assert freed_bytes(old) == alone - shared
    remove(old)
    assert not old.folder.exists()
    assert new.part("names", 0).is_file()
