"""The scorer and the gazetteer of the benchmark of NER, on cases made by hand."""

from __future__ import annotations

from benchmarks.ner_scores import ALL, Typed, gazetteer, scores, untyped
from storage.spans import Span

A, B, C = (0, 3), (4, 8), (4, 9)


def counts(*documents: tuple[list[Typed], list[Typed]]) -> dict[str, tuple[int, int, int]]:
    return {kind: (s.gold, s.found, s.right) for kind, s in scores(documents).items()}


def test_only_exact_spans_of_the_same_type_are_right() -> None:
    gold: list[Typed] = [(A, "PER"), (B, "LOC")]
    assert counts((gold, gold)) == {ALL: (2, 2, 2), "LOC": (1, 1, 1), "PER": (1, 1, 1)}
    assert counts((gold, [(A, "LOC"), (C, "LOC")])) == {
        ALL: (2, 2, 0),
        "LOC": (1, 2, 0),
        "PER": (1, 0, 0),
    }


def test_documents_are_told_apart_and_repetitions_count_once() -> None:
    one: list[Typed] = [(A, "PER")]
    two: list[Typed] = [(B, "PER")]
    assert counts((one, two), (two, one)) == {ALL: (2, 2, 0), "PER": (2, 2, 0)}
    assert counts((one * 3, one * 2)) == {ALL: (1, 1, 1), "PER": (1, 1, 1)}


def test_precision_recall_and_f1_by_hand() -> None:
    gold: list[Typed] = [((n, n + 1), "X") for n in range(4)]
    found: list[Typed] = [((n, n + 1), "X") for n in range(1, 3)] + [((9, 10), "X")]
    score = scores([(gold, found)])[ALL]
    assert (score.precision, score.recall) == (2 / 3, 2 / 4)
    assert abs(score.f1 - 4 / 7) < 1e-12


def test_nothing_found_and_nothing_there_score_nothing() -> None:
    score = scores([([], [])])[ALL]
    assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 0.0)
    assert scores([([(A, "X")], [])])["X"].f1 == 0.0


def test_boundaries_alone_know_no_types_and_may_leave_some_out() -> None:
    assert untyped([(A, "PER"), (B, "TIME")], ("TIME",)) == [(A, "span")]
    found: list[Typed] = [(A, "LOC")]
    assert scores([(untyped([(A, "PER")]), untyped(found))])[ALL].f1 == 1.0


def cut(text: str) -> list[Span]:
    spans, at = [], 0
    for word in text.split(" "):
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return spans


def document(text: str, *mentions: tuple[str, str]) -> tuple[str, list[Span], list[Typed]]:
    found = [((text.index(w), text.index(w) + len(w)), kind) for w, kind in mentions]
    return text, cut(text), found


def test_the_gazetteer_takes_the_longest_name_from_the_left_with_its_commonest_type() -> None:
    training = [
        document("New York is new", ("New York", "LOC")),
        document("York is old", ("York", "LOC")),
        document("York won", ("York", "ORG")),
        document("York lost", ("York", "ORG")),
    ]
    names = gazetteer(training)
    text = "In New York and York and Yorkshire"
    assert list(names.find(text, cut(text))) == [((3, 11), "LOC"), ((16, 20), "ORG")]
    assert list(gazetteer([]).find(text, cut(text))) == []


def test_the_gazetteer_may_leave_out_words_that_are_seldom_a_name() -> None:
    training = [
        document("May is here and May is May", ("May", "TIME")),
        document("Oslo", ("Oslo", "LOC")),
    ]
    assert set(gazetteer(training).names) == {("May",), ("Oslo",)}
    assert set(gazetteer(training, 0.5).names) == {("Oslo",)}
