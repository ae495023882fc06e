"""The command `import-checkpoint`: an encoder that others released, for recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.render import size
from pipeline.released import System
from pipeline.released import import_checkpoint as imported


def import_checkpoint(
    system: Annotated[System, typer.Argument(help="Whose code saved the file.")],
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE", help="What it saved: ckpt_of_step_N.")
    ],
    base: Annotated[
        str,
        typer.Option(
            "--base",
            metavar="BERT",
            help="The encoder that training began from: a folder, or a hub id with --revision.",
        ),
    ],
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="COMMIT", help="Which one of the hub.")
    ] = None,
    entity_markers: Annotated[
        bool,
        typer.Option("--entity-markers", help="ERICA, trained with markers around entities alone."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="A new folder.  [SYSTEM-encoder]"),
    ] = None,
) -> None:
    """Make a released MTB, CP, ERICA or FineCL checkpoint an encoder for recipes.

    Their code saves weights alone. --base brings the tokenizer and the sizes:
    bert-base-uncased for mtb and cp; for erica that, bert-base-cased or
    roberta-base; roberta-base for finecl. Weights of the base are not read, and
    all of the file have to fit, by name and size.

    What comes out is a plain Hugging Face folder with a model card. What mtb and
    cp learnt as markers of head and tail, and as blank (unused0 to unused4), is
    called E1, /E1, E2, /E2 and BLANK; with --entity-markers, erica's hundred
    pairs of markers are ENTITY-0 and so on. Only finecl's files hold a head that
    predicts masked pieces: fine-tune the others, or pre-train without mlm.

    \b
    relmill import-checkpoint cp ckpt_of_step_3500 --base models/bert-base-uncased --out cp
    relmill run learn.toml --set pretrain.cp.encoder=cp --set featurize.tokenizer=cp
    """  # noqa: D301
    folder = out or Path(f"{system}-encoder")
    files = imported(
        system, checkpoint, base, folder, revision=revision, entity_markers=entity_markers
    )
    total = size(sum(path.stat().st_size for path in files))
    typer.echo(f"encoder in {folder}: {len(files)} files, {total}")
    typer.echo(f'in a recipe: [pretrain] encoder = "{folder}", [featurize] tokenizer = "{folder}"')
