"""Commands that look into the tables: show, sql, trace, diff."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.options import RecipeName, Root, Sets, TagName, warehouse_at
from flows.render import duration, grid, plan_json, size, table_text
from flows.trace import trace_text
from pipeline.diff import difference_text, find_version
from pipeline.plan import RunPlan, Step, previous_manifest, previous_steps
from pipeline.selection import select
from storage.aside import written_aside
from storage.errors import ConfigError
from storage.export import write_rows
from storage.reading import Tables, variant_of
from storage.tables import TABLES
from storage.warehouse import Warehouse

COUNTS = 20
"""Counters that a page shows, the largest first; the manifest has them all."""

Format = Literal["table", "csv", "json", "parquet"]


def show(
    recipe: RecipeName,
    table: Annotated[str | None, typer.Argument(help="One table; all if left out.")] = None,
    sets: Sets = None,
    tag: TagName = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="One variant of the table.")
    ] = None,
    root: Root = None,
) -> None:
    """Show the tables: what a row is, columns with meanings, rows, drops, lineage, licences."""
    tables = select(warehouse_at(root), recipe, sets or [], tag)
    if table is None:
        typer.echo(overview(tables))
    elif variant is None and len(tables.steps(table)) > 1:
        typer.echo(variants_page(tables, table))
    else:
        typer.echo(table_page(tables, table, variant))


def sql(
    recipe: RecipeName,
    query: Annotated[
        str, typer.Argument(help="SQL over the tables by name, or @NAME for a saved question.")
    ],
    sets: Sets = None,
    tag: TagName = None,
    format: Annotated[Format, typer.Option(help="How the rows are written.")] = "table",
    output: Annotated[Path | None, typer.Option(help="Write here, not to the terminal.")] = None,
    root: Root = None,
) -> None:
    """Ask the tables a question in DuckDB's SQL."""
    if output is not None:
        require_place(output)
    tables = select(warehouse_at(root), recipe, sets or [], tag)
    rows = tables.sql(saved_question(query[1:]) if query.startswith("@") else query)
    if format == "table":
        text = table_text(rows, most=rows.num_rows if output else 40)
        if output is None:
            typer.echo(text)
        else:
            with written_aside(output) as aside:
                aside.write_text(text + "\n", encoding="utf-8")
    else:
        write_rows(rows, format, output)
    if output is not None:
        typer.echo(f"{rows.num_rows:,} rows in {output}")


