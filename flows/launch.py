"""The command `launch`: one training step alone, here or by a cluster's own scheduler."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import RecipeName, Root, Sets, warehouse_at
from pipeline.config import load_recipe
from pipeline.plan import Step, make_plan, preflight
from pipeline.processes import Launch, command_text
from pipeline.run import prepare
from storage.errors import PlanError
from storage.refs import Refs


def launch(
    recipe: RecipeName,
    step: Annotated[str, typer.Argument(metavar="STEP", help="As in pretrain.cp; see the plan.")],
    sets: Sets = None,
    root: Root = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the command; run nothing.")
    ] = False,
) -> None:
    """Train one step alone; its inputs must be there.

    With --print, what is printed is the command line, with its environment,
    for a cluster's own scheduler: run it where the warehouse is seen under
    the same path, then `relmill run` takes the result in. Killed, it goes on
    from its checkpoint when it is run again.

    \b
    relmill launch mine.toml pretrain.cp --set launch.config=ddp --set launch.processes=8
    sbatch --wrap "$(relmill launch mine.toml pretrain.cp --print)"
    """  # noqa: D301
    warehouse = warehouse_at(root)
    plan = make_plan(load_recipe(recipe, sets or []), warehouse, only=step)
    which = only_step([each for each in plan.steps if each in plan.stale], step)
    preflight([which])
    if not print_only:
        from flows import runs

        runs.run(runs.Request(recipe, sets or [], only=which.name), warehouse, 1, True)
        return
    warehouse.require_writable()
    folder = Refs(warehouse).new_run(plan.recipe.name)
    spec = prepare(which, plan, warehouse, folder, workers=1)[1]
    chosen = Launch.model_validate(spec.launch)
    for shard in spec.todo:
        typer.echo(command_text(chosen, folder, which.name, shard))
    after = plan.recipe.command("run", "--only", which.name, "--root", warehouse.place)
    typer.echo(f"# When it has ended: {after}", err=True)


def only_step(stale: list[Step], named: str) -> Step:
    """Return the one launched step that has to be made.

    Raises:
        PlanError: If there is none, there are several, or it trains nothing.
    """
    if len(stale) != 1:
        names = ", ".join(step.name for step in stale)
        raise PlanError(
            f"{named} stands for {names}" if names else f"{named} is current",
            mend="Name one of them" if names else "There is nothing to launch",
        )
    if stale[0].node.launch is None:
        raise PlanError(f"{named} trains nothing", mend=f"Run it: relmill run ... --only {named}")
    return stale[0]
