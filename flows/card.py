"""The command `card`: what a corpus holds, beside the corpora of the papers."""

from __future__ import annotations

import typer

from flows.options import RecipeName, Root, Sets, TagName, warehouse_at
from pipeline import card as cards
from pipeline.selection import select


def card(recipe: RecipeName, sets: Sets = None, tag: TagName = None, root: Root = None) -> None:
    """Describe a corpus in Markdown: size beside ERICA's, relations, links, sources, licences.

    \b
    relmill card tiny
    relmill card mine.toml > CORPUS-CARD.md
    """  # noqa: D301
    typer.echo(cards.card(select(warehouse_at(root), recipe, sets or [], tag)))