def trace(
    recipe: RecipeName,
    title: Annotated[str, typer.Argument(help="Title of a page.")],
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Follow one page through every table."""
    typer.echo(trace_text(select(warehouse_at(root), recipe, sets or [], tag), title))


def diff(
    old: Annotated[str, typer.Argument(help="STAGE/FINGERPRINT, TAG, or RUN; see relmill log.")],
    new: Annotated[str, typer.Argument(help="Likewise.")],
    table: Annotated[
        str | None, typer.Option("--table", help="Compare this table (with a tag or a run).")
    ] = None,
    root: Root = None,
) -> None:
    """Compare two versions of a table: config, inputs, columns, rows, and a sample of changes."""
    warehouse = warehouse_at(root)
    versions = [find_version(warehouse, name, table) for name in (old, new)]
    typer.echo(difference_text(versions[0], versions[1], table))


def require_place(output: Path) -> None:
    """Check that a file may stand there; a folder that is missing is made.

    Raises:
        ConfigError: If it may not.
    """
    above = next(folder for folder in output.absolute().parents if folder.exists())
    if output.is_dir() or not above.is_dir():
        raise ConfigError(
            f"--output is {output}, and {output if output.is_dir() else above} is a "
            f"{'folder' if output.is_dir() else 'file'}",
            mend="Name a file: --output FOLDER/rows.csv",
        )


def saved_question(name: str) -> str:
    """Return the SQL of a saved question.

    Raises:
        ConfigError: If there is none of that name.
    """
    folder = resources.files("storage") / "queries"
    files = (f for f in folder.iterdir() if f.name.endswith(".sql"))
    texts = {Path(f.name).stem: f.read_text(encoding="utf-8") for f in files}
    known = sorted(name for name, sql in texts.items() if "$" not in sql and "-- @" not in sql)
    if name not in known:
        raise ConfigError(
            f"there is no saved question {name!r}", mend=f"Saved: @{', @'.join(known)}"
        )
    return texts[name]


def overview(tables: Tables) -> str:
    """Return a line for each table, and the sources."""
    rows = []
    for name, steps in tables.stages.items():
        for step in steps:
            manifest = tables.manifests[step]
            held = manifest.rows(name), size(manifest.bytes(name))
            rows.append((name, TABLES[name].one_row_per, *held, step))
    page = grid(rows, ["table", "one row per", "rows", "size", "made by"])
    return f"{page}\n\n{sources_text(tables)}"


def columns_text(name: str) -> str:
    """Return what a row of a table is, and its columns with their meanings."""
    table = TABLES[name]
    kinds = [(c.name, str(c.type) + ("?" if c.nullable else ""), c.meaning) for c in table.columns]
    lines = "\n".join(f"  {c:<18} {kind:<12} {meaning}" for c, kind, meaning in kinds)
    return f"{name}: one row per {table.one_row_per}\n\n{lines}"


def variants_page(tables: Tables, name: str) -> str:
    """Return what the columns of a table mean, and a line for each of its variants."""
    rows = []
    for step in tables.steps(name):
        manifest = tables.manifests[step]
        config = json.dumps({**manifest.config, **manifest.facts})
        artifact = tables.artifacts[step].name
        rows.append((variant_of(step), manifest.rows(name), manifest.made_at, artifact, config))
    page = grid(rows, ["variant", "rows", "made", "artifact", "config"])
    return f"{columns_text(name)}\n\n{page}\n\nOne of them in full: --variant {rows[0][0]}"


def table_page(tables: Tables, name: str, variant: str | None = None) -> str:
    """Return everything about one table, or one variant of it."""
    manifest = tables.manifest(name, variant)
    table = TABLES[name]
    damage = manifest.damage()
    drops = [*manifest.drops().items(), *((f"damaged: {k}", n) for k, n in damage.counts.items())]
    inputs = [(given, i.artifact, i.content) for given, i in manifest.inputs.items()]
    parts = [
        columns_text(name),
        f"rows     {manifest.rows(name):,} in {len(manifest.records)} parts, "
        f"{size(manifest.bytes(name))}, sorted by {', '.join(table.key)}",
        f"made by  {manifest.stage} version {manifest.version}, {manifest.made_at}, "
        f"{duration(manifest.seconds)} of work in {duration(manifest.wall_seconds)}",
        f"config   {json.dumps({**manifest.config, **manifest.facts})}",
        f"lies in  {tables.artifact(name, variant).folder / name}",
    ]
    if inputs:
        parts.append(
            "read\n" + "\n".join(f"  {given:<20} {artifact}" for given, artifact, _ in inputs)
        )
    if manifest.counts():
        most = list(manifest.counts().items())[:COUNTS]
        parts.append("counted\n" + "\n".join(f"  {name:<28} {n:>12,}" for name, n in most))
    computed, carried, carried_rows = manifest.pages()
    if computed or carried:
        parts.append(
            f"pages    {computed:,} computed; {carried:,} carried over from an earlier version, "
            f"with {carried_rows:,} rows of all its tables"
        )
    if drops:
        parts.append("left out\n" + "\n".join(f"  {reason:<36} {n:>12,}" for reason, n in drops))
    if damage.samples:
        samples = [f"  {s['where']}: {s['reason']}: {s['sample']}" for s in damage.samples]
        parts.append("damaged, for example\n" + "\n".join(samples))
    return "\n\n".join([*parts, sources_text(tables)])


def sources_text(tables: Tables) -> str:
    """Return what everything was made from: files, dates, licences."""
    if "sources" not in tables.stages:
        return ""
    rows = [
        (r["source"], r["name"], size(r["bytes"]), r["dump_date"], r["licence"])
        for r in tables.arrow("sources").to_pylist()
    ]
    return grid(rows, ["source", "file", "size", "dump date", "licence"])


def explanation(step: Step, plan: RunPlan, warehouse: Warehouse) -> str:
    """Return all about one step of a plan."""
    before = previous_manifest(step.node, warehouse, previous_steps(plan.recipe.name, warehouse))
    facts = next(s for s in plan_json(plan)["steps"] if s["step"] == step.name)
    lines = [f"{step.name}: {step.verdict}", *(f"  {r}" for r in step.reasons + step.notes)]
    lines.append(
        f"version {step.stage.version}; writes {', '.join(t.name for t in step.stage.writes)}"
    )
    lines.append(f"config  {json.dumps(step.config.meaningful())}")
    if step.build is not None:
        lines.append(f"fingerprint {step.build.fingerprint}")
        lines += [
            f"  reads {name:<20} {given.artifact}  content {given.content}"
            for name, given in step.build.inputs.items()
        ]
    else:
        lines.append("fingerprint not known before its inputs are made")
    if facts["todo"] is not None:
        lines.append(f"{len(facts['todo'])} of {facts['shards']} shards to make")
    if before is not None:
        lines.append(
            f"last made {before.made_at} as {before.fingerprint}, version {before.version}, "
            f"in {duration(before.wall_seconds)}"
        )
        lines.append(f"  config then {json.dumps(before.config)}")
        lines += [f"  read then {n:<16} content {i.content}" for n, i in before.inputs.items()]
    return "\n".join(lines)
