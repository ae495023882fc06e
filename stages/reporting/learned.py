"""How soon distant labels were learnt, by relation, and whether two models learnt the same ones.

An order is the epoch, from 0, in which a label was first right; None for never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from stages.reporting.page import Grid, Section
from stages.reporting.plots import curve_plot, relation_plot

__all__ = ["by_epoch", "by_relation", "same_labels", "shares", "similarities"]

Orders = Mapping[int | None, int]
"""Labels by order."""
SHOWN = (1, 2, 3, 5, 10, 15, 20, 30, 50, 100)
"""Epochs that a table by relation has columns for, and the last."""
HALF = 0.5


def shares(orders: Orders, epochs: int) -> list[float]:
    """Return the share of labels that had been learnt by the end of each epoch, in [0, 1]."""
    total = sum(orders.values())
    learnt = accumulate(orders.get(epoch, 0) for epoch in range(epochs))
    return [count / max(total, 1) for count in learnt]


def similarities(
    both: Mapping[tuple[int | None, int | None], int], epochs: int
) -> list[tuple[float | None, float, float | None]]:
    """Return how alike the labels are that two models learnt, after each epoch.

    Args:
        both: Labels by their order in the one model and in the other.

    Returns:
        The Jaccard index of those first learnt in this epoch; its sum over the epochs so far, which
        may pass 1; and that of all learnt so far. An index of nothing with nothing is None, and
        adds nothing.

    Paper: Hogan et al., FineCL (NAACL 2022), section 5.2, prints the sum.
    """
    found = []
    total = 0.0
    for epoch in range(epochs):
        alone = jaccard(both, range(epoch, epoch + 1))
        total += alone or 0.0
        found.append((alone, total, jaccard(both, range(epoch + 1))))
    return found


def jaccard(both: Mapping[tuple[int | None, int | None], int], epochs: range) -> float | None:
    """Return the Jaccard index of the labels first learnt in some epochs."""
    one = [(first in epochs, second in epochs, n) for (first, second), n in both.items()]
    either = sum(n for a, b, n in one if a or b)
    return sum(n for a, b, n in one if a and b) / either if either else None


def by_epoch(orders: Mapping[str, tuple[Orders, int]]) -> Section:
    """Return the share of labels learnt by epoch.

    Args:
        orders: Labels by order, and epochs, by the name of a model.

    Paper: Hogan et al., FineCL (NAACL 2022), figure 2.
    """
    lines = {name: shares(each, epochs) for name, (each, epochs) in orders.items()}
    last = max(map(len, lines.values()))
    rows = [
        (str(e + 1), *(percent(line[e]) if e < len(line) else "" for line in lines.values()))
        for e in range(last)
    ]
    plotted = {n: [(e + 1.0, 100 * v) for e, v in enumerate(line)] for n, line in lines.items()}
    return Section(
        "Distant labels learnt by epoch",
        "Share of labels that had been the classifier's answer by the end of an epoch, in percent; "
        "without NA.",
        [Grid(("epoch", *lines), rows, frozenset({"epoch", *lines}))],
        [curve_plot(plotted, "labels learnt, %", along="epochs")],
    )


def by_relation(name: str, orders: Mapping[str, Orders], epochs: int) -> Section:
    """Return the share of each relation's labels learnt by epoch, the commonest relations first.

    Args:
        name: Of the model.
        orders: Labels by order, by relation.

    Paper: Hogan et al., FineCL (NAACL 2022), figure 4.
    """
    sizes = {relation: sum(each.values()) for relation, each in orders.items()}
    ordered = sorted(orders, key=lambda relation: (-sizes[relation], relation))
    learnt = {relation: shares(orders[relation], epochs) for relation in ordered}
    shown = [e for e in SHOWN if e < epochs] + [epochs]
    columns = [f"after {e}" for e in shown]
    rows = [(r, f"{sizes[r]:,}", *(percent(learnt[r][e - 1]) for e in shown)) for r in ordered]
    few = sum(line[-1] < HALF for line in learnt.values())
    return Section(
        f"Distant labels learnt by relation: {name}",
        f"Share of each relation's labels learnt by the end of an epoch, in percent. Of {few:,} of "
        f"{len(rows):,} relations fewer than half were learnt.",
        [Grid(("relation", "labels", *columns), rows, frozenset({"labels", *columns}))],
        [relation_plot(learnt)],
    )


def same_labels(
    names: Sequence[str], both: Mapping[tuple[int | None, int | None], int], epochs: int
) -> Section:
    """Return whether two models learnt the same labels.

    Args:
        names: Of the two models.
        both: Labels that both were shown, by their two orders.

    Paper: Hogan et al., FineCL (NAACL 2022), section 5.2 and figure 3.
    """
    found = similarities(both, epochs)
    columns = ("of the epoch alone", "sum so far", "of all so far")
    rows = [
        (str(e + 1), *("" if value is None else f"{value:.3f}" for value in line))
        for e, line in enumerate(found)
    ]
    lines = {
        column: [(e + 1.0, v) for e, line in enumerate(found) if (v := line[i]) is not None]
        for i, column in enumerate(columns)
    }
    return Section(
        f"The same labels learnt: {' and '.join(names)}",
        f"Jaccard index of the labels that the two models learnt, of {sum(both.values()):,} that "
        "both were shown: of those first learnt in an epoch, the sum of these, which may pass 1, "
        "and of all learnt so far.",
        [Grid(("epoch", *columns), rows, frozenset({"epoch", *columns}))],
        [curve_plot(lines, "Jaccard index", along="epochs")],
    )


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.1f}"
