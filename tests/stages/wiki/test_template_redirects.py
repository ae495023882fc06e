from __future__ import annotations

import bz2
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from stages.wiki.frames import Record, index_multistream
from stages.wiki.site import Site, site_from_siteinfo
from stages.wiki.template_redirects import (
    TemplateRedirects,
    canonical_names,
    multistream_redirects,
)
from stages.wiki.wikitext import parse_wikitext

ENGLISH = site_from_siteinfo(b"", "en")
GERMAN = site_from_siteinfo(
    b'<siteinfo><namespaces><namespace key="10" case="first-letter">Vorlage</namespace>'
    b'<namespace key="2" case="first-letter">Benutzer</namespace></namespaces></siteinfo>',
    "de",
)
Named = tuple[str, int, str | None]


def page(number: int, title: str, namespace: int, target: str | None) -> bytes:
    redirect = "" if target is None else f'<redirect title="{escape(target)}" />'
    return (
        f"<page><title>{escape(title)}</title><ns>{namespace}</ns><id>{number}</id>{redirect}"
        f"<revision><id>1</id><text>x</text></revision></page>\n"
    ).encode()


def rows_of(pages: Sequence[Named], site: Site) -> list[tuple[str, str]]:
    found = TemplateRedirects()
    records = [Record(n, 0, page(n, *named)) for n, named in enumerate(pages, 1)]
    assert list(found.watch(records)) == records
    return found.rows(site)


def test_only_redirects_from_template_to_template_count() -> None:
    pages = [
        ("Template:Cvrt", 10, "Template:Convert"),
        ("Template:Convert", 10, None),
        ("Convert", 0, "Conversion"),
        ("Template talk:Cvrt", 11, "Template talk:Convert"),
        ("Template:Box", 10, "User:Ann/Box"),
    ]
    assert rows_of(pages, ENGLISH) == [("Cvrt", "Convert")]


def test_titles_lose_the_local_name_of_their_namespace_and_their_entities() -> None:
    pages = [("Vorlage:R&B", 10, "Vorlage:musik stil"), ("Vorlage:A/b", 10, "Template:C: d")]
    assert rows_of(pages, GERMAN) == [("A/b", "C: d"), ("R&B", "Musik stil")]


def test_a_damaged_redirect_is_left_to_those_who_read_the_page() -> None:
    found = TemplateRedirects()
    found.note(Record(1, 0, b'<page><title>T</title><ns>10</ns><redirect title="x"'))
    assert found.rows(ENGLISH) == []


@pytest.mark.parametrize("packed", [True, False])
def test_a_multistream_dump_tells_the_same_as_its_pages(tmp_path: Path, packed: bool) -> None:
    pages: list[Named] = [(f"Vorlage:N{n}", 10, f"Vorlage:Ziel {n % 3}") for n in range(0, 40, 4)]
    pages += [(f"Seite {n}", 0, None) for n in range(90)]
    pages += [("Template:Alt", 10, "Vorlage:Neu"), ("Hinweis: Vorlage", 0, None)]
    dump, beside = write_multistream(tmp_path, pages, packed=packed)
    index = index_multistream(dump, beside, lambda key: key % 3)
    assert multistream_redirects(dump, beside, index, GERMAN).rows(GERMAN) == rows_of(pages, GERMAN)


def write_multistream(folder: Path, pages: list[Named], *, packed: bool) -> tuple[Path, Path]:
    data, lines = bz2.compress(b'<mediawiki xml:lang="de">\n'), []
    for start in range(0, len(pages), 7):
        group = list(enumerate(pages[start : start + 7], start + 1))
        lines += [f"{len(data)}:{n}:{named[0]}" for n, named in group]
        data += bz2.compress(b"".join(page(n, *named) for n, named in group))
    dump = folder / "x-multistream.xml.bz2"
    dump.write_bytes(data + bz2.compress(b"</mediawiki>\n"))
    text = "\n".join(lines).encode() + b"\n"
    beside = folder / f"x-multistream-index.txt{'.bz2' if packed else ''}"
    beside.write_bytes(bz2.compress(text) if packed else text)
    return dump, beside


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("A", "B")], {"A": "B"}),
        ([("A", "B"), ("B", "C"), ("D", "A")], {"A": "C", "B": "C", "D": "C"}),
        ([("A", "A")], {}),
        ([("A", "B"), ("B", "A"), ("C", "B")], {}),
    ],
)
def test_redirects_are_followed_to_their_end(
    rows: list[tuple[str, str]], expected: dict[str, str]
) -> None:
    assert canonical_names(rows) == expected


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("It lies {{far off|1300|mi|km}} inland.", "It lies 1,300 miles (2,100 km) inland."),
        ("It lies {{Template:far_off|2|mi|km}} inland.", "It lies 2 miles (3.2 km) inland."),
        ("He met {{keep whole|[[Anselm|him]]}} there.", "He met him there."),
        # A rule of the redirect's own name holds where its target has none.
        ("One {{nobr|[[two]]}} three.", "One two three."),
    ],
)
def test_a_template_is_known_by_the_name_that_its_redirect_leads_to(
    wikitext: str, text: str
) -> None:
    names = {"Far off": "Convert", "Keep whole": "Nowrap", "Nobr": "Something else"}
    assert parse_wikitext(wikitext, ENGLISH, redirects=names).text == text


def test_dropped_templates_are_counted_by_that_name_and_disambiguation_is_known_by_it() -> None:
    names = {"Citation wanted": "Citation needed", "Same name": "Disambiguation"}
    page = parse_wikitext("A{{citation wanted|date=x}} b.\n{{same name}}", ENGLISH, redirects=names)
    assert page.dropped_templates["Citation needed"] == 1
    assert page.disambiguation
