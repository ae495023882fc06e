"""Records: what a dump is cut into before anybody looks inside, and where each lies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

import msgspec

from storage.errors import SourceError

__all__ = ["DamagedRecord", "Frame", "FrameIndex", "Record", "ShardOf"]

FORMAT = 1
"""Version of the JSON of a `FrameIndex`."""


@dataclass(frozen=True, slots=True)
class Record:
    """One page or one entity as bytes, not looked into yet.

    Attributes:
        key: Page id, or number of the entity id; None where it cannot be read. Such a record is
            damaged and belongs to shard 0.
        where: Of a page: byte of the decompressed dump at which it starts, counted from 0 and, for
            a dump that is not UTF-8, in its UTF-8 form; of a page read out of a multistream dump
            in place: byte of the compressed dump at which its stream starts. Of an entity: line of
            the dump, counted from 1.
        data: `<page>...</page>`, or one JSON object without the comma behind it.
    """

    key: int | None
    where: int
    data: bytes


class ShardOf(Protocol):
    """Says which shard a key belongs to; a function of the key alone."""

    def __call__(self, key: int, /) -> int:
        """Return the shard of a key, counted from 0."""
        ...


class DamagedRecord(Exception):  # noqa: N818 (it names the record)
    """One record that cannot be read, while those around it can.

    Args:
        reason: What is wrong, as one of a few short names under which damage is counted.
        detail: The particular case: place within the record, offending value.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Frame:
    """A stretch of a file that can be read without the rest of it.

    Attributes:
        offset: Byte of the file at which it starts.
        length: Its length in bytes.
        shards: Shards that its records belong to, ascending.
        records: Number of its records.
    """

    offset: int
    length: int
    shards: tuple[int, ...]
    records: int


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the records of each shard lie in a file.

    Attributes:
        kind: "packed" (a file that `pack` wrote) or "multistream" (a dump of many bz2 streams,
            read where it lies).
        header: What stands before the first page of a dump; "" for a dump of entities.
        frames: The frames in the order of the file.
    """

    kind: str
    header: str
    frames: tuple[Frame, ...]

    @property
    def records(self) -> int:
        """Number of records in all frames."""
        return sum(frame.records for frame in self.frames)

    def of_shard(self, shard: int) -> tuple[Frame, ...]:
        """Return the frames that may hold records of a shard, in the order of the file."""
        return tuple(frame for frame in self.frames if shard in frame.shards)

    def to_json(self) -> str:
        """Return the index as JSON, the same text for equal indexes."""
        frames = [[f.offset, f.length, f.records, *f.shards] for f in self.frames]
        stored = {"format": FORMAT, "kind": self.kind, "header": self.header, "frames": frames}
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, shard: int | None = None) -> FrameIndex:
        """Return the index that `to_json` wrote.

        Args:
            shard: Only the frames of this shard are kept, of the million of a large dump; None
                for all.

        Raises:
            SourceError: If `text` is not such JSON, or was written by a newer relmill.
        """
        try:
            stored = msgspec.json.decode(text, type=_Stored)
            own = _FRAME if shard is None else _frame_of(shard)
            frames = tuple(_frame(found) for found in own.finditer(stored.frames))
        except msgspec.MsgspecError as error:
            raise SourceError(
                f"the index of a dump's frames cannot be read: {error!r}",
                mend="Fetch the dump again.",
            ) from error
        if stored.format != FORMAT:
            raise SourceError(
                f"the index of a dump's frames has format {stored.format!r}, known is {FORMAT}",
                mend="Fetch the dump again with this relmill.",
            )
        return cls(stored.kind, stored.header, frames)


class _Stored(msgspec.Struct):
    """An index as JSON; its frames, a million in a large dump, are not made into objects."""

    format: int
    kind: str
    header: str
    frames: msgspec.Raw


_FRAME = re.compile(rb"\[(\d+),(\d+),(\d+)((?:,\d+)+)\]")


def _frame_of(shard: int) -> re.Pattern[bytes]:
    """Return what finds the frames that hold records of a shard."""
    return re.compile(rb"\[(\d+),(\d+),(\d+)((?:,\d+)*,%d(?:,\d+)*)\]" % shard)


def _frame(found: re.Match[bytes]) -> Frame:
    offset, length, records, shards = found.groups()
    numbers = tuple(int(number) for number in shards[1:].split(b","))
    return Frame(int(offset), int(length), numbers, int(records))
