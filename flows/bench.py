"""`relmill bench`: methods tried on labels of which it is known whether they are right."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.render import grid
from pipeline.bench import Trial, correlation, set_names, try_methods
from storage.errors import ConfigError

bench_app = typer.Typer(no_args_is_help=True, help="Try methods on data with known answers.")


@bench_app.callback()
def bench() -> None:
    """Try methods on data with known answers."""


@bench_app.command("denoise")
def denoise(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FOLDER",
            envvar="RELMILL_REAL_DATA",
            help="Folder with the released files: wiki80-part/, arnor-nyt/, multir-sentential/, "
            "google-re/ (with entity2wikidata/: names of its MIDs), revisit-docred/.",
        ),
    ],
    encoder: Annotated[
        Path,
        typer.Option(
            "--encoder", metavar="FOLDER", help="Hugging Face folder of a BERT-like encoder."
        ),
    ],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME", help="Only this set; may be given several times."),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="0,1,2", help="Seeds, each a run.")
    ] = "0",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the labels.")] = 8,
    rate: Annotated[
        float, typer.Option("--learning-rate", min=0.0, help="Highest learning rate.")
    ] = 1e-4,
    layers: Annotated[
        int | None,
        typer.Option("--trained-layers", min=0, help="Train only the top ones.  [all]"),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", metavar="FOLDER", help="Go on from what was made here before."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there, too.")
    ] = None,
) -> None:
    """Say how well each method of denoising tells right labels from wrong ones.

    A classifier learns each set of labels once; then every method ranks them by what it showed.
    Planted noise (wiki80-20, -40, -53) is the easy case; arnor, multir and google-re are labels of
    distant supervision that people judged; of revisit-docred the question is which NA is a missed
    fact.
    """
    values = {"epochs": epochs, "learning_rate": rate}
    with tempfile.TemporaryDirectory(prefix="relmill-bench-") as made:
        found = []
        for trial in try_methods(
            sets or set_names(),
            numbers(seeds),
            data.expanduser(),
            encoder.expanduser(),
            (work or Path(made)).expanduser(),
            values,
            layers,
            lambda text: typer.echo(text, err=True),
        ):
            typer.echo(page(trial))
            found.append(asdict(trial))
    if out is not None:
        out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def numbers(text: str) -> list[int]:
    """Return the numbers of a list.

    Raises:
        ConfigError: If it is none.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--seeds is {text!r}", mend="Give numbers, as 0,1,2") from None


def page(trial: Trial) -> str:
    """Return a trial as text: a table of methods, and one of subsets by when they were learnt."""
    head = f"{trial.name}, seed {trial.seed}: {trial.labels:,} labels, {trial.right:.1%} right"
    if trial.left_out:
        head += f" (left out: {', '.join(f'{n:,} {why}' for why, n in trial.left_out.items())})"
    rows = [
        (s.method, s.by, f"{s.auc:.3f}", f"{s.low:.3f} to {s.high:.3f}", f"{s.within:.3f}")
        for s in trial.scores
    ]
    methods = grid(rows, ["method", "by", "AUC", "interval at 95 %", "within a relation"])
    orders = [(s.by, str(s.order), f"{s.share:.1%}", f"{s.precision:.3f}") for s in trial.subsets]
    subsets = grid(orders, ["by", "first right in epoch", "share", "precision"])
    ranks = ", ".join(f"{by} {correlation(trial.subsets, by):+.2f}" for by in ("batch", "epoch"))
    last = f"Rank correlation of epoch and precision, subsets of 2 % and more: {ranks}"
    return "\n\n".join([head, methods, subsets, last]) + "\n"
