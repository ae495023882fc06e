"""`relmill serve` and `relmill deploy`: a Prefect server runs recipes on schedule or request."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from flows.options import RecipeName, Root, warehouse_at
from flows.server import DEFAULTS, prefect_server
from pipeline.config import load_recipe
from storage.errors import ConfigError, StageError
from storage.warehouse import Warehouse


def serve(
    recipe: RecipeName,
    cron: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="When a corpus of the newest dumps is made: '0 3 8 * *' is the 8th of each month, "
            "3 o'clock UTC.  [only on request]",
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Run a recipe on schedule, or on request from Prefect's pages, until Ctrl-C.

    Neither work pool nor worker is needed: runs are processes of this command. Uses the server that
    PREFECT_API_URL names, else one of its own that ends with it and keeps its history.
    """
    load_recipe(recipe)
    warehouse = warehouse_at(root)
    warehouse.require_writable()
    with prefect_server(warehouse.root):
        from prefect.settings import PREFECT_API_URL

        from flows.serving import prepare, serve_flows

        prepare(pools=False)
        pages = str(PREFECT_API_URL.value()).removesuffix("/api")
        typer.echo(f"Prefect's pages: {pages}   (Ctrl-C ends)")
        serve_flows(given(recipe), warehouse.place, cron)


def deploy(recipe: RecipeName, root: Root = None) -> None:
    """Make pools, limits, the watch over dead runs, and deployments on a Prefect server.

    The server is the one that PREFECT_API_URL names. May be run again: what is there is renewed.
    The monthly schedule stays off until it is switched on in Prefect.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            "PREFECT_API_URL names no Prefect server",
            mend="Start one (prefect server start), then export "
            "PREFECT_API_URL=http://127.0.0.1:4200/api; without one: relmill serve",
        )
    load_recipe(recipe)
    warehouse = warehouse_at(root)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from flows.serving import prepare

    prepare(pools=True)
    apply_yaml(recipe, warehouse)
    typer.echo(
        "Deployed: rebuild/monthly (its schedule is off), refresh/on-request, "
        "experiments/on-request.\n"
        "Workers:   prefect worker start --pool cpu   and, where the GPUs are:   prefect worker "
        "start --pool gpu\n"
        "Try:       prefect deployment run refresh/on-request --watch\n"
        "Monthly:   prefect deployment schedule ls rebuild/monthly   and, with the ID it shows:   "
        "prefect deployment schedule resume rebuild/monthly ID"
    )


def apply_yaml(recipe: str, warehouse: Warehouse) -> None:
    """Have Prefect read the deployments that come with relmill.

    Raises:
        StageError: If it refuses, with its words.
    """
    with resources.as_file(resources.files("flows") / "prefect.yaml") as path:
        words = ["--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *words],
            env={
                **os.environ,
                "RELMILL_RECIPE": given(recipe),
                "RELMILL_ROOT": warehouse.place,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise StageError(
            f"Prefect refused the deployments: {done.stdout.strip()}\n{done.stderr.strip()}",
            mend="Look whether the server that PREFECT_API_URL names is there and of this version",
        )


def given(recipe: str) -> str:
    """Return how another process finds a recipe: a builtin's name, or the whole path."""
    return str(Path(recipe).absolute()) if recipe.endswith(".toml") else recipe
