"""Commands that keep the warehouse: log, tag, prune, verify."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from flows.options import Root, warehouse_at
from flows.render import grid, size
from pipeline.config import run_name
from storage.errors import ConfigError, MissingArtifactError
from storage.reading import refresh_catalog
from storage.refs import Refs, freed_bytes, remove


def log(
    recipe: Annotated[str | None, typer.Argument(help="Runs of this recipe only.")] = None,
    root: Root = None,
) -> None:
    """List the runs, the newest first: when, what was made, what became of them."""
    wanted = recipe and run_name(recipe)
    runs = [r for r in Refs(warehouse_at(root)).runs() if wanted in (None, r.recipe)]
    rows = [
        (r.id, r.status, r.target, ", ".join(r.made) or "-", " ".join(r.overrides), r.error)
        for r in runs
    ]
    typer.echo(grid(rows, ["run", "status", "to", "made", "set", "error"]))


def tag(
    name: Annotated[str | None, typer.Argument(help="The tag; leave it out to list all.")] = None,
    recipe: Annotated[str | None, typer.Argument(help="Recipe whose newest run is tagged.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Tag this run instead.")] = None,
    remove_it: Annotated[bool, typer.Option("--remove", help="Forget the tag.")] = False,
    root: Root = None,
) -> None:
    """Name the tables of a run, so that prune keeps them and `--tag` finds them."""
    warehouse = warehouse_at(root)
    refs = Refs(warehouse)
    if name is None:
        rows = [(t.name, t.recipe, t.run, t.made_at) for t in refs.tags()]
        typer.echo(grid(rows, ["tag", "recipe", "run", "made"]))
        return
    if remove_it:
        refs.remove_tag(name)
        typer.echo(f"{name} is no tag any more")
    elif recipe is None and run is None:
        raise ConfigError(
            f"{name} would name the tables of which run?",
            mend=f"Name a recipe: relmill tag {name} tiny; or a run: relmill tag {name} --run ID",
        )
    else:
        chosen = refs.find_run(run) if run else refs.newest(run_name(recipe or ""))
        made = refs.tag(name, chosen)
        typer.echo(f"{made.name} names the tables of {made.run}")
    refresh_catalog(warehouse)


def prune(
    keep: Annotated[
        int, typer.Option("--keep", min=0, help="Successful runs of each recipe to keep.")
    ] = 3,
    grace: Annotated[
        float, typer.Option("--grace", min=0, help="Hours for which nothing is taken.")
    ] = 24.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Really remove; without it, only show.")
    ] = False,
    root: Root = None,
) -> None:
    """Show, and with --yes remove, the artifacts that no tag and no recent run needs."""
    warehouse = warehouse_at(root)
    doomed = Refs(warehouse).prunable(keep, timedelta(hours=grace))
    freed = sum(freed_bytes(artifact) for artifact in doomed)
    for artifact in doomed:
        state = "" if artifact.complete else "  (never finished)"
        typer.echo(f"{artifact.name}{state}")
        if yes:
            remove(artifact)
    verb = "removed" if yes else "would go; run again with --yes to remove them"
    typer.echo(f"{len(doomed)} artifacts, {size(freed)} {verb}")
    if yes and doomed:
        refresh_catalog(warehouse)


def verify(
    recipe: Annotated[
        str | None, typer.Argument(help="Tables of this recipe's newest run; all if left out.")
    ] = None,
    root: Root = None,
) -> None:
    """Read every part and file again and say which are not as they were made."""
    warehouse = warehouse_at(root)
    if recipe is None:
        chosen = [a for a in warehouse.artifacts() if a.complete]
    else:
        steps = Refs(warehouse).newest(run_name(recipe)).steps
        chosen = [warehouse.named(name) for name in steps.values()]
    faults = [fault for artifact in chosen for fault in artifact.faults()]
    for fault in faults:
        typer.echo(fault)
    if faults:
        broken = sorted({fault.split("/")[0] for fault in faults})
        raise MissingArtifactError(
            f"{len(faults)} {'file' if len(faults) == 1 else 'files'} of {', '.join(broken)} "
            f"{'is' if len(faults) == 1 else 'are'} not as made",
            mend=f"Make them again: relmill run RECIPE --force {' --force '.join(broken)}; or "
            "remove their folders under artifacts/ and run",
        )
    typer.echo(f"{len(chosen)} artifacts are as they were made")
