"""What the made-up world is made of: entities, facts that hold, statements that are recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

NER_TYPES = {
    "person": "PER",
    "country": "LOC",
    "region": "LOC",
    "city": "LOC",
    "village": "LOC",
    "university": "ORG",
    "faculty": "ORG",
    "company": "ORG",
    "club": "ORG",
}
"""Kind of an entity -> its type in the gold benchmark; every other kind is MISC."""


class Fact(NamedTuple):
    """A triple: head QID, PID, tail QID."""

    head: str
    pid: str
    tail: str


@dataclass(frozen=True)
class Statement:
    """A fact as Wikidata records it; years are of the Common Era, 0 where none is recorded."""

    fact: Fact
    rank: str = "normal"
    start: int = 0
    end: int = 0


@dataclass
class Entity:
    """One thing of the world, with what both dumps need to know of it.

    `title` is the Wikipedia title (empty: no sitelink), `page` whether the dump holds that page,
    `held_out` whether the gold benchmark is about it. `year` and `end_year` are birth and death,
    foundation or publication; 0 where unknown.
    """

    qid: str
    kind: str
    name: str
    classes: tuple[str, ...]
    title: str = ""
    page: bool = False
    held_out: bool = False
    aliases: list[str] = field(default_factory=list)
    redirects: list[str] = field(default_factory=list)
    sex: str = ""
    year: int = 0
    end_year: int = 0
    country: str = ""
    demonym: str = ""
    description: str = ""
    bold: str = ""

    @property
    def short(self) -> str:
        """The last name of a person; the first alias of anything else that has one; or the name."""
        if self.kind == "person":
            return self.name.rsplit(" ", 1)[-1]
        return self.aliases[0] if self.aliases else self.name

    @property
    def born(self) -> tuple[int, int, int]:
        """Year, month and day of birth, founding or publication."""
        number = int(self.qid[1:])
        return self.year, number % 12 + 1, number % 28 + 1

    @property
    def died(self) -> tuple[int, int, int]:
        """Year, month and day of death."""
        number = int(self.qid[1:])
        return self.end_year, number % 11 + 1, number % 27 + 1

    @property
    def ner_type(self) -> str:
        """PER, LOC, ORG or MISC."""
        return NER_TYPES.get(self.kind, "MISC")


@dataclass
class World:
    """All of it. `facts` hold; `statements` are recorded; the two differ on purpose.

    A fact without a statement is a missing label; a statement of deprecated rank is no label.
    `item_redirects` are pairs of an old QID and the one that it was merged into; `without_qid`
    are link targets that lead to no item: sections, redirects to them, and a loop of redirects.
    """

    entities: dict[str, Entity] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    item_redirects: list[tuple[str, str]] = field(default_factory=list)
    without_qid: list[str] = field(default_factory=list)
    _near: dict[str, list[Fact]] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Entity]:
        """Return the entities of some kinds, in the order in which they were made."""
        return [entity for entity in self.entities.values() if entity.kind in kinds]

    def tails(self, head: str, pid: str) -> list[str]:
        """Return the tails of the facts of a head under a property."""
        return [fact.tail for fact in self.near(head) if fact.head == head and fact.pid == pid]

    def near(self, qid: str) -> list[Fact]:
        """Return the facts in which an entity is head or tail."""
        if not self._near:
            index: defaultdict[str, list[Fact]] = defaultdict(list)
            for fact in self.facts:
                index[fact.head].append(fact)
                index[fact.tail].append(fact)
            self._near = dict(index)
        return self._near.get(qid, [])

    def recorded(self) -> set[Fact]:
        """Return the facts that a distant label can come from: statements not deprecated."""
        return {s.fact for s in self.statements if s.rank != "deprecated"}


def unique(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts without repetition, each where it first stood."""
    return list(dict.fromkeys(facts))
