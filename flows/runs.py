"""Carry a plan out for the command line: through Prefect, or in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.progress import Progress
from flows.summary import summary
from pipeline.plan import RunPlan
from pipeline.pool import Pool
from pipeline.run import execute
from pipeline.space import require_space
from storage.errors import PipelineError
from storage.reading import Tables, refresh_catalog
from storage.refs import Refs, RunRecord, now
from storage.warehouse import Warehouse


def run_plan(
    plan: RunPlan,
    warehouse: Warehouse,
    recipe: str,
    to: str | None,
    only: str | None,
    force: Sequence[str],
    workers: int,
    in_process: bool,
) -> None:
    """Make what is stale and show what came of it; with nothing stale, say so at once.

    Raises:
        PipelineError: As the run has it.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not plan.stale:
        pin(plan, warehouse)
        console.print(f"Everything is current: {len(plan.steps)} steps, nothing to do.")
        console.print(f"Look at the tables: relmill show {recipe} --root {warehouse.root}")
        return
    require_space(plan, warehouse)
    with Progress(console) as progress:
        if in_process:
            folder = Refs(warehouse).new_run(plan.recipe.name)
            with Pool(workers, folder) as pool:
                execute(plan, warehouse, folder, pool, progress)
            run_id = folder.name
        else:
            run_id = through_prefect(
                progress,
                warehouse.root,
                workers,
                recipe=recipe,
                overrides=list(plan.recipe.overrides),
                to=to,
                only=only,
                force=list(force),
            )
    catalog = refresh_catalog(warehouse)
    record = Refs(warehouse).find_run(run_id)
    tables = Tables((warehouse.named(name) for name in record.steps.values()), plan.recipe.name)
    console.print(summary(tables, record, catalog, warehouse.root), markup=False)


def through_prefect(progress: Progress, root: Path, workers: int, **parameters: Any) -> str:
    """Run the flow `refresh` and return the id of the run."""
    from flows.server import prefect_server

    with prefect_server(root):
        from flows.refresh import run_refresh

        return run_refresh(progress, workers, root=str(root), **parameters)


def pin(plan: RunPlan, warehouse: Warehouse) -> None:
    """Record a run that had nothing to do, where the newest run has other tables than the plan.

    So that the commands which show the newest run show what was asked for last.
    """
    refs = Refs(warehouse)
    steps = {s.stage.name: s.artifact.name for s in plan.steps if s.artifact is not None}
    try:
        if refs.newest(plan.recipe.name).steps == steps:
            return
    except PipelineError:
        pass
    folder = refs.new_run(plan.recipe.name)
    record = RunRecord(
        folder.name,
        plan.recipe.name,
        list(plan.recipe.overrides),
        plan.target,
        now(),
        "succeeded",
        now(),
        steps,
    )
    refs.save(folder, record)
    refresh_catalog(warehouse)
