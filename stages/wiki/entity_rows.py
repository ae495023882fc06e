"""Entity rows: what lines of a Wikidata dump say, in the form in which tables take it."""

from __future__ import annotations

from typing import Any

from stages.wiki.entity_claims import ClaimColumns

__all__ = ["EntityRows"]


class EntityRows:
    """Rows of the entities that were read, in the order of the dump; the caller empties it.

    Attributes:
        items: QID, label, description, aliases, sitelink title, classes.
        redirects: QID that was given up, QID that it leads to.
        properties: PID, label, description, aliases, datatype.
        claims: Statements of the items; `claim_columns` makes the columns of tables of them.

    What the values say is told at `Entity`.
    """

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.redirects: list[tuple[Any, ...]] = []
        self.properties: list[tuple[Any, ...]] = []
        self.claims = ClaimColumns()

    def __len__(self) -> int:
        """Return how many rows are held."""
        rows = len(self.items) + len(self.redirects) + len(self.properties)
        return rows + len(self.claims)

    def clear(self) -> None:
        """Forget all rows."""
        self.items.clear()
        self.redirects.clear()
        self.properties.clear()
        self.claims.clear()
