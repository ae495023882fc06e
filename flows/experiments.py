"""The flow `experiments`: the cells of a recipe's matrix, each a step of its own."""

from __future__ import annotations

from prefect import flow

from flows.refresh import refresh, title


@flow(name="experiments", flow_run_name=title, persist_result=False)
def experiments(
    recipe: str,
    root: str,
    cells: str = "report",
    overrides: list[str] | None = None,
    workers: int | None = None,
) -> str:
    """Make the cells that are missing, objective by task by share by seed; return the run's id.

    Args:
        recipe: Name of a builtin recipe, or path of one, with a matrix.
        root: The warehouse: a folder, or s3://BUCKET/PREFIX.
        cells: Which are wanted: a step, as in `finetune.semeval-10-cp-1`, a pattern, as in
            `finetune.semeval-*`, or `report` for all of them and their leaderboard.
        overrides: `stage.field=value` put over the recipe.
        workers: Processes that make shards; all cores by default.
    """
    run_id: str = refresh(recipe, root, overrides, to=cells, workers=workers)
    return run_id
