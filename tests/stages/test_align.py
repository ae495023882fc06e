"""align: entities of documents and the relations that statements give their pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.align import ALIGN, AlignConfig
from stages.alignment.merged import Merged
from stages.alignment.statements import COLUMNS, RANKS, keep_statements, times_name
from stages.base import InputTable, ShardCounts
from storage.artifact import Shards
from storage.lookup import pair_keys, text_keys, write_lookup
from storage.tables import (
    DOCUMENTS,
    ENTITIES,
    ITEM_REDIRECTS,
    LINKS,
    MENTIONS,
    PAGES,
    SENTENCES,
    TITLES,
    TRIPLES,
    TUPLE_STATEMENTS,
    TUPLES,
)
from tests.conftest import Outcome, RunStage

Statement = tuple[int, int, int, str]
"""Numbers of head, property and tail, and the rank."""

ITEM_CUT = Shards(3, 2)
CUT = ShardCounts(item=ITEM_CUT.count, item_block=ITEM_CUT.block)


@dataclass
class Text:
    """One document of one page: every mention stands for one place of ten characters."""

    mentions: list[tuple[str, str | None]]
    """Surface and QID of the mention at each place; None for one that is not linked."""

    sentence_starts: list[int] = field(default_factory=lambda: [0])
    """Places at which a sentence begins."""

    unit: str = "lead"
    types: list[str | None] = field(default_factory=list)
    item_types: dict[str, str] = field(default_factory=dict)


TIMES = {"start": {"time": "+1950", "precision": 9, "calendar": "Q1985727"}}


def statement_files(folder: Path, statements: list[Statement]) -> dict[str, Path]:
    """The lookups that parse_wikidata keeps beside its triples; each item's statements count up.

    A statement of the property 39 has the times TIMES.
    """
    folder.mkdir()
    for shard in range(ITEM_CUT.count):
        rows, times = [], b""
        for ordinal, (h, p, t, rank) in enumerate(statements):
            if ITEM_CUT.of(h) == shard:
                place = 0
                if p == 39:
                    place = len(times) + 1
                    times += json.dumps([TIMES["start"], None, None]).encode() + b"\n"
                rows.append((h, t, p, RANKS.index(rank), ordinal, place))
        columns = np.array(rows, dtype=np.uint64).reshape(-1, 6).T
        values = {n: c.astype(COLUMNS[n]) for n, c in zip(COLUMNS, columns[2:], strict=True)}
        keys = pair_keys(columns[0], columns[1])
        order = np.argsort(keys, kind="stable")
        cut = len(order) // 2
        stretches = (
            (keys[o], {n: v[o] for n, v in values.items()}) for o in np.split(order, [cut])
        )
        keep_statements(lambda n: folder / n, shard, stretches)
        (folder / times_name(shard)).write_bytes(times)
    return {path.name: path for path in folder.iterdir()}


def title_files(folder: Path, wiki_pages: Sequence[str] = ()) -> dict[str, Path]:
    """The lookup of titles of pages of the wiki's own, as index_aliases keeps it."""
    folder.mkdir()
    write_lookup(lambda n: folder / n, "wiki_pages", text_keys(wiki_pages), {})
    return {path.name: path for path in folder.iterdir()}


