"""What a table is: its columns, its key, and along what it is cut into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

Axis = Literal["source", "page", "item", "whole"]

FORMAT = 1
"""Version of the warehouse's layout; a manifest with a higher one was made by a newer relmill."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type and what a value of it says."""

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """What a table holds and how it is cut.

    Attributes:
        axis: Along what the table is cut into parts: `source` (one part per raw file), `page`
            (by page id), `item` (by the number of a QID or PID) or `whole` (one part).
        key: Columns that rows of a part are sorted by, in this order.
        identity: Columns that say what the table is made from, where the others only describe it;
            empty where all count. A part's content is the digest of these columns.
    """

    name: str
    one_row_per: str
    axis: Axis
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    identity: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of the rows."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @cached_property
    def signature(self) -> list[list[object]]:
        """What of the schema counts in a fingerprint: names, types, nullability and the key."""
        columns: list[list[object]] = [[c.name, str(c.type), c.nullable] for c in self.columns]
        return [*columns, ["key", *self.key]]

    def batch(self, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
        """Return rows, each a tuple of the columns in their order, as a record batch."""
        columns = zip(*rows, strict=True) if rows else ([] for _ in self.columns)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def __getitem__(self, source: str) -> Selection:
        """Return the parts of one named source, as in `SOURCES["wikipedia"]`."""
        return Selection(self, source)


@dataclass(frozen=True)
class Selection:
    """The parts of a table along the axis `source` that belong to one source."""

    table: Table
    source: str
