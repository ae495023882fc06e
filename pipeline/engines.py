"""Shards on Dask or Ray: other machines' processes behind the same face as the pool of this one.

Their own futures are used, not Prefect's task runners for them. Those enter Prefect anew in the
worker for each task, which costs more than the engine does (`benchmarks/README.md`), take the
server's address and its load to every worker, and leave a run without Prefect no engine at all. So
Prefect keeps what it is good at, a task a shard with its state and its tries, in a thread here that
waits for the engine.

A shard is a pure function of files, so an engine that lost a worker simply makes its shard again.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from types import TracebackType

from pipeline.clusters import Dask, Engine, Outcome, Ray
from pipeline.code import stage_digest
from pipeline.config import RecipeWide
from pipeline.dag import stage as stage_named
from pipeline.pool import Pool, ctrl_c_held_back, log_to
from pipeline.worker import load_manifest, load_spec, run_shard, whole_input
from storage.artifact import PartRecord
from storage.errors import ConfigError, PassingError, PipelineError, StageError
from storage.warehouse import Warehouse

LIBRARIES = {"dask": "distributed", "ray": "ray"}


def require_runner(wide: RecipeWide) -> None:
    """Check before anything runs that a recipe's runner can be used here.

    Raises:
        ConfigError: If its library is missing, or a cluster is named for no runner.
    """
    if wide.runner == "local":
        if wide.cluster is not None:
            raise ConfigError(
                f'cluster is {wide.cluster!r}, but runner is "local"',
                mend='Set runner = "dask" or "ray", or leave cluster out',
            )
        return
    if importlib.util.find_spec(LIBRARIES[wide.runner]) is None:
        raise ConfigError(
            f"runner = {wide.runner!r} needs {LIBRARIES[wide.runner]}, which is not installed",
            mend=f'Install it: pip install -c constraints.txt "relmill[{wide.runner}]"',
        )


def open_pool(wide: RecipeWide, workers: int | None, run_folder: Path) -> Pool:
    """Return where the shards of a run are made.

    Args:
        workers: How many at once; None for all cores of this machine, or all that a cluster has.
    """
    if wide.runner == "local":
        return Pool(workers or os.cpu_count() or 1, run_folder)
    return ClusterPool(wide.runner, wide.cluster, workers, run_folder)


class ClusterPool(Pool):
    """Processes of Dask or Ray that make shards; what is launched or committed is done here."""

    local = False

    def __init__(
        self, runner: str, address: str | None, workers: int | None, run_folder: Path
    ) -> None:
        super().__init__(workers or os.cpu_count() or 1, run_folder)
        self._runner = runner
        self._address = address
        self._asked = workers
        self._engine: Engine | None = None

    def __enter__(self) -> ClusterPool:
        super().__enter__()
        engine = self._open()
        self.deaths = engine.deaths
        self.workers = min(self._asked or engine.slots, engine.slots)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._engine is not None:
            self._engine.end()

    def _open(self) -> Engine:
        """Return the engine; one that was lost is opened anew."""
        engines: dict[str, Callable[[str | None, int], Engine]] = {"dask": Dask, "ray": Ray}
        with self._lock:
            if self._engine is not None and self._engine.lost:
                with suppress(Exception):
                    self._engine.end()
                self._engine = None
            if self._engine is None:
                with ctrl_c_held_back():  # processes that begin now never hear of it
                    self._engine = engines[self._runner](self._address, self.workers)
            return self._engine

    def _submit(self, run_folder: Path, step: str, shard: int) -> Future[PartRecord]:
        return raising(self._open().submit(make_shard, run_folder, step, shard))

    def _died(self, step: str, shard: int) -> PassingError:
        return PassingError(
            "its workers died, or the cluster was lost",
            where=f"{step}, shard {shard}",
            mend="Run the same command again; the logs of the cluster say more",
        )


def raising(future: Future[Outcome]) -> Future[PartRecord]:
    """Return a future that raises what another one has as its value."""
    outer: Future[PartRecord] = Future()

    def pass_on(done: Future[Outcome]) -> None:
        try:
            outcome = done.result()
        except BaseException as error:
            outer.set_exception(error)
            return
        if isinstance(outcome, PipelineError):
            outer.set_exception(outcome)
        else:
            outer.set_result(outcome)

    future.add_done_callback(pass_on)
    return outer


def make_shard(run_folder: Path, step: str, shard: int) -> Outcome:
    """Make one shard in a process of a cluster, unless it was made meanwhile.

    An engine that takes a worker for dead has its shard made elsewhere, and may be wrong. Whoever
    comes second waits for the first, or for its end.
    """
    try:
        begin(run_folder)
        spec = load_spec(run_folder / "steps" / f"{step}.json")
        require_same_code(spec.stage, spec.code)
        artifact = Warehouse(run_folder.parent.parent).named(spec.artifact)
        with artifact.making(shard):
            record = artifact.record(shard)
            if record is not None and record.key == spec.keys[shard]:
                return record
            return run_shard(run_folder, step, shard)
    except PipelineError as error:
        return error


@lru_cache(maxsize=1)
def begin(run_folder: Path) -> None:
    """Set a process of a cluster up for another run than the last: its log, nothing remembered.

    Raises:
        StageError: If the warehouse is not there on this machine.
    """
    if not run_folder.is_dir():
        raise StageError(
            f"the machine {socket.gethostname()} does not see {run_folder}",
            mend="Let all machines of the cluster see the warehouse under the same path",
        )
    log_to(run_folder)
    for remembered in (load_spec, load_manifest, whole_input):
        remembered.cache_clear()


@cache
def require_same_code(stage: str, code: str) -> None:
    """Check that a stage is the same here as where the run was begun.

    Raises:
        StageError: If it is not.
    """
    if stage_digest(stage_named(stage)) != code:
        raise StageError(
            f"the machine {socket.gethostname()} has another relmill than the run",
            where=stage,
            mend="Install the same on all machines of the cluster, and start its workers anew",
        )
