"""engines: shards on Dask and Ray, the same bytes as anywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path

import pytest

from pipeline import clusters, engines
from pipeline.clusters import Dask
from pipeline.config import RecipeWide
from pipeline.engines import ClusterPool, make_shard, open_pool, require_runner
from pipeline.pool import Pool
from pipeline.run import StepSpec, execute
from storage.artifact import PartRecord
from storage.aside import write_json
from storage.errors import ConfigError, PassingError, SourceError, StageError
from storage.refs import Refs
from tests.pipeline import toy
from tests.pipeline.toy import Log, Mill


@pytest.fixture(autouse=True)
def logger_as_before() -> Iterator[None]:
    """Leave the logger of relmill as it was."""
    logger = logging.getLogger("relmill")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.level, logger.propagate = before
    engines.begin.cache_clear()


@pytest.mark.parametrize(("runner", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_an_engine_makes_the_same_bytes_though_a_worker_died(
    runner: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: the extra {runner}")
    monkeypatch.setattr(engines, "make_shard", toy.make_shard_of_toy)
    roots = [tmp_path / name for name in ("here", "there")]
    for root in roots:
        root.mkdir()
    here, there = (Mill(root) for root in roots)
    there.letters, there.numbers = here.letters, here.numbers
    expected = here.bytes(here.run())
    refs = Refs(there.warehouse)
    first, second = refs.new_run("toy"), refs.new_run("toy")
    death = {"die_at": 1, "died": str(tmp_path / "died")}
    with toy.installed(there.dag), ClusterPool(runner, None, 1, first) as pool:
        assert pool.workers == 1
        with pytest.raises(SourceError, match=r"^mark, shard 1/4: the toy was told to fail\.$"):
            execute(there.plan(mark={"fail_at": 1}), there.warehouse, first, pool, Log())
        run = execute(there.plan(mark=death), there.warehouse, second, pool, Log())
    assert (tmp_path / "died").exists()
    assert run.status == "succeeded"
    assert there.bytes(run) == expected


def test_an_engine_that_was_lost_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake:
        slots, deaths, lost = 3, (CancelledError,), False

        def __init__(self, address: str | None, workers: int) -> None:
            opened.append(self)

        def submit(self, make: object, *arguments: object) -> Future[object]:
            future: Future[object] = Future()
            future.set_result(PartRecord("key", 0, "", {}))
            self.lost = len(opened) == 1
            return future

        def end(self) -> None:
            ended.append(self)

    opened: list[Fake] = []
    ended: list[Fake] = []
    monkeypatch.setattr(engines, "Dask", Fake)
    mill = Mill(tmp_path)
    folder = spec(mill, "")
    with ClusterPool("dask", None, None, folder) as pool:
        assert pool.workers == 3
        assert [pool.make(folder, "read", 0).key for _ in range(2)] == ["key", "key"]
        assert (len(opened), ended) == (2, opened[:1])
        monkeypatch.setattr(Fake, "submit", lambda *_: cancelled())
        with pytest.raises(PassingError, match=r"read, shard 0: .* the cluster was lost"):
            pool.make(folder, "read", 0)
    assert ended == opened


def cancelled() -> Future[object]:
    future: Future[object] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def test_a_recipe_names_its_runner_in_words_that_are_checked() -> None:
    require_runner(RecipeWide(runner="local"))
    with pytest.raises(ConfigError, match=r'cluster is .* but runner is "local".*leave cluster'):
        require_runner(RecipeWide(cluster="tcp://there:8786"))


def test_a_runner_that_is_not_installed_is_told_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'needs ray, which is not .*"relmill\[ray\]"'):
        require_runner(RecipeWide(runner="ray"))


def test_without_a_runner_shards_are_made_in_processes_here(tmp_path: Path) -> None:
    pool = open_pool(RecipeWide(), 3, tmp_path)
    assert (type(pool), pool.workers) == (Pool, 3)


def test_a_dask_that_cannot_be_used_is_told_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"no Dask answers at tcp://127\.0\.0\.1:1: "):
        Dask("tcp://127.0.0.1:1", 1)
    wide = {"n_workers": 1, "threads_per_worker": 3, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(**wide) as cluster,
        pytest.raises(ConfigError, match=r"has 3 threads.*--nthreads 1"),
    ):
        Dask(cluster.scheduler_address, 1)


def spec(mill: Mill, code: str) -> Path:
    """A run folder with the step `read`, begun by a relmill with this code."""
    folder = Refs(mill.warehouse).new_run("toy")
    made = StepSpec("read", "read", 1, "0" * 16, "read/0", {}, "page", [], [], {}, [0], 1)
    made.code = code
    write_json(folder / "steps" / "read.json", made)
    return folder


def test_a_machine_that_is_not_as_the_one_of_the_run_says_so(mill: Mill) -> None:
    lost = make_shard(mill.warehouse.root / "runs" / "gone", "read", 0)
    assert isinstance(lost, StageError)
    assert "does not see" in str(lost)
    with toy.installed(mill.dag):
        other = make_shard(spec(mill, "older code"), "read", 0)
    assert isinstance(other, StageError)
    assert "another relmill than the run" in str(other)


def test_a_shard_that_was_made_meanwhile_is_not_made_again(mill: Mill) -> None:
    mill.run(to="read")
    folder = next(Refs(mill.warehouse).runs_folder.iterdir())
    artifact = next(a for a in mill.warehouse.artifacts() if a.stage == "read")
    before = artifact.record_path(0).stat().st_mtime_ns
    with toy.installed(mill.dag):
        assert make_shard(folder, "read", 0) == artifact.record(0)
        assert artifact.record_path(0).stat().st_mtime_ns == before
        artifact.record_path(0).unlink()
        assert make_shard(folder, "read", 0) == artifact.record(0)