class Aligner:
    def __init__(self, run_stage: RunStage, folder: Path) -> None:
        self._run = run_stage
        self._folder = folder
        self._calls = 0

    def __call__(
        self,
        texts: list[Text] | Text,
        statements: list[Statement] = (),  # type: ignore[assignment]
        merged: dict[str, str] | None = None,
        wiki_pages: Sequence[str] = (),
        **config: Any,
    ) -> Outcome:
        texts = texts if isinstance(texts, list) else [texts]
        self._calls += 1
        files = statement_files(self._folder / str(self._calls), list(statements))
        given: dict[Any, Any] = {t: [] for t in (PAGES, DOCUMENTS, SENTENCES, MENTIONS, LINKS)}
        for page_id, text in enumerate(texts, 1):
            given[PAGES].append({"page_id": page_id, "title": f"page {page_id}"})
            self._add(given, page_id, text)
        titles = title_files(self._folder / f"titles-{self._calls}", wiki_pages)
        given[TITLES] = InputTable(rows=TITLES.schema.empty_table(), files=titles)
        given[TRIPLES] = InputTable(rows=TRIPLES.schema.empty_table(), files=files)
        given[ITEM_REDIRECTS] = [
            {"qid": old, "target_qid": new} for old, new in (merged or {}).items()
        ]
        return self._run(ALIGN, AlignConfig(shards=CUT, **config), given)

    @staticmethod
    def _add(given: dict[Any, Any], page_id: int, text: Text) -> None:
        end = len(text.mentions) * 10
        given[DOCUMENTS].append(
            {
                "document_id": f"{page_id}:0-{end}",
                "page_id": page_id,
                "char_start": 0,
                "char_end": end,
                "unit": text.unit,
            }
        )
        ends = [*text.sentence_starts[1:], len(text.mentions)]
        for i, (a, b) in enumerate(zip(text.sentence_starts, ends, strict=True)):
            place = {"char_start": a * 10, "char_end": b * 10}
            given[SENTENCES].append({"page_id": page_id, "sentence": i, **place})
        for at, (surface, qid) in enumerate(text.mentions):
            place = {"page_id": page_id, "char_start": at * 10, "char_end": at * 10 + 9}
            kind = text.types[at] if text.types else None
            given[MENTIONS].append({**place, "surface": surface, "type": kind, "source": "ner"})
            if qid is not None:
                kind = text.item_types.get(qid)
                link = {"qid": qid, "method": "alias", "score": 1.0, "type": kind}
                given[LINKS].append({**place, **link})


@pytest.fixture
def align(run_stage: RunStage, tmp_path: Path) -> Aligner:
    return Aligner(run_stage, tmp_path)


def labels(outcome: Outcome) -> dict[tuple[str, str], list[str]]:
    return {(r["head_qid"], r["tail_qid"]): r["pids"] for r in outcome.rows(TUPLES)}


PAIR = Text([("Curie", "Q1"), ("Warsaw", "Q2")])


def test_a_pair_gets_its_relation_in_the_direction_of_the_statement(align: Aligner) -> None:
    outcome = align(PAIR, [(1, 19, 2, "normal")])
    assert labels(outcome) == {("Q1", "Q2"): ["P19"], ("Q2", "Q1"): []}


def test_both_directions_may_have_relations(align: Aligner) -> None:
    outcome = align(PAIR, [(1, 19, 2, "normal"), (2, 36, 1, "preferred")])
    assert labels(outcome) == {("Q1", "Q2"): ["P19"], ("Q2", "Q1"): ["P36"]}


def test_a_pair_gets_every_relation_once_in_the_order_of_numbers(align: Aligner) -> None:
    statements = [(1, pid, 2, "normal") for pid in (150, 20, 19, 20)]
    assert labels(align(PAIR, statements))["Q1", "Q2"] == ["P19", "P20", "P150"]


def test_a_row_says_everything_of_its_pair(align: Aligner) -> None:
    row = align(PAIR, [(1, 19, 2, "normal")]).rows(TUPLES)[0]
    assert row == {
        "tuple_id": "1:0-20/0-1",
        "document_id": "1:0-20",
        "page_id": 1,
        "head_entity": 0,
        "tail_entity": 1,
        "head_qid": "Q1",
        "tail_qid": "Q2",
        "pids": ["P19"],
        "sentence_distance": 0,
        "intra": True,
    }


def test_a_pair_that_only_deprecated_statements_relate_is_neither_positive_nor_na(
    align: Aligner,
) -> None:
    outcome = align(PAIR, [(1, 19, 2, "deprecated")])
    assert labels(outcome) == {("Q2", "Q1"): []}
    assert outcome.drops == {"deprecated_only": 1}


def test_a_deprecated_statement_beside_a_sound_one_is_passed_over(align: Aligner) -> None:
    outcome = align(PAIR, [(1, 19, 2, "deprecated"), (1, 20, 2, "normal")])
    assert labels(outcome)["Q1", "Q2"] == ["P20"]
    assert outcome.drops == {}


