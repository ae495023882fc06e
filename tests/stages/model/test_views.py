"""Views: markers, blanks, prefixes, formats and masks, against loops and on worked examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.model.batch import NO_LABEL, Batch, joined, sequence_of, size, take
from stages.model.chance import Chance, mixed, philox
from stages.model.examples import pairs_in_sentences
from stages.model.masking import mask
from stages.model.ragged import offsets
from stages.model.views import (
    blank,
    first_mentions,
    fit,
    input_format,
    mark,
    mark_entities,
    prefix,
)
from tests.stages.model.made import corpus, markers
from tests.stages.model.test_batch import told

SEEDS = st.integers(0, 10_000)
CHANCE = Chance(13, 2)


def examples(seed: int, documents: int = 6) -> Batch[Any]:
    made = corpus(seed, documents)
    return made.take_examples(pairs_in_sentences(made, 64, labelled=False)[0])


@given(SEEDS)
def test_marks_stand_around_head_and_tail(seed: int) -> None:
    special, batch = markers(), examples(seed)
    marked = mark(batch, special)
    around = [
        (special.head_start, special.head_end),
        (special.tail_start, special.tail_end),
    ]
    for before, after in zip(told(batch), told(marked), strict=True):
        ids = list(before["ids"])
        spots = []
        for (start, end, _), (opening, closing) in zip(before["mentions"], around, strict=True):
            spots += [(start, 1, opening), (end, 0, closing)]
        for at, _, piece in sorted(spots, reverse=True):
            ids.insert(at, piece)
        assert after["ids"] == ids
        for (start, end, _), (a, b, _), (opening, closing) in zip(
            after["mentions"], before["mentions"], around, strict=True
        ):
            assert ids[start:end] == before["ids"][a:b]
            assert (ids[start - 1], ids[end]) == (opening, closing)
    starts = marked.ids_T[marked.mention_marker_M].reshape(-1, 2)
    assert (starts == [special.head_start, special.tail_start]).all()
    assert marked.fixed_T[marked.mention_marker_M].all()


def test_markers_between_touching_mentions_close_before_they_open() -> None:
    made = corpus(3)
    found, _ = pairs_in_sentences(made, 64, labelled=False)
    batch = made.take_examples(found[np.array([0])])
    begin = int(batch.mention_start_M.min())
    touching = replace(
        batch,
        mention_start_M=np.array([begin + 1, begin]),
        mention_end_M=np.array([begin + 2, begin + 1]),
    )
    special = markers()
    ids = mark(touching, special).ids_T[begin : begin + 6].tolist()
    tail, head = touching.ids_T[begin : begin + 2].tolist()
    opening, closing = special.head_start, special.head_end
    assert ids == [special.tail_start, tail, special.tail_end, opening, head, closing]


def test_a_document_with_many_pairs_has_no_head_and_tail_to_mark() -> None:
    batch = corpus(1).take(np.arange(3))
    with pytest.raises(ValueError, match="exactly one pair"):
        mark(batch, markers())


@given(SEEDS)
def test_a_blank_takes_the_place_of_a_mention_however_long(seed: int) -> None:
    special, batch = markers(), examples(seed)
    blanked = blank(batch, special, CHANCE, probability=1.0)
    for before, after in zip(told(batch), told(blanked), strict=True):
        ids = list(before["ids"])
        for start, end, _ in sorted(before["mentions"], reverse=True):
            ids[start:end] = [special.blank]
        assert after["ids"] == ids
        assert [ids[a:b] for a, b, _ in after["mentions"]] == [[special.blank]] * 2
    assert (blank(batch, special, CHANCE, probability=0.0).ids_T == batch.ids_T).all()


def test_head_and_tail_are_blanked_independently_with_the_probability_asked_for() -> None:
    special, batch = markers(), examples(8, documents=600)
    blanked = blank(batch, special, CHANCE, probability=0.7)
    hidden = (blanked.ids_T[blanked.mention_start_M] == special.blank).reshape(-1, 2)
    assert len(hidden) > 1000
    assert hidden.mean(axis=0) == pytest.approx([0.7, 0.7], abs=0.03)
    assert hidden.all(axis=1).mean() == pytest.approx(0.49, abs=0.03)


def test_blanks_are_drawn_anew_each_epoch_unless_they_shall_stay() -> None:
    special, batch = markers(), examples(8, documents=30)
    shown = [blank(batch, special, CHANCE.of(e), probability=0.5).ids_T for e in (0, 1)]
    assert len(shown[0]) != len(shown[1]) or (shown[0] != shown[1]).any()
    still = [blank(batch, special, Chance(13, e).of(0), probability=0.5).ids_T for e in (4, 5)]
    assert (still[0] == still[1]).all()


def all_random_views(batch: Batch[Any], documents: Batch[Any]) -> list[list[dict[str, Any]]]:
    special = markers()
    masked = mask(documents, special, CHANCE)
    labels = np.split(masked.token_label_T, masked.cu_seqlens[1:-1])
    return [
        told(mark(blank(batch, special, CHANCE, probability=0.5), special)),
        told(mark_entities(documents, special, CHANCE)),
        [
            {**plain, "hidden": own.tolist()}
            for plain, own in zip(told(masked), labels, strict=True)
        ],
    ]


@given(SEEDS, st.randoms(use_true_random=False))
def test_views_depend_neither_on_order_nor_on_what_else_is_in_the_batch(
    seed: int, dice: Any
) -> None:
    batch, documents = examples(seed), corpus(seed).take(np.arange(6))
    orders = [dice.sample(range(len(b)), len(b) // 2) for b in (batch, documents)]
    whole = all_random_views(batch, documents)
    some = all_random_views(
        *(take(b, np.array(o)) for b, o in zip((batch, documents), orders, strict=True))
    )
    for everything, part, order in zip(whole, some, (orders[0], orders[1], orders[1]), strict=True):
        assert part == [everything[i] for i in order]


@given(SEEDS)
def test_entity_markers_are_one_pair_an_entity_and_differ_within_a_document(seed: int) -> None:
    special, batch = markers(), corpus(seed).take(np.arange(6))
    marked = mark_entities(batch, special, CHANCE)
    opening = marked.ids_T[marked.mention_marker_M]
    number = np.searchsorted(special.entity_starts, opening)
    assert (special.entity_starts[number] == opening).all()
    assert (marked.ids_T[marked.mention_end_M] == special.entity_ends[number]).all()
    assert (marked.mention_marker_M == marked.mention_start_M - 1).all()
    by_entity: dict[int, set[int]] = {}
    for entity, which in zip(marked.mention_entity_M.tolist(), number.tolist(), strict=True):
        by_entity.setdefault(entity, set()).add(which)
    assert all(len(found) == 1 for found in by_entity.values())
    for b in range(6):
        own = [by_entity[e].copy().pop() for e in np.flatnonzero(batch.entity_sequence_E == b)]
        assert len(set(own)) == len(own)


@given(SEEDS)
def test_a_prefix_names_relation_and_head_and_shifts_what_stands_behind_it(seed: int) -> None:
    special, made = markers(), corpus(seed)
    batch = made.take(np.arange(6))
    names = [[700], [701, 702], [703], [704, 705, 706]]
    relation = np.arange(6) % 4
    head = np.searchsorted(batch.entity_sequence_E, np.arange(6)) + 1
    asked = prefix(
        *(batch, special, relation, head),
        offsets(np.array([len(name) for name in names])),
        np.array([i for name in names for i in name]),
    )
    for b, (before, after) in enumerate(zip(told(batch), told(asked), strict=True)):
        start, end, _ = next(m for m in before["mentions"] if m[2] == 1)
        added = [*names[relation[b]], *before["ids"][start:end], special.separate]
        assert after["ids"] == [special.classify, *added, *before["ids"][1:]]
        shift = len(added)
        assert after["mentions"] == [(a + shift, z + shift, e) for a, z, e in before["mentions"]]


FORMATS = {
    "C+M": lambda ids, spans, types: ids,
    "OnlyC": lambda ids, spans, types: replaced(ids, spans, [[markers().blank]] * 2),
    "C+T": lambda ids, spans, types: replaced(ids, spans, types),
    "OnlyM": lambda ids, spans, types: [
        ids[0],
        *(i for a, b in sorted(spans) for i in ids[a:b]),
        ids[-1],
    ],
    "OnlyT": lambda ids, spans, types: [
        ids[0],
        *(t[0] for _, t in sorted(zip(spans, types, strict=True))),
        ids[-1],
    ],
}


def replaced(ids: list[int], spans: list[tuple[int, int]], by: list[list[int]]) -> list[int]:
    made = list(ids)
    for (a, b), new in sorted(zip(spans, by, strict=True), reverse=True):
        made[a:b] = new
    return made


@given(SEEDS, st.sampled_from(sorted(FORMATS)))
def test_each_input_format_shows_what_it_says(seed: int, form: Any) -> None:
    special, batch = markers(), examples(seed)
    shown = input_format(batch, special, form)
    for before, after in zip(told(batch), told(shown), strict=True):
        spans = [(a, b) for a, b, _ in before["mentions"]]
        kinds = [t for _, t in before["entities"]]
        tables = (special.head_types, special.tail_types)
        types = [
            [int(table[kind]) if kind >= 0 else special.blank]
            for table, kind in zip(tables, kinds, strict=True)
        ]
        assert after["ids"] == FORMATS[form](before["ids"], spans, types)


def test_a_type_without_a_marker_is_refused() -> None:
    batch = examples(4)
    types = np.full(size(batch, "E"), 50)
    with pytest.raises(ValueError, match="50 type markers"):
        input_format(replace(batch, entity_type_E=types), markers(), "C+T")


@given(SEEDS, st.integers(10, 60))
def test_a_sequence_that_is_cut_loses_only_what_does_not_fit_and_says_so(
    seed: int, most: int
) -> None:
    batch = corpus(seed).take(np.arange(6))
    cut, lost = fit(batch, most)
    limit = np.minimum(batch.lengths_B, most) - 1
    ends = batch.mention_end_M - batch.cu_seqlens[sequence_of(batch, "M")]
    fits = ends <= limit[sequence_of(batch, "M")]
    assert lost.get("mentions", 0) == (~fits).sum()
    assert lost.get("entities", 0) == size(batch, "E") - len(set(batch.mention_entity_M[fits]))
    assert lost.get("pairs", 0) == size(batch, "P") - size(cut, "P")
    for before, after in zip(told(batch), told(cut), strict=True):
        keeps = before["ids"] if len(before["ids"]) <= most else before["ids"][: most - 1]
        tail = [] if len(before["ids"]) <= most else [before["ids"][-1]]
        assert after["ids"] == [*keeps, *tail]
        kept = {tuple(after["ids"][a:b]) for a, b, _ in after["mentions"]}
        assert kept <= {tuple(before["ids"][a:b]) for a, b, _ in before["mentions"]}
    assert (first_mentions(cut) < max(size(cut, "M"), 1)).all()


def test_masked_pieces_are_15_in_100_and_80_10_10_of_them() -> None:
    special, batch = markers(), corpus(2, documents=1500).take(np.arange(1500))
    masked = mask(batch, special, CHANCE, protect_mentions=False)
    free = ~batch.fixed_T
    hidden = masked.token_label_T != NO_LABEL
    assert hidden[free].mean() == pytest.approx(0.15, abs=0.005)
    became = masked.ids_T[hidden]
    assert (became == special.mask).mean() == pytest.approx(0.8, abs=0.015)
    stayed = (became == batch.ids_T[hidden]).mean()
    assert stayed == pytest.approx(0.1, abs=0.015)
    assert not np.isin(became[became != special.mask], special.special).any()
    assert (masked.token_label_T[hidden] == batch.ids_T[hidden]).all()
    assert (masked.ids_T[~hidden] == batch.ids_T[~hidden]).all()


@given(SEEDS)
def test_neither_markers_nor_blanks_nor_pooled_mentions_are_masked(seed: int) -> None:
    special = markers()
    marked = mark(blank(examples(seed), special, CHANCE, probability=0.5), special)
    masked = mask(marked, special, CHANCE, share=1.0)
    hidden = masked.token_label_T != NO_LABEL
    assert not np.isin(marked.ids_T[hidden], special.special).any()
    inside = np.zeros(marked.pieces, dtype=bool)
    for start, end in zip(marked.mention_start_M, marked.mention_end_M, strict=True):
        inside[start:end] = True
    assert (hidden == (~marked.fixed_T & ~inside)).all()


def test_random_words_are_those_of_the_published_generator() -> None:
    known = {
        ((0, 0, 0, 0), (0, 0)): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
        ): (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    }
    for (counter, key), words in known.items():
        made = philox(tuple(np.array([c], dtype=np.uint64) for c in counter), key)  # type: ignore[arg-type]
        assert tuple(int(word[0]) for word in made) == words


def test_draws_hang_on_seed_epoch_name_example_and_place() -> None:
    keys = np.arange(1000)
    base = Chance(1, 0).uniform("a", keys, 3)
    others = [
        Chance(2, 0).uniform("a", keys, 3),
        Chance(1, 1).uniform("a", keys, 3),
        Chance(1, 0).uniform("b", keys, 3),
        Chance(1, 0).uniform("a", keys + 1000, 3),
        Chance(1, 0).uniform("a", keys, 4),
    ]
    assert (base == Chance(1, 0).uniform("a", keys, np.full(1000, 3))).all()
    assert all(abs(np.corrcoef(base, other)[0, 1]) < 0.1 for other in others)
    assert base.min() >= 0
    assert base.max() < 1
    assert len(set(mixed(keys, keys % 7, keys % 5).tolist())) == 1000


def test_joined_views_of_parts_are_the_view_of_the_whole() -> None:
    special, batch = markers(), corpus(9).take(np.arange(6))
    parts = [take(batch, np.arange(0, 3)), take(batch, np.arange(3, 6))]
    masked = joined([mask(part, special, CHANCE) for part in parts])
    whole = mask(batch, special, CHANCE)
    assert (masked.ids_T == whole.ids_T).all()
    assert (masked.token_label_T == whole.token_label_T).all()
