"""Files that are there whole or not at all: written aside, synced, renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from storage.errors import PassingError, SchemaError

Record = TypeVar("Record")


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, what lies there is synced and renamed.

    Raises:
        PassingError: If the disk refuses (full, read-only).
    """
    aside = path.with_name(f".aside-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise PassingError(
            f"{path} could not be written: {error.strerror or error}",
            mend="Free some space or mend the disk, then run the same command again: "
            "what was finished is kept",
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def as_json(value: object) -> bytes:
    """Return a record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def write_json(path: Path, value: object) -> None:
    """Write a record as indented JSON, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_bytes(as_json(value))


def read_json(path: Path, kind: type[Record], data: bytes | None = None, mend: str = "") -> Record:
    """Read a record that `write_json` wrote.

    Args:
        data: What the file holds, where it was read already.
        mend: What the user does about a file that is no such record.

    Raises:
        SchemaError: If the file is no such record.
    """
    try:
        return msgspec.json.decode(path.read_bytes() if data is None else data, type=kind)
    except msgspec.MsgspecError as error:
        raise SchemaError(
            f"{path} is damaged or of another version: {error}",
            mend=mend or "Remove its folder and run the step again",
        ) from error
