"""Dump: the pages of a MediaWiki XML export (0.9 to 0.11), cut out and read one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat

from stages.wiki.cut import OPEN, PageRecords, page_records
from stages.wiki.records import DamagedRecord

__all__ = ["DamagedRecord", "PageRecords", "RawPage", "page_records", "parse_page"]

NUMBER = re.compile(r"-?\d{1,18}")

MIN_BUFFER, MAX_BUFFER = 1 << 12, 1 << 20
"""Bounds of the bytes that expat gathers before it hands over text."""


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
            raise DamagedRecord("invalid_utf8", _around(wrong)) from error
        raise DamagedRecord("invalid_xml", str(error)) from error
    return page


def _around(wrong: UnicodeDecodeError) -> str:
    near = wrong.object[max(wrong.start - 20, 0) : wrong.start + 20]
    return f"{wrong.reason}, byte {wrong.start} of the page, in {near!r}"


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
