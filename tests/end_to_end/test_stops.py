"""Whatever stops a run, the next one goes on and ends with the bytes of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.sample import SampleWorld
from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.end_to_end.kit import (
    WITHOUT_NER,
    Parts,
    Running,
    catalog_of,
    copied,
    done,
    from_files,
    newest,
    parts_of,
    plan_of,
    relmill,
    sets,
    shards_on_disk,
    strays,
    wait_for,
)

SEED = 20260101
THIRDS = (WITHOUT_NER[:3], WITHOUT_NER[3:6], WITHOUT_NER[6:])


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody stopped: how long each stage took, and what it made."""

    words: list[object]
    seconds: dict[str, float]
    parts: Parts
    catalog: dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def undisturbed(world: SampleWorld, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed") / "warehouse"
    words: list[object] = ["run", "tiny", "--workers", "2", *sets(*from_files(world))]
    ended = relmill(*words, "--in-process", "--root", root)
    assert ended.code == 0, ended.text
    steps = newest(root).steps.items()
    seconds = {n: Warehouse(root).named(a).manifest().wall_seconds for n, a in steps}
    return Undisturbed(words, seconds, parts_of(root), catalog_of(root))


def killed_at_a_random_moment(
    run: Running, root: Path, stages: Sequence[str], undisturbed: Undisturbed
) -> None:
    """Kill a run with its group, somewhere within one of some stages."""
    rng = random.Random(f"{SEED} {stages}")
    stage = rng.choice(stages)
    assert wait_for(lambda: any(root.glob(f"runs/*/steps/{stage}.json")), 90), run.alive()
    time.sleep(rng.random() * undisturbed.seconds[stage])
    run.kill_group()
    assert run.end().code == -signal.SIGKILL
    assert run.gone_within(10) == []


def assert_as_undisturbed(root: Path, undisturbed: Undisturbed) -> None:
    assert parts_of(root) == undisturbed.parts
    assert catalog_of(root) == undisturbed.catalog
    assert strays(root) == []


@pytest.mark.parametrize("stages", THIRDS, ids=["early", "midway", "late"])
def test_killed_at_any_moment_a_run_goes_on_and_ends_with_the_same_bytes(
    stages: Sequence[str], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    words = [*undisturbed.words, "--in-process", "--root", root]
    killed_at_a_random_moment(Running(*words), root, stages, undisturbed)
    kept = {path: path.stat().st_mtime_ns for path in shards_on_disk(root)}
    done(*words)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_as_undisturbed(root, undisturbed)


def test_a_run_through_prefect_killed_with_its_group_goes_on(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    words = [*undisturbed.words, "--root", root]
    killed_at_a_random_moment(Running(*words), root, WITHOUT_NER[1:], undisturbed)
    done(*words)
    assert_as_undisturbed(root, undisturbed)
    assert [run.status for run in Refs(Warehouse(root)).runs()] == ["succeeded", "interrupted"]


def test_killing_only_the_main_process_takes_its_workers_and_its_server_along(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    run = Running(*undisturbed.words, "--root", root)
    assert wait_for(lambda: any(root.glob("artifacts/parse_wikidata/*/records/*")), 90)
    assert len(run.alive()) > 3
    os.kill(run.process.pid, signal.SIGKILL)
    assert run.gone_within(10) == []
    assert run.end().code == -signal.SIGKILL


def interrupted_when(moment: str, words: list[object], root: Path) -> None:
    """Press Ctrl-C as soon as a file is there, and see to what every such end has in common."""
    run = Running(*words)
    assert wait_for(lambda: any(root.glob(moment)), 90)
    run.interrupt()
    pressed = time.monotonic()
    ended = run.end(30)
    assert time.monotonic() - pressed < 10
    assert ended.code == 130, ended.text
    assert f"go on with: relmill {' '.join(map(str, words))}" in ended.err
    assert "Traceback" not in ended.text
    assert run.gone_within(5) == []
    assert newest(root).status == "interrupted"


@pytest.mark.parametrize("way", ["--in-process", "--workers=2"])
def test_ctrl_c_ends_a_run_within_seconds_and_says_how_to_go_on(
    way: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    interrupted_when("artifacts/recognize/*", [*undisturbed.words, way, "--root", root], root)
    assert {"fetch", "parse_wikidata", "parse_wikipedia"} <= set(newest(root).made)
    again = done(*undisturbed.words, "--in-process", "--root", root)
    assert "recognize" in newest(root).made
    assert not {"fetch", "parse_wikidata", "parse_wikipedia"} & set(newest(root).made), again
    assert_as_undisturbed(root, undisturbed)


def test_ctrl_c_while_the_workers_begin_shows_nothing_of_their_insides(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    words = [*undisturbed.words, "--in-process", "--root", root]
    interrupted_when("runs/*/steps/fetch.json", words, root)


def test_a_run_that_was_killed_is_not_taken_for_one_under_way(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    run = Running(*undisturbed.words, "--in-process", "--root", root)
    assert wait_for(lambda: any(root.glob("artifacts/fetch/*/manifest.json")), 60)
    assert newest(root).status == "running"
    run.kill_group()
    run.end()
    assert newest(root).status == "interrupted"
    assert "interrupted" in done("log", "--root", root)


@pytest.fixture
def before_parsing(made_from_files: Path, tmp_path: Path) -> Path:
    """A copy of a warehouse in which only the dumps were fetched."""
    root = copied(made_from_files, tmp_path / "warehouse")
    for folder in (root / "artifacts").iterdir():
        if folder.name != "fetch":
            folder.rename(tmp_path / folder.name)
    return root


def test_a_failing_shard_ends_the_run_with_one_sentence_and_a_rerun_makes_only_the_rest(
    before_parsing: Path, world: SampleWorld, undisturbed: Undisturbed
) -> None:
    root = before_parsing
    build = plan_of(root, *from_files(world)).step("parse_wikipedia").build
    assert build is not None
    step = Warehouse(root).artifact("parse_wikipedia", build.fingerprint)
    # Where the part of shard 2 goes there is a folder: as good as a disk that refuses.
    obstacle = step.part("sections", 2)
    (obstacle / "inside").mkdir(parents=True)
    words = [*undisturbed.words, "--in-process", "--workers", "1", "--root", root]
    failed = relmill(*words)
    assert failed.code == 1
    lines = [line for line in failed.err.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("PassingError: parse_wikipedia, shard 2/4: ")
    assert "run the same command again" in lines[0]
    assert newest(root).status == "failed"
    assert "part-00002.parquet could not be written" in newest(root).error
    assert "failed" in done("log", "tiny", "--root", root).splitlines()[2]
    kept = {path: path.stat().st_mtime_ns for path in step.folder.glob("records/[0-9]*.json")}
    assert sorted(path.name for path in kept) == ["00000.json", "00001.json"]
    plan = plan_of(root, *from_files(world)).step("parse_wikipedia")
    assert (str(plan.verdict), plan.todo) == ("PARTIAL", [2, 3])
    assert plan.reasons == ["2 of 4 shards missing"]

    (obstacle / "inside").rmdir()
    obstacle.rmdir()
    done(*words)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_as_undisturbed(root, undisturbed)


def test_a_source_that_cannot_be_read_ends_the_run_as_the_users_to_mend(
    before_parsing: Path, world: SampleWorld, undisturbed: Undisturbed
) -> None:
    root = before_parsing
    frames = next(root.glob("artifacts/fetch/*/files/wikidata-0.frames"))
    data = bytearray(frames.read_bytes())
    frames.unlink()
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    frames.write_bytes(data)
    failed = relmill(*undisturbed.words, "--in-process", "--root", root)
    assert failed.code == 2
    assert "parse_wikidata, shard" in failed.err
    assert "wikidata-0" in failed.err
    assert "Traceback" not in failed.text
    assert newest(root).status == "failed"


def test_half_made_files_of_a_killed_run_are_swept_when_the_step_is_complete(
    before_parsing: Path, world: SampleWorld, undisturbed: Undisturbed
) -> None:
    root = before_parsing
    build = plan_of(root, *from_files(world)).step("parse_wikipedia").build
    assert build is not None
    folder = Warehouse(root).artifact("parse_wikipedia", build.fingerprint).folder
    for name in ("pages/.aside-99-part-00001.parquet", "records/.aside-99-00001.json"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    (folder / ".aside-99-manifest.json").write_bytes(b"half")
    (folder / "scratch" / "00001").mkdir(parents=True)
    done(*undisturbed.words, "--in-process", "--root", root)
    assert_as_undisturbed(root, undisturbed)
