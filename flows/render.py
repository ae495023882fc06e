"""How plans, tables and figures read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.plan import RunPlan, Step

WIDEST = 60


def duration(seconds: float) -> str:
    """Return seconds as a person says them: "0.4 s", "12 min", "9.5 h"."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return bytes as a person says them: "12.3 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def plan_text(plan: RunPlan) -> str:
    """Return a plan: a line a step, current ones together, with every reason and what it costs."""
    lines = []
    wide = max(16, *(len(step.name) for step in plan.steps))
    for step in plan.steps:
        if not step.stale:
            lines.append(f"{step.name:<{wide}} current")
        else:
            first, *others = step.reasons or [""]
            lines.append(f"{step.name:<{wide}} {step.verdict:<9} {first:<58} {cost(step)}".rstrip())
            lines += [f"{'':<{wide + 10}} {reason}" for reason in others]
        lines += [f"{'':<{wide + 10}} note: {note}" for note in step.notes]
    stale = plan.stale
    lines.append("")
    if stale:
        exact = [step for step in stale if step.todo is not None]
        waits = len(stale) - len(exact)
        later = f"; {waits} more wait for them" if waits else ""
        lines.append(f"{len(exact)} of {len(plan.steps)} steps to run{later}: {plan.command}")
    else:
        lines.append(f"Everything is current: {len(plan.steps)} steps, nothing to do.")
    return "\n".join(lines)


def cost(step: Step) -> str:
    """Return how many shards a step has to make, and how long it took last time."""
    words = []
    if step.todo is not None:
        words.append(f"{len(step.todo)} {'shard' if len(step.todo) == 1 else 'shards'}")
    if step.last_seconds is not None:
        words.append(f"last took {duration(step.last_seconds)}")
    return ", ".join(words)


def plan_json(plan: RunPlan) -> dict[str, Any]:
    """Return a plan as a program wants it."""
    return {
        "recipe": plan.recipe.name,
        "target": plan.target,
        "stale": [step.name for step in plan.stale],
        "steps": [
            {
                "step": step.name,
                "stage": step.stage.name,
                "verdict": step.verdict.value,
                "reasons": step.reasons,
                "notes": step.notes,
                "shards": len(step.shards),
                "todo": step.todo,
                "pages": step.pages,
                "last_seconds": step.last_seconds,
                "fingerprint": step.build.fingerprint if step.build else None,
                "artifact": step.artifact.name if step.artifact else None,
            }
            for step in plan.steps
        ],
    }


def grid(rows: Sequence[Sequence[object]], head: Sequence[str], widest: int = WIDEST) -> str:
    """Return rows as columns of text, numbers to the right, texts cut to `widest` characters."""
    cells = [[cell(value, widest) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(head))
    ]

    def line(values: Sequence[str]) -> str:
        parts = [
            v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(list(head)), rule, *(line(row) for row in cells)])


def cell(value: object, widest: int) -> str:
    """Return one value, cut where it is long."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= widest else f"{text[: widest - 3]}..."


def table_text(rows: pa.Table, most: int = 40) -> str:
    """Return the first rows of an Arrow table as text, and how many there are."""
    # Column by column, because two columns may have the same name.
    columns = [column.to_pylist() for column in rows.slice(0, most).columns]
    text = grid(list(zip(*columns, strict=True)), rows.column_names)
    more = f"\n... {rows.num_rows - most:,} more" if rows.num_rows > most else ""
    return f"{text}{more}\n({rows.num_rows:,} {'row' if rows.num_rows == 1 else 'rows'})"
