"""Dask and Ray: the only place that knows their words.

An engine takes a function and gives a future. When a worker dies, it begins another and asks again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any, Protocol

from pipeline.pool import Deaths, die_with_parent
from storage.artifact import PartRecord
from storage.errors import ConfigError, PipelineError

CONNECT_SECONDS = 30
"""How long a cluster may take to answer."""

Outcome = PartRecord | PipelineError
"""What comes back of a shard: engines wrap what is raised, so an error comes back as a value."""


class Engine(Protocol):
    """Processes of a cluster."""

    slots: int
    deaths: Deaths

    @property
    def lost(self) -> bool:
        """Whether nothing can be submitted any more."""

    def submit(self, make: Callable[..., Outcome], *arguments: object) -> Future[Outcome]:
        """Have a process call `make`."""

    def end(self) -> None:
        """Take back what was submitted, and leave the cluster; end it if it was begun here."""


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
                silence_logs=logging.CRITICAL,
            )
        try:
            self._client = Client(self._cluster or address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise unreachable("Dask", address, error) from error
        self.slots = workers if self._cluster else self._free_slots(str(address))
        self._executor = self._client.get_executor(pure=False)

    @property
    def lost(self) -> bool:
        """Whether nothing can be submitted any more."""
        return bool(self._client.status != "running")

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

    @property
    def lost(self) -> bool:
        """Whether nothing can be submitted any more."""
        return not self._ray.is_initialized()

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
