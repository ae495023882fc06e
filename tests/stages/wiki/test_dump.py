from __future__ import annotations

import io
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.wiki import cut
from stages.wiki.compression import open_dump
from stages.wiki.dump import DamagedRecord, RawPage, page_records, parse_page
from storage.errors import SourceError

CASES = Path(__file__).parents[2] / "cases" / "dump.txt"
HEADER = (
    b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">\n'
    b"  <siteinfo><dbname>nelbywiki</dbname></siteinfo>\n"
)
FOOTER = b"</mediawiki>\n"


def cases() -> list[Any]:
    blocks = re.split(r"^## ", CASES.read_text("utf-8"), flags=re.M)[1:]
    parsed = []
    for block in blocks:
        name, _, rest = block.partition("\n")
        page, _, expected = rest.partition("\n=> ")
        parsed.append(pytest.param(page, expected.strip(), id=name))
    return parsed


def page(number: int, text: str = "word") -> bytes:
    return (
        f"<page>\n    <title>Page {number}</title>\n    <ns>0</ns>\n    <id>{number}</id>\n"
        f"    <revision><id>{number + 1000}</id><timestamp>2020-01-01T00:00:00Z</timestamp>"
        f'<text xml:space="preserve">{text}</text></revision>\n  </page>'
    ).encode()


def dump(*pages: bytes) -> bytes:
    return HEADER + b"".join(b"  " + each + b"\n" for each in pages) + FOOTER


def cut_up(data: bytes) -> tuple[bytes, list[tuple[int | None, int, bytes]], bool]:
    header, pages = page_records(io.BytesIO(data), "x.xml")
    records = [(r.key, r.where, r.data) for r in pages]
    return header, records, pages.complete


@pytest.mark.parametrize(("data", "expected"), cases())
def test_a_page_says(data: str, expected: str) -> None:
    if expected.startswith("damaged "):
        with pytest.raises(DamagedRecord) as damage:
            parse_page(data.encode())
        assert damage.value.reason == expected.removeprefix("damaged ")
        assert damage.value.detail
        return
    found = parse_page(data.encode())
    for name, value in json.loads(expected).items():
        shown = getattr(found, name)
        assert (str(shown) if name == "revision_time" and shown else shown) == value


def test_invalid_utf8_is_damage_of_its_page_only() -> None:
    broken = page(2).replace(b"word", b"w\xff\xfeord")
    _, records, complete = cut_up(dump(page(1), broken, page(3)))
    assert [key for key, _, _ in records] == [1, 2, 3]
    assert complete
    with pytest.raises(DamagedRecord, match=r"invalid_utf8: .*byte"):
        parse_page(records[1][2])
    assert parse_page(records[2][2]).title == "Page 3"


def test_a_control_character_is_damage() -> None:
    with pytest.raises(DamagedRecord, match="invalid_xml"):
        parse_page(page(1, "a\x01b"))


def test_pages_header_and_places() -> None:
    data = dump(page(1), page(2))
    header, records, complete = cut_up(data)
    assert header == HEADER + b"  "
    assert records == [(1, data.index(page(1)), page(1)), (2, data.index(page(2)), page(2))]
    assert complete


def test_a_dump_without_pages() -> None:
    header, records, complete = cut_up(HEADER + FOOTER)
    assert (header, records, complete) == (HEADER, [], True)


def test_a_dump_without_end_tag_is_told() -> None:
    _, records, complete = cut_up(HEADER + page(1))
    assert [key for key, _, _ in records] == [1]
    assert not complete


@pytest.mark.parametrize("data", [b"", b"<html><page></page>", b"\xff\xfe<", b'{"id": "Q1"}', b"x"])
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"x\.xml, byte 0: this is no MediaWiki XML export"):
        page_records(io.BytesIO(data), "x.xml")


def test_an_end_in_the_middle_of_a_page() -> None:
    data = dump(page(1), page(2))
    end = data.index(b"Page 2")
    with pytest.raises(SourceError, match="in the middle of a page") as error:
        cut_up(data[:end])
    assert f"byte {end}" in str(error.value)
    assert f"starts at byte {data.index(page(2))}" in str(error.value)


def test_a_page_without_end_tag_does_not_swallow_the_next() -> None:
    _, records, _ = cut_up(dump(page(1), page(2).removesuffix(b"</page>"), page(3)))
    assert [key for key, _, _ in records] == [1, 2, 3]
    with pytest.raises(DamagedRecord, match="invalid_xml"):
        parse_page(records[1][2])
    assert parse_page(records[2][2]).page_id == 3


