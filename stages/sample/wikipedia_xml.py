"""The pages as a MediaWiki XML dump (export 0.11) in multistream bzip2, with its index."""

from __future__ import annotations

import bz2
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from stages.sample.pages import Page

PAGES_PER_STREAM = 25
NAMESPACES = {
    -2: "Media", -1: "Special", 0: "", 1: "Talk", 2: "User", 3: "User talk", 4: "Wikipedia",
    5: "Wikipedia talk", 6: "File", 7: "File talk", 8: "MediaWiki", 9: "MediaWiki talk",
    10: "Template", 11: "Template talk", 12: "Help", 13: "Help talk", 14: "Category",
    15: "Category talk", 100: "Portal", 101: "Portal talk", 118: "Draft", 119: "Draft talk",
    126: "MOS", 127: "MOS talk", 710: "TimedText", 711: "TimedText talk", 828: "Module",
    829: "Module talk",
}  # fmt: skip
_SCHEMA = "http://www.mediawiki.org/xml/export-0.11"
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def header() -> str:
    """Return the opening of the dump: the root element and the siteinfo."""
    namespaces = "\n".join(
        f'      <namespace key="{key}" case="first-letter"'
        + (f">{name}</namespace>" if name else " />")
        for key, name in NAMESPACES.items()
    )
    return (
        f'<mediawiki xmlns="{_SCHEMA}/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{_SCHEMA}/ {_SCHEMA}.xsd" version="0.11" xml:lang="en">\n'
        "  <siteinfo>\n"
        "    <sitename>Wikipedia</sitename>\n"
        "    <dbname>enwiki</dbname>\n"
        "    <base>https://en.wikipedia.org/wiki/Main_Page</base>\n"
        "    <generator>MediaWiki 1.46.0-wmf.8 (made up by stages/sample)</generator>\n"
        "    <case>first-letter</case>\n"
        f"    <namespaces>\n{namespaces}\n    </namespaces>\n"
        "  </siteinfo>\n"
    )


def page_xml(page: Page, rng: random.Random) -> str:
    """Return a page with its one revision."""
    revision = rng.randint(900_000_000, 1_300_000_000)
    day = f"2025-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    size, sha1 = len(page.text.encode()), base36_sha1(page.text)
    redirect = f"    <redirect title={quoteattr(page.redirect)} />\n" if page.redirect else ""
    author = (
        f"<username>Editor {revision % 89}</username>\n        <id>{revision % 9973 + 1}</id>"
        if revision % 7
        else "<ip>192.0.2.17</ip>"
    )
    return (
        "  <page>\n"
        f"    <title>{escape(page.title)}</title>\n"
        f"    <ns>{page.namespace}</ns>\n"
        f"    <id>{page.page_id}</id>\n"
        f"{redirect}"
        "    <revision>\n"
        f"      <id>{revision}</id>\n"
        f"      <parentid>{revision - rng.randint(1_000, 9_000_000)}</parentid>\n"
        f"      <timestamp>{day}T{clock}Z</timestamp>\n"
        f"      <contributor>\n        {author}\n      </contributor>\n"
        "      <comment>written by a program; see [[Wikipedia:About the sample]]</comment>\n"
        f"      <origin>{revision}</origin>\n"
        "      <model>wikitext</model>\n"
        "      <format>text/x-wiki</format>\n"
        f'      <text bytes="{size}" sha1="{sha1}" xml:space="preserve">'
        f"{escape(page.text, {chr(34): '&quot;'})}</text>\n"
        f"      <sha1>{sha1}</sha1>\n"
        "    </revision>\n"
        "  </page>\n"
    )


def base36_sha1(text: str) -> str:
    """Return the SHA-1 of a text as MediaWiki writes it: 31 digits to the base of 36."""
    number = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16)
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE_36[digit] + digits
    return digits.rjust(31, "0")


def write_wikipedia(pages: Sequence[Page], seed: int, dump: Path, index: Path) -> None:
    """Write a multistream dump and its index.

    Args:
        pages: By ascending page id.
        seed: Of revision ids and times.
        dump: Header, streams of `PAGES_PER_STREAM` pages, and the end, each a bzip2 stream.
        index: One line `offset:page_id:title` a page, offset in bytes of the page's stream; the
            title is escaped as in the XML.
    """
    rng = random.Random(f"wikipedia {seed}")
    written = bytearray(bz2.compress(header().encode()))
    lines = []
    for first in range(0, len(pages), PAGES_PER_STREAM):
        group = pages[first : first + PAGES_PER_STREAM]
        lines += [f"{len(written)}:{page.page_id}:{escape(page.title)}\n" for page in group]
        written += bz2.compress("".join(page_xml(page, rng) for page in group).encode())
    written += bz2.compress(b"</mediawiki>\n")
    dump.write_bytes(written)
    index.write_bytes(bz2.compress("".join(lines).encode()))
