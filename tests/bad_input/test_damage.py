"""Damage inside one page or one line: counted, shown, and too much of it stops the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stages import base
from tests.bad_input.kit import (
    END,
    HEAD,
    Desk,
    dump,
    item,
    items,
    jsonable,
    page,
    pages,
    sample_of,
    wikidata,
)

Harm = Callable[[str], str | bytes]

PAGES: dict[str, tuple[Harm, str]] = {
    "page_without_title": (lambda p: p.replace("<title>Town 7</title>", ""), "page 7, byte "),
    "page_without_namespace": (lambda p: p.replace("<ns>0</ns>", ""), "title 'Town 7'"),
    "page_without_id": (lambda p: p.replace("<id>7</id>", ""), "a page without id, byte "),
    "page_without_revision": (
        lambda p: p[: p.index("<revision>")] + "</page>\n",
        "title 'Town 7'",
    ),
    "page_without_text": (
        lambda p: p[: p.index("<text")] + "</revision></page>\n",
        "title 'Town 7'",
    ),
    "invalid_number": (lambda p: p.replace("<ns>0<", "<ns>main<"), "page/ns is 'main'"),
    "invalid_time": (lambda p: p.replace("2026-01-01T", "yesterday "), "'yesterday 00:00:00Z'"),
    "invalid_xml": (lambda p: p.replace("is a town", "is <b town"), "not well-formed"),
    "invalid_utf8": (lambda p: p.encode().replace(b"a town", b"a t\xffwn"), r"a t\xffwn"),
    "duplicate_page_id": (lambda p: p.replace("<id>7</id>", "<id>6</id>"), "title 'Town 7'"),
    "redirect_without_title": (
        lambda p: p.replace("<ns>0</ns>", "<ns>0</ns><redirect/>"),
        "Town 7",
    ),
    "outside_page": (lambda p: p.replace("<page>", "<pge>"), "<pge>"),
}

LINES: dict[str, tuple[Harm, str]] = {
    "invalid_json": (lambda line: line[:30], "truncated"),
    "invalid_utf8": (lambda line: line.encode().replace(b"Town", b"T\xffwn"), r"T\xffwn 7"),
    "no_entity": (lambda line: "[1, 2]", "[1, 2]"),
    "invalid_id": (lambda line: line.replace('"Q7"', '"seven"'), "'seven'"),
    "entity_without_id": (lambda line: line.replace('"id": "Q7", ', ""), "item"),
    "duplicate_id": (lambda line: line.replace('"Q7"', '"Q6"'), "Q6"),
}


def put(parts: list[str], place: int, harmed: str | bytes, join: str = "") -> bytes:
    """Join the parts of a dump, one of them harmed."""
    encoded = [part.encode() for part in parts]
    encoded[place] = harmed.encode() if isinstance(harmed, str) else harmed
    return join.encode().join(encoded)


@pytest.mark.parametrize("reason", PAGES)
def test_a_damaged_page_is_counted_and_shown_and_the_others_are_read(
    reason: str, desk: Desk
) -> None:
    harm, says = PAGES[reason]
    harmed = harm(page(7))
    assert harmed != page(7)
    desk.write("towns.xml", HEAD.encode() + put(pages(), 6, harmed) + END.encode())
    answer = desk.run().succeeds()
    assert f"damaged: {reason} 1" in answer.text
    shown = desk.look("show", "pages").succeeds()
    assert f"damaged: {reason} " in shown.text
    sample = sample_of(shown, reason)
    assert sample.startswith("towns.xml, ")
    assert ", byte " in sample
    assert says in sample
    found = sorted(desk.rows("pages")["page_id"].to_pylist())
    assert found == [n for n in range(1, 21) if n != 7]
    desk.nothing_half_written()


@pytest.mark.parametrize("reason", LINES)
def test_a_damaged_line_is_counted_and_shown_and_the_others_are_read(
    reason: str, desk: Desk
) -> None:
    harm, says = LINES[reason]
    harmed = harm(item(7))
    assert harmed != item(7)
    desk.write("towns.json", b"[\n" + put(items(), 6, harmed, ",\n") + b"\n]\n")
    answer = desk.run(to="parse_wikidata").succeeds()
    assert f"damaged: {reason} 1" in answer.text
    sample = sample_of(desk.look("show", "items").succeeds(), reason)
    assert sample.startswith(f"towns.json, line 8: {reason}: ")
    assert says in sample
    found = sorted(int(qid[1:]) for qid in desk.rows("items")["qid"].to_pylist())
    assert found == [n for n in range(1, 21) if n != 7]


def test_an_item_without_labels_is_kept_and_counted(desk: Desk) -> None:
    bare = item(7).replace(
        '"labels": {"en": {"language": "en", "value": "Town 7"}}', '"labels": {}'
    )
    assert bare != item(7)
    desk.write("towns.json", wikidata([*items()[:6], bare, *items()[7:]]))
    desk.run(to="").succeeds()
    labels = {row["qid"]: row["label"] for row in desk.rows("items").to_pylist()}
    assert labels.pop("Q7") is None
    assert None not in labels.values()
    shown = desk.look("show", "items").succeeds().text
    assert "item_without_label" in shown
    assert "damaged" not in shown


def test_the_second_of_two_pages_with_one_id_mixes_nothing_up(desk: Desk) -> None:
    twice = [*pages(), page(7, "Hamlet", "'''Hamlet''' is near [[Town 1]].")]
    desk.write("towns.xml", dump(twice))
    desk.run(to="").succeeds()
    assert desk.rows("pages")["title"].to_pylist().count("Hamlet") == 0
    assert desk.rows("hyperlinks").num_rows == 20


def test_a_sample_of_every_kind_of_damage_is_kept(desk: Desk) -> None:
    untitled = [page(n).replace(f"<title>Town {n}</title>", "") for n in range(1, 9)]
    numberless = page(9).replace("<ns>0<", "<ns>main<")
    desk.write("towns.xml", dump([*untitled, numberless, *pages()[9:]]))
    desk.run().succeeds()
    shown = desk.look("show", "pages").succeeds()
    assert "page/ns is 'main'" in sample_of(shown, "invalid_number")
    assert "page 1, " in sample_of(shown, "page_without_title")


class TestTooMuch:
    """More than 10 damaged records and more than the allowed share stop a run."""

    def dump(self, damaged: int, count: int) -> str:
        harmed = [page(n).replace(f"<title>Town {n}</title>", "") for n in range(1, damaged + 1)]
        return dump([*harmed, *pages(count)[damaged:]])

    def lines(self, damaged: int, count: int) -> str:
        return wikidata([*(f'{{"id": "Q{n}"' for n in range(damaged)), *items(count)[damaged:]])

    def test_ten_never_stop_it(self, desk: Desk) -> None:
        desk.write("towns.xml", self.dump(10, 20))
        assert "damaged: page_without_title 10" in desk.run().succeeds().text

    def test_ten_lines_never_stop_it(self, desk: Desk) -> None:
        desk.write("towns.json", self.lines(10, 20))
        assert "damaged: invalid_json 10" in desk.run(to="parse_wikidata").succeeds().text

    def test_eleven_within_the_share_do_not_stop_it(self, desk: Desk) -> None:
        desk.write("towns.xml", self.dump(11, 220))
        desk.run("--set=parse_wikipedia.max_damaged_share=0.05").succeeds()

    def test_eleven_of_a_wikipedia_dump_stop_it_and_a_higher_share_lets_it_on(
        self, desk: Desk
    ) -> None:
        desk.write("towns.xml", self.dump(11, 200))
        desk.run().refuses(
            "SourceError: parse_wikipedia: 11 of 200 records are damaged (11 page_without_title)",
            "more than the share of 0.001 that max_damaged_share allows",
            "the first: towns.xml, page 1, byte ",
            "compare its checksum, or raise max_damaged_share",
        )
        desk.was_not_made("parse_wikipedia")
        answer = desk.run("--set=parse_wikipedia.max_damaged_share=0.06").succeeds()
        assert "damaged: page_without_title 11" in answer.text
        assert desk.rows("pages").num_rows == 189

    def test_eleven_of_a_wikidata_dump_stop_it(self, desk: Desk) -> None:
        desk.write("towns.json", self.lines(11, 200))
        desk.run(to="parse_wikidata").refuses(
            "SourceError: parse_wikidata: 11 of 200 records are damaged (11 invalid_json)",
            "the first: towns.json, line 2: ",
        )
        desk.was_not_made("parse_wikidata")

    def test_a_mended_dump_gives_the_untroubled_tables(self, desk: Desk, made: Desk) -> None:
        desk.write("towns.xml", self.dump(11, 20))
        desk.run().refuses("11 of 20 records are damaged")
        desk.write("towns.xml", dump())
        desk.run().succeeds()
        assert desk.rows("pages") == made.rows("pages")
        assert desk.rows("hyperlinks") == made.rows("hyperlinks")

    def test_a_dump_given_twice_is_refused(self, desk: Desk) -> None:
        path = desk.folder / "towns.xml"
        answer = desk.run(f'--set=fetch.wikipedia=["{path}", "{path}"]')
        answer.refuses("20 of 40 records are damaged (20 duplicate_page_id)")

    def test_a_large_dump_stops_early_in_the_middle_of_its_shard(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "DAMAGE_CHECK_RECORDS", 50)
        desk.write("towns.xml", dump([*pages(50), *(p.replace("ns>", "n>") for p in pages(200))]))
        desk.run("--set=shards.page=1").refuses(
            "parse_wikipedia, shard 0/1: 11 of ", "page_without_namespace"
        )
        desk.was_not_made("parse_wikipedia")

    def test_damage_is_summed_over_shards(self, desk: Desk) -> None:
        desk.write("towns.xml", self.dump(20, 20))
        desk.run("--set=shards.page=4").refuses("parse_wikipedia: 20 of 20 records are damaged")
        record = desk.one("artifacts/parse_wikipedia/*/records/00000.json")
        assert jsonable(record)["damage"]["records"] == 5
