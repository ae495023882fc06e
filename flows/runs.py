"""Carry a plan out for the command line: through Prefect, or in this process."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from rich.console import Console

from flows.progress import Progress
from flows.summary import summary
from pipeline.config import load_recipe
from pipeline.engines import open_pool, require_runner
from pipeline.plan import RunPlan, make_plan, preflight
from pipeline.run import execute
from pipeline.space import require_space
from storage.errors import PipelineError
from storage.reading import refresh_catalog, tables_of
from storage.refs import Refs, RunRecord, now
from storage.warehouse import Warehouse


@dataclass(frozen=True)
class Request:
    """What a person asks to be made, as the flow `refresh` takes it too."""

    recipe: str
    overrides: list[str]
    to: str | None = None
    only: str | None = None
    force: list[str] = field(default_factory=list)

    def plan(self, warehouse: Warehouse) -> RunPlan:
        """Return what it comes to in a warehouse."""
        recipe = load_recipe(self.recipe, self.overrides)
        return make_plan(recipe, warehouse, to=self.to, only=self.only, force=self.force)


def run(request: Request, warehouse: Warehouse, workers: int | None, in_process: bool) -> None:
    """Make what is stale and show what came of it; with nothing stale, say so at once.

    Raises:
        PipelineError: As the run has it.
    """
    console = Console(highlight=False, soft_wrap=True)
    plan = request.plan(warehouse)
    preflight(plan.steps)
    require_runner(plan.recipe.wide)
    warehouse.require_writable()
    if not plan.stale:
        pin(plan, warehouse)
        if not (warehouse.root / "catalog.duckdb").exists():
            refresh_catalog(warehouse)
        console.print(f"Everything is current: {len(plan.steps)} steps, nothing to do.")
        console.print(f"Look at the tables: relmill show {request.recipe} --root {warehouse.place}")
        return
    require_space(plan, warehouse)
    go = in_this_process if in_process else through_prefect
    record = Refs(warehouse).find_run(go(request, plan, warehouse, workers, console))
    tables = tables_of(warehouse, record.steps, plan.recipe.name)
    catalog = refresh_catalog(warehouse)
    page = summary(tables, record, catalog, warehouse, request.recipe)
    console.print(page, markup=False)


def in_this_process(
    _request: Request, plan: RunPlan, warehouse: Warehouse, workers: int | None, console: Console
) -> str:
    """Carry a plan out without Prefect and return the id of the run."""
    folder = Refs(warehouse).new_run(plan.recipe.name)
    with Progress(console) as progress, open_pool(plan.recipe.wide, workers, folder) as pool:
        execute(plan, warehouse, folder, pool, progress)
    return folder.name


def through_prefect(
    request: Request, _plan: RunPlan, warehouse: Warehouse, workers: int | None, console: Console
) -> str:
    """Run the flow `refresh`, which plans once more, and return the id of the run."""
    from flows.server import prefect_server

    with ExitStack() as stack:
        with console.status("Starting Prefect ..."):
            stack.enter_context(prefect_server(warehouse.root))
            from flows.refresh import run_refresh
        progress = stack.enter_context(Progress(console))
        return run_refresh(progress, workers, root=str(warehouse.root), **asdict(request))


def pin(plan: RunPlan, warehouse: Warehouse) -> None:
    """Record a run that had nothing to do, where the newest run has other tables than the plan.

    So that the commands which show the newest run show what was asked for last.
    """
    refs = Refs(warehouse)
    steps = {s.name: s.artifact.name for s in plan.steps if s.artifact is not None}
    try:
        if steps.items() <= refs.newest(plan.recipe.name).steps.items():
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
