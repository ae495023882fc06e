"""SQL over the tables: saved questions, and files of several queries, each under a name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Query:
    """One query of a file: what it says, and its SQL."""

    meaning: str
    sql: str


def queries(file: str) -> dict[str, Query]:
    """Return the queries of `FILE.sql` by name; each begins with `-- @NAME: what it says`."""
    text = resources.files(__name__).joinpath(f"{file}.sql").read_text("utf-8")
    found = {}
    for block in text.split("-- @")[1:]:
        head, sql = block.split("\n", 1)
        name, meaning = head.split(": ", 1)
        found[name] = Query(meaning, sql)
    return found
