"""Dumps: the articles of the real dumps that a folder holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.wiki.compression import open_dump
from stages.wiki.dump import DamagedRecord, page_records, parse_page
from stages.wiki.site import Site, site_from_siteinfo
from storage.errors import SourceError

VARIABLE = "RELMILL_REAL_DATA"
SLICE = "enwiki-slice"


@dataclass(frozen=True)
class Article:
    """A page of namespace 0 that is no redirect.

    Attributes:
        dump: Folder and file of the dump that it is of.
    """

    dump: str
    title: str
    wikitext: str
    site: Site


def data_folder() -> Path:
    """Return the folder that the environment names, or end the command."""
    folder = os.environ.get(VARIABLE)
    if not folder or not Path(folder).is_dir():
        sys.exit(f"{VARIABLE} must name a folder with real dumps")
    return Path(folder)


def dumps(folder: Path) -> list[Path]:
    """Return the dumps of wikis below a folder."""
    found = []
    for path in sorted(folder.glob("*/*.bz2")):
        with open_dump(path) as stream:
            if b"<mediawiki" in stream.read(1000):
                found.append(path)
    return found


def articles(path: Path) -> Iterator[Article]:
    """Yield the articles of a dump; damaged pages and all behind a broken place are left out."""
    with open_dump(path) as stream:
        header, records = page_records(stream, path.name)
        # The header of each of the small dumps says English; their names say the language.
        stated = path.name[:2] if path.name.endswith("wiki-mini.xml.bz2") else None
        site = site_from_siteinfo(header, stated)
        try:
            for record in records:
                try:
                    page = parse_page(record.data)
                except DamagedRecord:
                    continue
                if page.namespace == 0 and page.redirect_title is None:
                    yield Article(f"{path.parent.name}/{path.name}", page.title, page.text, site)
        except SourceError:
            return
