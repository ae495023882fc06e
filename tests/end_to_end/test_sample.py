"""sample and card: what they count and draw of a finished warehouse."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline.card import card, markdown
from pipeline.sampling import OTHERS, draw
from pipeline.selection import select
from storage.reading import Tables
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import done, relmill


@pytest.fixture(scope="module")
def tiny(made: Made) -> Tables:
    return select(Warehouse(made.root), "tiny")


def test_a_draw_is_stratified_seeded_and_counts_the_corpus(tiny: Tables) -> None:
    drawn = draw(tiny, "pid", 60, 13)
    assert drawn == draw(tiny, "pid", 60, 13)
    assert {d.tuple_id for d in drawn} != {d.tuple_id for d in draw(tiny, "pid", 60, 14)}
    assert len({(d.tuple_id, d.pid) for d in drawn}) == 60
    assert set(Counter(d.stratum for d in drawn).values()) == {10}
    counts = Counter(p for row in tiny.arrow("tuples").to_pylist() for p in row["pids"])
    labels = {d.stratum: d.labels for d in drawn}
    assert sum(labels.values()) == sum(counts.values())
    for pid, count in counts.most_common(5):
        assert labels[pid] == count
    assert all(d.pid == d.stratum for d in drawn if d.stratum != OTHERS)


def test_strata_of_distance_are_those_of_the_tuples(tiny: Tables) -> None:
    rows = {r["tuple_id"]: r for r in tiny.arrow("tuples").to_pylist()}
    for drawn in draw(tiny, "distance", 60, 13):
        apart = rows[drawn.tuple_id]["sentence_distance"]
        assert drawn.stratum == (str(apart) if apart < 5 else "5 or more")


def test_a_methods_stratum_is_that_of_the_end_that_is_less_sure(tiny: Tables) -> None:
    tuples = {r["tuple_id"]: r for r in tiny.arrow("tuples").to_pylist()}
    entities = {(r["document_id"], r["entity"]): r for r in tiny.arrow("entities").to_pylist()}
    links = {(r["page_id"], r["char_start"]): r for r in tiny.arrow("links").to_pylist()}
    order = ["alias", "part", "page", "title", "hyperlink"]

    def best(document: str, entity: int) -> tuple[float, int, str]:
        row = entities[document, entity]
        found = [links[row["page_id"], m["char_start"]] for m in row["mentions"]]
        return max((f["score"], order.index(f["method"]), f["method"]) for f in found)

    # So many that none of the methods is put among the others.
    drawn = draw(tiny, "method", 10 * len(order), 13)
    assert {d.stratum for d in drawn} >= {"hyperlink", "title"}
    for each in drawn:
        row = tuples[each.tuple_id]
        ends = [best(row["document_id"], row[f"{role}_entity"]) for role in ("head", "tail")]
        assert each.stratum == min(ends)[2]


def test_a_text_holds_both_ends_marked_and_is_cut_out_of_the_page(tiny: Tables) -> None:
    texts = {r["title"]: " ".join(r["text"].split()) for r in tiny.arrow("pages").to_pylist()}
    for drawn in draw(tiny, "distance", 60, 13):
        assert re.search(r"\[[^]]+\]", drawn.text)
        assert re.search(r"\{[^}]+\}", drawn.text)
        assert re.sub(r"[][{}]", "", drawn.text) in texts[drawn.page]


def test_the_command_draws_and_scores(made: Made, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    options = ["--by", "method", "--n", 20, "--output", sheet, "--root", made.root]
    assert f"relmill sample score {sheet}" in done("sample", "tiny", *options)
    again = relmill("sample", "tiny", *options)
    assert again.code == 2
    assert "may hold judgements" in again.err
    text = sheet.read_text("utf-8-sig").replace("\r\n", "\n")
    sheet.write_text(
        "\n".join(f"{line}yes" if i else line for i, line in enumerate(text.splitlines()))
    )
    out = done("sample", "score", sheet)
    assert "corpus, weighted" in out
    assert "1.000" in out
    assert "score which sheet" in relmill("sample", "score").err
    assert "one word too many" in relmill("sample", "tiny", sheet).err


def test_the_card_counts_what_the_tables_hold(tiny: Tables) -> None:
    text = card(tiny)
    cells = {
        c[0]: c[1]
        for line in text.splitlines()
        if (c := [cell.strip() for cell in line.strip("|").split("|")]) and len(c) > 2
    }
    entities, tuples = tiny.arrow("entities").to_pylist(), tiny.arrow("tuples").to_pylist()
    documents = {e["document_id"] for e in entities}
    assert cells["documents"] == f"{len(documents):,}"
    assert cells["entities a document"] == f"{len(entities) / len(documents):.1f}"
    mentions = sum(len(e["mentions"]) for e in entities)
    assert cells["mentions an entity"] == f"{mentions / len(entities):.1f}"
    assert cells["tuples (ordered pairs)"] == f"{len(tuples):,}"
    assert cells["tuples without a label (NA)"] == f"{sum(not t['pids'] for t in tuples):,}"
    labels = Counter(p for t in tuples for p in t["pids"])
    assert cells["labels"] == f"{labels.total():,}"
    words = {d["document_id"]: d["words"] for d in tiny.arrow("documents").to_pylist()}
    mean = sum(words[d] for d in documents) / len(documents)
    assert cells["words a document"] == f"{mean:.1f}"
    for pid, count in labels.most_common(3):
        assert f"| {pid}" in text
        assert f"| {count:,}" in text
    for words_ in ("186.9", "12.9", "7.2", "1.3", "enwiki", "CC BY-SA", "CC0", "revisions"):
        assert words_ in text


def test_the_command_prints_the_card(made: Made) -> None:
    assert done("card", "tiny", "--root", made.root).startswith("# tiny\n")


def test_a_markdown_table_keeps_its_cells_apart() -> None:
    rows = [("a|b", 1234, 0.25, None)]
    assert markdown(["name", "n", "share", "x"], rows).splitlines()[2] == (
        "| a\\|b | 1,234 | 25.0% |   |"
    )
