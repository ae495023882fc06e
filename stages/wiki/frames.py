"""Frames: records grouped by shard into stretches of a file that can be read one by one.

A file of frames is zstd frames behind one another. A frame holds records of one shard, each as its
key, its place in the dump and its length (little-endian), then its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import zstandard

from stages.wiki.compression import decompress, open_dump
from stages.wiki.multistream import index_multistream, stream_records
from stages.wiki.records import DamagedRecord, Frame, FrameIndex, Record, ShardOf
from storage.errors import SourceError

__all__ = [
    "DamagedRecord",
    "Frame",
    "FrameIndex",
    "Record",
    "ShardOf",
    "index_multistream",
    "open_dump",
    "pack",
    "read_shard",
]

FRAME = 1 << 21
"""Bytes of a frame before it is packed: enough to pack well, little enough to be held."""

MEMORY = 1 << 27
"""Bytes that `pack` holds before it writes frames that are not full."""

REPORT = 1 << 24
"""Bytes between two reports of progress."""

LEVEL = 3
"""zstd's own default: a higher one costs more time than the disk that it saves."""

HEAD = struct.Struct("<qqI")
NO_KEY = -1

Progress = Callable[[int, int], None]
"""Takes the number of records and of bytes (unpacked) so far."""


def pack(
    records: Iterable[Record],
    shard_of: ShardOf,
    out: Path,
    *,
    header: str = "",
    limit: int | None = None,
    progress: Progress | None = None,
) -> FrameIndex:
    """Write records into a file of frames, each with records of one shard.

    Records of a shard keep their order. Equal records give equal bytes. Up to 128 MB are held, and
    one record more.

    Args:
        records: The records of a dump.
        shard_of: Gives the shard of a key; records without one go to shard 0.
        out: File to be written; the caller renames it into place.
        header: What stands before the first page, to be kept in the index.
        limit: Number of records to take; None for all.
        progress: Called every 16 MB and at the end.

    Returns:
        The index of the file.
    """
    count, size, reported = 0, 0, 0
    with out.open("wb") as file:
        packer = _Packer(file)
        for record in islice(records, limit):
            packer.add(0 if record.key is None else shard_of(record.key), record)
            count += 1
            size += len(record.data)
            if progress is not None and size - reported >= REPORT:
                progress(count, size)
                reported = size
        packer.finish()
    if progress is not None:
        progress(count, size)
    return FrameIndex("packed", header, tuple(packer.frames))


class _Packer:
    """Collects records by shard and writes a frame when one is full or memory is short."""

    def __init__(self, file: BinaryIO) -> None:
        self.frames: list[Frame] = []
        self._file = file
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._pending: dict[int, bytearray] = {}
        self._counts: dict[int, int] = {}
        self._held = 0
        self._offset = 0

    def add(self, shard: int, record: Record) -> None:
        key = NO_KEY if record.key is None else record.key
        pending = self._pending.setdefault(shard, bytearray())
        pending += HEAD.pack(key, record.where, len(record.data))
        pending += record.data
        self._counts[shard] = self._counts.get(shard, 0) + 1
        self._held += HEAD.size + len(record.data)
        if len(pending) >= FRAME:
            self._write(shard)
        while self._held > MEMORY:
            self._write(max(self._pending, key=lambda s: (len(self._pending[s]), -s)))

    def finish(self) -> None:
        for shard in sorted(self._pending):
            self._write(shard)

    def _write(self, shard: int) -> None:
        pending = self._pending.pop(shard)
        packed = self._compressor.compress(pending)
        self._file.write(packed)
        frame = Frame(self._offset, len(packed), (shard,), self._counts.pop(shard))
        self.frames.append(frame)
        self._offset += len(packed)
        self._held -= len(pending)


def read_shard(index: FrameIndex, file: Path, shard: int, shard_of: ShardOf) -> Iterator[Record]:
    """Yield the records of one shard in the order of the dump, one frame in memory at a time.

    A damaged record without a key comes with shard 0. Where a multistream dump is read in place it
    comes with the lowest shard that has pages in its stream: exactly once as well.

    Args:
        index: What `pack` or `index_multistream` said of the file.
        file: The file of frames, or the multistream dump.
        shard: Number of the shard.
        shard_of: Gives the shard of a key, the same that the index was made with.

    Raises:
        SourceError: If a frame is cut off or damaged, or does not hold what the index says.
    """
    with _opened(file) as opened:
        for frame in index.of_shard(shard):
            opened.seek(frame.offset)
            data = opened.read(frame.length)
            where = f"{file}, frame at byte {frame.offset}"
            if len(data) != frame.length:
                raise _unlike(where, f"{len(data)} bytes are left of {frame.length}")
            if index.kind == "packed":
                records = _unpack(data, where)
            else:
                records = stream_records(data, frame.offset, where)
            keyed = count = 0
            for record in records:
                count += 1
                keyed += record.key is not None
                belongs = frame.shards[0] if record.key is None else shard_of(record.key)
                if belongs not in frame.shards:
                    raise _unlike(where, f"it holds id {record.key} of shard {belongs}")
                if belongs == shard:
                    yield record
            if not keyed <= frame.records <= count:
                raise _unlike(where, f"it holds {count} records instead of {frame.records}")


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise SourceError(
            f"the file cannot be read: {error.strerror or error}",
            where=str(file),
            mend="Fetch the dump again.",
        ) from error


def _unlike(where: str, what: str) -> SourceError:
    return SourceError(
        f"the file is not the one that was indexed: {what}",
        where=where,
        mend="Fetch the dump again; give a multistream dump the index that belongs to it.",
    )


def _unpack(data: bytes, where: str) -> Iterator[Record]:
    unpacked = decompress(data, where)
    position = 0
    while position < len(unpacked):
        if position + HEAD.size > len(unpacked):
            raise _unlike(where, "its last record is cut off")
        key, place, length = HEAD.unpack_from(unpacked, position)
        position += HEAD.size
        end = position + length
        if end > len(unpacked):
            raise _unlike(where, "its last record is cut off")
        yield Record(None if key == NO_KEY else key, place, unpacked[position:end])
        position = end
