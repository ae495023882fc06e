"""The labels of the tuples as something to count: a common table expression for queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.queries import queries
from storage.reading import Tables

QUERIES = queries("labels")


def ask_labels(
    tables: Tables, query: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query over `labels`, one row per tuple and relation.

    Beside the columns of `tuples` a label has `pid`; `distance`, its sentence distance in classes;
    and `method`: how the end was linked that is less sure, by its best mention, or "none" where
    neither has an item.
    """
    tables.artifact("tuples")
    evidence, labels = QUERIES["evidence"].sql, QUERIES["labels"].sql
    found = tables.sql(
        f"WITH evidence AS ({evidence}), labels AS ({labels}) {query}",
        parameters,
        or_empty=("properties",),
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows
