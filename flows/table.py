"""`relmill table`: a table of a paper, its figures beside ours."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import mean, median, stdev
from typing import Annotated, Any, cast

import typer

from flows.options import Root, Sets, warehouse_at
from flows.render import duration, grid
from pipeline.config import Recipe, load_recipe
from pipeline.dag import Node
from pipeline.papers import Figure, PaperTable, paper_table, paper_tables
from pipeline.plan import make_plan
from storage.errors import ConfigError
from storage.reading import Tables
from storage.warehouse import Warehouse

NOT_RUN = "not run"


@dataclass(frozen=True)
class Ours:
    """What our runs of a cell gave: the score of each seed, and what all of them took."""

    values: Sequence[float]
    seconds: float


def table(
    name: Annotated[
        str | None, typer.Argument(help="Table, such as cp.5; left out, all are listed.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="Recipe whose runs stand beside it."),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            "--cell",
            metavar="A/B/C",
            help="Only cells of these names, as semeval/10/cp, with the command that runs them.",
        ),
    ] = None,
    sets: Sets = None,
    root: Root = None,
) -> None:
    """Print a paper's table: its figure, ours with deviation and cost, or "not run"."""
    if name is None:
        rows = [(each, paper_table(each).source) for each in paper_tables()]
        typer.echo(grid(rows, ["table", "where it stands"], widest=100))
        return
    found = paper_table(name)
    figures = chosen(found, cell)
    loaded = None if recipe is None else load_recipe(recipe, sets or [])
    made = None if loaded is None else what_is_there(loaded, warehouse_at(root))
    typer.echo(page(found, figures, loaded, made, with_commands=cell is not None))


def what_is_there(recipe: Recipe, warehouse: Warehouse) -> Tables:
    """Return the tables of a recipe that are there and current, whichever run made them."""
    steps = make_plan(recipe, warehouse).steps
    artifacts = {step.name: step.artifact for step in steps if step.artifact is not None}
    return Tables(artifacts, recipe.name)


def chosen(found: PaperTable, cell: str | None) -> list[Figure]:
    """Return the cells that a person names.

    Raises:
        ConfigError: If no cell has all these names.
    """
    wanted = set() if cell is None else set(cell.split("/"))
    figures = [figure for figure in found.figures if wanted <= figure.names]
    if not figures:
        known = dict.fromkeys(n for f in found.figures for n in sorted(f.names) if n)
        raise ConfigError(
            f"{found.name} has no cell {cell!r}",
            mend=f"Put some of these together with slashes: {', '.join(known)}",
        )
    return figures


def page(
    found: PaperTable,
    figures: Sequence[Figure],
    recipe: Recipe | None,
    tables: Tables | None,
    *,
    with_commands: bool,
) -> str:
    """Return the table as text."""
    rows = []
    commands: dict[str, None] = {}
    for figure in figures:
        cells = [] if recipe is None else cells_of(figure, recipe)
        ours = None if tables is None else ours_of(figure, cells, tables)
        rows.append(line(figure, ours))
        if recipe is not None and cells:
            commands.update(dict.fromkeys(commands_of(recipe, cells)))
    head = [f"{found.name}: {found.source}", f"{found.says}."]
    head += [found.note] if found.note else []
    head += [begun_from(recipe)] if recipe is not None else []
    columns = ["benchmark", "data", "setting", "input", "encoder", "paper", "ours"]
    columns += ["deviation", "median", "seeds", "cost"]
    parts = ["\n".join(head), grid(rows, columns)]
    if with_commands:
        parts.append(commands_text(recipe, commands))
    return "\n\n".join(parts)


def begun_from(recipe: Recipe) -> str:
    """Return what our encoders begin from: rarely what the paper's did."""
    configs = [cast(Any, node.config) for node in recipe.nodes if node.stage.name == "pretrain"]
    names = dict.fromkeys(config.encoder for config in configs)
    return f"Ours: {recipe.name}, whose encoders begin from {', '.join(names) or 'nothing'}."


def commands_text(recipe: Recipe | None, commands: Mapping[str, None]) -> str:
    """Return the commands that run cells, or what to do where a recipe has none."""
    if recipe is None:
        return "Name a recipe that has such cells: --recipe PATH"
    if not commands:
        return f"{recipe.name} has no such cell: add a variant of [finetune] with these values"
    return "\n".join(["Run with:", *(f"  {each}" for each in commands)])


def line(figure: Figure, ours: Ours | None) -> tuple[str, ...]:
    """Return one line of the table."""
    data = "" if figure.fraction is None else f"{100 * figure.fraction:g} %"
    start = (figure.benchmark, data, figure.setting, figure.input_format, figure.encoder)
    paper = f"{100 * figure.value:.1f}"
    if ours is None or not ours.values:
        return (*start, paper, NOT_RUN, "", "", "", "")
    values = [100 * value for value in ours.values]
    deviation = f"{stdev(values):.1f}" if len(values) > 1 else ""
    return (
        *start,
        paper,
        f"{mean(values):.1f}",
        deviation,
        f"{median(values):.1f}",
        str(len(values)),
        duration(ours.seconds),
    )


def cells_of(figure: Figure, recipe: Recipe) -> list[Node]:
    """Return the variants of finetune that run a cell, one a seed."""
    return [
        node
        for node in recipe.nodes
        if node.stage.name == "finetune"
        and any(matches(cell, figure) for cell in cast(Any, node.config).cells)
    ]


def matches(cell: Mapping[str, object], figure: Figure) -> bool:
    """Whether a run is of a cell."""
    return (
        cell["benchmark"] == figure.benchmark
        and cell["encoder"] == figure.encoder
        and cell["setting"] == figure.setting
        and cell["input_format"] == figure.input_format
        and (figure.fraction is None or cell["fraction"] == figure.fraction)
    )


def ours_of(figure: Figure, cells: Sequence[Node], tables: Tables) -> Ours | None:
    """Return what the runs of a cell gave on the test split."""
    if "metrics" not in tables.stages:
        return None
    rows = tables.arrow("metrics").to_pylist()
    values = [
        row["value"]
        for row in rows
        if row["split"] == "test" and row["metric"] == figure.metric and matches(row, figure)
    ]
    manifests = (tables.manifests.get(node.name) for node in cells)
    return Ours(values, sum(manifest.seconds for manifest in manifests if manifest is not None))


def commands_of(recipe: Recipe, cells: Sequence[Node]) -> list[str]:
    """Return the command that runs all seeds of a cell to their scores, or one for each seed."""
    return [
        recipe.command("run", f"--to {shlex.quote(f'evaluate.{name}')}")
        for name in named_by(cells, recipe)
    ]


def named_by(cells: Sequence[Node], recipe: Recipe) -> list[str]:
    """Return the one pattern that these cells and no others fit; else their names."""
    names = [node.variant for node in cells]
    starts = {n.variant.removesuffix(str(cast(Any, n.config).seed)) for n in cells}
    pattern = f"{min(starts)}*"
    fitting = [n.variant for n in recipe.find("finetune") if fnmatchcase(n.variant, pattern)]
    return [pattern] if len(starts) == 1 and 1 < len(names) == len(fitting) else names