def test_statements_of_merged_items_count_for_the_item_that_is_left(align: Aligner) -> None:
    statements = [(7, 19, 2, "normal"), (1, 20, 8, "normal"), (7, 21, 8, "normal")]
    outcome = align(PAIR, statements, merged={"Q7": "Q1", "Q8": "Q2"})
    assert labels(outcome)["Q1", "Q2"] == ["P19", "P20", "P21"]


def test_mentions_of_one_item_are_one_entity_under_its_first_name(align: Aligner) -> None:
    text = Text(
        [("Curie", "Q1"), ("Warsaw", "Q2"), ("Marie Curie", "Q1"), ("Curie", "Q1")],
        [0, 2],
        types=["PERSON", None, "ORG", "PERSON"],
    )
    first, second = align(text).rows(ENTITIES)
    assert (first["qid"], first["name"], first["type"]) == ("Q1", "Curie", "PERSON")
    assert first["mentions"] == [
        {"char_start": 0, "char_end": 9, "sentence": 0},
        {"char_start": 20, "char_end": 29, "sentence": 1},
        {"char_start": 30, "char_end": 39, "sentence": 1},
    ]
    assert (second["entity"], second["qid"], second["type"]) == (1, "Q2", None)
    text.item_types = {"Q1": "ORG", "Q2": "none"}
    assert [r["type"] for r in align(text).rows(ENTITIES)] == ["ORG", None]


def test_entities_without_an_item_keep_their_cluster_and_form_no_pairs(align: Aligner) -> None:
    text = Text([("Ann", None), ("Warsaw", "Q2"), ("Ann", None), ("Bob", None), ("Ann", "Q1")])
    outcome = align(text)
    assert [(r["name"], r["qid"], len(r["mentions"])) for r in outcome.rows(ENTITIES)] == [
        ("Ann", None, 2),
        ("Warsaw", "Q2", 1),
        ("Bob", None, 1),
        ("Ann", "Q1", 1),
    ]
    assert [(r["head_entity"], r["tail_entity"]) for r in outcome.rows(TUPLES)] == [
        (1, 3),
        (3, 1),
    ]


def test_the_distance_is_that_of_the_nearest_mentions(align: Aligner) -> None:
    text = Text([("A", "Q1"), ("x", None), ("x", None), ("B", "Q2"), ("A", "Q1")], [0, 1, 2, 3, 4])
    distances = {r["sentence_distance"] for r in align(text).rows(TUPLES)}
    assert distances == {1}
    assert not align(text).rows(TUPLES)[0]["intra"]


def test_pairs_beyond_the_distance_are_dropped_and_counted(align: Aligner) -> None:
    text = Text([("A", "Q1"), ("B", "Q2"), ("C", "Q3")], [0, 1, 2])
    outcome = align(text, [(1, 5, 3, "normal")], max_sentence_distance=1)
    assert set(labels(outcome)) == {("Q1", "Q2"), ("Q2", "Q1"), ("Q2", "Q3"), ("Q3", "Q2")}
    assert outcome.drops == {"too_far": 2}


def test_mentions_outside_the_document_do_not_count(run_stage: RunStage, tmp_path: Path) -> None:
    files = statement_files(tmp_path / "files", [])
    spans = [(0, 9), (8, 12), (10, 20), (20, 29)]
    places = [{"page_id": 1, "char_start": a, "char_end": b} for a, b in spans]
    outcome = run_stage(
        ALIGN,
        AlignConfig(shards=CUT),
        {
            PAGES: [{"page_id": 1, "title": "page 1"}],
            TITLES: InputTable(
                rows=TITLES.schema.empty_table(), files=title_files(tmp_path / "titles")
            ),
            DOCUMENTS: [
                {"document_id": "d", "page_id": 1, "char_start": 10, "char_end": 20, "unit": "lead"}
            ],
            SENTENCES: [{"page_id": 1, "sentence": 0, "char_start": 0, "char_end": 29}],
            MENTIONS: [{**p, "surface": f"m{i}"} for i, p in enumerate(places)],
            LINKS: [],
            TRIPLES: InputTable(rows=TRIPLES.schema.empty_table(), files=files),
            ITEM_REDIRECTS: [],
        },
    )
    assert [r["name"] for r in outcome.rows(ENTITIES)] == ["m2"]


