"""The page of the evidence: from the tables of the runs to benchmarks/evidence.md.

The figures go to a JSON file beside the page, from which the page and docs/claims.md are written:
no figure on them is written by hand. A cell of the protocol that has no scores is "not run".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pipeline.config import Recipe
from pipeline.plan import make_plan
from storage.aside import write_json
from storage.reading import Tables
from storage.warehouse import Warehouse

SEEDS = (0, 1, 2)
TOLD = ("accuracy", "micro_f1", "official_f1")
KINDS = ("5-way 1-shot", "5-way 5-shot", "10-way 1-shot", "10-way 5-shot")
ENCODERS = ("none", "cp", "cp-all", "mtb")
LEAST_GAIN = 15.0
"""Points of `cp` over `none` on 5-way 1-shot, below which the protocol sees a fault."""
HEAD = """# Evidence

Written by `make evidence` from the tables of its runs; [protocol.md](protocol.md) was committed
before the first of them. Scores are percent: the mean over the seeds that were run, behind it each
seed in the order 0, 1, 2, and the standard deviation over them; a dash is a seed that was not run.
The encoder is all-MiniLM-L6-v2, with weight 0 for `mlm`, because it has no head for masked pieces.
"""


@dataclass(frozen=True)
class Found:
    """What there is of the runs.

    Attributes:
        metrics: Rows of `metrics`.
        costs: CPU seconds by step.
        overlap: What training and FewRel share.
    """

    metrics: Sequence[Mapping[str, Any]]
    costs: Mapping[str, float]
    overlap: str = ""

    def rows(self, metric: str, **wanted: Any) -> dict[int, Mapping[str, Any]]:
        """Return the rows of a metric that have some values, by seed."""
        return {
            row["seed"]: row
            for row in self.metrics
            if row["metric"] == metric and all(row[k] == v for k, v in wanted.items())
        }

    def values(self, metric: str, **wanted: Any) -> dict[int, float]:
        """Return the scores of these rows in percent, by seed."""
        return {seed: 100 * row["value"] for seed, row in self.rows(metric, **wanted).items()}


def write_figures(
    path: Path, recipe: Recipe, warehouse: Warehouse, overlap: str, costs: Mapping[str, float]
) -> None:
    """Write the figures of what there is, and the page of them beside."""
    steps = make_plan(recipe, warehouse).steps
    made = {step.name: step.artifact for step in steps if step.artifact is not None}
    tables = Tables(made, recipe.name)
    metrics = tables.arrow("metrics").to_pylist() if "metrics" in tables.stages else []
    kept = [row for row in metrics if row["metric"] in TOLD]
    spent = {name: round(costs[a.name], 1) for name, a in made.items() if a.name in costs}
    write_json(path, {"overlap": overlap, "metrics": kept, "costs": spent})
    path.with_suffix(".md").write_text(page(path), encoding="utf-8")


def read_figures(path: Path) -> Found:
    """Return what was written of the runs."""
    figures = json.loads(path.read_text(encoding="utf-8"))
    return Found(figures["metrics"], figures["costs"], figures["overlap"])


def page(path: Path) -> str:
    """Return the page of a file of figures."""
    found = read_figures(path)
    parts = [HEAD, found.overlap, few_shot(found), semeval(found), baselines(found)]
    parts += [each_run(found), cost(found)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def few_shot(found: Found) -> str:
    """Return the section on FewRel."""
    rows = [(name, *(told(kind_values(found, name, kind)) for kind in KINDS)) for name in ENCODERS]
    gains = [
        (f"`{name}` over `none`", *(told(gain(found, name, kind), sign=True) for kind in KINDS))
        for name in ENCODERS[1:]
    ]
    return "\n\n".join(
        [
            "## FewRel val_wiki, nearest prototype, no training on it",
            "Accuracy, by relations that no pre-training has seen; chance is 20 % or 10 %.",
            grid(("encoder", *KINDS), rows),
            "Gains in points, each seed against the same seed, which asks the same episodes:",
            grid(("", *KINDS), gains),
            verdict(gain(found, "cp", KINDS[0])),
        ]
    )


def kind_values(found: Found, encoder: str, kind: str) -> dict[int, float]:
    """Return the accuracy of an encoder on episodes of a kind, by seed."""
    return found.values("accuracy", task="fewrel", encoder=encoder, setting=f"{kind} cosine")


def gain(found: Found, encoder: str, kind: str) -> dict[int, float]:
    """Return what an encoder gains over the one that it began as, by seed."""
    return differences(kind_values(found, encoder, kind), kind_values(found, "none", kind))


def differences(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """Return first minus second of the seeds that both have."""
    return {seed: first[seed] - second[seed] for seed in first.keys() & second.keys()}


def verdict(gains: Mapping[int, float]) -> str:
    """Return what the protocol says of the gain of `cp`."""
    if len(gains) < len(SEEDS):
        return "The protocol judges the gain of `cp` on 5-way 1-shot over three seeds: not run."
    found = mean(gains.values())
    says = "at least" if found >= LEAST_GAIN else "under"
    return (
        f"`cp` gains {found:.1f} points on 5-way 1-shot, {says} the {LEAST_GAIN:g} points below "
        "which the protocol sees a fault."
    )


def semeval(found: Found) -> str:
    """Return the section on SemEval."""
    rows = []
    for fraction in (0.01, 0.1, 1.0):
        for form in ("C+M", "OnlyC", "OnlyM"):
            own = {
                name: semeval_values(found, name, fraction, form) for name in ("none", "cp", "mtb")
            }
            rows.append(
                (
                    f"{100 * fraction:g} %",
                    form,
                    *(told(values) for values in own.values()),
                    told(differences(own["cp"], own["none"]), sign=True),
                    told(semeval_values(found, "none", fraction, form, "official_f1")),
                    told(semeval_values(found, "cp", fraction, form, "official_f1")),
                )
            )
    columns = ("data", "format", "none", "cp", "mtb", "cp over none")
    return "\n\n".join(
        [
            "## SemEval-2010 task 8, the two top layers fine-tuned",
            "Micro-F1 without Other, and the official score in the last two columns. C+T and OnlyT "
            "are not run: the files state no types, so C+T is OnlyC and OnlyT is empty.",
            grid((*columns, "none, official", "cp, official"), rows),
        ]
    )


def semeval_values(
    found: Found, encoder: str, fraction: float, form: str, metric: str = "micro_f1"
) -> dict[int, float]:
    """Return the scores of an encoder on SemEval, by seed."""
    return found.values(
        metric, task="semeval", encoder=encoder, fraction=fraction, input_format=form
    )


def baselines(found: Found) -> str:
    """Return the table of encoders at all of SemEval's training data."""
    rows = [
        (
            name,
            told(semeval_values(found, name, 1.0, "C+M")),
            told(semeval_values(found, name, 1.0, "C+M", "official_f1")),
        )
        for name in ("none", "cp", "cnn", "bilstm")
    ]
    return "\n\n".join(
        [
            "### Encoders at 100 %, C+M",
            "CNN and BiLSTM start from random weights, over a vocabulary of the pre-training text.",
            grid(("encoder", "micro-F1", "official"), rows),
        ]
    )