def test_what_stands_between_pages_is_kept_as_damage() -> None:
    mangled = page(2).replace(b"<page>", b"<pag>", 1)
    data = dump(page(1), mangled, page(3))
    _, records, complete = cut_up(data)
    assert [(key, where) for key, where, _ in records] == [
        (1, data.index(page(1))),
        (None, data.index(page(1)) + len(page(1))),
        (3, data.index(page(3))),
    ]
    assert complete
    with pytest.raises(DamagedRecord, match="outside_page"):
        parse_page(records[1][2])


def test_dumps_behind_one_another() -> None:
    _, records, complete = cut_up(dump(page(1)) + dump(page(2)))
    assert [key for key, _, _ in records] == [1, 2]
    assert complete


def test_a_page_without_text_element_does_not_hide_the_next() -> None:
    bare = b"<page><title>A</title><ns>0</ns><id>4</id></page>"
    _, records, _ = cut_up(dump(bare, page(5), bare, bare, page(6)))
    assert [key for key, _, _ in records] == [4, 5, 4, 4, 6]


def test_a_page_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "CHUNK", 1 << 10)
    monkeypatch.setattr(cut, "LONGEST", 1 << 14)
    with pytest.raises(SourceError, match="no <page> within"):
        cut_up(dump(page(1, "x" * (1 << 16)), page(2)))


@given(st.lists(st.integers(0, 6000), max_size=8), st.integers(1, 4000))
def test_the_size_of_a_read_changes_nothing(lengths: list[int], size: int) -> None:
    data = dump(*(page(i, "x" * length) for i, length in enumerate(lengths)))
    whole = cut_up(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "CHUNK", size)
        patch.setattr(cut, "HEADER", 1 << 20)
        assert cut_up(data) == whole
    assert [key for key, _, _ in whole[1]] == list(range(len(lengths)))


GOOD = page(7)


@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.binary(max_size=6))
def test_a_mutated_page_is_a_page_or_damage(start: int, length: int, new: bytes) -> None:
    mutated = GOOD[:start] + new + GOOD[start + length :]
    with suppress(DamagedRecord):
        found = parse_page(mutated)
        assert isinstance(found, RawPage)
        found.text.encode()


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 12), st.binary(max_size=6))
def test_a_mutated_page_leaves_its_neighbours(start: int, length: int, new: bytes) -> None:
    mutated = GOOD[:start] + new + GOOD[start + length :]
    _, records, _ = cut_up(dump(page(1), mutated, page(3)))
    pages = []
    for _, _, data in records:
        with suppress(DamagedRecord):
            pages.append(parse_page(data).page_id)
    assert pages[0] == 1
    assert pages[-1] == 3


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=200))
def test_text_survives(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if "\ufffe" in text or "\uffff" in text:
        return
    assert parse_page(page(1, escaped)).text == text


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if not folder:
        pytest.skip("RELMILL_REAL_DATA names no folder of real dumps")
    return Path(folder)


SLICE = "enwiki-slice/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


@pytest.mark.parametrize(
    ("path", "pages", "articles", "redirects"),
    [
        (SLICE, 206, 106, 100),
        ("enwiki-tiny/enwiki-pages-articles-sample.xml.bz2", 3, 2, 1),
        ("ltgwiki-full/smallwiki-latest-pages-articles.xml.bz2", 2004, 903, 195),
        ("zhwiki-sample/zhwiki-test-pages.xml.bz2", 33, 23, 0),
        ("bgwiki-tiny/bgwiki-latest-pages-articles-shortened.xml.bz2", 3, 1, 0),
        ("minidumps/arwiki-mini.xml.bz2", 3, 3, 0),
    ],
)
def test_real_dumps(real: Path, path: str, pages: int, articles: int, redirects: int) -> None:
    with open_dump(real / path) as stream:
        header, found = page_records(stream, path)
        parsed = [(record.key, parse_page(record.data)) for record in found]
    assert b"<siteinfo>" in header
    assert found.complete
    assert all(key == each.page_id for key, each in parsed)
    assert len(parsed) == pages
    assert sum(each.namespace == 0 and not each.redirect_title for _, each in parsed) == articles
    assert sum(each.redirect_title is not None for _, each in parsed) == redirects


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("zhwiki-malformed/zhwiki-broken-1.xml.bz2", "page_without_title"),
        ("zhwiki-malformed/zhwiki-broken-2.xml.bz2", "page_without_namespace"),
    ],
)
def test_real_malformed_dumps(real: Path, path: str, reason: str) -> None:
    reasons = []
    with open_dump(real / path) as stream:
        for record in page_records(stream, path)[1]:
            try:
                parse_page(record.data)
            except DamagedRecord as damage:
                reasons.append(damage.reason)
    assert reasons == [reason]