def clique(unit: str, size: int = 4) -> Text:
    return Text([(f"E{i}", f"Q{i}") for i in range(1, size + 1)], unit=unit)


FOUR = [(1, 1, 2, "normal"), (1, 2, 2, "normal"), (2, 1, 1, "normal"), (3, 9, 4, "normal")]


def test_a_paragraph_needs_four_entities_and_four_labels(align: Aligner) -> None:
    outcome = align(clique("paragraph"), FOUR)
    assert len(outcome.rows(TUPLES)) == 12
    assert outcome.drops == {}
    few = align(clique("paragraph", 3), FOUR)
    assert (few.rows(ENTITIES), few.drops) == ([], {"few_entities": 1})
    few = align(clique("paragraph"), FOUR[:3])
    assert (few.rows(ENTITIES), few.rows(TUPLES), few.drops) == ([], [], {"few_triples": 1})


def test_deprecated_statements_do_not_help_a_paragraph_over_the_bound(align: Aligner) -> None:
    outcome = align(clique("paragraph"), [*FOUR[:3], (3, 9, 4, "deprecated")])
    assert outcome.drops == {"few_triples": 1}


@pytest.mark.parametrize("unit", ["lead", "page", "sentence"])
def test_other_units_have_no_such_bounds(align: Aligner, unit: str) -> None:
    assert len(align(clique(unit, 2)).rows(TUPLES)) == 2


def test_the_bounds_are_values_of_the_recipe(align: Aligner) -> None:
    outcome = align(clique("paragraph", 2), min_entities=2, min_triples=0)
    assert len(outcome.rows(TUPLES)) == 2


def test_na_is_sampled_by_the_seed_and_counted_and_positives_stay(align: Aligner) -> None:
    one, again, other = (
        align(clique("page", 12), FOUR, keep_na=0.5, seed=seed) for seed in (1, 1, 2)
    )
    assert labels(one) == labels(again) != labels(other)
    assert sum(1 for pids in labels(one).values() if pids) == 3
    kept = sum(1 for pids in labels(one).values() if not pids)
    assert kept + one.drops["na_sampled_out"] == 12 * 11 - 3
    assert 40 < kept < 90


def test_no_na_is_kept_at_a_share_of_0_and_all_at_1(align: Aligner) -> None:
    none = align(clique("page"), FOUR, keep_na=0.0)
    assert list(labels(none).values()) == [["P1", "P2"], ["P1"], ["P9"]]
    assert none.drops == {"na_sampled_out": 9}
    assert len(labels(align(clique("page"), FOUR, keep_na=1.0))) == 12


def test_a_document_without_mentions_has_no_rows(align: Aligner) -> None:
    outcome = align(Text([]))
    assert outcome.rows(ENTITIES) == outcome.rows(TUPLES) == []


@pytest.mark.parametrize("scanned", [-1, 0, 4])
@pytest.mark.parametrize("pair_bytes", [256 << 20, 256 << 17, 20 << 20, 9 << 20])
def test_documents_in_many_batches_give_the_rows_of_one(
    align: Aligner, monkeypatch: pytest.MonkeyPatch, pair_bytes: int, scanned: int
) -> None:
    texts = [clique("page", size) for size in (2, 3, 4, 5)]
    whole = align(texts, FOUR)
    monkeypatch.setattr("stages.alignment.statements.SCANNED", scanned)
    monkeypatch.setattr("stages.align.PAIR_BYTES", pair_bytes)
    monkeypatch.setattr("stages.align.ROWS_AT_ONCE", 3)
    assert align(texts, FOUR).rows(TUPLES) == whole.rows(TUPLES)


QIDS = st.none() | st.integers(1, 6).map(lambda n: f"Q{n}")
MENTION = st.tuples(st.sampled_from(["a", "b"]), QIDS)
STATEMENT = st.tuples(
    st.integers(1, 8),
    st.integers(1, 3),
    st.integers(1, 8),
    st.sampled_from(["normal", "preferred", "deprecated"]),
)


