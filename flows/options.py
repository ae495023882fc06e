"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.warehouse import Warehouse, open_root

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="tiny or another of `relmill recipes`, or a path to a .toml."
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STAGE.FIELD=VALUE",
        help="Put a value over the recipe; may be repeated. STAGE.VARIANT.FIELD means one variant.",
    ),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="STEP", help="Go no further than this step: link, finetune.x."),
]
Root = Annotated[
    str | None,
    typer.Option(
        "--root",
        envvar="RELMILL_ROOT",
        metavar="DIR",
        help="The warehouse, where tables lie: a folder, or s3://BUCKET/PREFIX.  [warehouse]",
    ),
]
TagName = Annotated[
    str | None, typer.Option("--tag", metavar="TAG", help="The tables that a tag names.")
]


def warehouse_at(root: str | None) -> Warehouse:
    """Return the warehouse that --root or RELMILL_ROOT names."""
    return open_root(root or "warehouse")
