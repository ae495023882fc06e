"""pool: shards made side by side in processes of their own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.pool import Pool, ctrl_c_held_back
from pipeline.run import execute
from storage.errors import SourceError, StageError
from storage.refs import Refs, RunRecord
from tests.pipeline import toy
from tests.pipeline.toy import Log, Mill


@pytest.fixture(autouse=True)
def toy_in_children(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let worker processes know the toy pipeline, and leave the logger as it was."""
    monkeypatch.setattr("pipeline.pool.begin_process", toy.begin_process_with_toy)
    logger = logging.getLogger("relmill")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.level, logger.propagate = before


def run(mill: Mill, workers: int, **sections: dict[str, object]) -> RunRecord:
    plan = mill.plan(**sections)
    folder = Refs(mill.warehouse).new_run("toy")
    with toy.installed(mill.dag), Pool(workers, folder) as pool:
        return execute(plan, mill.warehouse, folder, pool, Log())


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    made = []
    for workers in (1, 2):
        root = tmp_path / str(workers)
        root.mkdir()
        mill = Mill(root)
        mill.letters = tmp_path / "1" / "letters.txt"
        mill.numbers = tmp_path / "1" / "numbers.txt"
        made.append(mill.bytes(run(mill, workers)))
    assert made[0] == made[1]


def test_a_process_that_dies_is_told_and_leaves_no_half_part(mill: Mill) -> None:
    with pytest.raises(StageError, match=r"mark, shard \d: the worker process died") as caught:
        run(mill, 2, mark={"die_at": 2})
    assert caught.value.retryable
    assert next(Refs(mill.warehouse).runs()).status == "failed"
    marks = next(a for a in mill.warehouse.artifacts() if a.name.startswith("mark/"))
    assert not marks.complete
    assert not marks.part("marks", 2).exists()
    assert not marks.record_path(2).exists()
    finished = mill.run()
    assert list(mill.warehouse.named(finished.steps["mark"]).faults()) == []


def test_an_error_of_a_stage_comes_out_of_its_process_as_it_was(mill: Mill) -> None:
    with pytest.raises(SourceError) as caught:
        run(mill, 2, mark={"fail_at": 1})
    assert str(caught.value) == "mark, shard 1/4: the toy was told to fail."
    assert caught.value.exit_code == 2


def test_after_a_death_the_next_shard_gets_a_new_process(mill: Mill) -> None:
    mill.run(to="read")
    plan = mill.plan(mark={"die_at": 2})
    folder = Refs(mill.warehouse).new_run("toy")

    class FromThreads(toy.Serial):
        def shards(self, run_folder: Path, spec: toy.StepSpec) -> Iterator[object]:
            for shard in spec.todo:
                if shard == 2:
                    with pytest.raises(StageError, match="died"):
                        pool.make(run_folder, spec.stage, shard)
                    raise KeyboardInterrupt
                yield pool.make(run_folder, spec.stage, shard)

    with toy.installed(mill.dag), Pool(2, folder) as pool:
        with pytest.raises(KeyboardInterrupt):
            execute(plan, mill.warehouse, folder, FromThreads(), Log())
        again = mill.plan()
        later = Refs(mill.warehouse).new_run("toy")
        assert execute(again, mill.warehouse, later, pool, Log()).status == "succeeded"


def living_children() -> set[int]:
    """Ids of child processes that are really there.

    multiprocessing itself lists one for a while that another thread has seen the end of.
    """
    listed = {child.pid for child in multiprocessing.active_children() if child.pid}
    return {pid for pid in listed if exists(pid)}


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_process_outlives_its_pool(mill: Mill) -> None:
    before = living_children()
    with pytest.raises(SourceError):
        run(mill, 2, mark={"fail_at": 0})
    assert living_children() == before


def test_a_pool_of_one_works_in_this_process(mill: Mill) -> None:
    before = living_children()
    plan = mill.plan()
    folder = Refs(mill.warehouse).new_run("toy")
    with toy.installed(mill.dag), Pool(1, folder) as pool:
        execute(plan, mill.warehouse, folder, pool, Log())
        assert living_children() == before


def test_the_log_of_a_run_holds_the_traceback_of_a_break(
    mill: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    mill.dag = toy.changed(mill.dag, "mark", run=lambda config, inputs: iter([1 // 0]))
    with pytest.raises(StageError):
        run(mill, 1)
    logged = next(mill.warehouse.root.glob("runs/*/log.txt")).read_text()
    assert "mark, shard 0/4 failed" in logged
    assert "ZeroDivisionError" in logged


def test_what_an_ended_process_left_half_written_is_swept(mill: Mill) -> None:
    run(mill, 2)
    artifact = next(mill.warehouse.artifacts())
    folder = next(Refs(mill.warehouse).runs_folder.iterdir())
    stage = artifact.folder.parent.name
    mine = artifact.folder / "records" / ".aside-11-x.json"
    others = artifact.folder / "records" / ".aside-12-x.json"
    for path in (mine, others):
        path.touch()
    assert (folder / "steps" / f"{stage}.json").is_file()
    Pool(2, folder)._sweep([11])
    assert (mine.exists(), others.exists()) == (False, True)


def test_ctrl_c_waits_until_a_process_has_begun() -> None:
    """The signal comes to another thread, as it does where a progress bar runs."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def begin() -> None:
        with ctrl_c_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            seen.extend(range(1000))

    ended = threading.Event()
    idle = threading.Thread(target=ended.wait)
    idle.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            begin()
    finally:
        ended.set()
        idle.join()
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1000
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
