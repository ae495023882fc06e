"""Dump: a MediaWiki XML export (0.9 to 0.11), first cut into pages, then read page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO
from xml.parsers import expat

from stages.wiki.records import DamagedRecord, Record
from storage.errors import SourceError

__all__ = ["DamagedRecord", "PageRecords", "RawPage", "page_records", "parse_page"]

CHUNK = 1 << 20
"""Bytes read at once."""

LONGEST = 1 << 28
"""Bytes within which a page must end; the longest page of a dump of current revisions has 20 MB."""

OPEN = b"<page>"
CLOSE = b"</page>"
END = b"</mediawiki>"
SPACE = b" \t\r\n"
ID = re.compile(rb"<id>\s*(\d{1,18})\s*</id>")
NUMBER = re.compile(r"-?\d{1,18}")

MIN_BUFFER, MAX_BUFFER = 1 << 12, 1 << 20


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the dump has it, its text not parsed.

    Attributes:
        title: With its namespace's name in front, as in the dump.
        namespace: Key of the namespace, 0 for articles.
        redirect_title: Title that the page leads to; None where it is no redirect.
        revision_id: Revision that the text is of; the last one where the dump has several.
        revision_time: Time of that revision; None where the dump leaves it out.
        model: "wikitext" and others: "css", "Scribunto", ...
        text: Wikitext; "" where the text was deleted from the wiki's history.
    """

    page_id: int
    namespace: int
    title: str
    redirect_title: str | None
    revision_id: int
    revision_time: datetime | None
    model: str
    text: str


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
        if self._find(b"<mediawiki", 0, within=CHUNK) < 0:
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
        while (following := self._find(OPEN, opening + len(OPEN))) >= 0:
            yield from self._cut(opening, following)
            opening = following
            if opening > CHUNK:
                del self._buffer[:opening]
                self._base += opening
                opening = 0
        yield from self._last(opening)

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

    def _cut(self, opening: int, following: int) -> Iterator[Record]:
        """Yield the page at `opening`, and what stands behind it before the next one."""
        buffer = self._buffer
        end = following
        while buffer[end - 1] in SPACE:
            end -= 1
        if buffer.endswith(CLOSE, opening, end):
            yield self._page(opening, end)
            return
        closing = buffer.find(CLOSE, opening, end)
        if closing < 0:
            yield self._page(opening, end)
            return
        closing += len(CLOSE)
        yield self._page(opening, closing)
        yield from self._between(closing, end)

    def _last(self, opening: int) -> Iterator[Record]:
        buffer = self._buffer
        closing = buffer.find(CLOSE, opening)
        if closing < 0:
            raise SourceError(
                "the dump ends in the middle of a page",
                where=f"{self._name}, byte {self._base + len(buffer)}"
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


def parse_page(data: bytes) -> RawPage:
    """Read one page.

    Args:
        data: `<page>...</page>` as UTF-8.

    Raises:
        DamagedRecord: With one of these reasons: "outside_page" (what stood between two pages),
            "invalid_utf8", "invalid_xml", "page_without_title", "page_without_namespace",
            "page_without_id", "page_without_revision", "page_without_text" (a dump of stubs),
            "redirect_without_title", "invalid_number", "invalid_time".
    """
    if not data.startswith(OPEN):
        raise DamagedRecord("outside_page", repr(data[:80]))
    page = _elements(data)
    values, attributes = page.values, page.attributes
    title = values.get("/page/title", "").strip()
    if not title:
        raise DamagedRecord("page_without_title", f"id {values.get('/page/id', 'missing')}")
    named = f"title {title!r}"
    if "/page/revision" not in values:
        raise DamagedRecord("page_without_revision", named)
    redirect = None
    if "/page/redirect" in values:
        redirect = attributes.get("/page/redirect", {}).get("title")
        if not redirect:
            raise DamagedRecord("redirect_without_title", named)
    return RawPage(
        page_id=_number(values, "/page/id", "page_without_id", named),
        namespace=_number(values, "/page/ns", "page_without_namespace", named),
        title=title,
        redirect_title=redirect,
        revision_id=_number(values, "/page/revision/id", "page_without_revision", named),
        revision_time=_time(values.get("/page/revision/timestamp", ""), named),
        model=values.get("/page/revision/model", "").strip() or "wikitext",
        text=_text(page, named),
    )


class _Elements:
    """Text and attributes of the elements of a page, by their path; the last revision wins."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.attributes: dict[str, dict[str, str]] = {}
        self._path = ""
        self._text: list[str] = []
        self.text = self._text.append

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path = path = f"{self._path}/{name}"
        self._text.clear()
        if attributes:
            self.attributes[path] = attributes
        if path == "/page/revision" and path in self.values:
            for stored in (self.values, self.attributes):
                for key in [key for key in stored if key.startswith(path)]:
                    del stored[key]

    def end(self, name: str) -> None:
        self.values[self._path] = "".join(self._text)
        self._text.clear()
        self._path = self._path[: -len(name) - 1]


def _elements(data: bytes) -> _Elements:
    page = _Elements()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = max(MIN_BUFFER, min(len(data), MAX_BUFFER))
    parser.StartElementHandler = page.start
    parser.EndElementHandler = page.end
    parser.CharacterDataHandler = page.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        try:
            data.decode()
        except UnicodeDecodeError as wrong:
            raise DamagedRecord("invalid_utf8", f"{wrong.reason}, byte {wrong.start}") from error
        raise DamagedRecord("invalid_xml", str(error)) from error
    return page


def _number(values: dict[str, str], path: str, missing: str, named: str) -> int:
    text = values.get(path, "").strip()
    if not text:
        raise DamagedRecord(missing, named)
    if not NUMBER.fullmatch(text):
        raise DamagedRecord("invalid_number", f"{named}, {path[1:]} is {text[:40]!r}")
    return int(text)


def _time(text: str, named: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise DamagedRecord("invalid_time", f"{named}, {text[:40]!r}") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _text(page: _Elements, named: str) -> str:
    path = "/page/revision/text"
    attributes = page.attributes.get(path, {})
    text = page.values.get(path)
    if text is None:
        raise DamagedRecord("page_without_text", named)
    if not text and attributes.get("bytes", "0") != "0" and "deleted" not in attributes:
        raise DamagedRecord("page_without_text", f"{named}, the text is left out of the dump")
    return text
