"""hold_out: planted leaks of every kind are gone, and what only looks like one stays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import InputTable
from stages.count_relations import COUNT_RELATIONS, CountRelationsConfig
from stages.hold_out import HOLD_OUT, HoldOutConfig
from stages.holding.draws import drawn
from stages.holding.keys import normal, unordered_keys
from stages.holding.shingles import letters, shingles
from stages.protect import PROTECT, ProtectConfig
from storage.errors import ConfigError
from storage.tables import (
    ALIASES,
    BENCHMARK_FILES,
    DOCUMENT_SPLITS,
    DOCUMENTS,
    ENTITIES,
    ITEM_REDIRECTS,
    PAGES,
    PROTECTED_SPLITS,
    REDIRECTS,
    RELATION_COUNTS,
    SPLITS,
    TUPLES,
)
from tests.conftest import Outcome, RunStage, table_rows

Named = tuple[str, str | None]
"""A name and an item."""

ALIAS_ROWS = [
    {"surface": "Old Harbour", "qid": "Q50", "known": "alias", "prior": 0.5},
    {"surface": "the port", "qid": "Q60", "known": None, "prior": 0.5},
]


def record(
    entities: Sequence[Named], pairs: Sequence[tuple[int, int, str]] | None, **more: Any
) -> dict[str, Any]:
    """A line of a benchmark: the text is the names, one behind the other."""
    text, found = "", []
    for name, qid in entities:
        found.append({"mentions": [[len(text), len(text) + len(name)]], "id": qid})
        text += f"{name} "
    labels = pairs and [{"head": h, "tail": t, "relation": r} for h, t, r in pairs]
    return {"text": text, "entities": found, "relations": labels, "complete": False} | more


@pytest.fixture
def hold_out(run_stage: RunStage, tmp_path: Path) -> Any:
    def run(
        benchmarks: Mapping[str, Mapping[str, Sequence[dict[str, Any]]]],
        texts: Sequence[Sequence[Named]],
        *,
        pids: Mapping[tuple[int, int, int], list[str]] | None = None,
        titles: Mapping[int, str] | None = None,
        redirects: Mapping[str, str] | None = None,
        words: Mapping[int, str] | None = None,
        max_tuples: int | None = None,
        **config: Any,
    ) -> Outcome:
        """Each text is the only document of a page, its tuples all pairs of its entities.

        Args:
            pids: Labels by text, head and tail.
            words: What stands behind the entities of a text.
        """
        rows, files = [], {}
        for name, splits in benchmarks.items():
            for split, records in splits.items():
                path = tmp_path / f"{name}-{split}.jsonl"
                path.write_text("\n".join(map(json.dumps, records)), "utf-8")
                files[path.name] = path
                rows.append(
                    {"benchmark": name, "split": split, "format": "jsonl", "file": path.name}
                )
        given: dict[Any, Any] = {t: [] for t in (PAGES, DOCUMENTS, ENTITIES, TUPLES)}
        for page_id, entities in enumerate(texts):
            plant(given, page_id, entities, pids or {}, titles or {}, words or {})
        merged = [{"qid": "Q91", "target_qid": "Q90"}]
        benchmark_rows = InputTable(rows=table_rows(BENCHMARK_FILES, rows), files=files)
        protected = run_stage(
            PROTECT,
            ProtectConfig(**config),
            {
                BENCHMARK_FILES: benchmark_rows,
                ALIASES: ALIAS_ROWS,
                ITEM_REDIRECTS: merged,
                REDIRECTS: [
                    {"page_id": 100 + n, "title": a, "target_title": b}
                    for n, (a, b) in enumerate((redirects or {}).items())
                ],
            },
        )
        counted = run_stage(
            COUNT_RELATIONS, CountRelationsConfig(max_tuples=max_tuples), {TUPLES: given[TUPLES]}
        )
        given[PROTECTED_SPLITS] = protected.given(PROTECTED_SPLITS)
        given[RELATION_COUNTS] = counted.given(RELATION_COUNTS)
        return run_stage(HOLD_OUT, HoldOutConfig(), given)

    return run


def plant(
    given: dict[Any, Any],
    page_id: int,
    entities: Sequence[Named],
    pids: Mapping[tuple[int, int, int], list[str]],
    titles: Mapping[int, str],
    words: Mapping[int, str],
) -> None:
    text, name = "", f"d{page_id}"
    place = {"page_id": page_id, "document_id": name}
    for i, (surface, qid) in enumerate(entities):
        span = {"char_start": len(text), "char_end": len(text) + len(surface), "sentence": 0}
        given[ENTITIES].append(
            {**place, "entity": i, "qid": qid, "name": surface, "mentions": [span]}
        )
        text += f"{surface} "
    text += words.get(page_id, "")
    title = titles.get(page_id, f"page {page_id}")
    given[PAGES].append({"page_id": page_id, "title": title, "text": text})
    given[DOCUMENTS].append({**place, "char_start": 0, "char_end": len(text)})
    for h in range(len(entities)):
        for t in range(len(entities)):
            if h != t:
                given[TUPLES].append(
                    {
                        **place,
                        "tuple_id": f"{name}/{h}-{t}",
                        "head_entity": h,
                        "tail_entity": t,
                        "pids": pids.get((page_id, h, t), []),
                    }
                )


def held(outcome: Outcome) -> set[str]:
    rows = outcome.rows(SPLITS)
    assert all(bool(r["reasons"]) == (r["verdict"] == "held_out") for r in rows)
    return {r["tuple_id"] for r in rows if r["verdict"] == "held_out"}


HARBOUR: Named = ("Old Harbour", None)
MILL: Named = ("Grey Mill", None)
LABEL = [(0, 1, "P1")]
BENCHMARKS = {
    "named": {
        "dev": [record([HARBOUR, MILL], LABEL)],
        "train": [record([MILL, ("X", None)], LABEL)],
    },
    "items": {"test": [record([("Vale", "Q7"), ("Rook", "Q91")], LABEL)]},
    "blind": {"test": [record([("Ash", None), ("Elm", None), ("Oak", "Q3")], None)]},
}
LEAKS: list[list[Named]] = [
    [("old harbour", "Q1"), ("GREY  MILL", "Q2")],  # by name, in other case
    [("Grey Mill", "Q2"), ("Old Harbour", "Q1")],  # the other way round
    [("The Harbour", "Q50"), ("Grey Mill", None)],  # by an alias of the item
    [("a", "Q7"), ("b", "Q90")],  # by items, one of them merged since
    [("Vale", None), ("b", "Q90")],  # by name where the corpus has no item
    [("Elm", "Q4"), ("Ash", "Q5")],  # an unlabelled test: any pair
    [("Oak in green", "Q3"), ("Ash", "Q5")],
]
CONTROLS: list[list[Named]] = [
    [("Vale", "Q8"), ("Rook", "Q90")],  # the name, and another item
    [("a", "Q7"), ("b", "Q92")],  # the head, and another tail
    [("Old Harbour", "Q1"), ("Ash", "Q2")],  # ends of two benchmarks
    [("the port", "Q60"), ("Grey Mill", "Q2")],  # what only links call so
    [("Grey Mill", "Q2"), ("X", "Q3")],  # a pair of the training part
    [("Oak", "Q33"), ("Ash", "Q5")],
    [("Old Harbour Road", "Q1"), ("Grey Mill", "Q2")],
]


def test_every_planted_pair_is_gone_and_every_control_stays(hold_out: Any) -> None:
    outcome = hold_out(BENCHMARKS, [*LEAKS, *CONTROLS], pids={(0, 0, 1): ["P1"]})
    # Both orders of each pair are gone, the one with a label and the NA ones.
    assert held(outcome) == {f"d{n}/{p}" for n in range(len(LEAKS)) for p in ("0-1", "1-0")}
    assert outcome.counts == {
        "held_out pair named": 6,
        "held_out pair items": 4,
        "held_out pair blind": 4,
    }
    assert {r["verdict"] for r in outcome.rows(DOCUMENT_SPLITS)} == {"train"}
    assert len(outcome.rows(SPLITS)) == 2 * len(LEAKS + CONTROLS)


def test_other_pairs_of_the_same_document_stay(hold_out: Any) -> None:
    text = [("Old Harbour", "Q1"), ("Grey Mill", "Q2"), ("Third", "Q9")]
    outcome = hold_out(BENCHMARKS, [text])
    assert held(outcome) == {"d0/0-1", "d0/1-0"}
    assert outcome.rows(SPLITS)[0]["reasons"] == [
        {"benchmark": "named", "split": "dev", "protect": "pair"}
    ]


def test_a_pair_of_two_benchmarks_counts_for_each_and_is_held_out_once(hold_out: Any) -> None:
    twice = {"one": BENCHMARKS["named"], "two": BENCHMARKS["named"]}
    outcome = hold_out(twice, LEAKS[:1])
    assert outcome.counts == {"held_out pair one": 2, "held_out pair two": 2}
    assert len(outcome.rows(SPLITS)) == 2


def test_pairs_that_a_benchmark_calls_na_are_protected_too(hold_out: Any) -> None:
    na = {"b": {"dev": [record([HARBOUR, MILL], [(0, 1, "NA")])]}}
    assert held(hold_out(na, LEAKS[:1])) == {"d0/0-1", "d0/1-0"}


def test_pages_with_titles_of_a_benchmark_are_held_out_whole(hold_out: Any) -> None:
    titled = {"b": {"test": [record([MILL], [], title="Grey_Mill (Vale)")]}}
    texts = [[("a", "Q1"), ("b", "Q2")]] * 3
    titles = {0: "Grey Mill (Vale)", 1: "Grey Mill"}
    outcome = hold_out(titled, texts, titles=titles, protect=["page"])
    assert held(outcome) == {"d0/0-1", "d0/1-0"}
    assert outcome.counts == {"held_out page b": 2, "held_out documents page b": 1}
    assert [r["verdict"] for r in outcome.rows(DOCUMENT_SPLITS)] == ["held_out", "train", "train"]
    assert held(hold_out(titled, texts, titles=titles)) == set()


def test_pages_that_titles_of_a_benchmark_redirect_to_are_held_out(hold_out: Any) -> None:
    """It was renamed since the benchmark was made, and the page of another name was not."""
    titled = {
        "b": {"test": [record([MILL], [], title="grey_Mill")]},
        "c": {"dev": [record([MILL], [], title="Loop")]},
    }
    titles = {0: "Vale Mill", 1: "Old Mill", 2: "Grey Mill Lane", 3: "Loop"}
    steps = {"Grey Mill": "Gray Mill", "Gray Mill": "Vale Mill", "Mill": "Old Mill"}
    loop = {"Loop": "Noose", "Noose": "Loop"}
    texts = [[("a", "Q1"), ("b", "Q2")]] * 4
    outcome = hold_out(titled, texts, titles=titles, protect=["page"], redirects={**steps, **loop})
    assert held(outcome) == {"d0/0-1", "d0/1-0", "d3/0-1", "d3/1-0"}
    assert outcome.counts == {
        "held_out page b": 2,
        "held_out documents page b": 1,
        "held_out page c": 2,
        "held_out documents page c": 1,
    }


PASSAGE = (
    "Near the weir a miller kept nine grey geese, and please don't ask me who fed them after "
    "the flood."
)


def test_documents_that_share_a_passage_are_held_out(hold_out: Any) -> None:
    tokens = (
        "near the weir a miller kept nine grey geese , and please do n't ask me who fed them after "
        "the"
    )
    short = "A tall clerk read every map twice."
    benchmark = {
        "b": {
            "test": [
                {"text": PASSAGE, "entities": [], "relations": []},
                {"text": short, "entities": [], "relations": []},
                {"text": "Too short.", "entities": [], "relations": []},
            ]
        }
    }
    words = {
        0: f"Before. {PASSAGE} Behind.",
        1: f"It was {tokens} thaw",  # the same in tokens
        2: "Near the weir a miller kept nine grey geese, and that was all anybody knew.",
        3: f"... {short} ...",
        4: "A tall clerk read every map once.",
        5: "Too short.",
    }
    texts = [[("a", "Q1"), ("b", "Q2")]] * len(words)
    outcome = hold_out(benchmark, texts, words=words, protect=["text"])
    assert held(outcome) == {f"d{n}/{p}" for n in (0, 1, 3) for p in ("0-1", "1-0")}
    assert outcome.counts == {"held_out text b": 6, "held_out documents text b": 3}


def test_a_benchmark_may_have_its_own_protection(hold_out: Any) -> None:
    outcome = hold_out(BENCHMARKS, [*LEAKS, *CONTROLS], by_benchmark={"named": []})
    assert not any(name.startswith(("d0/", "d1/", "d2/")) for name in held(outcome))
    assert len(held(outcome)) == 8
    with pytest.raises(ConfigError, match=r"names 'nmed'.*It has blind, items, named"):
        hold_out(BENCHMARKS, LEAKS, by_benchmark={"nmed": []})


def test_a_recipe_without_benchmarks_trains_on_everything(hold_out: Any) -> None:
    outcome = hold_out({}, LEAKS)
    assert held(outcome) == set()
    assert outcome.counts == {}


def test_what_is_protected_is_told_by_split(run_stage: RunStage, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(BENCHMARKS["blind"]["test"][0]), "utf-8")
    row = {"benchmark": "b", "split": "test", "format": "jsonl", "file": "x"}
    given = InputTable(rows=table_rows(BENCHMARK_FILES, [row]), files={"x": path})
    config = ProtectConfig(protect=["pair", "text"], shortest=8)
    (found,) = run_stage(PROTECT, config, {BENCHMARK_FILES: given}).rows(PROTECTED_SPLITS)
    assert found == {
        "ordinal": 0,
        "benchmark": "b",
        "split": "test",
        "protect": ["pair", "text"],
        "documents": 1,
        "pairs": 6,
        "titles": 0,
        "passages": 1,
    }


def test_a_relation_takes_only_so_many_tuples_drawn_by_seed(hold_out: Any) -> None:
    texts = [[("a", f"Q{n}"), ("b", f"Q{n + 100}")] for n in range(1, 41)]
    pids = {(n, 0, 1): ["P530"] for n in range(40)}
    pids[0, 0, 1] = ["P530", "P47"]
    outcome = hold_out({}, texts, pids=pids, max_tuples=10)
    kept = {
        r["tuple_id"]
        for r in outcome.rows(SPLITS)
        if r["verdict"] == "train" and r["tuple_id"].endswith("/0-1")
    }
    smallest = sorted((f"d{n}/0-1" for n in range(40)), key=lambda name: drawn(name, 13))[:10]
    # The one that P47 takes stays whatever it drew.
    assert kept == {*smallest, "d0/0-1"}
    assert outcome.counts == {"sampled_out": 40 - len(kept)}
    assert sum(r["verdict"] == "train" for r in outcome.rows(SPLITS)) == 40 + len(kept)


def test_counts_of_relations(run_stage: RunStage) -> None:
    rows = [
        {"tuple_id": f"{d}/{i}", "document_id": d, "page_id": p, "pids": pids}
        for i, (d, p, pids) in enumerate(
            [
                ("a", 1, ["P1", "P2"]),
                ("a", 1, ["P1"]),
                ("b", 1, ["P1"]),
                ("c", 2, []),
                ("d", 3, ["P2"]),
            ]
        )
    ]
    counted = run_stage(COUNT_RELATIONS, CountRelationsConfig(max_tuples=2), {TUPLES: rows})
    found = counted.rows(RELATION_COUNTS)
    draws = sorted(drawn(f"{d}/{i}", 13) for d, i in (("a", 0), ("a", 1), ("b", 2)))
    assert [tuple(r.values()) for r in found] == [
        ("P1", 3, 2, 1, draws[1]),
        ("P2", 2, 2, 2, None),
    ]


@given(st.text(max_size=20), st.integers(0, 9))
def test_a_draw_is_the_same_in_duckdb(name: str, seed: int) -> None:
    name = name.replace("\0", "").encode("utf-8", "ignore").decode()
    query = "SELECT CAST(md5_number_lower($s || '/' || $n) >> 1 AS BIGINT)"
    found = duckdb.execute(query, {"s": str(seed), "n": name}).fetchone()
    assert found == (drawn(name, seed),)


@given(st.text("abcä猫1", max_size=60), st.integers(1, 12))
def test_equal_stretches_and_no_others_have_equal_keys(text: str, length: int) -> None:
    keys = shingles(text, length).tolist()
    pieces = [text[i : i + length] for i in range(len(text) - length + 1)]
    assert len(keys) == len(pieces)
    assert len(set(keys)) == len(set(pieces))
    for start in range(0, len(pieces), 7):
        assert shingles(pieces[start], length).tolist() == [keys[start]]


def test_keys_of_other_lengths_differ() -> None:
    assert not set(shingles("aaaaaaaa", 3).tolist()) & set(shingles("aaaaaaaa", 4).tolist())


def test_letters_of_a_text_and_of_its_tokens_are_the_same() -> None:
    assert letters("Don't (ask) ME") == letters("do n't -LRB- ask -RRB- me") == "dontaskme"
    assert normal("\uff36ale   of\u00a0Elm") == "vale of elm"


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=30, unique=True))
def test_keys_of_pairs_hang_on_no_order(ends: list[int]) -> None:
    a, b = np.array(ends[:-1], np.uint64), np.array(ends[1:], np.uint64)
    assert (unordered_keys(a, b) == unordered_keys(b, a)).all()
    assert len(set(unordered_keys(a, b).tolist())) == len(ends) - 1
