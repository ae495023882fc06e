"""How well trust tells right labels from wrong ones, where people or a construction judged them."""

from __future__ import annotations

import numpy as np

from stages.denoising.records import Flags, Floats, Ints, by_rank


def auc(trust_N: Floats, right_N: Flags) -> float:
    """Return the chance that a right label is trusted more than a wrong one, ties counting half.

    Shape:
        trust_N, right_N: (N,).

    Returns:
        In [0, 1]; NaN where all are right or all are wrong.
    """
    right, wrong = int(right_N.sum()), int((~right_N).sum())
    if not right or not wrong:
        return float("nan")
    ranks = by_rank(trust_N) * (len(trust_N) - 1)
    return float((ranks[right_N].sum() - right * (right - 1) / 2) / (right * wrong))


def auc_within(trust_N: Floats, right_N: Flags, relation_N: Ints) -> float:
    """Return the same among labels of one relation: pairs of a right and a wrong one, pooled.

    What only knows which relations are noisy scores 0.5 here.
    """
    total = pairs = 0.0
    for relation in np.unique(relation_N):
        own = relation_N == relation
        value = auc(trust_N[own], right_N[own])
        here = float(right_N[own].sum()) * float((~right_N[own]).sum())
        if here:
            total += value * here
            pairs += here
    return total / pairs if pairs else float("nan")


def interval(
    trust_N: Floats, right_N: Flags, dice: np.random.Generator, *, draws: int = 1000
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of `auc`, by the 2.5 and 97.5 percentiles of draws."""
    values = []
    for _ in range(draws):
        chosen = dice.integers(len(trust_N), size=len(trust_N))
        values.append(auc(trust_N[chosen], right_N[chosen]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def precision_by_order(order_N: Ints, right_N: Flags) -> list[tuple[int, int, float]]:
    """Return for each order its number of labels and the share of them that is right."""
    return [
        (int(order), int((order_N == order).sum()), float(right_N[order_N == order].mean()))
        for order in np.unique(order_N)
    ]
