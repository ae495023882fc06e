"""The command `export`: a corpus in formats that others read, or a model as a plain folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.options import RecipeName, Root, Sets, TagName, warehouse_at
from flows.render import size
from pipeline.export import Format, export_model, export_tuples
from pipeline.selection import select


def export(
    recipe: RecipeName,
    what: Annotated[
        Literal["tuples", "encoder", "model"],
        typer.Argument(
            help="tuples: documents with entities and labels; encoder: what pretrain made; "
            "model: what a finetune with keep_model = true did."
        ),
    ],
    format: Annotated[
        Format, typer.Option("--format", help="parquet holds most; the others are as their tools.")
    ] = "parquet",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="A new folder.  [RECIPE-FORMAT, RECIPE-encoder]"),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="NAME", help="Which of several encoders or models."),
    ] = None,
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Write a corpus for others, or a model.

    A corpus is files, the names of relations, a card with licences and
    attribution; Hugging Face's datasets loads it: load_dataset(DIR). What is
    held out for a benchmark is left out, and counted. One table alone is
    written by `relmill sql RECIPE "FROM triples" --format parquet`.

    An encoder is a plain Hugging Face folder: weights as safetensors, the
    tokenizer with its markers, a model card; AutoModel.from_pretrained(DIR).

    \b
    relmill export tiny tuples --format docred --out tiny-docred
    relmill export mine.toml tuples --tag v1 --out corpus-v1
    relmill export mine.toml encoder --variant cp --out my-encoder
    """  # noqa: D301
    tables = select(warehouse_at(root), recipe, sets or [], tag)
    if what != "tuples":
        folder = out or Path(f"{Path(recipe).stem}-{what}")
        table = {"encoder": "encoders", "model": "predictions"}[what]
        files = export_model(tables, table, variant, folder)
        total = size(sum(path.stat().st_size for path in files))
        typer.echo(f"{what} in {folder}: {len(files)} files, {total}")
        return
    folder = out or Path(f"{Path(recipe).stem}-{format}")
    done = export_tuples(tables, format, folder)
    total = size(sum(path.stat().st_size for path in done.files))
    typer.echo(
        f"{done.documents:,} documents with {done.labels:,} labels in {folder}: "
        f"{len(done.files)} files, {total}"
    )
    for left_out, count in done.left_out.items():
        typer.echo(f"left out: {count:,} {left_out}")
