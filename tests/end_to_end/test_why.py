"""why: what a tuple rests on, and which step let go of a pair that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.why import moment_text
from pipeline.missing import Trail
from pipeline.pairs import Grounds, grounds
from pipeline.selection import select
from storage.errors import ConfigError
from storage.marking import marked
from storage.reading import Tables
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import copied, done, make, relmill

NAMED = """SELECT t.*, p.title, h.name AS head, a.name AS tail FROM tuples t
JOIN pages p USING (page_id)
JOIN entities h ON h.document_id = t.document_id AND h.entity = t.head_entity
JOIN entities a ON a.document_id = t.document_id AND a.entity = t.tail_entity"""


@pytest.fixture(scope="module")
def tiny(made: Made) -> Tables:
    return select(Warehouse(made.root), "tiny")


@pytest.fixture(scope="module")
def stricter(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables with pairs of one sentence alone, and a fifth of the NA pairs."""
    root = copied(made.root, tmp_path_factory.mktemp("stricter") / "warehouse")
    make(root, "align.max_sentence_distance=0", "align.keep_na=0.2")
    return select(Warehouse(root), "tiny")


def one(tables: Tables, query: str) -> dict[str, Any]:
    return tables.sql(f"{query} LIMIT 1").to_pylist()[0]


def test_a_tuple_rests_on_just_the_statements_behind_its_labels(tiny: Tables) -> None:
    rows = tiny.sql(
        "FROM (SELECT tuple_id, pids FROM tuples WHERE len(pids) > 1 ORDER BY 1 LIMIT 3) UNION ALL "
        "FROM (SELECT tuple_id, pids FROM tuples WHERE len(pids) = 0 ORDER BY 1 LIMIT 2)"
    ).to_pylist()
    assert len(rows) == 5
    for row in rows:
        stated = grounds(tiny, row["tuple_id"]).statements
        assert stated is not None
        assert sorted({s["pid"] for s in stated if s["rank"] != "deprecated"}) == sorted(
            row["pids"]
        )


def test_every_mention_of_both_ends_is_marked_in_its_sentence(tiny: Tables) -> None:
    row = one(tiny, "SELECT tuple_id FROM tuples WHERE NOT intra AND len(pids) > 0 ORDER BY 1")
    found: Grounds = grounds(tiny, row["tuple_id"])
    text = "\n".join(sentence for _, sentence in found.sentences)
    for mentions, left, right in ((found.heads, "[", "]"), (found.tails, "{", "}")):
        for mention in mentions:
            assert f"{left}{mention['surface']}{right}" in text
            assert mention["method"] is not None
        assert text.count(left) == len(mentions)


def test_the_command_shows_rank_method_and_sentences(tiny: Tables, made: Made) -> None:
    row = one(tiny, f"{NAMED} WHERE intra AND len(pids) > 0")
    out = done("why", "tiny", row["tuple_id"], "--root", made.root)
    for words in (
        row["title"],
        row["head_qid"],
        row["pids"][0],
        "normal",
        "hyperlink",
        "sentences",
    ):
        assert words in out
    named = ["--page", row["title"], "--head", row["head"], "--tail", row["tail_qid"]]
    assert out.strip() in done("why", "tiny", *named, "--root", made.root)


def test_what_is_asked_wrongly_is_refused_with_the_mend(tiny: Tables, made: Made) -> None:
    row = one(tiny, NAMED)
    at = ("--root", made.root)
    assert "--page TITLE --head NAME" in relmill("why", "tiny", *at).err
    assert "exclude each other" in relmill("why", "tiny", row["tuple_id"], "--head", "x", *at).err
    unknown = relmill("why", "tiny", f"{row['document_id']}/90-91", *at)
    assert unknown.code == 2
    assert f"Its document has {row['document_id']}/" in unknown.err
    with pytest.raises(ConfigError, match="Near it"):
        Trail(tiny, f"{row['title']}x", "a", "b")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("Nobody At All", "does not stand in the text"),
        ("was", "recognize found no mention there"),
        ("Q42424242", "no mention of the page was linked to the head Q42424242"),
    ],
)
def test_an_end_that_is_no_mention(head: str, reason: str, tiny: Tables) -> None:
    row = one(tiny, f"{NAMED} WHERE intra")
    assert reason in Trail(tiny, row["title"], head, row["tail"]).lost


def test_an_end_that_was_not_linked(tiny: Tables) -> None:
    row = one(
        tiny,
        "SELECT title, surface FROM mentions m JOIN pages USING (page_id) GROUP BY ALL "
        "HAVING bool_and(m.source = 'hyperlink' AND NOT EXISTS (FROM links l WHERE "
        "l.page_id = m.page_id AND l.char_start = m.char_start)) ORDER BY ALL",
    )
    lost = Trail(tiny, row["title"], row["surface"], row["title"]).lost
    assert lost.startswith("the head was not linked to an item")
    assert "leads to no item" in lost


