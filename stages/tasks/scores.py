"""Scores of predictions, and how far they may be trusted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, median, stdev
from typing import Any, TypeAlias

import numpy as np

from storage.errors import SourceError

__all__ = [
    "Confusion",
    "Interval",
    "Score",
    "Summary",
    "accuracy",
    "binomial_interval",
    "confusion",
    "each_relation",
    "label_ids",
    "macro_f1",
    "micro_f1",
    "resampled",
    "semeval_f1",
    "summary",
]

Z_95 = 1.959963984540054
"""Quantile of the normal distribution for an interval of 95 %."""
AT_ONCE = 50
"""Draws of a bootstrap that are counted together."""

Confusion: TypeAlias = Mapping[tuple[str, str | None], int]
"""Number of examples by relation and prediction."""


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean, each in [0, 1]; 0 where undefined."""

    precision: float
    recall: float
    f1: float

    @staticmethod
    def of(right: int, predicted: int, gold: int) -> Score:
        """Return the score of counts: how many are right, are predicted, are there."""
        precision = right / predicted if predicted else 0.0
        recall = right / gold if gold else 0.0
        total = precision + recall
        return Score(precision, recall, 2 * precision * recall / total if total else 0.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a score at 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A score over seeds; `deviation` is that of a sample, 0 for a single seed."""

    mean: float
    median: float
    deviation: float
    runs: int


def confusion(gold: Sequence[str], predicted: Sequence[str | None]) -> Confusion:
    """Return how often each relation was answered by each; that is all that scores need.

    Args:
        predicted: None for an example without an answer.

    Raises:
        SourceError: If there is not one prediction an example, and at least one.
    """
    if len(gold) != len(predicted) or not gold:
        raise SourceError(
            f"{len(predicted)} predictions for {len(gold)} examples",
            mend="Give one prediction an example, in the same order",
        )
    return Counter(zip(gold, predicted, strict=True))


def accuracy(counts: Confusion) -> float:
    """Return the share of right predictions."""
    return sum(n for (g, p), n in counts.items() if g == p) / sum(counts.values())


def micro_f1(counts: Confusion, na: str | None) -> Score:
    """Return micro-averaged scores over all relations but NA.

    A prediction counts against precision unless it is NA, an example in recall unless it is NA.
    """
    right = sum(n for (g, p), n in counts.items() if g == p and g != na)
    predicted = sum(n for (_, p), n in counts.items() if p is not None and p != na)
    return Score.of(right, predicted, sum(n for (g, _), n in counts.items() if g != na))


def macro_f1(counts: Confusion, na: str | None) -> float:
    """Return the mean F1 over the relations that occur, NA left out."""
    scores = each_relation(counts)
    found = [score.f1 for name, score in scores.items() if name != na]
    return mean(found) if found else 0.0


def each_relation(counts: Confusion) -> dict[str, Score]:
    """Return the score of each relation that occurs among the examples."""
    right, there = Counter[str](), Counter[str]()
    found = Counter[str | None]()
    for (gold, predicted), n in counts.items():
        there[gold] += n
        found[predicted] += n
        right[gold] += n if gold == predicted else 0
    return {name: Score.of(right[name], found[name], there[name]) for name in sorted(there)}


def semeval_f1(counts: Confusion, other: str = "Other") -> Score:
    """Return the official score of SemEval-2010 task 8: (9+1)-way, direction counts.

    Cause-Effect(e1,e2) and Cause-Effect(e2,e1) are one relation, but a prediction is right only in
    its own direction; in the other it is wrong and still counts as predicted. Averaged over the
    relations that occur, without `other`. All three are macro averages. An example without an
    answer counts in recall alone.

    Paper: Hendrickx et al. (SemEval 2010), section 4.2, and the scorer of the release, version 1.2.
    """
    right, there, found = Counter[str](), Counter[str](), Counter[str]()
    for (gold, predicted), n in counts.items():
        there[undirected(gold)] += n
        right[undirected(gold)] += n if gold == predicted else 0
        if predicted is not None:
            found[undirected(predicted)] += n
    scores = [
        Score.of(right[name], found[name], there[name]) for name in sorted(there) if name != other
    ]
    if not scores:
        return Score(0.0, 0.0, 0.0)
    return Score(
        mean(s.precision for s in scores),
        mean(s.recall for s in scores),
        mean(s.f1 for s in scores),
    )


def undirected(relation: str) -> str:
    """Return a relation without its direction."""
    return relation.partition("(")[0]


def label_ids(
    found: Iterable[str], na: Sequence[str], given: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return the class of each relation; NA, where there is one, is class 0.

    Args:
        found: Relations that occur.
        na: Names that NA may have; the first that is there counts.
        given: Classes as a file states them (rel2id); their order is kept.

    Raises:
        SourceError: If a relation is not among the given ones, or their classes are not 0, 1, ...
    """
    names = sorted(given, key=given.__getitem__) if given else sorted(set(found))
    if given is not None and sorted(given.values()) != list(range(len(given))):
        raise SourceError(
            f"the classes {sorted(given.values())[:8]}... are not 0 to {len(given) - 1}",
            mend="Number the relations from 0, each once",
        )
    if unknown := sorted(set(found) - set(names)):
        raise SourceError(
            f"the relation {unknown[0]!r} is none of the {len(names)} known ones",
            mend="Mend the label, or add it to the list of relations",
        )
    none = next((name for name in na if name in names), None)
    if none is not None and names[0] != none:
        if given is not None:
            warnings.warn(
                f"{none!r} has the class {given[none]}: it becomes 0, which scores leave out",
                stacklevel=2,
            )
        names = [none, *(name for name in names if name != none)]
    return {name: number for number, name in enumerate(names)}


def summary(values: Sequence[float]) -> Summary:
    """Return mean, median and deviation of a score over seeds.

    Raises:
        SourceError: If there is none.
    """
    if not values:
        raise SourceError("there is no run to average", mend="Run at least one seed")
    deviation = stdev(values) if len(values) > 1 else 0.0
    return Summary(mean(values), median(values), deviation, len(values))


def binomial_interval(right: int, count: int) -> Interval:
    """Return Wilson's interval of a share at 95 %.

    Paper: Wilson (Journal of the American Statistical Association 22, 1927).
    """
    if count == 0:
        return Interval(0.0, 1.0)
    share, square = right / count, Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = share * (1 - share) / count + square / (4 * count**2)
    half = Z_95 * sqrt(spread) / (1 + square / count)
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def resampled(
    scores: Callable[[Mapping[Any, int]], Mapping[str, float]],
    kind_N: Sequence[Hashable],
    clusters: Sequence[Sequence[int]],
    *,
    seed: int,
    samples: int = 1000,
) -> dict[str, Interval]:
    """Return the middle 95 % of each score over clusters drawn anew, with replacement.

    Args:
        kind_N: Of each example what scores need to know of it: relation and prediction, say.
        clusters: Places of the examples that are drawn together; together they are all places.

    Paper: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: percentiles.
    """
    kinds = list(dict.fromkeys(kind_N))
    number = {kind: column for column, kind in enumerate(kinds)}
    # Clusters with the same answers are one kind of cluster: few, whatever the number of examples.
    alike = Counter(tuple(sorted(number[kind_N[i]] for i in cluster)) for cluster in clusters)
    # Whole numbers in fp64, whose products are fast and exact below 2^53.
    counts_CK = np.zeros((len(alike), len(kinds)))
    for row, members in enumerate(alike):
        np.add.at(counts_CK[row], list(members), 1)
    shares_C = np.array(list(alike.values())) / len(clusters)
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {}
    for first in range(0, samples, AT_ONCE):
        size = (min(AT_ONCE, samples - first),)
        drawn_SK = rng.multinomial(len(clusters), shares_C, size=size) @ counts_CK
        for drawn in drawn_SK.astype(np.int64).tolist():
            again = {kind: n for kind, n in zip(kinds, drawn, strict=True) if n}
            for name, value in scores(again).items():
                values.setdefault(name, []).append(value)
    bounds = {name: np.quantile(found, [0.025, 0.975]) for name, found in values.items()}
    return {name: Interval(float(low), float(high)) for name, (low, high) in bounds.items()}