@st.composite
def texts(draw: st.DrawFn) -> Text:
    mentions = draw(st.lists(MENTION, max_size=7))
    more = draw(st.sets(st.integers(1, max(len(mentions) - 1, 1)), max_size=3))
    starts = [0, *sorted(s for s in more if s < len(mentions))]
    return Text(mentions, starts, draw(st.sampled_from(["lead", "paragraph"])))


def oracle(
    documents: list[Text], statements: list[Statement], merged: dict[str, str], most: int | None
) -> tuple[set[Any], dict[str, int]]:
    """The rows and drops, found by looking at every pair of mentions and every statement."""
    rows, drops = (
        set(),
        dict.fromkeys(("few_entities", "few_triples", "too_far", "deprecated_only"), 0),
    )
    for page, text in enumerate(documents, 1):
        clusters = {q or f"surface {s}" for s, q in text.mentions}
        if text.unit == "paragraph" and len(clusters) < 2:
            drops["few_entities"] += 1
            continue
        qids = list(dict.fromkeys(q for _, q in text.mentions if q))
        found = {}
        for head in qids:
            for tail in qids:
                if head == tail:
                    continue
                about = [
                    (f"P{p}", rank)
                    for h, p, t, rank in statements
                    if merged.get(f"Q{h}", f"Q{h}") == head and merged.get(f"Q{t}", f"Q{t}") == tail
                ]
                sound = {pid for pid, rank in about if rank != "deprecated"}
                found[head, tail] = (sound, bool(about))
        if text.unit == "paragraph" and sum(len(s) for s, _ in found.values()) < 1:
            drops["few_triples"] += 1
            continue
        for (head, tail), (sound, any_statement) in found.items():
            distance = min(
                abs(sentence(text, a) - sentence(text, b))
                for a, (_, x) in enumerate(text.mentions)
                for b, (_, y) in enumerate(text.mentions)
                if (x, y) == (head, tail)
            )
            if most is not None and distance > most:
                drops["too_far"] += 1
            elif any_statement and not sound:
                drops["deprecated_only"] += 1
            else:
                rows.add((page, head, tail, tuple(sorted(sound)), distance))
    return rows, {reason: count for reason, count in drops.items() if count}


def sentence(text: Text, place: int) -> int:
    return sum(start <= place for start in text.sentence_starts) - 1


@settings(max_examples=60)
@given(
    documents=st.lists(texts(), max_size=3),
    statements=st.lists(STATEMENT, max_size=12),
    merged=st.sampled_from([{}, {"Q7": "Q1"}, {"Q7": "Q1", "Q8": "Q1"}, {"Q8": "Q2"}]),
    most=st.none() | st.integers(0, 2),
)
def test_in_any_world_the_rows_are_those_of_a_naive_reading(
    run_stage: RunStage,
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[Text],
    statements: list[Statement],
    merged: dict[str, str],
    most: int | None,
) -> None:
    aligner = Aligner(run_stage, tmp_path_factory.mktemp("world"))
    outcome = aligner(
        documents,
        statements,
        merged,
        max_sentence_distance=most,
        min_entities=2,
        min_triples=1,
    )
    rows = {
        (r["page_id"], r["head_qid"], r["tail_qid"], tuple(r["pids"]), r["sentence_distance"])
        for r in outcome.rows(TUPLES)
    }
    assert (rows, outcome.drops) == oracle(documents, statements, merged, most)
    assert all(r["intra"] == (r["sentence_distance"] == 0) for r in outcome.rows(TUPLES))


def test_a_chain_of_merged_items_counts_as_its_end(align: Aligner) -> None:
    outcome = align(
        clique("page", 2), [(7, 5, 2, "normal")], merged={"Q7": "Q8", "Q8": "Q1", "Q9": "Q9"}
    )
    assert [row["pids"] for row in outcome.rows(TUPLES) if row["head_qid"] == "Q1"] == [["P5"]]


@pytest.mark.parametrize(
    ("leads", "expected"),
    [({}, 1), ({1: 2}, 2), ({1: 2, 2: 3}, 3), ({3: 1, 1: 2}, 2), ({1: 1}, 1), ({1: 2, 2: 1}, 1)],
)
def test_the_end_of_a_chain_of_merges(leads: dict[int, int], expected: int) -> None:
    merged = Merged(list(leads), list(leads.values()))
    assert merged.current([1]).tolist() == [expected]