def test_a_disambiguation_page_and_a_pair_of_one_entity(tiny: Tables) -> None:
    page = one(tiny, "SELECT title FROM pages WHERE disambiguation")
    assert "only tells apart" in Trail(tiny, page["title"], "a", "b").lost
    row = one(tiny, NAMED)
    assert "same entity" in Trail(tiny, row["title"], row["head_qid"], row["head_qid"]).lost


def test_ends_that_share_no_document_say_where_each_stands(tiny: Tables) -> None:
    row = one(
        tiny,
        "SELECT title, min_by(qid, char_start) AS first, max_by(qid, char_start) AS last "
        "FROM links l JOIN pages p USING (page_id) WHERE NOT p.disambiguation AND NOT EXISTS "
        "(FROM documents d WHERE d.page_id = l.page_id) GROUP BY 1 HAVING first <> last",
    )
    lost = Trail(tiny, row["title"], row["first"], row["last"]).lost
    assert "no document holds both: the head stands in no document: in a " in lost
    assert "paragraphs of 40 to 510 words" in lost


def test_documents_with_few_entities_or_few_labels(tiny: Tables) -> None:
    drops = {r["reason"]: r["sample"] for r in tiny.drops.to_pylist() if r["stage"] == "align"}
    for reason, words in (("few_entities", "entities, align wants 4"), ("few_triples", "labels")):
        row = one(
            tiny,
            "SELECT title, min(qid) AS a, max(qid) AS b FROM documents d JOIN pages USING (page_id)"
            " JOIN links l ON l.page_id = d.page_id AND l.char_start BETWEEN d.char_start AND "
            f"d.char_end WHERE document_id = '{drops[reason]}' GROUP BY 1",
        )
        lost = Trail(tiny, row["title"], row["a"], row["b"]).lost
        assert drops[reason] in lost
        assert words in lost


def test_a_pair_that_only_deprecated_statements_relate(tiny: Tables) -> None:
    sample = next(r["sample"] for r in tiny.drops.to_pylist() if r["reason"] == "deprecated_only")
    document, _, ends = sample.rpartition("/")
    head, tail = ends.split("-")
    row = one(
        tiny,
        "SELECT title, h.qid AS h, a.qid AS a FROM entities h JOIN entities a USING (document_id) "
        f"JOIN pages p ON p.page_id = h.page_id WHERE document_id = '{document}' "
        f"AND h.entity = {head} AND a.entity = {tail}",
    )
    lost = Trail(tiny, row["title"], row["h"], row["a"]).lost
    assert "only deprecated statements relate them" in lost
    with pytest.raises(ConfigError, match="there is no tuple"):
        grounds(tiny, sample)


def test_pairs_too_far_apart_and_negatives_not_sampled(tiny: Tables, stricter: Tables) -> None:
    there = set(stricter.arrow("tuples")["tuple_id"].to_pylist())
    rows = tiny.sql(f"{NAMED} ORDER BY tuple_id").to_pylist()
    far = next(r for r in rows if r["sentence_distance"] > 0)
    lost = Trail(stricter, far["title"], far["head_qid"], far["tail_qid"]).lost
    assert "sentences apart, align takes 0" in lost
    out = next(r for r in rows if r["intra"] and not r["pids"] and r["tuple_id"] not in there)
    lost = Trail(stricter, out["title"], out["head_qid"], out["tail_qid"]).lost
    assert "(NA), and align keeps 0.2 of such" in lost


def test_times_are_shown_as_precisely_as_they_are_stated() -> None:
    def moment(time: str, precision: int) -> dict[str, object]:
        return {"time": time, "precision": precision, "calendar": "Q1985727"}

    assert moment_text(moment("+1952-03-07T00:00:00Z", 11)) == "1952-03-07"
    assert moment_text(moment("+1952-03-00T00:00:00Z", 10)) == "1952-03"
    assert moment_text(moment("+1952-00-00T00:00:00Z", 9)) == "1952"
    assert moment_text(moment("-0043-00-00T00:00:00Z", 9)) == "-43"
    assert moment_text(moment("+1850-00-00T00:00:00Z", 7)) == "1850 (century)"
    assert moment_text(None) == ""


def test_marks_go_round_spans_of_the_whole_text_that_lie_in_the_cut() -> None:
    text = "Ada knew Babbage. Babbage knew Ada."
    assert marked(text[18:], [(0, 3), (31, 34)], [(9, 16), (18, 25)], 18) == "{Babbage} knew [Ada]."
    assert marked("🜂da", [(0, 1)], []) == "[🜂]da"


def test_the_folder_of_the_tables_is_not_needed(tmp_path: Path) -> None:
    refused = relmill("why", "tiny", "1:0-1/0-1", "--root", tmp_path)
    assert f"relmill run tiny --root {tmp_path}" in refused.err
