"""Multistream: read a dump of many bz2 streams where it lies, guided by the index beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stages.wiki.compression import decompress, open_dump
from stages.wiki.cut import END, OPEN, PageRecords
from stages.wiki.records import Frame, FrameIndex, Record, ShardOf
from storage.errors import SourceError

__all__ = ["index_multistream", "stream_records"]

LONGEST_LINE = 1 << 16
"""Bytes of a line of an index; titles have at most 255."""


def index_multistream(dump: Path, index: Path, shard_of: ShardOf) -> FrameIndex:
    """Find the streams of a multistream dump and the shards of their pages.

    Of the dump only the first stream (the header) and the last ones are read.

    Args:
        dump: The dump, `...-multistream.xml.bz2`.
        index: Its index, `...-multistream-index.txt.bz2` or unpacked: lines `byte:page id:title`.
        shard_of: Gives the shard of a page id.

    Raises:
        SourceError: If one of them cannot be read, a line of the index is no such line or points
            outside the dump, or the dump is cut off.
    """
    streams = _streams(index, shard_of)
    try:
        size = dump.stat().st_size
    except OSError as error:
        raise SourceError(
            f"the dump cannot be read: {error.strerror or error}",
            where=str(dump),
            mend="Name a file that exists and may be read.",
        ) from error
    offsets = sorted(streams)
    if offsets[0] <= 0 or offsets[-1] >= size:
        raise SourceError(
            f"the index points to bytes {offsets[0]} to {offsets[-1]} of a dump of {size} bytes",
            where=str(index),
            mend="Give the dump the index that belongs to it, or download the dump again.",
        )
    frames = []
    for offset, end in zip(offsets, [*offsets[1:], size], strict=True):
        shards, records = streams[offset]
        frames.append(Frame(offset, end - offset, tuple(sorted(shards)), records))
    with dump.open("rb") as file:
        header = _header(file, offsets[0], dump, index)
        _check_end(file, frames[-1], str(dump))
    return FrameIndex("multistream", _text_of(header, str(dump)), tuple(frames))


def stream_records(data: bytes, place: int, where: str) -> Iterator[Record]:
    """Yield the pages of a stretch of a multistream dump.

    Args:
        data: The compressed stretch, one or more whole streams.
        place: Byte of the dump at which the stretch starts; the place of all its pages.
        where: What the stretch is called in messages.
    """
    for record in PageRecords(io.BytesIO(decompress(data, where)), where):
        yield Record(record.key, place, record.data)


def _streams(index: Path, shard_of: ShardOf) -> dict[int, tuple[set[int], int]]:
    """Return for each byte at which a stream starts the shards of its pages and their number."""
    streams: dict[int, tuple[set[int], int]] = {}
    with open_dump(index) as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            offset, _, rest = line.partition(b":")
            page_id, colon, _ = rest.partition(b":")
            if not (offset.isdigit() and page_id.isdigit() and colon):
                if not line.strip():
                    continue
                raise SourceError(
                    f"this is no line of an index: {line[:60]!r}",
                    where=f"{index}, line {number}",
                    mend="Name the dump's file ...-multistream-index.txt.bz2.",
                )
            place = int(offset)
            shards, records = streams.get(place) or (set(), 0)
            shards.add(shard_of(int(page_id)))
            streams[place] = (shards, records + 1)
    if not streams:
        raise SourceError(
            "the index names no page",
            where=str(index),
            mend="Name the dump's file ...-multistream-index.txt.bz2.",
        )
    return streams


def _header(file: BinaryIO, length: int, dump: Path, index: Path) -> bytes:
    """Return what stands before the first page that the index names."""
    try:
        header = decompress(file.read(length), f"{dump}, first stream")
    except SourceError as error:
        raise SourceError(
            f"the index says that pages start at byte {length} of the dump, and no stream of "
            f"{dump.name} starts there",
            where=str(index),
            mend="Give the dump the index that belongs to it, or download both again.",
        ) from error
    if OPEN in header:
        raise SourceError(
            f"the index does not name the pages of {dump.name} before byte {length}",
            where=str(index),
            mend="Give the dump the index that belongs to it, or download both again.",
        )
    return header


def _check_end(file: BinaryIO, last: Frame, name: str) -> None:
    file.seek(last.offset)
    where = f"{name}, stream at byte {last.offset}"
    if END not in decompress(file.read(last.length), where)[-(1 << 16) :]:
        raise SourceError(
            "the dump ends without its end tag </mediawiki>",
            where=where,
            mend="Download it again; it was cut off.",
        )


def _text_of(header: bytes, name: str) -> str:
    if b"<mediawiki" not in header:
        raise SourceError(
            f"this is no MediaWiki XML export, it starts with {header[:60]!r}",
            where=f"{name}, byte 0",
            mend="Name a dump of the kind pages-articles-multistream.",
        )
    return header.decode(errors="replace")
