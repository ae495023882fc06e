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
import logging
import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from pipeline.code import stage_digest
from pipeline.config import RecipeWide
from pipeline.dag import stage as stage_named
from pipeline.pool import Deaths, Pool, ctrl_c_held_back, die_with_parent, log_to
from pipeline.worker import load_manifest, load_spec, run_shard, whole_input
from storage.artifact import PartRecord
from storage.errors import ConfigError, PipelineError, StageError
from storage.warehouse import Warehouse

LIBRARIES = {"dask": "distributed", "ray": "ray"}
CONNECT_SECONDS = 30
"""How long a cluster may take to answer."""

Outcome = PartRecord | PipelineError
"""What comes back of a shard: engines wrap what is raised, so an error comes back as a value."""


class Engine(Protocol):
    """Processes of a cluster."""

    slots: int
    deaths: Deaths

    def submit(self, make: Callable[..., Outcome], *arguments: object) -> Future[Outcome]:
        """Have a process call `make`."""

    def end(self) -> None:
        """Take back what was submitted, and leave the cluster; end it if it was begun here."""


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

    def __enter__(self) -> Pool:
        super().__enter__()
        engines: dict[str, Callable[[str | None, int], Engine]] = {"dask": Dask, "ray": Ray}
        with ctrl_c_held_back():  # processes that begin now never hear of it
            self._engine = engines[self._runner](self._address, self.workers)
        self.deaths = self._engine.deaths
        self.workers = min(self._asked or self._engine.slots, self._engine.slots)
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

    def _submit(self, run_folder: Path, step: str, shard: int) -> Future[PartRecord]:
        assert self._engine is not None
        return raising(self._engine.submit(make_shard, run_folder, step, shard))


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


def in_child(make: Callable[..., Outcome], *arguments: object) -> Outcome:
    """Call `make` in a process in which nothing else goes on; for the threads of Dask's workers.

    Dask and Tornado draw from Python's random numbers beside a task. Learning, though seeded, draws
    from the same ones, and came out otherwise in a worker's own process.
    """
    try:
        return child().submit(make, *arguments).result()
    except BrokenProcessPool:
        os._exit(1)  # Dask sees a worker die, and has the shard made elsewhere


@cache
def child() -> ProcessPoolExecutor:
    """Return the one process that makes the shards of this worker, and ends with it."""
    # Dask's nanny marks workers as daemons, which may have no children: they would outlive them.
    # These do not.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent)


class Dask:
    """A Dask cluster: the one at an address, or processes begun here."""

    def __init__(self, address: str | None, workers: int) -> None:
        from distributed import Client, KilledWorker, LocalCluster

        self.deaths: Deaths = (KilledWorker, CancelledError)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._cluster = None
        if address is None:
            # Without a limit of memory, as the pool has none: Dask would end workers at theirs.
            self._cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
            )
        try:
            self._client = Client(self._cluster or address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise unreachable("Dask", address, error) from error
        self.slots = workers if self._cluster else self._free_slots(str(address))
        self._executor = self._client.get_executor(pure=False)

    def _free_slots(self, address: str) -> int:
        threads = self._client.nthreads()
        if not threads:
            raise ConfigError(
                f"the Dask at {address} has no worker",
                mend=f"Start some: dask worker {address} --nworkers auto --nthreads 1",
            )
        wide = next((worker for worker, count in threads.items() if count != 1), None)
        if wide is not None:
            raise ConfigError(
                f"the Dask worker {wide} has {threads[wide]} threads, and stages want a process "
                "for themselves",
                mend=f"Start workers with one each: dask worker {address} --nworkers auto "
                "--nthreads 1",
            )
        return len(threads)

    def submit(self, make: Callable[..., Outcome], *arguments: object) -> Future[Outcome]:
        """Have a worker call `make`."""
        future: Future[Outcome] = self._executor.submit(in_child, make, *arguments)
        return future

    def end(self) -> None:
        """Cancel what waits; end the workers if they were begun here."""
        self._executor.shutdown(wait=False)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


class Ray:
    """A Ray cluster: the one at an address, or processes begun here."""

    def __init__(self, address: str | None, workers: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self.deaths: Deaths = (ray.exceptions.RayError, CancelledError)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        try:
            if address is None:
                ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)
            else:
                ray.init(address, **quiet)
        except (OSError, ValueError, RuntimeError) as error:
            raise unreachable("Ray", address, error) from error
        self._ray = ray
        self._begun: list[Any] = []
        self._known: dict[Callable[..., Outcome], Any] = {}
        self.slots = int(ray.cluster_resources().get("CPU", 0))
        if not self.slots:
            raise ConfigError(f"the Ray at {address} has no CPU", mend="Start workers: ray start")

    def submit(self, make: Callable[..., Outcome], *arguments: object) -> Future[Outcome]:
        """Have a worker call `make`; one that dies is replaced, and asked again."""
        if make not in self._known:  # Ray sends a function to the cluster each time it is declared
            self._known[make] = self._ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(make)
        reference = self._known[make].remote(*arguments)
        self._begun.append(reference)
        future: Future[Outcome] = reference.future()
        return future

    def end(self) -> None:
        """End the tasks of this run; end the workers if they were begun here."""
        for reference in self._begun:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def unreachable(engine: str, address: str | None, error: Exception) -> ConfigError:
    """Return the error for a cluster that does not answer."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    if address is None:
        return ConfigError(f"{engine} could not be begun here: {reason}", mend="See its own logs")
    return ConfigError(
        f"no {engine} answers at {address}: {reason}",
        mend="Look whether its scheduler runs and is of the version that is installed here",
    )
