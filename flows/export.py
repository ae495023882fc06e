"""The command `export`: a corpus in formats that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.options import RecipeName, Root, Sets, TagName, warehouse_at
from flows.render import size
from pipeline.export import Format, export_tuples
from pipeline.selection import select


def export(
    recipe: RecipeName,
    what: Annotated[
        Literal["tuples"], typer.Argument(help="tuples: documents with entities and labels.")
    ],
    format: Annotated[
        Format, typer.Option("--format", help="parquet holds most; the others are as their tools.")
    ] = "parquet",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="A new folder.  [RECIPE-FORMAT]"),
    ] = None,
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Write a corpus for others: files, the names of relations, a card with licences, attribution.

    The folder loads with Hugging Face's datasets: load_dataset(DIR). One table
    alone is written by `relmill sql RECIPE "FROM triples" --format parquet`.

    \b
    relmill export tiny tuples --format docred --out tiny-docred
    relmill export mine.toml tuples --tag v1 --out corpus-v1
    """  # noqa: D301
    folder = out or Path(f"{Path(recipe).stem}-{format}")
    done = export_tuples(select(warehouse_at(root), recipe, sets or [], tag), format, folder)
    total = size(sum(path.stat().st_size for path in done.files))
    typer.echo(
        f"{done.documents:,} documents with {done.labels:,} labels in {folder}: "
        f"{len(done.files)} files, {total}"
    )
    for why, count in done.left_out.items():
        typer.echo(f"left out: {count:,} relations {why}")
