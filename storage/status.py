"""What the trainer of a launched step says of itself, in a file that outlives its process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from storage import errors
from storage.aside import read_json
from storage.errors import PipelineError, StageError

State = Literal["running", "completed", "stopped", "failed"]


class Status(msgspec.Struct):
    """How a training goes, or how it ended.

    Attributes:
        step: Updates that were done.
        metrics: The last figures, by name.
        error: Kind, what, where and mend of the error that ended it.
    """

    state: State = "running"
    step: int = 0
    metrics: dict[str, float] = {}
    error: dict[str, str] = {}


def status_path(scratch: Path, rank: int = 0) -> Path:
    """Return where a process of a launched step writes its status; rank 0 speaks for all."""
    return scratch / ("status.json" if rank == 0 else f"status-{rank}.json")


def read_status(path: Path) -> Status | None:
    """Return a status; None where nothing was written."""
    return read_json(path, Status) if path.is_file() else None


def write_status(path: Path, status: Status) -> None:
    """Write a status, whole or not at all; not synced, so that it may be told every update."""
    aside = path.with_name(f".aside-{os.getpid()}-{path.name}")
    aside.write_bytes(msgspec.json.encode(status))
    aside.replace(path)


def end_status(path: Path, state: State, error: PipelineError | None = None) -> None:
    """Write down how a training ended; step and figures stay as they were last told."""
    status = read_status(path) or Status()
    status.state = state
    if error is not None:
        status.error = {
            "kind": type(error).__name__,
            "what": error.what,
            "where": error.where,
            "mend": error.mend,
        }
    write_status(path, status)


def error_of(status: Status) -> PipelineError:
    """Return the error that ended a training."""
    kind = getattr(errors, status.error.get("kind", ""), StageError)
    error: PipelineError = kind(
        status.error.get("what", "it failed"),
        where=status.error.get("where", ""),
        mend=status.error.get("mend", ""),
    )
    return error
