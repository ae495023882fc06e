"""The command `predict`: relations of a person's own text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.options import Root, Sets, TagName, warehouse_at
from pipeline.predict import answers, find_model, marked, recognised
from storage.aside import written_aside


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A folder, or RECIPE@STEP of a finetune with keep_model = true."
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines; may be gz.")],
    ner: Annotated[
        str | None,
        typer.Option(
            metavar="SPACY",
            help="Find mentions with this spaCy pipeline; lines then need no h and t.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here, not to the terminal.")
    ] = None,
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Say which relation a text states between two mentions, and how sure the model is.

    A line holds a text or its tokens, and the places of head and tail in it, from
    0, the second number one behind the end:

    \b
    {"text": "Ada lives in York.", "h": {"pos": [0, 3]}, "t": {"pos": [13, 17]}}
    {"token": ["Ada", "lives", "in", "York"], "h": {"pos": [0, 1]}, "t": {"pos": [3, 4]}}

    With --ner a line is {"text": "..."}, and every ordered pair of mentions
    within a sentence is answered. What comes out has a line for each pair:

    \b
    {"line": 1, "h": {"name": "Ada", "pos": [0, 3]}, "t": ..., "relation": ...,
    "probability": 0.93}

    Relation and probability are null where head and tail stand too far apart for
    the model. Nothing is written where a line of the file is wrong.

    \b
    relmill predict mine.toml@finetune.semeval mine.jsonl
    relmill predict exported-model texts.jsonl --ner en_core_web_sm --out found.jsonl
    """  # noqa: D301
    folder = find_model(warehouse_at(root), model, sets or [], tag)
    asked = list(marked(file) if ner is None else recognised(file, ner))
    lost: dict[str, int] = {}
    rows = answers(folder, asked, lost)
    if out is None:
        for line in as_lines(rows):
            typer.echo(line)
    else:
        with written_aside(out) as aside, aside.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in as_lines(rows))
    missed = "".join(f"; {n:,} not shown: {reason}" for reason, n in lost.items())
    typer.echo(f"{len(asked):,} pairs{missed}", err=True)


def as_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Yield rows as lines of JSON."""
    return (json.dumps(row, ensure_ascii=False) for row in rows)
