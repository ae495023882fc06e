"""The page that a run ends with: steps, drops, examples, and what to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from textwrap import fill
from typing import Any

from flows.render import duration, grid
from storage.marking import marked
from storage.reading import Tables
from storage.refs import RunRecord
from storage.warehouse import Warehouse

EXAMPLES = 5
SCORES = """
FROM leaderboards WHERE headline
ORDER BY task, split, setting, fraction, mean DESC, encoder
"""


def summary(
    tables: Tables, run: RunRecord, catalog: Path, warehouse: Warehouse, given: str | None = None
) -> str:
    """Return the page as text.

    Args:
        given: What the person called the recipe: its name, or a path.
    """
    recipe = shlex.quote(given or run.recipe)
    parts = [steps_text(tables, run)]
    # An imported corpus has no names of properties.
    named = {"tuples", "properties"} <= tables.stages.keys()
    if named:
        parts += [text for text in (examples_text(tables),) if text]
    sets = [f"--set {shlex.quote(override)}" for override in run.overrides]
    if "leaderboards" in tables.stages:
        parts.append(scores_text(tables))
    stored = warehouse.remote is not None
    root = warehouse.place if stored else shown_path(warehouse.root)
    usual = warehouse.root == Path("warehouse").absolute()
    at = "" if usual and not stored else f" --root {root}"
    change = " ".join(["plan", recipe, *sets, "--set segment.unit=sentence"])
    ask = "@relation_counts" if named else f'"FROM {newest_table(tables)} LIMIT 5"'
    parts.append(
        f"Tables: {root}/{'objects' if stored else 'artifacts'}   (any DuckDB client"
        f"{' with httpfs' if stored else ''}: {shown_path(catalog)})\n\n"
        "Try next:\n"
        f"  {program()} show {recipe}{at}\n"
        f"  {program()} sql {recipe} {ask}{at}\n"
        f"  {program()} {change}{at}"
    )
    return "\n" + "\n\n".join(parts)


def scores_text(tables: Tables) -> str:
    """Return the scores that benchmarks are judged by, and where the page on them lies."""
    rows = [
        (
            row["task"],
            row["split"],
            row["encoder"],
            row["setting"],
            f"{100 * row['fraction']:g} %" if row["fraction"] else "",  # answered without training
            row["metric"],
            f"{100 * row['mean']:.1f}",
            str(row["runs"]),
        )
        for row in tables.sql(SCORES).to_pylist()
    ]
    columns = ["task", "split", "encoder", "setting", "data", "score", "mean", "seeds"]
    page = tables.files("leaderboards")["report.html"]
    return f"{grid(rows, columns)}\n\nLeaderboard with plots: {shown_path(page)}"


def newest_table(tables: Tables) -> str:
    """Return the table that the last step made."""
    return list(tables.stages)[-1]


def program() -> str:
    """Return how relmill is called here: by name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("relmill")
    if called.name != "relmill" or (found and Path(found).samefile(called)):
        return "relmill"
    return shown_path(called.absolute())


def shown_path(path: Path) -> str:
    """Return a path from the present folder where it lies below, else in full."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def steps_text(tables: Tables, run: RunRecord) -> str:
    """Return what each step made: rows by table, drops by reason, seconds."""
    rows: list[tuple[str, ...]] = []
    for stage, manifest in tables.manifests.items():
        made = stage in run.made
        counts = [f"{table} {manifest.rows(table):,}" for table in manifest.tables]
        drops = [f"{reason} {count:,}" for reason, count in manifest.drops().items()]
        damage = manifest.damage().counts
        drops += [f"damaged: {reason} {count:,}" for reason, count in damage.items()]
        seconds = duration(manifest.wall_seconds) if made else "reused"
        rows += zip_longest([stage], counts, drops, [seconds], fillvalue="")
    return grid(rows, ["step", "rows", "left out, by reason", "took"])


def examples_text(tables: Tables) -> str:
    """Return example tuples as sentences, head and tail marked, with the relation's name."""
    query = (resources.files("storage") / "queries" / "example_tuples.sql").read_text("utf-8")
    rows = tables.sql(query, {"most": EXAMPLES}).to_pylist()
    if not rows:
        return ""
    shown = [example_text(row) for row in rows]
    return "Example tuples (labels are distant: Wikidata states them, the sentence may not):\n" + (
        "\n".join(shown)
    )


def example_text(row: Mapping[str, Any]) -> str:
    """Return one tuple: its sentence with [head] and {tail}, and the label."""
    text = marked(
        row["sentence"],
        [(row["head_start"], row["head_end"])],
        [(row["tail_start"], row["tail_end"])],
        row["sentence_start"],
    )
    label = f"[{row['head_name']}] -- {row['relation']} ({row['pid']}) -> {{{row['tail_name']}}}"
    body = fill(" ".join(text.split()), 96, initial_indent="      ", subsequent_indent="      ")
    return f"  {label}\n{body}"
