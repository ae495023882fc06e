"""Files of released corpora: their records, each with the place that a message names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from stages.wiki.compression import open_dump
from storage.errors import SourceError

__all__ = ["Record", "array", "decode", "lines", "whole"]

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file, not decoded yet.

    Attributes:
        number: Its place in the file, from 1: the line of a file of lines.
    """

    path: Path
    number: int
    raw: bytes
    kind: str = "record"

    @property
    def where(self) -> str:
        """Place of the record, for messages."""
        return f"{self.path}, {self.kind} {self.number}"

    def error(self, what: str, mend: str) -> SourceError:
        """Return the error of something wrong in this record."""
        return SourceError(what, where=self.where, mend=mend)


def whole(path: Path) -> bytes:
    """Return the bytes of a file, plain, gz, bz2 or zst.

    Raises:
        SourceError: If it cannot be read.
    """
    with open_dump(path) as stream:
        return stream.read().removeprefix(b"\xef\xbb\xbf")


def lines(path: Path) -> Iterator[Record]:
    """Yield each line that is not empty.

    Raises:
        SourceError: If the file cannot be read.
    """
    with open_dump(path) as stream:
        for number, line in enumerate(stream, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield Record(path, number, line, "line")


def array(path: Path) -> Iterator[Record]:
    """Yield each element of a file that is one JSON array.

    Raises:
        SourceError: If the file cannot be read or is no JSON array.
    """
    try:
        elements = msgspec.json.decode(whole(path), type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise SourceError(
            f"this is not one JSON array: {error}",
            where=str(path),
            mend="Name a file of this format, whole: [{...}, {...}]",
        ) from error
    for number, raw in enumerate(elements, start=1):
        yield Record(path, number, bytes(raw))


def decode(record: Record, shape: type[Shape], form: str) -> Shape:
    """Return a record as what it should be.

    Args:
        form: The record's shape in words, for the message.

    Raises:
        SourceError: If it is not JSON, lacks a key or has a value of another type.
    """
    try:
        return msgspec.json.decode(record.raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = record.raw.strip()[:80].decode("utf-8", "replace")
        raise record.error(f"{error}; it begins {start!r}", f"A record is {form}") from error
