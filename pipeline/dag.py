"""THE DAG: the stages in the order in which they run; edges follow from what each reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from stages.align import ALIGN
from stages.base import Read, Stage, StageConfig, table_of
from stages.fetch import FETCH
from stages.fetch_benchmarks import FETCH_BENCHMARKS
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
    FETCH_BENCHMARKS,
    PARSE_WIKIDATA,
    PARSE_WIKIPEDIA,
    RECOGNIZE,
    SEGMENT,
    INDEX_ALIASES,
    LINK,
    ALIGN,
)


@dataclass(frozen=True)
class Node:
    """A stage with its config: what it reads may hang on that."""

    stage: Stage
    config: StageConfig

    @property
    def name(self) -> str:
        """Name of the step in plans and runs."""
        return self.stage.name

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it reads with this config."""
        return self.stage.reads_with(self.config)


def stage(name: str) -> Stage:
    """Return a stage by name.

    Raises:
        ConfigError: If there is none; it names the nearest one.
    """
    for candidate in DAG:
        if candidate.name == name:
            return candidate
    raise unknown("stage", name, [s.name for s in DAG])


def writer(table: Table, nodes: Iterable[Node]) -> Node:
    """Return the one among `nodes` that writes a table."""
    return next(n for n in nodes if table in n.stage.writes)


def parents(child: Node, nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Return those of `nodes` that one of them reads from, in their order."""
    read = {table_of(r).name for r in child.reads}
    return tuple(n for n in nodes if any(t.name in read for t in n.stage.writes))


def ancestry(targets: Collection[Node], nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return some of `nodes` and everything that they depend on, in their order."""
    needed = {target.name for target in targets}
    for candidate in reversed(nodes):
        if candidate.name in needed:
            needed.update(p.name for p in parents(candidate, nodes))
    return tuple(n for n in nodes if n.name in needed)


def wanted(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return what a plan without a target makes: all but optional stages that nothing reads."""
    return ancestry([n for n in nodes if not n.stage.optional], nodes)


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist: the nearest one, and the whole list."""
    choices = list(known)
    near = get_close_matches(name, choices, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"there is no {kind} {name!r}", mend=f"{guess}There are: {', '.join(choices)}"
    )
