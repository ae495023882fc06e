"""Corpus and batch: cutting out, joining and leaving out, against loops over single entities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.model.batch import Batch, joined, keep, sequence_of, size, take
from stages.model.corpus import Corpus
from stages.model.examples import pairs_in_sentences
from tests.stages.model.made import corpus, markers

SEEDS = st.integers(0, 10_000)
Plain = dict[str, Any]


def told(batch: Batch[Any]) -> list[Plain]:
    """Each sequence of a batch by itself, positions and numbers local to it."""
    return [one(batch, b) for b in range(len(batch))]


def one(batch: Batch[Any], b: int) -> Plain:
    begin, end = int(batch.cu_seqlens[b]), int(batch.cu_seqlens[b + 1])
    entities = [e for e in range(size(batch, "E")) if batch.entity_sequence_E[e] == b]
    pairs = [p for p in range(size(batch, "P")) if batch.pair_head_P[p] in entities]
    return {
        "key": int(batch.key_B[b]),
        "ids": batch.ids_T[begin:end].tolist(),
        "fixed": batch.fixed_T[begin:end].tolist(),
        "words": batch.word_T[begin:end].tolist(),
        "mentions": [
            (
                int(batch.mention_start_M[m]) - begin,
                int(batch.mention_end_M[m]) - begin,
                entities.index(batch.mention_entity_M[m]),
            )
            for m in range(size(batch, "M"))
            if batch.mention_entity_M[m] in entities
        ],
        "entities": [(int(batch.entity_qid_E[e]), int(batch.entity_type_E[e])) for e in entities],
        "pairs": [
            (
                entities.index(batch.pair_head_P[p]),
                entities.index(batch.pair_tail_P[p]),
                bool(batch.pair_intra_P[p]),
            )
            for p in pairs
        ],
        "labels": [
            (
                pairs.index(batch.label_pair_L[i]),
                int(batch.label_relation_L[i]),
                float(batch.label_weight_L[i]),
            )
            for i in range(size(batch, "L"))
            if batch.label_pair_L[i] in pairs
        ],
    }


def rows(corpus: Corpus, name: str, d: int, *columns: str) -> list[tuple[Any, ...]]:
    lists = getattr(corpus, name)
    inside = range(lists.bounds[d], lists.bounds[d + 1])
    return [tuple(lists[column][i].item() for column in columns) for i in inside]


def expected(corpus: Corpus, d: int) -> Plain:
    """What a batch must tell of a document, by a loop over its rows."""
    special, pieces = markers(), rows(corpus, "piece", d, "id", "word")
    return {
        "key": int(corpus.key_D[d]),
        "ids": [special.classify, *(i for i, _ in pieces), special.separate],
        "fixed": [True, *(False for _ in pieces), True],
        "words": [True, *(w for _, w in pieces), True],
        "mentions": [
            (start + 1, end + 1, entity)
            for start, end, entity in rows(corpus, "mention", d, "start", "end", "entity")
        ],
        "entities": rows(corpus, "entity", d, "qid", "type"),
        "pairs": rows(corpus, "pair", d, "head", "tail", "intra"),
        "labels": rows(corpus, "label", d, "pair", "relation", "weight"),
    }


@given(SEEDS, st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_documents_come_out_as_a_loop_over_their_rows_says(seed: int, chosen: list[int]) -> None:
    made = corpus(seed)
    assert told(made.take(np.array(chosen))) == [expected(made, d) for d in chosen]


@given(SEEDS, st.permutations(range(6)), st.integers(1, 6))
def test_taking_sequences_of_a_batch_is_taking_their_documents(
    seed: int, order: list[int], count: int
) -> None:
    made = corpus(seed)
    batch = made.take(np.arange(6))
    assert told(take(batch, np.array(order[:count]))) == [expected(made, d) for d in order[:count]]


@given(SEEDS, st.permutations(range(6)), st.integers(1, 5))
def test_joined_batches_are_one_batch_of_all(seed: int, order: list[int], cut: int) -> None:
    made = corpus(seed)
    parts = [made.take(np.array(part)) for part in (order[:cut], order[cut:])]
    assert told(joined(parts)) == [expected(made, d) for d in order]


def test_batches_with_different_columns_are_not_joined() -> None:
    batch = corpus(1).take(np.arange(2))
    masked = replace(batch, token_label_T=batch.ids_T)
    with pytest.raises(ValueError, match="different columns"):
        joined([batch, masked])


@given(SEEDS, st.randoms(use_true_random=False))
def test_what_hangs_on_a_row_that_is_left_out_goes_with_it(seed: int, dice: Any) -> None:
    batch = corpus(seed).take(np.arange(6))
    masks = {
        axis: np.array([dice.random() < 0.6 for _ in range(size(batch, axis))], dtype=bool)
        for axis in "MPL"
    }
    left = keep(batch, masks)
    mentioned = set(batch.mention_entity_M[masks["M"]].tolist())
    ends = zip(batch.pair_head_P, batch.pair_tail_P, strict=True)
    whole = [
        masks["P"][p] and head in mentioned and tail in mentioned
        for p, (head, tail) in enumerate(ends)
    ]
    labels = [masks["L"][i] and whole[p] for i, p in enumerate(batch.label_pair_L)]
    labelled = {int(p) for p, some in zip(batch.label_pair_L, labels, strict=True) if some}
    assert size(left, "M") == masks["M"].sum()
    assert size(left, "E") == len(mentioned)
    assert size(left, "P") == len(labelled)
    assert size(left, "L") == sum(labels)
    assert left.entity_qid_E.tolist() == batch.entity_qid_E[sorted(mentioned)].tolist()
    assert left.label_relation_L.tolist() == batch.label_relation_L[labels].tolist()
    assert left.pieces == batch.pieces


@given(SEEDS, st.integers(12, 40), st.booleans())
def test_pairs_in_sentences_are_those_of_a_loop(seed: int, most: int, labelled: bool) -> None:
    made = corpus(seed)
    found, lost = pairs_in_sentences(made, most, labelled=labelled)
    wanted, apart = loop_over_pairs(made, most, labelled)
    seen = zip(found.pair_N, found.head_N, found.tail_N, strict=True)
    assert sorted((int(p), int(h), int(t)) for p, h, t in seen) == sorted(wanted)
    assert lost == {"overlapping_mentions": 0, "too_far_apart": apart}


def loop_over_pairs(
    made: Corpus, most: int, labelled: bool
) -> tuple[list[tuple[int, int, int]], int]:
    found, apart = [], 0
    for d in range(len(made)):
        mentions = rows(made, "mention", d, "entity", "sentence", "start", "end")
        labels = rows(made, "label", d, "pair", "relation")
        first = int(made.mention.bounds[d])
        for p, (head, tail) in enumerate(rows(made, "pair", d, "head", "tail")):
            if labelled and (p, 0) in labels:
                continue
            for sentence in sorted({m[1] for m in mentions}):
                places = [
                    [i for i, m in enumerate(mentions) if m[:2] == (entity, sentence)]
                    for entity in (head, tail)
                ]
                if not all(places):
                    continue
                two = [place[0] for place in places]
                reach = max(mentions[i][3] for i in two) - min(mentions[i][2] for i in two)
                if reach > most - 6:
                    apart += 1
                else:
                    found.append((int(made.pair.bounds[d]) + p, first + two[0], first + two[1]))
    return found, apart


@given(SEEDS, st.integers(14, 40))
def test_an_example_shows_its_mentions_whole_and_fits_with_four_markers(
    seed: int, most: int
) -> None:
    made = corpus(seed)
    examples, _ = pairs_in_sentences(made, most)
    batch = made.take_examples(examples)
    assert (batch.lengths_B + 4 <= most).all()
    assert (sequence_of(batch, "P") == np.arange(len(examples))).all()
    for n, plain in enumerate(told(batch)):
        d = int(examples.document_N[n])
        for place, which in enumerate((examples.head_N[n], examples.tail_N[n])):
            start, end, entity = (
                made.mention[column][which] for column in ("start", "end", "entity")
            )
            begin = int(made.piece.bounds[d])
            own = made.piece["id"][begin + start : begin + end].tolist()
            shown = plain["mentions"][place]
            assert plain["ids"][shown[0] : shown[1]] == own
            at = made.entity.bounds[d] + entity
            assert plain["entities"][place][0] == made.entity["qid"][at]
        labels = rows(made, "label", d, "pair", "relation")
        local = int(examples.pair_N[n] - made.pair.bounds[d])
        assert [r for _, r, _ in plain["labels"]] == [r for p, r in labels if p == local]


def test_a_window_leaves_evenly_much_on_both_sides() -> None:
    from stages.model.examples import window

    one = [np.array([n]) for n in (0, 100, 50, 60)]
    assert [int(a[0]) for a in window(*one, 30)] == [40, 70]
    near_start = [np.array([n]) for n in (0, 100, 2, 12)]
    assert [int(a[0]) for a in window(*near_start, 30)] == [0, 30]
    near_end = [np.array([n]) for n in (0, 100, 88, 98)]
    assert [int(a[0]) for a in window(*near_end, 30)] == [70, 100]


def test_examples_of_one_document_have_keys_of_their_own() -> None:
    made = corpus(5, documents=40)
    examples, _ = pairs_in_sentences(made, 64, labelled=False)
    keys = made.take_examples(examples).key_B
    assert len(set(keys.tolist())) == len(examples)
    back = np.arange(len(examples))[::-1]
    assert (made.take_examples(examples[back]).key_B == keys[back]).all()
