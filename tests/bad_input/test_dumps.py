"""Dumps that are wrong as a whole: cut off, damaged, of another kind, not there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.bad_input.kit import (
    END,
    HEAD,
    PACKINGS,
    Desk,
    dump,
    item,
    multistream,
    page,
    wikidata,
    without,
)

WRONG_WIKIPEDIA = {
    "an error page": (b"<html><body>404 Not Found</body></html>", "it starts with b'<html>"),
    "a Wikidata dump": (wikidata().encode(), "this is no MediaWiki XML export"),
    "an answer of an API": (b'{"error": "maxlag"}', "this is no MediaWiki XML export"),
    "an empty file": (b"", "the file is empty"),
    "a file of zeros": (bytes(500), "this is no MediaWiki XML export"),
    "a 7z archive": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "the file is a 7z archive"),
    "two letters": (b"BZ", "this is no MediaWiki XML export"),
    "a header alone": (HEAD.encode(), "the dump holds no page"),
    "a dump of nothing": (dump([]).encode(), "the dump holds no page"),
    "a header that is cut off": (HEAD[:150].encode(), "the dump holds no page"),
    "no siteinfo": (f"<mediawiki>\n{page(1)}{END}".encode(), "--set fetch.language="),
    "a siteinfo that is no XML": (
        dump().replace("<case>", "<case").encode(),
        "the dump's header is not well-formed",
    ),
}

WRONG_WIKIDATA = {
    "a Wikipedia dump": (dump().encode(), "line 1: this is no Wikidata JSON dump"),
    "words": (b"not found\n", "this is no Wikidata JSON dump, it starts with b'not found'"),
    "an empty file": (b"", "the file is empty"),
    "an empty array": (b"[\n]\n", "the dump holds no entity"),
}


def holds_and_goes_on_once_mended(desk: Desk, made: Desk, raw: Path, sound: str) -> None:
    """Check that nothing is half written and that the mended file gives the untroubled tables."""
    desk.was_not_made("fetch")
    desk.write(raw.name, sound)
    desk.run(to="parse_wikipedia").succeeds()
    desk.run(to="parse_wikidata").succeeds()
    untroubled = made.digests()
    mended = desk.digests()
    assert mended
    assert mended == {part: untroubled[part] for part in mended}


@pytest.mark.parametrize("kind", WRONG_WIKIPEDIA)
def test_what_is_no_wikipedia_dump_is_refused(kind: str, desk: Desk, made: Desk) -> None:
    data, says = WRONG_WIKIPEDIA[kind]
    raw = desk.write("towns.xml", data)
    desk.run().refuses("SourceError: fetch, wikipedia-0, ", str(raw), says)
    holds_and_goes_on_once_mended(desk, made, raw, dump())


@pytest.mark.parametrize("kind", WRONG_WIKIDATA)
def test_what_is_no_wikidata_dump_is_refused(kind: str, desk: Desk, made: Desk) -> None:
    data, says = WRONG_WIKIDATA[kind]
    raw = desk.write("towns.json", data)
    desk.run().refuses("SourceError: fetch, wikidata-0, ", str(raw), says)
    holds_and_goes_on_once_mended(desk, made, raw, wikidata())


def test_a_zip_is_refused_by_its_kind(desk: Desk) -> None:
    path = desk.folder / "towns.xml.bz2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("towns.xml", dump())
    desk.run(wikipedia=path).refuses("the file is a zip archive", "pack it as bz2, gz or zst")
    desk.was_not_made("fetch")


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_packed_dump_that_is_cut_off_is_refused_with_the_byte(
    packing: str, share: float, desk: Desk, made: Desk
) -> None:
    packed = PACKINGS[packing](dump().encode())
    cut = packed[: max(int(len(packed) * share), 6)]
    raw = desk.write("towns.xml", cut)
    desk.run().refuses(
        f"{raw}, byte {len(cut)}: the file ends in the middle of its {packing} data",
        "Download it again; it was cut off",
    )
    holds_and_goes_on_once_mended(desk, made, raw, dump())


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_wikidata_dump_that_is_cut_off_is_refused_with_the_byte(packing: str, desk: Desk) -> None:
    cut = PACKINGS[packing](wikidata().encode())[:-9]
    raw = desk.write("towns.json.packed", cut)
    desk.run(wikidata=raw).refuses(f"{raw}, byte {len(cut)}: the file ends in the middle")
    desk.was_not_made("fetch")


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_dump_with_wrong_bytes_is_refused(packing: str, desk: Desk) -> None:
    packed = bytearray(PACKINGS[packing](dump().encode()))
    middle = len(packed) // 2
    for place in range(middle, middle + 8):
        packed[place] ^= 0xFF
    raw = desk.write("towns.xml.packed", bytes(packed))
    desk.run(wikipedia=raw).refuses(str(raw))
    desk.was_not_made("fetch")


def test_a_dump_that_ends_in_the_middle_of_a_page_is_refused_with_the_byte(
    desk: Desk, made: Desk
) -> None:
    cut = dump().encode()[:2500]
    start = cut.rindex(b"<page>")
    raw = desk.write("towns.xml", cut)
    desk.run().refuses(
        f"{raw}, byte 2500 (the page starts at byte {start}): "
        "the dump ends in the middle of a page",
        "Download it again",
    )
    holds_and_goes_on_once_mended(desk, made, raw, dump())


def test_a_dump_that_ends_in_the_middle_of_a_character_is_refused(desk: Desk) -> None:
    cut = b"\xff\xfe" + dump().encode("utf-16-le")[:-501]
    raw = desk.write("towns.xml", cut)
    desk.run().refuses(str(raw), "the UTF-16 text ends in the middle of a character")
    desk.was_not_made("fetch")


@pytest.mark.parametrize(
    ("source", "text", "table", "rows"),
    [
        ("wikipedia", without(dump(), END), "pages", 20),
        ("wikidata", wikidata().removesuffix("\n]\n"), "items", 20),
    ],
)
def test_a_dump_without_its_last_tag_or_bracket_is_read_and_said_to_have_no_end(
    source: str, text: str, table: str, rows: int, desk: Desk
) -> None:
    desk.write("towns.xml" if source == "wikipedia" else "towns.json", text)
    desk.run(to=f"parse_{source}").succeeds()
    assert desk.rows(table).num_rows == rows
    assert f"{source}-0 has no end" in desk.look("show", "sources").succeeds().text


def test_a_wikidata_dump_cut_in_the_middle_of_a_line_has_that_line_counted(desk: Desk) -> None:
    desk.write("towns.json", wikidata()[:-100])
    answer = desk.run(to="parse_wikidata").succeeds()
    assert "damaged: invalid_json 1" in answer.text
    assert desk.rows("items").num_rows == 19


class TestMultistream:
    def test_with_its_own_index_it_is_read_where_it_lies(self, desk: Desk, made: Desk) -> None:
        data, lines = multistream()
        desk.run(wikipedia=desk.write_multistream(data, "\n".join(lines))).succeeds()
        assert desk.rows("pages") == made.rows("pages")
        assert not list(desk.root.glob("artifacts/fetch/*/files/wikipedia-0.frames"))

    @pytest.mark.parametrize(
        ("harm", "says"),
        [
            (lambda lines: [f"1{line}" for line in lines], "the index points to bytes"),
            (lambda lines: ["x", *lines], "line 1: this is no line of an index: b'x\\n'"),
            (lambda lines: [line.partition(":")[2] for line in lines], "this is no line of an"),
            (lambda lines: [], "the file is empty"),
            (lambda lines: lines[5:], "the index does not name the pages"),
            (
                lambda lines: [
                    f"{int(line.split(':')[0]) + 3}:{line.split(':', 1)[1]}" for line in lines
                ],
                "the index says that pages start at byte",
            ),
        ],
        ids=["another dump", "one line", "no offsets", "empty", "first stream", "shifted"],
    )
    def test_an_index_that_does_not_fit_is_refused(
        self, harm: object, says: str, desk: Desk
    ) -> None:
        data, lines = multistream()
        assert callable(harm)
        index = "".join(f"{line}\n" for line in harm(lines))
        raw = desk.write_multistream(data, index.encode())
        index_path = raw.with_name("towns-multistream-index.txt.bz2")
        desk.run(wikipedia=raw).refuses(f"SourceError: fetch, wikipedia-0, {index_path}", says)
        desk.was_not_made("fetch")

    def test_an_index_without_some_streams_is_refused_when_they_are_read(self, desk: Desk) -> None:
        data, lines = multistream()
        raw = desk.write_multistream(data, "\n".join([*lines[:5], *lines[10:]]))
        desk.run(wikipedia=raw).refuses(
            "SourceError: parse_wikipedia, shard ",
            str(raw),
            "the file is not the one that was indexed",
            "the index that belongs to it",
        )
        desk.was_not_made("parse_wikipedia")

    @pytest.mark.parametrize("lost", [30, 900])
    def test_a_dump_that_is_cut_off_is_refused(self, lost: int, desk: Desk) -> None:
        data, lines = multistream()
        raw = desk.write_multistream(data[:-lost], "\n".join(lines))
        desk.run(wikipedia=raw).refuses(str(raw.parent), "ownload")
        desk.was_not_made("fetch")

    def test_an_index_in_place_of_the_dump_is_refused(self, desk: Desk) -> None:
        raw = desk.write_multistream(*[multistream()[0], "\n".join(multistream()[1])])
        index = raw.with_name("towns-multistream-index.txt.bz2")
        desk.run(wikipedia=index).refuses(str(index), "this is no MediaWiki XML export")

    def test_a_dump_that_changed_since_it_was_fetched_is_refused_not_misread(
        self, desk: Desk
    ) -> None:
        data, lines = multistream()
        raw = desk.write_multistream(data, "\n".join(lines))
        desk.run(to="fetch", wikipedia=raw).succeeds()
        desk.write(raw.name, data[:-200])
        desk.run(wikipedia=raw).refuses(str(raw), "Download it again")
        desk.was_not_made("parse_wikipedia")


@pytest.mark.parametrize("source", ["wikipedia", "wikidata"])
@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("nowhere.xml.bz2", "and there is no file "),
        (".", "which is a folder"),
        ("ftp://host/dump.xml.bz2", "http:// or https://"),
        ("http://host", "that names no file of a server"),
        ("http://[1/dump.xml.bz2", "that names no file of a server"),
        ("sample:many", "or sample:SEED"),
        ("", "names no file"),
        ("[]", "names no file"),
    ],
)
def test_what_names_no_file_is_refused_before_anything_runs(
    source: str, location: str, says: str, desk: Desk
) -> None:
    desk.run(**{source: location}).refuses(f"Error: fetch: {source} ", says)
    assert not desk.root.exists()


def test_one_wrong_file_of_several_is_named(desk: Desk) -> None:
    sound, wrong = desk.folder / "towns.xml", desk.write("other.xml", "<html>")
    answer = desk.look("run", "--in-process", f'--set=fetch.wikipedia=["{sound}", "{wrong}"]')
    answer.refuses("fetch, wikipedia-1, ", str(wrong))


def test_dumps_that_were_swapped_are_refused(desk: Desk) -> None:
    answer = desk.run(wikipedia=desk.folder / "towns.json", wikidata=desk.folder / "towns.xml")
    answer.refuses("this is no ", "it starts with")
    desk.was_not_made("fetch")


def test_an_item_in_two_lines_is_no_reason_to_stop(desk: Desk) -> None:
    broken = item(3).replace('"labels"', '\n"labels"')
    desk.write("towns.json", wikidata([item(1), broken, item(4)]))
    answer = desk.run(to="parse_wikidata").succeeds()
    assert "damaged: invalid_json 2" in answer.text
    assert desk.rows("items")["qid"].to_pylist() == ["Q1", "Q4"]
