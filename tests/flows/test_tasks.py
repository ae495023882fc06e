"""Shards as Prefect tasks: what is tried again, what is not, and what a failure leaves undone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pipeline.run import StepSpec
from storage.artifact import Part, PartRecord
from storage.errors import (
    ConfigError,
    PassingError,
    PipelineError,
    SchemaError,
    SourceError,
    StageError,
)
from storage.warehouse import Artifact

DELAYS = [0.2, 0.6]
SHARDS = 3


def record(shard: int) -> PartRecord:
    return PartRecord("key", shard, "", {"pages": Part(1, 1, "digest", "content")})


class FakePool:
    """Makes shards at once; a shard may fail first, each time with the next error of its list."""

    def __init__(self, errors: dict[int, list[Exception]], seconds: float = 0) -> None:
        self._errors = errors
        self._seconds = seconds
        self.tries: list[tuple[int, float]] = []

    def make(self, run_folder: Path, stage: str, shard: int) -> PartRecord:
        self.tries.append((shard, time.monotonic()))
        if self._errors.get(shard):
            raise self._errors[shard].pop(0)
        time.sleep(self._seconds)
        return record(shard)

    def moments(self, shard: int) -> list[float]:
        return [moment for which, moment in self.tries if which == shard]


def spec() -> StepSpec:
    return StepSpec("link", "link", 1, "0" * 16, "", {}, "page", [], [], {}, list(range(SHARDS)), 1)


Make = Callable[[FakePool], list[PartRecord]]


@pytest.fixture
def make_shards(server: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make the shards of a step inside a flow, one at a time, with short delays."""
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows import tasks

    quick = tasks.run_shard.with_options(retry_delay_seconds=DELAYS)
    monkeypatch.setattr(tasks, "run_shard", quick)

    def make(pool: FakePool) -> list[PartRecord]:
        @flow(name="test", task_runner=ThreadPoolTaskRunner(max_workers=1))
        def whole() -> list[PartRecord]:
            tasks.pool.set(pool)  # type: ignore[arg-type]
            tasks.stopped.set(Event())
            return list(tasks.PrefectExecutor(1).shards(Path("run"), spec()))

        return whole()

    return make


def test_every_shard_is_made_once_and_its_record_comes_back(make_shards: Make) -> None:
    pool = FakePool({})
    assert sorted(r.shard for r in make_shards(pool)) == [0, 1, 2]
    assert sorted(shard for shard, _ in pool.tries) == [0, 1, 2]


def test_never_more_shards_are_begun_at_once_than_there_are_workers(server: Path) -> None:
    from prefect import flow

    from flows import tasks

    class Counting(FakePool):
        most, now = 0, 0

        def make(self, run_folder: Path, stage: str, shard: int) -> PartRecord:
            self.now += 1
            self.most = max(self.most, self.now)
            made = super().make(run_folder, stage, shard)
            self.now -= 1
            return made

    pool = Counting({}, seconds=0.5)

    @flow(name="test window")
    def whole() -> list[PartRecord]:
        tasks.pool.set(pool)  # type: ignore[arg-type]
        tasks.stopped.set(Event())
        return list(tasks.PrefectExecutor(2).shards(Path("run"), spec()))

    assert sorted(r.shard for r in whole()) == [0, 1, 2]
    assert pool.most == 2


def test_what_may_pass_is_tried_again_each_time_after_a_longer_wait(make_shards: Make) -> None:
    pool = FakePool({1: [PassingError("no space"), PassingError("no space")]})
    assert sorted(r.shard for r in make_shards(pool)) == [0, 1, 2]
    first, second, third = pool.moments(1)
    assert second - first >= DELAYS[0]
    assert third - second >= DELAYS[1]
    assert len(pool.moments(0)) == len(pool.moments(2)) == 1


def test_what_does_not_pass_ends_the_run_after_the_last_try(make_shards: Make) -> None:
    pool = FakePool({0: [PassingError(f"no space {i}") for i in range(5)]})
    with pytest.raises(PassingError, match="no space 2"):
        make_shards(pool)
    assert len(pool.moments(0)) == 1 + len(DELAYS)


@pytest.mark.parametrize("kind", [ConfigError, SchemaError, SourceError, StageError, ValueError])
def test_what_cannot_pass_is_never_tried_again(kind: type[Exception], make_shards: Make) -> None:
    pool = FakePool({0: [kind("wrong")]})
    with pytest.raises(kind, match="wrong"):
        make_shards(pool)
    assert len(pool.moments(0)) == 1


def test_after_a_failure_shards_that_wait_are_not_begun(make_shards: Make) -> None:
    pool = FakePool({0: [SourceError("cut off")]}, seconds=1)
    with pytest.raises(SourceError):
        make_shards(pool)
    # The one behind it may have begun before the failure was seen, the last one not.
    assert len(pool.tries) < SHARDS


def test_the_delays_of_real_runs_grow_and_are_as_many_as_the_tries() -> None:
    from flows import tasks

    assert tasks.run_shard.retries == len(tasks.RETRY_SECONDS) > 0
    assert list(tasks.RETRY_SECONDS) == sorted(tasks.RETRY_SECONDS)
    assert tasks.run_shard.retry_delay_seconds == list(tasks.RETRY_SECONDS)


def test_a_run_that_stops_tries_nothing_again(make_shards: Make) -> None:
    from flows import tasks

    class Stopping(FakePool):
        def make(self, run_folder: Path, stage: str, shard: int) -> PartRecord:
            tasks.stopped.get().set()
            return super().make(run_folder, stage, shard)

    pool = Stopping({0: [PassingError("the worker process died")]})
    began = time.monotonic()
    with pytest.raises(PassingError):
        make_shards(pool)
    assert [shard for shard, _ in pool.tries] == [0]
    assert time.monotonic() - began < 5


def test_a_commit_is_a_task_that_gives_back_the_artifact(server: Path, tmp_path: Path) -> None:
    from prefect import flow

    from flows import tasks

    made = Artifact(tmp_path / "link" / ("0" * 16))

    @flow(name="test commit")
    def whole() -> Artifact:
        return tasks.PrefectExecutor(1).commit(lambda: made, "link")

    @flow(name="test failing commit")
    def failing() -> Artifact:
        def job() -> Artifact:
            raise SourceError("11 of 100 records are damaged")

        return tasks.PrefectExecutor(1).commit(job, "link")

    assert whole() is made
    with pytest.raises(SourceError, match="11 of 100"):
        failing()


def test_only_passing_errors_say_that_they_may_pass() -> None:
    kinds: tuple[type[PipelineError], ...] = (
        ConfigError,
        SchemaError,
        SourceError,
        StageError,
        PassingError,
    )
    errors = [kind("what", where="there", mend="Do this") for kind in kinds]
    assert [type(e).__name__ for e in errors if e.retryable] == ["PassingError"]
    assert {type(e).__name__: e.exit_code for e in errors} == {
        "ConfigError": 2,
        "SchemaError": 1,
        "SourceError": 2,
        "StageError": 1,
        "PassingError": 1,
    }


def test_names_of_artifacts_are_what_prefect_takes() -> None:
    from flows.refresh import artifact_key

    assert artifact_key("My_wiki 2.0") == "my-wiki-2-0"


def test_nothing_of_a_shard_but_names_goes_through_prefect() -> None:
    import inspect

    from flows import tasks

    parameters: dict[str, Any] = dict(inspect.signature(tasks.run_shard.fn).parameters)
    assert {p.annotation for p in parameters.values()} <= {"str", "int", str, int}
    assert tasks.run_shard.persist_result is False
