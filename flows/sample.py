"""The command `sample`: labels for people to judge, and what their judgements say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import Root, Sets, TagName, warehouse_at
from flows.render import grid
from pipeline.precision import Precision, Score, read_sheet, score
from pipeline.sampling import By, draw, write_sheet
from pipeline.selection import select
from storage.errors import ConfigError


def sample(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE|score", help="Recipe to draw of; or the word score.")
    ],
    sheet: Annotated[
        Path | None, typer.Argument(metavar="[SHEET]", help="With score: the judged sheet.")
    ] = None,
    by: Annotated[By, typer.Option("--by", help="What the corpus is cut by.")] = "pid",
    n: Annotated[int, typer.Option("--n", min=1, help="Labels to draw.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other labels.")] = 13,
    output: Annotated[
        Path | None,
        typer.Option(help="The sheet, .csv or .tsv.  [RECIPE-BY-N-SEED.csv]", show_default=False),
    ] = None,
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Draw labels for people to judge; with `score`, say what their judgements amount to.

    A sheet opens in any spreadsheet: each line is a relation, and a text with
    both ends marked. Write yes or no into its last column: does the text
    state the relation? `score` gives the precision of each stratum, and of
    the corpus, with intervals of 95 %.

    \b
    relmill sample tiny --by method --n 200 --seed 13
    relmill sample score tiny-method-200-13.csv
    """  # noqa: D301
    if recipe == "score":
        if sheet is None:
            raise ConfigError("score which sheet?", mend="Name it: relmill sample score SHEET.csv")
        typer.echo(score_text(score(read_sheet(sheet))))
        return
    if sheet is not None:
        raise ConfigError(
            f"{sheet} is one word too many",
            mend=f"Name the sheet with --output {sheet}; or score it: relmill sample score {sheet}",
        )
    lines = draw(select(warehouse_at(root), recipe, sets or [], tag), by, n, seed)
    path = output or Path(f"{Path(recipe).stem}-{by}-{n}-{seed}.csv")
    write_sheet(lines, path)
    strata = len({line.stratum for line in lines})
    typer.echo(
        f"{len(lines):,} labels of {strata} strata in {path}. Write yes or no into the column "
        f"judgement, then: relmill sample score {path}"
    )


def score_text(found: Score) -> str:
    """Return the precision of each stratum and of the corpus."""
    rows = [(s.name, s.labels, s.judged, s.right, *figures(s.precision)) for s in found.strata]
    rows.append(
        (
            "corpus, weighted",
            sum(s.labels for s in found.strata),
            sum(s.judged for s in found.strata),
            sum(s.right for s in found.strata),
            *figures(found.precision),
        )
    )
    head = ["stratum", "labels", "judged", "right", "precision", "from", "to"]
    notes = [grid(rows, head), "", "Intervals of 95 %: Wilson's; of the corpus, put together."]
    if found.open:
        notes.append(f"{found.open:,} lines are not judged yet.")
    if found.covered < 1:
        notes.append(
            f"Strata without a judgement hold {1 - found.covered:.1%} of the labels: the last line "
            "says nothing of them."
        )
    return "\n".join(notes)


def figures(precision: Precision | None) -> tuple[str, str, str]:
    """Return a precision and its interval to three digits."""
    if precision is None:
        return "", "", ""
    return f"{precision.share:.3f}", f"{precision.low:.3f}", f"{precision.high:.3f}"