def each_run(found: Found) -> str:
    """Return every score that the sections above take, with its interval."""
    headline = {"fewrel": "accuracy", "semeval": "micro_f1"}
    rows = [
        (
            row["task"],
            row["encoder"],
            " ".join(filter(None, (row["setting"].removesuffix(" cosine"), share(row)))),
            row["input_format"],
            str(row["seed"]),
            f"{100 * row['value']:.1f}",
            f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]",
            f"{row['examples']:,}",
        )
        for row in sorted(found.metrics, key=order)
        if row["metric"] == headline.get(row["task"])
    ]
    columns = ("task", "encoder", "setting", "format", "seed", "score", "95 %", "answers")
    return "\n\n".join(
        [
            "## Each run",
            "Intervals are of examples, on FewRel of whole episodes, drawn anew.",
            grid(columns, rows),
        ]
    )


def share(row: Mapping[str, Any]) -> str:
    """Return the share of the training data, where there was training."""
    return f"{100 * row['fraction']:g} %" if row["fraction"] else ""


def order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what runs are sorted by."""
    names = ("task", "setting", "fraction", "input_format", "encoder", "seed")
    return tuple(row[name] for name in names)


def cost(found: Found) -> str:
    """Return the section on what it cost."""
    kinds: dict[str, list[float]] = {}
    for name, seconds in found.costs.items():
        kinds.setdefault(kind_of(name), []).append(seconds)
    rows = [
        (kind, str(len(own)), f"{mean(own):.0f}", f"{sum(own):,.0f}")
        for kind, own in kinds.items()
        if sum(own) >= 1
    ]
    total = sum(found.costs.values())
    return "\n\n".join(
        [
            "## What it cost",
            f"CPU seconds of one core; all in all {total / 60:.0f} minutes.",
            grid(("step", "runs", "mean", "all"), rows),
        ]
    )


def kind_of(step: str) -> str:
    """Return a step without its seed."""
    stage, _, variant = step.partition(".")
    return f"{stage} {variant.rpartition('-')[0]}".strip()


def told(values: Mapping[int, float], *, sign: bool = False) -> str:
    """Return the mean over seeds, each seed, and the deviation."""
    if not values:
        return "not run"
    form = "{:+.1f}" if sign else "{:.1f}"
    each = " ".join(form.format(values[s]) if s in values else "-" for s in SEEDS)
    spread = f", ±{stdev(values.values()):.1f}" if len(values) > 1 else ""
    return f"**{form.format(mean(values.values()))}** ({each}{spread})"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""

    def lines() -> Iterator[str]:
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        for row in rows:
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())
