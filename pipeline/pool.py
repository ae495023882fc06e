"""Shards side by side on this machine: a pool of processes that each make one shard at a time."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from pipeline.launch import Crew, launch_shard
from pipeline.run import StepSpec
from pipeline.worker import load_spec, run_shard
from storage.artifact import PartRecord
from storage.aside import read_json
from storage.errors import PassingError
from storage.warehouse import Artifact, Warehouse

Deaths: TypeAlias = tuple[type[BaseException], ...]
"""What a future raises whose process died."""


class Pool:
    """Processes that make shards; with one worker, this very process does.

    Use it as a context manager: on the way out its processes are gone, whatever they were doing.
    """

    local = True
    deaths: Deaths = (BrokenProcessPool,)

    def __init__(self, workers: int, run_folder: Path) -> None:
        self.workers = workers
        self._run_folder = run_folder
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._crews: list[Crew] = []

    def __enter__(self) -> Pool:
        log_to(self._run_folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for crew in self._crews:
            crew.stop()
        with self._lock:  # a process that another thread is beginning is ended too
            executor = self._executor
            processes = list((executor._processes or {}).values()) if executor is not None else []
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            self._sweep([process.pid for process in processes if process.pid is not None])

    def _sweep(self, pids: Sequence[int]) -> None:
        """Remove what processes that were ended in the middle of a file left half written."""
        warehouse = Warehouse(self._run_folder.parent.parent)
        for path in (self._run_folder / "steps").glob("*.json"):
            artifact = warehouse.named(read_json(path, StepSpec).artifact)
            for pid in pids:
                artifact.sweep(pid)

    def make(self, run_folder: Path, step: str, shard: int) -> PartRecord:
        """Make one shard and wait for it.

        Raises:
            PipelineError: As the stage has it.
            PassingError: If the process dies; the next call gets a new one.
        """
        spec = load_spec(run_folder / "steps" / f"{step}.json")
        if spec.launch is not None:
            return self._launch(run_folder, spec, shard)
        if self.local and self.workers == 1:
            return run_shard(run_folder, step, shard)
        return self._record(self._submit(run_folder, step, shard), step, shard)

    def shards(self, run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        """Make the shards of `spec.todo` and yield the record of each as it is done."""
        if spec.launch is not None:
            for shard in spec.todo:
                yield self._launch(run_folder, spec, shard)
            return
        if self.local and 1 in (self.workers, len(spec.todo)):
            for shard in spec.todo:
                yield run_shard(run_folder, spec.step, shard)
            return
        futures = {self._submit(run_folder, spec.step, shard): shard for shard in spec.todo}
        for future in as_completed(futures):
            yield self._record(future, spec.step, futures[future])

    def commit(self, job: Callable[[], Artifact], step: str) -> Artifact:
        """Run the commit of a step here."""
        return job()

    def _launch(self, run_folder: Path, spec: StepSpec, shard: int) -> PartRecord:
        return launch_shard(run_folder, spec, shard, self._crews.append)

    def _record(self, future: Future[PartRecord], step: str, shard: int) -> PartRecord:
        try:
            return future.result()
        except self.deaths as error:
            raise self._died(step, shard) from error

    def _submit(self, run_folder: Path, step: str, shard: int) -> Future[PartRecord]:
        with self._lock:
            if self._executor is None:
                # Spawned, not forked: threads of Prefect and Arrow do not survive a fork.
                self._executor = ProcessPoolExecutor(
                    self.workers,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=begin_process,
                    initargs=(run_folder,),
                )
            with ctrl_c_held_back():
                return self._executor.submit(run_shard, run_folder, step, shard)

    def _died(self, step: str, shard: int) -> PassingError:
        with self._lock:
            # Of threads that lost their shards together, one may have a new pool at work already.
            if self._executor is not None and self._executor._broken:
                self._executor = None
        return PassingError(
            "the worker process died, perhaps killed for want of memory",
            where=f"{step}, shard {shard}",
            mend="Run the same command again, with fewer --workers if memory is short",
        )


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Let a process begin whole: Ctrl-C waits until its parent has told it all it needs.

    The process inherits the mask, so it is deaf to Ctrl-C from its first moment. The mask alone
    does not guard the parent: Python runs the handler in the main thread, whichever thread the
    signal came to.
    """
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number)) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if came:
            signal.raise_signal(signal.SIGINT)


def begin_process(run_folder: Path) -> None:
    """Set a worker process up: log to the run, die with the parent."""
    log_to(run_folder)
    # Spares the collector what is loaded by now: a sixteenth of a parser's time. Only in processes
    # that end without taking their modules down, where what is frozen would count as leaked.
    gc.freeze()
    die_with_parent()


def die_with_parent() -> None:
    """Let this process end when the one that began it does, however it ends."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def log_to(run_folder: Path) -> None:
    """Let the logger of relmill write to `log.txt` of a run, and nowhere else."""
    logger = logging.getLogger("relmill")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    run_folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(run_folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
