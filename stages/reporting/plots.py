"""Plots as SVG text, drawn without a screen; the same input gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion_plot", "curve_plot", "fraction_plot", "relation_plot"]

Line = Sequence[tuple[float, float]]
MOST_RELATIONS = 40
"""Relations that a plot shows; with more, none could be read."""


def curve_plot(lines: Mapping[str, Line], what: str, along: str = "updates") -> str:
    """Return the course of a value.

    Args:
        lines: Points (updates, value) by the name of the run.
        what: Name of the value.
        along: What is counted in the place of updates.
    """
    figure = new_figure(7.0, 3.6)
    axes = figure.subplots()
    for name, points in lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, linewidth=1.2)
    axes.set_xlabel(along)
    axes.set_ylabel(what)
    return finished(figure, legend=len(lines) > 1)


def fraction_plot(lines: Mapping[str, Sequence[tuple[float, float, float]]], what: str) -> str:
    """Return a score by the size of the training data.

    Args:
        lines: (share of the data, mean, deviation over seeds) by encoder.
    """
    figure = new_figure(6.0, 3.6)
    axes = figure.subplots()
    for name, points in lines.items():
        shares, means, deviations = zip(*sorted(points), strict=True)
        percents = [100 * share for share in shares]
        axes.errorbar(percents, means, yerr=deviations, label=name, marker="o", capsize=3)
    axes.set_xscale("log")
    axes.set_xlabel("training data, %")
    axes.set_ylabel(what)
    return finished(figure, legend=True)


def confusion_plot(counts: Mapping[tuple[str, str], int], title: str) -> str:
    """Return how often each relation was answered by each, as shares of each row.

    Of more than 40 relations the commonest are shown.
    """
    sizes: dict[str, int] = {}
    for (gold, predicted), count in counts.items():
        sizes[gold] = sizes.get(gold, 0) + count
        sizes.setdefault(predicted, 0)
    commonest = sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_RELATIONS]
    names = sorted(commonest)
    rows = [
        [counts.get((gold, predicted), 0) / max(sizes[gold], 1) for predicted in names]
        for gold in names
    ]
    side = 2.5 + 0.22 * len(names)
    figure = new_figure(side + 1, side)
    axes = figure.subplots()
    image = axes.imshow(rows, vmin=0.0, vmax=1.0, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    axes.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.7)
    return finished(figure, legend=False)


def relation_plot(learnt: Mapping[str, Sequence[float]]) -> str:
    """Return the share of each relation's labels that was first learnt in each epoch, as bars.

    Args:
        learnt: Share learnt by the end of each epoch, by relation; the first 40 are shown.
    """
    names = list(learnt)[:MOST_RELATIONS]
    epochs = max((len(learnt[name]) for name in names), default=0)
    figure = new_figure(7.0, 1.2 + 0.2 * len(names))
    axes = figure.subplots()
    colours = mpl.colormaps["viridis"].resampled(max(epochs, 2))
    before = [0.0] * len(names)
    for epoch in range(epochs):
        after = [100 * learnt[name][epoch] for name in names]
        widths = [a - b for a, b in zip(after, before, strict=True)]
        axes.barh(names, widths, left=before, color=colours(epoch))
        before = after
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("labels first learnt in an epoch, %")
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0.5, max(epochs, 2) + 0.5), colours)
    figure.colorbar(scale, ax=axes, shrink=0.7, label="epoch")
    return finished(figure, legend=False)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; its size is in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def finished(figure: Figure, *, legend: bool) -> str:
    """Return a figure as SVG, without what hangs on the time or on chance."""
    if legend:
        figure.axes[0].legend(fontsize=8)
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "relmill", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
