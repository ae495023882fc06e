"""One process of a launched step: `pipeline.worker` as accelerate starts it.

All ranks run the stage. Rank 0 writes what it yields; the others take part in the training and
what they yield is not written. Told to stop (SIGTERM), a rank lets the trainer write a checkpoint.
When the engine or the launcher is gone, a rank ends too, so none is ever left behind.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from pipeline.launch import ENGINE, GRACE_SECONDS
from pipeline.processes import Launch, world_size
from pipeline.run import StepSpec
from pipeline.worker import run_shard, take_part
from stages.base import Rank
from storage.errors import PipelineError, StageError, StoppedError
from storage.status import end_status, status_path
from storage.warehouse import Warehouse


def run_rank(run_folder: Path, spec: StepSpec, index: int) -> int:
    """Make a shard as one of several processes; return the exit status."""
    rank = Rank(int(os.environ.get("RANK", "0")), world_size(Launch.model_validate(spec.launch)))
    log_to_output(rank)
    signal.signal(signal.SIGTERM, lambda *_: rank.stop.set())
    if os.environ.get(ENGINE):
        threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    warehouse = Warehouse(run_folder.parent.parent)
    status = status_path(warehouse.named(spec.artifact).scratch(index), rank.index)
    try:
        with ExitStack() as stack:
            if rank.index == 0 and not os.environ.get(ENGINE):
                require_alone(warehouse, spec)
                stack.enter_context(warehouse.lock(spec.artifact))
            make = run_shard if rank.index == 0 else take_part
            make(run_folder, spec.step, index, rank)
        if rank.index == 0:
            end_status(status, "completed")
    except PipelineError as error:
        # What breaks while all are told to stop is no fault of its own.
        stopped = isinstance(error, StoppedError) or rank.stop.is_set()
        logging.getLogger("relmill").info("%s", error)
        if rank.index == 0 or not stopped:
            end_status(status, "stopped" if stopped else "failed", error)
        return error.exit_code
    return 0


def require_alone(warehouse: Warehouse, spec: StepSpec) -> None:
    """Check that no other run makes the step.

    Raises:
        StageError: If one does.
    """
    if warehouse.is_locked(spec.artifact):
        raise StageError(
            "another run is making it", where=spec.step, mend="Wait for its end, or end it"
        )


def log_to_output(rank: Rank) -> None:
    """Let the logger of relmill write to standard output, which the engine reads."""
    handler = logging.StreamHandler(sys.stdout)
    where = f"rank {rank.index}: " if rank.index else ""
    handler.setFormatter(logging.Formatter(f"%(levelname)s {where}%(message)s"))
    logger = logging.getLogger("relmill")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def follow(parent: int) -> None:
    """End this process when the engine is gone or the launcher is: first kindly, then for good.

    The engine holds the other end of standard input; a process whose parent died gets another one.
    """
    poller = select.poll()
    poller.register(0, select.POLLIN | select.POLLHUP)
    while os.getppid() == parent and not any(
        event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poller.poll(500)
    ):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
