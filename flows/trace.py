"""One page, followed through every table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.render import grid
from pipeline.pairs import page_named
from storage.queries import queries
from storage.reading import Tables

MOST = 12


def trace_text(tables: Tables, title: str) -> str:
    """Return what each table holds of a page.

    Raises:
        ConfigError: If there is no such page; it names the nearest title, or a redirect's target.
    """
    page_id = page_named(tables, title)
    parts = []
    for table, query in queries("trace_page").items():
        if table in tables.stages:
            rows = tables.sql(query.sql, {"page_id": page_id, "title": title}).to_pylist()
            parts.append(block_text(f"{table}: {query.meaning}", rows))
    return "\n\n".join(parts)


def block_text(head: str, rows: list[dict[str, Any]]) -> str:
    """Return the rows of one table: one row as lines, several as columns."""
    if not rows:
        return f"{head}\n  none"
    if len(rows) == 1 and len(rows[0]) > 5:
        body = "\n".join(one_row(rows[0]))
    else:
        body = grid([list(row.values()) for row in rows[:MOST]], list(rows[0]))
    more = f"\n... {len(rows) - MOST:,} more" if len(rows) > MOST else ""
    return f"{head} ({len(rows):,})\n" + "\n".join(
        f"  {line}" for line in (body + more).split("\n")
    )


def one_row(row: Mapping[str, Any]) -> list[str]:
    """Return one row as a line a column."""
    return [f"{name:<16} {' '.join(str(value).split())[:400]}" for name, value in row.items()]
