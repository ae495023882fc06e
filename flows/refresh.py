"""The flow `refresh`: plan a recipe, then make only what is stale."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run

from flows.progress import PrefectProgress, Progress, Several, artifact_key
from flows.tasks import PrefectExecutor, pool, stopped
from pipeline.config import load_recipe
from pipeline.engines import open_pool, require_runner
from pipeline.plan import RunPlan, make_plan, preflight
from pipeline.run import Watcher, execute
from pipeline.space import require_space
from storage.reading import refresh_catalog
from storage.refs import Refs
from storage.warehouse import Artifact, Warehouse, open_root

watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("watchers", default=())
"""Who else is told how the run goes; the command line puts its progress bars here."""


def title() -> str:
    """Return what a flow run is called: its recipe's name."""
    return Path(flow_run.parameters["recipe"]).stem


@flow(name="refresh", flow_run_name=title, persist_result=False)
def refresh(
    recipe: str,
    root: str,
    overrides: list[str] | None = None,
    to: str | None = None,
    only: str | None = None,
    force: list[str] | None = None,
    workers: int | None = None,
) -> str:
    """Make what is stale of a recipe and return the id of the run.

    Args:
        recipe: Name of a builtin recipe, or path of one.
        root: The warehouse: a folder, or s3://BUCKET/PREFIX.
        overrides: `stage.field=value` put over the recipe.
        to: Last stage that is wanted.
        only: The one stage that may run.
        force: Stages to make again although they are current.
        workers: Processes that make shards; all cores by default, or all that a cluster has.
    """
    warehouse = open_root(root)
    plan = make_plan(
        load_recipe(recipe, overrides or []), warehouse, to=to, only=only, force=force or []
    )
    preflight(plan.steps)
    require_runner(plan.recipe.wide)
    require_space(plan, warehouse)
    create_table_artifact(plan_table(plan), key=f"plan-{artifact_key(plan.recipe.name)}")
    run_folder = Refs(warehouse).new_run(plan.recipe.name)
    with open_pool(plan.recipe.wide, workers, run_folder) as processes:
        pool.set(processes)
        stopped.set(Event())
        watcher = Several((PrefectProgress(), *watchers.get()))
        try:
            execute(plan, warehouse, run_folder, PrefectExecutor(processes.workers), watcher)
        except BaseException:
            stopped.get().set()
            raise
    show_tables(plan, warehouse, run_folder.name)
    return run_folder.name


def run_refresh(watcher: Progress, workers: int | None, **parameters: Any) -> str:
    """Run the flow from this process."""
    token = watchers.set((watcher,))
    try:
        run_id: str = refresh(workers=workers, **parameters)
        return run_id
    finally:
        watchers.reset(token)


def show_tables(plan: RunPlan, warehouse: Warehouse, run_id: str) -> None:
    """Leave a page in Prefect that says where the tables of a run lie, and its report."""
    catalog = refresh_catalog(warehouse)
    rows = []
    for step in plan.steps:
        assert step.artifact is not None
        manifest = step.artifact.manifest()
        tables = ", ".join(f"{table} {manifest.rows(table):,}" for table in manifest.tables)
        rows.append(f"| {step.name} | {tables} | `{step.artifact.folder}` |")
        rows += [f"| | {path.name} | `{path}` |" for path in pages_of(step.artifact)]
    head = f"Tables of run {run_id}, any DuckDB client: `{catalog}`\n\n"
    create_markdown_artifact(
        "\n".join([f"{head}| step | rows | folder |", "| --- | --- | --- |", *rows]),
        key=f"tables-{artifact_key(plan.recipe.name)}",
        description=f"relmill show {plan.recipe.given} --root {warehouse.place}",
    )


def pages_of(artifact: Artifact) -> list[Path]:
    """Return the pages that a browser can show of a step: a report's."""
    held = artifact.held(artifact.manifest().records, [])
    pages = [each for each in held if each.path.suffix == ".html"]
    artifact.bring(pages)
    return sorted(page.path for page in pages)


def plan_table(plan: RunPlan) -> list[dict[str, str]]:
    """Return a plan as rows of a table artifact."""
    return [
        {
            "step": step.name,
            "verdict": step.verdict.value,
            "why": "; ".join(step.reasons),
            "shards to make": "?" if step.todo is None else str(len(step.todo)),
        }
        for step in plan.steps
    ]
