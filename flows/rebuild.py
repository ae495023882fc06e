"""The flow `rebuild`: a whole corpus from the newest dumps, named by their date."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from flows.refresh import refresh, title
from pipeline.config import load_recipe
from pipeline.newest import NewestDumps, name_by_date, newest_dumps, retire
from storage.reading import refresh_catalog
from storage.refs import Refs
from storage.warehouse import open_root

GRACE = timedelta(hours=24)
"""What changed since is not taken away: a person may be looking at it."""


@task(
    name="find newest dumps",
    retries=5,
    retry_delay_seconds=[60, 300, 900, 3600, 3600],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def find_dumps(recipe: str, overrides: list[str]) -> NewestDumps:
    """Look for the newest dumps of a recipe; a mirror that is away is asked again for hours."""
    return newest_dumps(load_recipe(recipe, overrides))


@flow(name="rebuild", flow_run_name=title, persist_result=False)
def rebuild(
    recipe: str,
    root: str,
    overrides: list[str] | None = None,
    to: str | None = None,
    workers: int | None = None,
) -> str:
    """Make a whole corpus from the newest dumps and return the tag that names its tables.

    Nothing is made where the newest dumps were made before. The recipe's `keep_dumps` says of how
    many dumps the tables stay.

    Args:
        recipe: Name of a builtin recipe, or path of one. It names an edition of each dump; the
            newest is looked for beside it.
        root: The warehouse: a folder, or s3://BUCKET/PREFIX.
        overrides: `stage.field=value` put over the recipe.
        to: Last stage that is wanted.
        workers: Processes that make shards; all cores by default.
    """
    given = overrides or []
    dumps = find_dumps(recipe, given)
    get_run_logger().info("the newest dumps are of %s: %s", dumps.date, ", ".join(dumps.overrides))
    made = refresh(recipe, root, [*given, *dumps.overrides], to=to, workers=workers)
    warehouse = open_root(root)
    refs = Refs(warehouse)
    run = refs.find_run(made)
    tag = name_by_date(refs, run, dumps.date)
    keep = load_recipe(recipe, given).wide.keep_dumps
    if keep is not None:
        freed = retire(refs, run.recipe, keep, GRACE)
        get_run_logger().info("%s bytes of older dumps were freed", f"{freed:,}")
    refresh_catalog(warehouse)
    return tag
