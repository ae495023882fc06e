"""The labels of the tuples as something to count: a common table expression for queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.queries import queries
from storage.reading import Tables

QUERIES = queries("labels")
NO_LINKS = (
    "SELECT NULL::BIGINT AS page_id, NULL::VARCHAR AS document_id, NULL::INT AS entity, "
    "NULL::VARCHAR AS method, NULL::INT AS sureness WHERE false"
)


def ask_labels(
    tables: Tables, query: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query over `labels`, one row per tuple and relation.

    Beside the columns of `tuples` a label has `pid`; `distance`, its sentence distance in classes;
    and `method`: how the end was linked that is less sure, by its best mention, or "none" where
    entities came with the text.
    """
    tables.artifact("tuples")
    evidence = QUERIES["evidence"].sql if "links" in tables.stages else NO_LINKS
    found = tables.sql(
        f"WITH evidence AS ({evidence}), labels AS ({QUERIES['labels'].sql}) {query}", parameters
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows
