"""Template redirects: other names of templates, found while a dump's pages pass by."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from stages.wiki.compression import decompress, open_dump
from stages.wiki.cut import PageRecords
from stages.wiki.dump import parse_page
from stages.wiki.records import DamagedRecord, FrameIndex, Record
from stages.wiki.site import Site
from stages.wiki.titles import normalise_title, parse_target

__all__ = ["TemplateRedirects", "canonical_names", "multistream_redirects"]

TEMPLATE = 10
NAMESPACE = b"<ns>10</ns>"
REDIRECT = b"<redirect"
HEAD = 1 << 13
"""Bytes of a page within which its namespace and its redirect are stated."""

LONGEST_LINE = 1 << 16
"""Bytes of a line of an index; titles have at most 255."""


class TemplateRedirects:
    """Notes the redirects of the template namespace among pages, at the cost of one byte search."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the pages unchanged and note those that are redirects of templates."""
        for record in records:
            self.note(record)
            yield record

    def note(self, record: Record) -> None:
        """Note a page if it is such a redirect; damage is left to those who read the page."""
        namespace = record.data.find(NAMESPACE, 0, HEAD)
        if namespace < 0 or record.data.find(REDIRECT, namespace, HEAD) < 0:
            return
        try:
            page = parse_page(record.data)
        except DamagedRecord:
            return
        if page.namespace == TEMPLATE and page.redirect_title:
            self._found[page.title] = page.redirect_title

    def rows(self, site: Site) -> list[tuple[str, str]]:
        """Return title and target of each, both normalised and without their namespace, sorted.

        A redirect to another namespace is none of a template.
        """
        named: dict[str, str] = {}
        for title, target in sorted(self._found.items()):
            source = parse_target(normalise_title(title, site), site)
            led = parse_target(target, site)
            if source.title and led.title and led.namespace == TEMPLATE and not led.interwiki:
                named[source.title] = led.title
        return sorted(named.items())


def multistream_redirects(
    dump: Path, beside: Path, index: FrameIndex, site: Site
) -> TemplateRedirects:
    """Find the redirects of templates in a multistream dump that is read where it lies.

    Only the streams are read that hold templates, as the dump's own index tells by their titles;
    each is unpacked once, on all cores (unpacking lets other threads run).

    Args:
        dump: The dump.
        beside: Its index, packed or not.
        index: What `index_multistream` said of the two.
        site: The wiki, for what it calls the namespace.

    Raises:
        SourceError: If a stream is damaged.
    """
    wanted = _streams_with_templates(beside, site)
    frames = [frame for frame in index.frames if frame.offset in wanted]
    found = TemplateRedirects()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    with dump.open("rb") as file, ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[bytes]] = deque()
        todo = iter(frames)
        while True:
            for frame in islice(todo, 2 * threads - len(waiting)):
                file.seek(frame.offset)
                where = f"{dump}, frame at byte {frame.offset}"
                waiting.append(pool.submit(decompress, file.read(frame.length), where))
            if not waiting:
                return found
            data = waiting.popleft().result()
            if NAMESPACE in data:
                for record in PageRecords(io.BytesIO(data), dump.name):
                    found.note(record)


def _streams_with_templates(beside: Path, site: Site) -> set[int]:
    """Return the bytes at which the streams start that hold a page of the template namespace."""
    names = [name for name, key in site.keys.items() if key == TEMPLATE]
    prefixes = tuple(f"{name.replace('_', ' ')}:" for name in names)
    places: set[int] = set()
    with open_dump(beside) as lines:
        while line := lines.readline(LONGEST_LINE):
            place, _, rest = line.partition(b":")
            title = rest.partition(b":")[2]
            if b":" in title and title.decode("utf-8", "replace").lower().startswith(prefixes):
                places.add(int(place))
    return places


def canonical_names(rows: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return for each redirect of a template the name that it leads to in the end.

    Args:
        rows: Title and target of redirects. One that leads to itself over others is left out.
    """
    step = dict(rows)
    names: dict[str, str] = {}
    for title, target in step.items():
        seen = {title}
        while target in step and target not in seen:
            seen.add(target)
            target = step[target]
        if target not in seen:
            names[title] = target
    return names