@given(st.dictionaries(st.integers(1, 9), st.integers(1, 9)))
def test_merged_items_are_found_in_both_directions(leads: dict[int, int]) -> None:
    def end(item: int) -> int:
        seen = []
        while item in leads and item not in seen:
            seen.append(item)
            item = leads[item]
        return seen[0] if item in seen else item

    merged = Merged(list(leads), list(leads.values()))
    items = np.arange(1, 10, dtype=np.uint64)
    assert merged.current(items).tolist() == [end(item) for item in range(1, 10)]
    owners, numbers = merged.with_older(items)
    expected = {(end(i) - 1, i) for i in range(1, 10) if end(i) != i} | {
        (i, i + 1) for i in range(9)
    }
    assert set(zip(owners.tolist(), numbers.tolist(), strict=True)) == expected
    assert len(owners) == len(expected)


def test_each_label_names_its_statements_with_rank_and_time(align: Aligner) -> None:
    statements = [
        (1, 39, 2, "preferred"),
        (1, 39, 2, "normal"),
        (7, 19, 2, "normal"),
        (1, 19, 2, "deprecated"),
        (2, 20, 1, "deprecated"),
    ]
    outcome = align(PAIR, statements, merged={"Q7": "Q1"})
    rows = outcome.rows(TUPLE_STATEMENTS)
    assert [(r["pid"], r["head_qid"], r["statement"], r["rank"]) for r in rows] == [
        ("P19", "Q7", 2, "normal"),
        ("P39", "Q1", 0, "preferred"),
        ("P39", "Q1", 1, "normal"),
    ]
    assert {r["tuple_id"] for r in rows} == {"1:0-20/0-1"}
    assert [(r["start"], r["end"], r["point"]) for r in rows] == [
        (None, None, None),
        (TIMES["start"], None, None),
        (TIMES["start"], None, None),
    ]


def test_a_statement_of_a_pair_that_is_left_out_is_not_told(align: Aligner) -> None:
    text = Text([("A", "Q1"), ("B", "Q2")], [0, 1])
    outcome = align(text, [(1, 5, 2, "normal")], max_sentence_distance=0)
    assert outcome.rows(TUPLE_STATEMENTS) == []


def test_pages_of_disambiguation_items_give_nothing_and_are_counted(align: Aligner) -> None:
    outcome = align([PAIR] * 4, wiki_pages=["page 1", "page 4", "page 9"])
    assert {r["page_id"] for r in outcome.rows(TUPLES)} == {2, 3}
    assert {r["page_id"] for r in outcome.rows(ENTITIES)} == {2, 3}
    assert outcome.drops == {"disambiguation_item": 2}


def test_a_page_may_have_only_so_many_labelled_pairs_drawn_by_seed(align: Aligner) -> None:
    statements = [(h, 530, t, "normal") for h in range(1, 7) for t in range(1, 7) if h != t]
    texts = [clique("page", 6), clique("page", 3)]

    def kept(**config: Any) -> set[str]:
        outcome = align(texts, statements, **config)
        names = {r["tuple_id"] for r in outcome.rows(TUPLES)}
        assert len(names) + sum(outcome.drops.values()) == 36
        return names

    few = kept(max_labelled_per_page=10)
    assert len(few) == 10 + 6
    assert few == kept(max_labelled_per_page=10) != kept(max_labelled_per_page=10, seed=5)
    assert kept(max_labelled_per_page=5) < few, "a smaller sample is part of a larger one"
    assert len(kept(max_labelled_per_page=30)) == 36


def test_the_bound_of_a_page_counts_over_its_documents_and_leaves_na_alone(
    align: Aligner,
) -> None:
    outcome = align(clique("page", 12), FOUR, max_labelled_per_page=1)
    pids = list(labels(outcome).values())
    assert sum(map(bool, pids)) == 1
    assert outcome.drops == {"page_sampled_out": 2}
    assert len(pids) == 12 * 11 - 2
