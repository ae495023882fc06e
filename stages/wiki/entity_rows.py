"""Entity rows: what lines of a Wikidata dump say, as a list of tuples a kind.

This is where a Wikidata dump spends its time, so rows are made once, in the form in which a table
takes them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EntityRows", "Moment"]

Moment = tuple[str, int, str]
"""Time, precision and calendar, as in `TimeValue`."""


class EntityRows:
    """Rows of the entities that were read, in the order of the dump; the caller empties it.

    Attributes:
        items: QID, label, description, aliases, sitelink title, classes.
        redirects: QID that was given up, QID that it leads to.
        properties: PID, label, description, aliases, datatype.
        statements: Head, ordinal, PID, tail, rank, snak, start, end, point.
        literals: Head, ordinal, PID, kind, datatype, value, precision, calendar, unit, language,
            snak, rank, start, end, point.
        further: Head, ordinal, and how many times a statement has beyond its start, end and point.

    What the values say is told at `Entity`, `Statement` and `Literal`; a time is a `Moment`.
    """

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.redirects: list[tuple[Any, ...]] = []
        self.properties: list[tuple[Any, ...]] = []
        self.statements: list[tuple[Any, ...]] = []
        self.literals: list[tuple[Any, ...]] = []
        self.further: list[tuple[str, int, int]] = []

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(map(len, self._lists()))

    def clear(self) -> None:
        """Forget all rows."""
        self.cut([0] * len(self._lists()))

    def ends(self) -> list[int]:
        """Return the lengths of the lists, for `cut`."""
        return [
            len(self.items),
            len(self.redirects),
            len(self.properties),
            len(self.statements),
            len(self.literals),
            len(self.further),
        ]

    def cut(self, ends: list[int]) -> None:
        """Forget the rows that were added since `ends`."""
        for rows, end in zip(self._lists(), ends, strict=True):
            del rows[end:]

    def _lists(self) -> tuple[list[Any], ...]:
        lists = (self.items, self.redirects, self.properties, self.statements, self.literals)
        return (*lists, self.further)
