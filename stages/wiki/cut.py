"""Cut: find the pages of a MediaWiki XML export as stretches of bytes, without parsing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from stages.wiki.records import Record
from storage.errors import SourceError

__all__ = ["END", "OPEN", "PageRecords", "page_key", "page_records"]

CHUNK = 1 << 20
"""Bytes read at once."""

HEADER = 1 << 20
"""Bytes within which the root element must start."""

LONGEST = 1 << 28
"""Bytes within which a page must end; the longest page of a dump of current revisions has 20 MB."""

OPEN = b"<page>"
TEXT = b"<text"
CLOSE = b"</page>"
END = b"</mediawiki>"
ID = re.compile(rb"<id>\s*(\d{1,18})\s*</id>")


def page_records(stream: BinaryIO, name: str) -> tuple[bytes, PageRecords]:
    """Cut a dump into its pages.

    The scan looks for tags as bytes, which is safe since MediaWiki escapes every `<` of a text.

    Args:
        stream: The dump as UTF-8 bytes.
        name: What the dump is called in messages.

    Returns:
        What stands before the first page (siteinfo is in it), and the pages.

    Raises:
        SourceError: If the stream is no MediaWiki export.
    """
    pages = PageRecords(stream, name)
    return pages.header(), pages


class PageRecords(Iterator[Record]):
    """The pages of a dump, or of a stretch of one, one at a time.

    What stands between two pages and is neither space nor the seam of two dumps becomes a record
    without key, so that it is counted as damage. A page without its end tag is cut where the next
    one starts.

    Raises:
        SourceError: While iterating: if the stream ends in the middle of a page, or a page does not
            end within 256 MB.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._buffer = bytearray()
        self._base = 0
        self._start = 0
        self._records = self._read()
        self.complete = False
        """Whether the dump's end tag was met; known once all pages are read."""

    def __next__(self) -> Record:
        return next(self._records)

    def header(self) -> bytes:
        """Return what stands before the first page; to be called before the first page is read.

        Raises:
            SourceError: If it is not the beginning of a MediaWiki export.
        """
        if self._find(b"<mediawiki", 0, within=HEADER) < 0:
            raise SourceError(
                f"this is no MediaWiki XML export, it starts with {bytes(self._buffer[:60])!r}",
                where=f"{self._name}, byte 0",
                mend="Name a dump of the kind pages-articles.",
            )
        end = self._find(OPEN, 0)
        if end < 0:
            end = self._end_tag(0)
        self._start = end
        return bytes(self._buffer[:end])

    def _read(self) -> Iterator[Record]:
        opening = self._find(OPEN, self._start)
        if opening < 0:
            yield from self._between(self._start, self._end_tag(self._start))
            return
        yield from self._between(self._start, opening)
        behind = self._behind_text(opening)
        while (following := self._find(OPEN, behind)) >= 0:
            yield from self._cut(opening, behind, following)
            opening = following
            if opening > CHUNK:
                del self._buffer[:opening]
                self._base += opening
                opening = 0
            behind = self._behind_text(opening)
        yield from self._last(opening, behind)

    def _find(self, needle: bytes, start: int, within: int | None = None) -> int:
        """Return where `needle` is next met, -1 for nowhere; reads on as far as it must."""
        at = start
        while (found := self._buffer.find(needle, at)) < 0:
            at = max(start, len(self._buffer) - len(needle) + 1)
            if within is not None and len(self._buffer) - start >= within:
                return -1
            if len(self._buffer) - start > LONGEST:
                raise SourceError(
                    f"no {needle.decode()} within {LONGEST >> 20} MB",
                    where=f"{self._name}, byte {self._base + start}",
                    mend="Name a dump of current revisions (pages-articles), not of all history.",
                )
            chunk = self._stream.read(CHUNK)
            if not chunk:
                return -1
            self._buffer += chunk
        return found

    def _behind_text(self, opening: int) -> int:
        """Return a place before which the page does not end and no further one starts.

        One byte is found ten times faster than a tag, and a text holds no `<`.
        """
        start = opening + len(OPEN)
        text = self._buffer.find(TEXT, start)
        if text < 0 or any(self._buffer.find(tag, start, text) >= 0 for tag in (OPEN, CLOSE)):
            return start
        bracket = self._buffer.find(b"<", text + len(TEXT))
        return bracket if bracket >= 0 else len(self._buffer)

    def _cut(self, opening: int, behind: int, following: int) -> Iterator[Record]:
        """Yield the page at `opening`, and what stands behind it before the next one."""
        closing = self._buffer.find(CLOSE, behind, following)
        if closing < 0:
            yield self._page(opening, following)
            return
        closing += len(CLOSE)
        yield self._page(opening, closing)
        yield from self._between(closing, following)

    def _last(self, opening: int, behind: int) -> Iterator[Record]:
        closing = self._buffer.find(CLOSE, behind)
        if closing < 0:
            raise SourceError(
                "the dump ends in the middle of a page",
                where=f"{self._name}, byte {self._base + len(self._buffer)}"
                f" (the page starts at byte {self._base + opening})",
                mend="Download it again; it was cut off.",
            )
        closing += len(CLOSE)
        yield self._page(opening, closing)
        yield from self._between(closing, self._end_tag(closing))

    def _end_tag(self, start: int) -> int:
        """Return where the dump's end tag stands, or the end of the stream."""
        end = self._buffer.rfind(END, start)
        self.complete = end >= 0
        return end if end >= 0 else len(self._buffer)

    def _page(self, start: int, end: int) -> Record:
        data = bytes(memoryview(self._buffer)[start:end])
        return Record(page_key(data), self._base + start, data)

    def _between(self, start: int, end: int) -> Iterator[Record]:
        between = bytes(self._buffer[start:end]).strip()
        seam = between.startswith(END) and b"<mediawiki" in between
        if between and not seam:
            yield Record(None, self._base + start, between[:CHUNK])


def page_key(data: bytes) -> int | None:
    """Return the page id out of the bytes of a page, None where there is none."""
    # A revision and its contributor have ids of their own.
    revision = data.find(b"<revision")
    found = ID.search(data, 0, revision if revision >= 0 else len(data))
    return int(found[1]) if found else None
