"""Editions: which dates of a dump a mirror or a folder has."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stages.wiki.located import absolute
from stages.wiki.web import BrokenConnectionError, RefusedError, is_address, open_url
from storage.errors import PassingError, SourceError

DATE = re.compile(r"(?<!\d)20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
"""A date as dumps have it in their names: 20261101."""

LONGEST_LISTING = 1 << 24
"""Bytes of a listing that are read."""


@dataclass(frozen=True)
class Edition:
    """A dump of one date.

    Attributes:
        date: As in its name, YYYYMMDD.
        location: Address, or path.
    """

    date: str
    location: str


def newest_edition(location: str, *, timeout: float = 60.0) -> Edition | None:
    """Return the newest edition of a dump that is there; None for a place without a date.

    Wikimedia makes the folder of a date when it begins to dump, and lays each file there when it is
    whole. So an edition counts when its file is there, not when its folder is.

    Args:
        location: Where one edition lies, as `https://HOST/xwiki/20260901/xwiki-20260901-x.xml.bz2`
            or a path on this machine; the date may stand in the folder, in the name, or in both.
        timeout: Seconds without a byte after which a connection counts as broken.

    Raises:
        SourceError: If there is no edition.
        PassingError: If the mirror cannot be reached.
    """
    dated = DATE.search(location)
    if dated is None:
        return None
    start = location.rfind("/", 0, dated.start()) + 1
    end = location.find("/", dated.end())
    level = location[start : end if end >= 0 else None]
    named = re.compile(DATE.pattern.join(map(re.escape, level.split(dated[0]))))
    names = (n for n in _names(location[:start], timeout) if named.fullmatch(n))
    for date in sorted({d[0] for d in map(DATE.search, names) if d}, reverse=True):
        found = location.replace(dated[0], date)
        if _is_there(found, timeout):
            return Edition(date, found)
    raise SourceError(
        "there is no edition of this dump",
        where=location,
        mend=f"Look into {location[:start] or 'the folder'}: it has to lie there under a date",
    )


def _names(folder: str, timeout: float) -> Iterator[str]:
    """Yield the names of what lies in a folder of a mirror or of this machine."""
    if not is_address(folder):
        yield from (path.name for path in _local(folder))
        return
    try:
        with open_url(folder, {}, timeout) as answer:
            page = answer.read(LONGEST_LISTING).decode(errors="replace")
    except RefusedError as refused:
        raise refused.error(folder) from refused
    except (BrokenConnectionError, OSError, http.client.HTTPException) as broken:
        raise _unreachable(folder, broken) from broken
    for link in re.findall(r"""href=["']([^"']+)["']""", page):
        yield unquote(urlsplit(unescape(link)).path).rstrip("/").rpartition("/")[2]


def _local(folder: str) -> Iterator[Path]:
    place = absolute(folder or ".")
    if place.is_dir():
        yield from place.iterdir()


def _is_there(location: str, timeout: float) -> bool:
    if not is_address(location):
        return absolute(location).is_file()
    try:
        # A range of one byte: a mirror may not know HEAD, and a dump has gigabytes.
        with open_url(location, {"Range": "bytes=0-0"}, timeout):
            return True
    except RefusedError as refused:
        if refused.status in (403, 404, 410):
            return False
        raise refused.error(location) from refused
    except BrokenConnectionError as broken:
        raise _unreachable(location, broken) from broken


def _unreachable(location: str, broken: Exception) -> PassingError:
    return PassingError(
        f"the mirror cannot be reached: {broken}", where=location, mend="Try again later"
    )
