"""One page, followed through every table."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from typing import Any

from flows.render import grid
from storage.errors import ConfigError
from storage.reading import Tables

MOST = 12


def trace_text(tables: Tables, title: str) -> str:
    """Return what each table holds of a page.

    Raises:
        ConfigError: If there is no such page; it names the nearest title, or a redirect's target.
    """
    found = tables.sql("SELECT page_id FROM pages WHERE title = $title", {"title": title})
    if not found.num_rows:
        raise no_page(tables, title)
    page_id = found["page_id"][0].as_py()
    text = (resources.files("storage") / "queries" / "trace_page.sql").read_text("utf-8")
    parts = []
    for block in text.split("-- @")[1:]:
        head, query = block.split("\n", 1)
        table, meaning = head.split(": ", 1)
        if table in tables.stages:
            rows = tables.sql(query, {"page_id": page_id, "title": title}).to_pylist()
            parts.append(block_text(f"{table}: {meaning}", rows))
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


def no_page(tables: Tables, title: str) -> ConfigError:
    """Return the error for a title that is no article."""
    redirect = tables.sql(
        "SELECT target_title FROM redirects WHERE title = $title", {"title": title}
    )
    if redirect.num_rows:
        target = redirect["target_title"][0].as_py()
        return ConfigError(f"{title!r} is a redirect", mend=f"It leads to {target!r}: trace that")
    titles = tables.sql("SELECT title FROM pages")["title"].to_pylist()
    near = get_close_matches(title, titles, n=3)
    guess = f"Near it: {', '.join(near)}" if near else "Titles are written as on Wikipedia"
    return ConfigError(f"there is no page {title!r}", mend=guess)
