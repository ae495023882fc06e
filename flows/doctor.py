"""`relmill doctor`: say what of this machine is as it should be, and what will not work."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator

import typer

from flows.options import Root, warehouse_at
from pipeline.doctor import Finding, examine


def doctor(root: Root = None) -> None:
    """Say what of this machine is as it should be, what will not work, and the mend."""
    found = [*examine(warehouse_at(root)), *prefect_findings()]
    width = max(len(each.what) for each in found)
    for each in found:
        sign = "!" if each.mend and each.needed else " "
        typer.echo(f"{sign} {each.what:<{width}}  {each.found}")
        if each.mend:
            typer.echo(f"  {'':<{width}}  -> {each.mend}")
    if any(f.mend and f.needed for f in found):
        raise typer.Exit(1)


def prefect_findings() -> Iterator[Finding]:
    """Look at the settings of Prefect in the environment, and at the server that they name."""
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = set(_get_settings_fields(Settings))
    own = {name for name in os.environ if name.startswith("PREFECT_")}
    strange = sorted(n for n in own - known if not n.startswith("PREFECT_REDIS_"))
    yield Finding(
        "Prefect's settings",
        ", ".join(strange) or f"{len(own)} in the environment",
        "Prefect knows none of these and ignores them: look for a slip" if strange else "",
    )
    url = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        yield Finding("Prefect's server", "none named: a run starts its own and ends it")
        return
    try:
        with urllib.request.urlopen(f"{url}/admin/version", timeout=10) as answer:
            version = json.load(answer)
    except (OSError, ValueError) as error:
        mend = "Start it (prefect server start), or unset PREFECT_API_URL"
        yield Finding("Prefect's server", f"{url} does not answer: {error}", mend, needed=True)
        return
    from prefect import __version__

    same = version == __version__
    mend = "" if same else f"Here is {__version__}: upgrade both together"
    yield Finding("Prefect's server", f"{url}, version {version}", mend)
