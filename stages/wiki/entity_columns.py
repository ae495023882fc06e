"""Entity columns: make Arrow columns of the statements that were gathered.

What stretches of statements share, their item and property, is spread over them; what few of them
have is set among nulls. Only texts are passed one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.wiki.entity_claims import LITERAL, NO_ITEM, UNREAD, ClaimColumns
from stages.wiki.entity_moments import Moment

__all__ = ["claim_columns"]

Numbers = np.ndarray[Any, np.dtype[Any]]

TEXT = pa.string()
MOMENT = pa.struct(
    [
        pa.field("time", TEXT, nullable=False),
        pa.field("precision", pa.int8(), nullable=False),
        pa.field("calendar", TEXT, nullable=False),
    ]
)
NO_MOMENT: Moment = ("", 0, "")


def claim_columns(claims: ClaimColumns) -> tuple[list[pa.Array], list[pa.Array]]:
    """Return statements as columns of two tables, the rows in the order in which they came.

    Returns:
        Statements whose value is an item, or unknown, or none: head, ordinal, PID, tail, rank,
        snak, start, end, point. All others: head, ordinal, PID, kind, datatype, value, precision,
        calendar, unit, language, snak, rank, start, end, point. What they say is told at
        `Statement` and `Literal`.
    """
    codes = np.array(claims.codes, dtype=np.int64)
    shared = _Shared(claims)
    return (
        _statements(shared, np.flatnonzero(codes < LITERAL), codes),
        _literals(shared, np.flatnonzero((codes >= LITERAL) & (codes < UNREAD)), codes),
    )


class _Shared:
    """What both tables take their rows from: columns as long as there are statements."""

    def __init__(self, claims: ClaimColumns) -> None:
        self.claims = claims
        sizes = np.array(claims.sizes, dtype=np.int64)
        self.items = np.repeat(np.arange(len(sizes)), sizes)
        self.ordinals = np.arange(len(claims)) - (np.cumsum(sizes) - sizes)[self.items]
        lengths = np.array(claims.lengths, dtype=np.int64)
        self.groups = np.repeat(np.arange(len(lengths)), lengths)
        self.heads = pa.array(claims.heads, TEXT)
        self.pids = pa.array(claims.pids, TEXT)
        moments = (claims.starts, claims.ends, claims.points)
        self.moments = [(list(few), _parts(few.values())) for few in moments]

    def about(self, rows: Numbers) -> list[pa.Array]:
        """Return head, ordinal and PID of some statements."""
        return [
            self.heads.take(pa.array(self.items[rows])),
            pa.array(self.ordinals[rows].astype(np.int32)),
            self.pids.take(pa.array(self.groups[rows])),
        ]

    def usual(self, value: str, others: dict[int, str], rows: Numbers) -> pa.Array:
        """Return a column in which most rows have the same value."""
        if not others:
            return pa.repeat(value, len(rows))
        names = list(dict.fromkeys((value, *others.values())))
        places = np.zeros(len(self.groups), np.int8)
        places[list(others)] = [names.index(name) for name in others.values()]
        return pa.array(names, TEXT).take(pa.array(places[rows]))

    def few(self, numbers: Sequence[int], values: pa.Array, rows: Numbers) -> pa.Array:
        """Return a column that has a value in few rows."""
        if not len(values):
            return pa.nulls(len(rows), values.type)
        places = np.full(len(self.groups), -1)
        places[numbers] = np.arange(len(numbers))
        chosen = places[rows]
        return values.take(pa.array(chosen, mask=chosen < 0))

    def qualifiers(self, rows: Numbers) -> list[pa.Array]:
        """Return start, end and point."""
        return [self._moments(numbers, parts, rows) for numbers, parts in self.moments]

    def _moments(
        self, numbers: Sequence[int], parts: Sequence[pa.Array], rows: Numbers
    ) -> pa.StructArray:
        places = np.zeros(len(self.groups), np.int64)
        places[numbers] = np.arange(1, len(numbers) + 1)
        chosen = places[rows]
        spread = [part.take(pa.array(chosen)) for part in parts]
        return pa.StructArray.from_arrays(spread, fields=list(MOMENT), mask=pa.array(chosen == 0))


def _parts(moments: Collection[Moment]) -> list[pa.Array]:
    """Return times, precisions and calendars, before them what stands where there is no moment.

    That is nothing that is read, but must not be null: no part of a moment is.
    """
    columns = zip(NO_MOMENT, *moments, strict=True)
    return [pa.array(c, field.type) for c, field in zip(columns, MOMENT, strict=True)]


def _statements(shared: _Shared, rows: Numbers, codes: Numbers) -> list[pa.Array]:
    claims = shared.claims
    numbers = pa.array(codes[rows], mask=codes[rows] == NO_ITEM)
    return [
        *shared.about(rows),
        pc.binary_join_element_wise("Q", numbers.cast(TEXT), ""),
        shared.usual("normal", claims.ranks, rows),
        shared.usual("value", claims.snaks, rows),
        *shared.qualifiers(rows),
    ]


def _literals(shared: _Shared, rows: Numbers, codes: Numbers) -> list[pa.Array]:
    claims = shared.claims
    kinds = pa.array(codes[rows] - LITERAL)
    times, units, languages = claims.times, claims.units, claims.languages
    precisions = pa.array([precision for precision, _ in times.values()], pa.int8())
    calendars = pa.array([calendar for _, calendar in times.values()], TEXT)
    return [
        *shared.about(rows),
        pa.array([kind for kind, _ in claims.kinds], TEXT).take(kinds),
        pa.array([datatype for _, datatype in claims.kinds], TEXT).take(kinds),
        pa.array(claims.texts, TEXT),
        shared.few(list(times), precisions, rows),
        shared.few(list(times), calendars, rows),
        shared.few(list(units), pa.array(units.values(), TEXT), rows),
        shared.few(list(languages), pa.array(languages.values(), TEXT), rows),
        shared.usual("value", claims.snaks, rows),
        shared.usual("normal", claims.ranks, rows),
        *shared.qualifiers(rows),
    ]
