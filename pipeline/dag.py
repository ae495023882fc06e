"""THE DAG: the stages in the order in which they run; edges follow from what each reads."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from stages.align import ALIGN
from stages.base import Stage, table_of
from stages.fetch import FETCH
from stages.index_aliases import INDEX_ALIASES
from stages.link import LINK
from stages.parse_wikidata import PARSE_WIKIDATA
from stages.parse_wikipedia import PARSE_WIKIPEDIA
from stages.recognize import RECOGNIZE
from stages.segment import SEGMENT
from storage.errors import ConfigError
from storage.table import Table

DAG: tuple[Stage, ...] = (
    FETCH,
    PARSE_WIKIDATA,
    PARSE_WIKIPEDIA,
    RECOGNIZE,
    SEGMENT,
    INDEX_ALIASES,
    LINK,
    ALIGN,
)


def stage(name: str) -> Stage:
    """Return a stage by name.

    Raises:
        ConfigError: If there is none; it names the nearest one.
    """
    for candidate in DAG:
        if candidate.name == name:
            return candidate
    raise unknown("stage", name, [s.name for s in DAG])


def writer(table: Table) -> Stage:
    """Return the stage that writes a table."""
    return next(s for s in DAG if table in s.writes)


def parents(child: Stage) -> tuple[Stage, ...]:
    """Return the stages that a stage reads from, in the order of the DAG."""
    read = {table_of(r).name for r in child.reads}
    return tuple(s for s in DAG if any(t.name in read for t in s.writes))


def ancestry(target: Stage) -> tuple[Stage, ...]:
    """Return a stage and everything that it depends on, in the order of the DAG."""
    needed = {target.name}
    for candidate in reversed(DAG):
        if candidate.name in needed:
            needed.update(p.name for p in parents(candidate))
    return tuple(s for s in DAG if s.name in needed)


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist: the nearest one, and the whole list."""
    choices = list(known)
    near = get_close_matches(name, choices, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"there is no {kind} {name!r}", mend=f"{guess}There are: {', '.join(choices)}"
    )
