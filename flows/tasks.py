"""Prefect's tasks: make a shard, commit a step, reuse a step. Only names go through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.futures import PrefectFuture
from prefect.runtime import deployment
from prefect.states import Cancelled, Completed

from pipeline.pool import Pool
from pipeline.run import StepSpec
from storage.artifact import PartRecord
from storage.errors import PipelineError
from storage.warehouse import Artifact

RETRY_SECONDS = (2, 20)
GPU = "gpu"
"""Prefect's concurrency limit under which training runs, where a deployment runs it."""
LEASE_SECONDS = 60.0
"""A run that dies gives its place among the GPU jobs back after so long."""

pool: ContextVar[Pool] = ContextVar("pool")
stopped: ContextVar[Event] = ContextVar("stopped")
committing: ContextVar[Callable[[], Artifact]] = ContextVar("committing")


def worth_retrying(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a failed task gets another try: where disk, memory or a process gave out.

    Not in a run that is stopping: it has ended the processes itself.
    """
    if stopped.get().is_set():
        return False
    error = state.result(raise_on_failure=False)
    return isinstance(error, PipelineError) and error.retryable


@task(
    name="run_shard",
    task_run_name="{step} {shard}",
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=list(RETRY_SECONDS),
    retry_condition_fn=worth_retrying,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_shard(run_folder: str, step: str, shard: int) -> Any:
    """Make one shard of a step in the pool of this run."""
    if stopped.get().is_set():
        return Cancelled(message="another shard failed")
    record = pool.get().make(Path(run_folder), step, shard)
    rows = sum(part.rows for part in record.parts.values())
    return Completed(name="Built", message=f"{rows:,} rows, {record.seconds} s", data=record)


@task(name="commit", task_run_name="{step} commit", cache_policy=NO_CACHE, persist_result=False)
def commit(step: str) -> Artifact:  # the name is for Prefect to show
    """Write the manifest of a step, now that all its shards are there."""
    return committing.get()()


@task(name="reuse", task_run_name="{step}", cache_policy=NO_CACHE, persist_result=False)
def reuse(step: str, artifact: str) -> State[Any]:  # the names are for Prefect to show
    """Say that a step's tables are there already."""
    return Completed(name="Reused", message=artifact)


@contextmanager
def gpu() -> Iterator[None]:
    """Wait for a place among the GPU jobs of the server, where a deployment runs the flow.

    `relmill deploy` and `relmill serve` make the limit; a run from the command line has none.
    """
    if deployment.id is None:
        yield
        return
    with concurrency(GPU, occupy=1, strict=True, lease_duration=LEASE_SECONDS):
        yield


class PrefectExecutor:
    """Makes shards and commits as Prefect tasks of the flow run that it is called in."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def shards(self, run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        """Make the shards of `spec.todo` and yield the record of each as it is done."""
        # Never more tasks at once than workers: each is a thread, and shows as running.
        done: Queue[PrefectFuture[PartRecord]] = Queue()
        waiting = iter(spec.todo)

        def begin(count: int) -> None:
            for shard in islice(waiting, count):
                future = run_shard.submit(str(run_folder), spec.step, shard)
                future.add_done_callback(done.put)

        with gpu() if spec.launch is not None else nullcontext():
            try:
                begin(self.workers)
                for _ in spec.todo:
                    record = done.get().result()
                    begin(1)
                    yield record
            except BaseException:
                stopped.get().set()
                raise

    def commit(self, job: Callable[[], Artifact], step: str) -> Artifact:
        """Run the commit of a step and return its artifact."""
        token = committing.set(job)
        try:
            return commit(step)
        finally:
            committing.reset(token)
