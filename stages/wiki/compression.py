"""Compression: open a dump as a stream of UTF-8 bytes, however it is packed and encoded."""

from __future__ import annotations

import bz2
import codecs
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from storage.errors import SourceError

__all__ = ["decompress", "open_dump"]

CHUNK = 1 << 16
"""Bytes read at once; few, because packed text may unfold to a hundred times its size."""

BUFFER = 1 << 18
"""Bytes that the reader of a stream holds ready."""

UNREADABLE = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x04\x22\x4d\x18": "an lz4 file",
}


class Unpacker(Protocol):
    """What the decompressors of bz2, zlib and zstandard have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was met."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What stands behind that end."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """Return what a piece of the stream unfolds to."""
        ...


def _gzip() -> Unpacker:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Unpacker:
    return zstandard.ZstdDecompressor().decompressobj()


PACKINGS: tuple[tuple[bytes, str, Callable[[], Unpacker]], ...] = (
    (b"BZh", "bz2", bz2.BZ2Decompressor),
    (b"\x1f\x8b", "gz", _gzip),
    (b"\x28\xb5\x2f\xfd", "zst", _zstd),
)


def open_dump(path: Path) -> io.BufferedReader:
    """Open a dump for reading as UTF-8 bytes.

    Whether it is bz2, gz, zst or plain is told by its first bytes, not by its name; of the packed
    ones a file may be many streams behind one another. UTF-16 with a byte order mark becomes UTF-8
    on the way; what is no character in it becomes bytes that are no UTF-8, so that the damage stays
    with the page that it is in.

    Raises:
        SourceError: If the file cannot be opened, is empty or is packed in another way. While it is
            read: if it is cut off or damaged; the message names the byte.
    """
    try:
        file = path.open("rb")
        start = file.read(8)
    except OSError as error:
        raise SourceError(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            mend="Name a file that exists and may be read.",
        ) from error
    file.seek(0)
    try:
        blocks = _unfold(file, start, str(path))
    except SourceError:
        file.close()
        raise
    return io.BufferedReader(_Blocks(file, _as_utf8(blocks, str(path))), BUFFER)


def decompress(data: bytes, where: str) -> bytes:
    """Return what a stretch of a packed dump, made of whole streams, unfolds to.

    Raises:
        SourceError: If the data is cut off or damaged.
    """
    return b"".join(_unfold(io.BytesIO(data), data[:8], where))


def _unfold(file: BinaryIO, start: bytes, where: str) -> Iterator[bytes]:
    if not start:
        raise SourceError("the file is empty", where=where, mend="Download it again.")
    for magic, what in UNREADABLE.items():
        if start.startswith(magic):
            raise SourceError(
                f"the file is {what}",
                where=where,
                mend="Unpack it, or pack it as bz2, gz or zst.",
            )
    for magic, packing, new in PACKINGS:
        if start.startswith(magic):
            return _streams(file, packing, new, where)
    return iter(lambda: file.read(CHUNK), b"")


def _streams(
    file: BinaryIO, packing: str, new: Callable[[], Unpacker], where: str
) -> Iterator[bytes]:
    unpacker = new()
    begun = False
    position = 0
    while chunk := file.read(CHUNK):
        data = chunk
        while data:
            if not begun and not data.strip(b"\0"):
                # Tapes and some writers of gz fill the last block with zeros.
                break
            begun = True
            try:
                block = unpacker.decompress(data)
            except (OSError, ValueError, zlib.error, zstandard.ZstdError) as error:
                raise _damaged(packing, f"{where}, near byte {position}", str(error)) from error
            if block:
                yield block
            data = unpacker.unused_data if unpacker.eof else b""
            if unpacker.eof:
                unpacker, begun = new(), False
        position += len(chunk)
    if begun:
        raise SourceError(
            f"the file ends in the middle of its {packing} data",
            where=f"{where}, byte {position}",
            mend="Download it again; it was cut off.",
        )


def _damaged(packing: str, where: str, detail: str) -> SourceError:
    return SourceError(
        f"the {packing} data is damaged ({detail})",
        where=where,
        mend="Download the file again and compare its checksum.",
    )


def _as_utf8(blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    first = b""
    for block in blocks:
        first += block
        if len(first) >= len(codecs.BOM_UTF8):
            break
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _from_utf16(first, blocks, where)
        return
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from blocks


def _from_utf16(first: bytes, blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    position = 0
    block: bytes | None = first
    while block is not None:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
        position += len(block)
        block = next(blocks, None)
    if decoder.getstate()[0]:
        raise SourceError(
            "the UTF-16 text ends in the middle of a character",
            where=f"{where}, byte {position} of the text",
            mend="Download the file again; it was cut off.",
        )


class _Blocks(io.RawIOBase):
    """The blocks that a generator gives, as a file."""

    def __init__(self, file: BinaryIO, blocks: Iterator[bytes]) -> None:
        self._file = file
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
