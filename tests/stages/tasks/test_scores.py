"""Scores against official worked examples, naive counts and known values."""

from __future__ import annotations

import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tasks.scores import (
    Confusion,
    accuracy,
    binomial_interval,
    confusion,
    label_ids,
    macro_f1,
    micro_f1,
    resampled,
    semeval_f1,
    summary,
)
from storage.errors import SourceError

CE12, CE21 = "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)"
LABELS = st.lists(st.sampled_from(["NA", "a", "b", "c"]), min_size=1, max_size=30)


def answers(name: str) -> dict[str, str]:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if folder is None:
        pytest.skip("RELMILL_REAL_DATA names no folder of real benchmarks")
    path = Path(folder) / "semeval2010-task8-official" / f"{name}.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return dict(line.split() for line in lines if line.strip())


@pytest.mark.parametrize(("number", "official"), [(1, 64.09), (2, 6.35), (3, 11.11), (5, 44.44)])
def test_semeval_gives_what_the_official_scorer_gives(number: int, official: float) -> None:
    key, proposed = answers(f"answer_key{number}"), answers(f"proposed_answer{number}")
    score = semeval_f1(confusion(list(key.values()), [proposed.get(number) for number in key]))
    assert round(100 * score.f1, 2) == official


def test_semeval_counts_the_wrong_direction_as_predicted() -> None:
    score = semeval_f1(confusion([CE12, CE12, "Other"], [CE12, CE21, CE12]))
    assert (score.precision, score.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert score.f1 == pytest.approx(2 / 5)


def test_semeval_averages_over_the_relations_of_the_key() -> None:
    score = semeval_f1(confusion([CE12, "Other"], [CE12, "Message-Topic(e1,e2)"]))
    assert score.f1 == 1.0


@given(LABELS, st.data())
def test_micro_f1_is_that_of_a_naive_count(gold: list[str], data: st.DataObject) -> None:
    size = len(gold)
    predicted = data.draw(st.lists(st.sampled_from(["NA", "a", "b"]), min_size=size, max_size=size))
    right = guessed = there = 0
    for g, p in zip(gold, predicted, strict=True):
        if p != "NA":
            guessed += 1
            right += 1 if p == g else 0
        there += 1 if g != "NA" else 0
    score = micro_f1(confusion(gold, predicted), "NA")
    assert score.precision == (right / guessed if guessed else 0)
    assert score.recall == (right / there if there else 0)
    expected = 2 * right / (guessed + there) if guessed + there else 0
    assert score.f1 == pytest.approx(expected)


@given(LABELS, st.data())
def test_without_na_micro_f1_is_accuracy(gold: list[str], data: st.DataObject) -> None:
    size = len(gold)
    predicted = data.draw(st.lists(st.sampled_from(["NA", "a"]), min_size=size, max_size=size))
    assert micro_f1(confusion(gold, predicted), None).f1 == pytest.approx(
        accuracy(confusion(gold, predicted))
    )


def test_na_inflates_micro_f1_where_it_is_not_left_out() -> None:
    gold, predicted = ["NA"] * 8 + ["a", "a"], ["NA"] * 10
    assert micro_f1(confusion(gold, predicted), None).f1 == pytest.approx(0.8)
    assert micro_f1(confusion(gold, predicted), "NA").f1 == 0.0


def test_macro_f1_is_the_mean_over_relations_but_na() -> None:
    gold, predicted = ["a", "a", "b", "NA"], ["a", "b", "b", "b"]
    assert macro_f1(confusion(gold, predicted), "NA") == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_na_becomes_class_0_and_a_file_that_says_otherwise_is_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert label_ids(["b", "no_relation", "a"], ["no_relation"]) == {
            "no_relation": 0,
            "a": 1,
            "b": 2,
        }
        assert label_ids(["a"], ["NA"], {"NA": 0, "a": 1}) == {"NA": 0, "a": 1}
    with pytest.warns(UserWarning, match="'NA' has the class 1"):
        assert label_ids(["a"], ["NA"], {"a": 0, "NA": 1, "b": 2}) == {"NA": 0, "a": 1, "b": 2}


@pytest.mark.parametrize(
    ("found", "classes", "message"),
    [
        (["x"], {"NA": 0, "a": 1}, "'x' is none of the 2"),
        (["a"], {"NA": 0, "a": 2}, "are not 0 to 1"),
    ],
)
def test_wrong_classes_are_refused(found: list[str], classes: dict[str, int], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        label_ids(found, ["NA"], classes)


def test_predictions_of_another_number_are_refused() -> None:
    with pytest.raises(SourceError, match="1 predictions for 2 examples"):
        confusion(["a", "b"], ["a"])
    with pytest.raises(SourceError, match="0 predictions for 0"):
        confusion([], [])


def test_a_summary_over_seeds() -> None:
    five = summary([0.5, 0.7, 0.6, 0.9, 0.8])
    assert (five.mean, five.median, five.runs) == (pytest.approx(0.7), 0.7, 5)
    assert five.deviation == pytest.approx(np.std([0.5, 0.7, 0.6, 0.9, 0.8], ddof=1))
    assert summary([0.5]).deviation == 0.0


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_a_binomial_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    interval = binomial_interval(right, count)
    assert (interval.low, interval.high) == (
        pytest.approx(low, abs=1e-4),
        pytest.approx(high, abs=1e-4),
    )


def both(counts: Confusion) -> dict[str, float]:
    return {"accuracy": accuracy(counts), "f1": micro_f1(counts, None).f1}


def test_an_interval_of_draws_comes_near_the_binomial_one() -> None:
    gold = ["a"] * 400
    predicted = ["a"] * 300 + ["b"] * 100
    alone = [[place] for place in range(400)]
    drawn = resampled(both, list(zip(gold, predicted, strict=True)), alone, seed=1)
    known = binomial_interval(300, 400)
    assert drawn["accuracy"].low == pytest.approx(known.low, abs=0.01)
    assert drawn["accuracy"].high == pytest.approx(known.high, abs=0.01)
    assert drawn == resampled(both, list(zip(gold, predicted, strict=True)), alone, seed=1)


def test_examples_that_are_right_together_widen_the_interval() -> None:
    gold = ["a"] * 400
    predicted = [("a", "b")[place // 20 % 2] for place in range(400)]
    alone = [[place] for place in range(400)]
    together = [list(range(start, start + 20)) for start in range(0, 400, 20)]
    narrow = resampled(both, list(zip(gold, predicted, strict=True)), alone, seed=1)["accuracy"]
    wide = resampled(both, list(zip(gold, predicted, strict=True)), together, seed=1)["accuracy"]
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
