"""The command `relmill`: plan, run and look."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flows import keep, look, recipes, render
from flows.bench import bench_app
from flows.card import card
from flows.deploy import deploy, serve
from flows.doctor import doctor
from flows.export import export
from flows.launch import launch
from flows.options import RecipeName, Root, Sets, To, warehouse_at
from flows.predict import predict
from flows.released import import_checkpoint
from flows.sample import sample
from flows.table import table
from flows.why import why
from pipeline.config import load_recipe
from pipeline.plan import make_plan
from storage.errors import ConfigError, PassingError, PipelineError

EXIT_STALE = 3
EXIT_INTERRUPTED = 130


class Commands(TyperGroup):
    """Shows relmill's own errors as one sentence each, and ends with the status that they carry."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except PipelineError as error:
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            # The reader, `head` say, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            typer.echo(f"PassingError: {refused(error)}", err=True)
            raise typer.Exit(PassingError.exit_code) from error


def refused(error: OSError) -> PassingError:
    """Return the error for a disk that refused a command."""
    return PassingError(
        f"the disk refused: {error.strerror or error}",
        where=str(error.filename or ""),
        mend="Free some space or mend the disk, then run the same command again",
    )


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From Wikipedia and Wikidata dumps to tables of distantly supervised relations.\n\n"
    "Begin with `relmill run tiny`, then `relmill show tiny`.",
)
stages_app = typer.Typer(no_args_is_help=True, help="For developers: versions of stages.")
app.add_typer(stages_app, name="stages")
app.add_typer(bench_app, name="bench")


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"relmill {metadata.version('relmill')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take the options that stand in front of a command."""


Force = Annotated[
    list[str] | None,
    typer.Option("--force", metavar="STEP", help="Make this step again though it is current."),
]
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="STEP", help="Run this step alone; its inputs must be there."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Processes that make shards.  [all cores]"),
]


@app.command()
def plan(
    recipe: RecipeName,
    sets: Sets = None,
    to: To = None,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help=f"End with status {EXIT_STALE} if a step is stale.")
    ] = False,
) -> None:
    """Say which steps would run, and why. Reads no data and changes nothing."""
    made = make_plan(load_recipe(recipe, sets or []), warehouse_at(root), to=to)
    if as_json:
        typer.echo(json.dumps(render.plan_json(made), indent=1))
    else:
        typer.echo(render.plan_text(made))
    if check and made.stale:
        raise typer.Exit(EXIT_STALE)


@app.command()
def explain(
    recipe: RecipeName,
    stage: Annotated[
        str, typer.Argument(help="The step to explain: segment, finetune.x, finetune.*-1.")
    ],
    sets: Sets = None,
    root: Root = None,
) -> None:
    """Say everything about one step: config, inputs, and how it differs from what was made."""
    made = make_plan(load_recipe(recipe, sets or []), warehouse_at(root), to=stage)
    pages = [
        look.explanation(made.step(n.name), made, warehouse_at(root))
        for n in made.recipe.find(stage)
    ]
    typer.echo("\n\n".join(pages))


@app.command()
def run(
    recipe: RecipeName,
    sets: Sets = None,
    to: To = None,
    only: Only = None,
    force: Force = None,
    workers: Workers = None,
    root: Root = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Do without Prefect; the tables are the same.")
    ] = False,
) -> None:
    """Make what is stale, and nothing else. Run it again after any stop: it goes on from there."""
    from flows import runs

    request = runs.Request(recipe, sets or [], to, only, force or [])
    try:
        runs.run(request, warehouse_at(root), workers, in_process)
    except KeyboardInterrupt:
        again = shlex.join(["relmill", *sys.argv[1:]])
        typer.echo(f"\nStopped. What was finished is kept; go on with: {again}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


@stages_app.command("bump")
def stages_bump(
    name: Annotated[str, typer.Argument(help="Stage whose rows change.")],
    lock: Annotated[Path, typer.Option(help="The lock file.")] = Path("stages.lock"),
) -> None:
    """Raise a stage's version: its code now makes other rows, so its tables are made anew."""
    from pipeline.code import bump

    typer.echo(f"{name} is version {bump(name, require_lock(lock))} now")


@stages_app.command("accept")
def stages_accept(
    name: Annotated[str, typer.Argument(help="Stage whose code changed.")],
    lock: Annotated[Path, typer.Option(help="The lock file.")] = Path("stages.lock"),
) -> None:
    """Record that a stage's changed code makes the same rows as before."""
    from pipeline.code import accept

    typer.echo(f"{name}: {accept(name, require_lock(lock))}")


def require_lock(lock: Path) -> Path:
    """Check that the lock file is where we are: this is for a checkout, not for an installation."""
    if not lock.is_file():
        raise ConfigError(f"there is no {lock} here", mend="Run this in a checkout of relmill")
    return lock


COMMANDS: tuple[Callable[..., None], ...] = (
    launch,
    recipes.recipes,
    recipes.config,
    recipes.draw,
    look.show,
    table,
    look.sql,
    look.trace,
    why,
    card,
    sample,
    export,
    import_checkpoint,
    predict,
    look.diff,
    keep.log,
    keep.tag,
    keep.prune,
    keep.verify,
    serve,
    deploy,
    doctor,
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line; of an error that nobody foresaw, keep the traceback in a file."""
    try:
        app()
    except Exception as error:
        handle, log = tempfile.mkstemp(prefix="relmill-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        typer.echo(
            f"{type(error).__name__}: {error}. This should not happen: please report it with {log}",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
