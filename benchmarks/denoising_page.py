"""The page of the evidence on denoising: from what the parts left to benchmarks/denoising.md.

The figures go to a JSON file beside the page, from which the page and docs/claims.md are written:
no figure on them is written by hand. What was not run says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evidence_page import KINDS, SEEDS, differences, grid, told
from pipeline.bench import Subset, correlation, set_names
from storage.aside import write_json

HEAD = """# Evidence on denoising

Written by `python -m benchmarks.denoising` from what its runs left;
[protocol-denoising.md](protocol-denoising.md) was committed before the first of them. Each entry is
the mean over the seeds that were run, behind it each seed in the order 0, 1, 2, and the standard
deviation over them; a dash is a seed that was not run. Scores and shares are percent. The encoder
is all-MiniLM-L6-v2.
"""
AGAINST = "noisy"
ROWS = {
    "none": "the encoder as it began",
    "noisy": "`cp`, all labels alike",
    "e": "weights, alpha = e",
    "e-mean": "the same, divided by their mean",
    "e3": "weights, alpha = e³",
    "e3-mean": "the same, divided by their mean",
    "first": "learnt in the first two epochs alone",
    "shuffled": "control: weights alpha = e over their mean, shuffled",
    "within": "control: the same, shuffled within each relation",
    "random": "control: random labels, as many as the first two epochs'",
    "clean": "`cp`, the true labels",
}


@dataclass(frozen=True)
class Pretraining:
    """What one seed of pre-training on noise came to.

    Attributes:
        scores: Accuracy on FewRel by way and kind of episode, [0, 1].
        labels: How many there were.
        right: Share of them that is right.
        auc: Chance that a right label was learnt before a wrong one, by batch.
        first: Labels that were learnt in the first two epochs.
        first_right: Share of those that is right.
    """

    seed: int
    scores: Mapping[str, Mapping[str, float]]
    labels: int
    right: float
    auc: float
    first: int
    first_right: float


@dataclass(frozen=True)
class Trimmed:
    """What one training on a trimmed set came to."""

    seed: int
    kept: str
    accuracy: float
    size: int
    right: float
    tested: int


Figures = dict[str, dict[int, Any]]
"""What was found, by its name and by seed."""


def write_figures(path: Path, root: Path) -> None:
    """Write the figures of what there is in a warehouse, and the page of them beside."""
    found = {
        **{f"suite {name}": by_seed(root / "suite", name) for name in set_names()},
        **{name: by_seed(root, name) for name in ("pretraining", "trimming")},
    }
    write_json(path, found)
    path.with_suffix(".md").write_text(page(path), encoding="utf-8")


def read_figures(path: Path) -> Figures:
    """Return what was written of the runs."""
    figures = json.loads(path.read_text(encoding="utf-8"))
    return {name: {int(s): one for s, one in own.items()} for name, own in figures.items()}


def page(path: Path) -> str:
    """Return the page of a file of figures."""
    found = read_figures(path)
    parts = [HEAD, *judged(found), *pretrained(found), *trimmings(found)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def judged(figures: Figures) -> list[str]:
    """Return the sections on sets of judged labels."""
    found = ["## How well methods tell right labels from wrong ones"]
    found += [
        "AUC, percent: the chance that a right label is trusted more than a wrong one; behind the "
        "bar the same among labels of one relation."
    ]
    for name in set_names():
        trials = figures.get(f"suite {name}", {})
        if not trials:
            found.append(f"### {name}\n\nnot run")
            continue
        methods = [
            (score["method"], score["by"]) for score in next(iter(trials.values()))["scores"]
        ]
        rows = [
            (method, by, *(told(scores_of(trials, method, by, what)) for what in ("auc", "within")))
            for method, by in methods
        ]
        first = next(iter(trials.values()))
        found.append(
            f"### {name}\n\n{first['labels']:,} labels, {100 * first['right']:.0f} % of them right "
            f"(seed {first['seed']})."
        )
        found.append(grid(("method", "by", "AUC", "within a relation"), rows))
        found.append(by_order(trials))
    return found


def by_seed(folder: Path, name: str) -> dict[int, dict[str, Any]]:
    """Return what was written for each seed."""
    paths = {seed: folder / f"{name}-{seed}.json" for seed in SEEDS}
    return {s: json.loads(p.read_text(encoding="utf-8")) for s, p in paths.items() if p.exists()}


def scores_of(
    trials: Mapping[int, Mapping[str, Any]], method: str, by: str, what: str
) -> dict[int, float]:
    """Return a score of a method in percent, by seed; without what is not defined."""
    return {
        seed: 100 * score[what]
        for seed, trial in trials.items()
        for score in trial["scores"]
        if (score["method"], score["by"]) == (method, by) and score[what] == score[what]
    }


def by_order(trials: Mapping[int, Mapping[str, Any]]) -> str:
    """Return share and precision of the labels by the epoch in which they were learnt."""
    rows = []
    for by in ("batch", "epoch"):
        orders = sorted(
            {s["order"] for t in trials.values() for s in t["subsets"] if s["by"] == by}
        )
        for order in orders:
            own = {
                seed: subset
                for seed, trial in trials.items()
                for subset in trial["subsets"]
                if (subset["by"], subset["order"]) == (by, order)
            }
            shares = {seed: 100 * s["share"] for seed, s in own.items()}
            right = {seed: 100 * s["precision"] for seed, s in own.items()}
            rows.append((by, str(order), told(shares), told(right)))
    ranks = "; ".join(
        f"{by} {', '.join(f'{rank(trial, by):+.2f}' for trial in trials.values())}"
        for by in ("batch", "epoch")
    )
    said = f"Rank correlation of epoch and precision, subsets of 2 % and more, by seed: {ranks}."
    return grid(("by", "learnt in epoch", "share", "right"), rows) + "\n\n" + said


def rank(trial: Mapping[str, Any], by: str) -> float:
    """Return the rank correlation of a trial."""
    return correlation([Subset(**subset) for subset in trial["subsets"]], by)


def pretrained(figures: Figures) -> list[str]:
    """Return the section on pre-training under noise."""
    found = figures["pretraining"]
    head = "## Pre-training on labels half of which are wrong"
    if not found:
        return [head, "not run"]
    facts = [
        (
            str(seed),
            f"{own['labels']:,}",
            f"{100 * own['right']:.1f}",
            f"{100 * own['auc']:.1f}",
            f"{own['first']:,}",
            f"{100 * own['first_right']:.1f}",
        )
        for seed, own in found.items()
    ]
    values = {
        (name, kind): {s: 100 * own["scores"][name][kind] for s, own in found.items()}
        for name in ROWS
        for kind in KINDS[:3]
    }
    rows = [(what, *(told(values[name, k]) for k in KINDS[:3])) for name, what in ROWS.items()]
    gains = [
        (
            what,
            *(told(differences(values[name, k], values[AGAINST, k]), sign=True) for k in KINDS[:3]),
        )
        for name, what in ROWS.items()
        if name != AGAINST
    ]
    columns = ("seed", "labels", "right", "AUC", "first two epochs", "right among them")
    return [
        head,
        "FewRel val_wiki, nearest prototype without training on it: relations that pre-training "
        "has not seen.",
        grid(("pre-trained with", *KINDS[:3]), rows),
        "Points over `cp` with all labels alike, each seed against the same seed:",
        grid(("", *KINDS[:3]), gains),
        "What the learning order was worth there, by batch:",
        grid(columns, facts),
    ]


def trimmings(figures: Figures) -> list[str]:
    """Return the section on training on trimmed sets."""
    found = {seed: {row["kept"]: row for row in rows} for seed, rows in figures["trimming"].items()}
    head = "## Training on what was learnt early"
    if not found:
        return [head, "not run"]
    names = list(next(iter(found.values())))
    rows = [
        (name, *(told(column(found, name, what)) for what in ("accuracy", "right", "size")))
        for name in names
    ]
    tested = ", ".join(f"{own['all']['tested']:,}" for own in found.values())
    return [
        head,
        f"Wiki80 with 53 % of its labels wrong; accuracy on {tested} held-out sentences with true "
        "labels.",
        grid(("kept", "accuracy", "right, %", "sentences, hundreds"), rows),
    ]


def column(
    found: Mapping[int, Mapping[str, Mapping[str, Any]]], name: str, what: str
) -> dict[int, float]:
    """Return one figure of the trainings on a set, by seed."""
    scale = 0.01 if what == "size" else 100
    return {seed: scale * rows[name][what] for seed, rows in found.items() if name in rows}
