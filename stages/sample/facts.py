"""The world as a whole: who shares a name, and what Wikidata misses or gets wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence

from stages.sample.people import add_people
from stages.sample.places import Builder, add_concepts, add_organizations, add_places
from stages.sample.world import Entity, Fact, Statement, World, unique

MISSING = {"P31": 0.0, "P279": 0.0, "P17": 0.06, "P131": 0.06, "P106": 0.1, "P40": 0.3}
MISSING_ELSE = 0.16
"""Share of the facts that hold of which Wikidata has no statement, by property."""
DEPRECATED_SHARE = 0.02
TIMED = ("P6", "P26", "P54", "P69", "P108")
EXTRA_SITELINKS = 60


def build_world(seed: int) -> World:
    """Return the world of a seed: the same for the same seed, in any process."""
    builder = Builder(random.Random(f"world {seed}"))
    add_concepts(builder)
    add_places(builder)
    add_organizations(builder)
    add_people(builder)
    _share_names(builder)
    _add_pages_elsewhere(builder)
    world = builder.world
    for entity in world.entities.values():
        world.facts += [Fact(entity.qid, "P31", cls) for cls in entity.classes]
    world.facts = unique(world.facts)
    _record(builder)
    return world


def _share_names(builder: Builder) -> None:
    """Let several items bear one name, with titles told apart as Wikipedia does it."""
    world = builder.world
    towns = [city for city in world.of_kind("city") if city.page]
    for one, other in ((towns[1], towns[7]), (towns[12], towns[23]), (towns[32], towns[18])):
        other.name = one.name
        other.title = f"{one.name} ({world.entities[other.country].name})"
    towns[12].title = f"{towns[12].name}, {world.entities[towns[12].country].name}"
    men = [p for p in world.of_kind("person") if p.page and p.sex == "male"]
    for one, other in ((men[0], men[-1]), (men[2], men[-3]), (men[4], men[-5])):
        other.name, other.bold, other.aliases, other.redirects = one.name, "", [], []
        for person in (one, other) if one is not men[0] else (other,):
            same = _occupation(world, one) == _occupation(world, other)
            born = f", born {person.year}" if same else ""
            person.title = f"{one.name} ({_occupation(world, person)}{born})"
    books = [book for book in world.of_kind("book") if book.page]
    women = [p for p in world.of_kind("person") if p.page and p.sex == "female"]
    books[-1].name, books[-1].title = women[1].name, f"{women[1].name} (novel)"
    for film in world.of_kind("film"):
        adapted = [world.entities[qid] for qid in world.tails(film.qid, "P144")]
        if film.page and adapted and adapted[0].page and "(" not in adapted[0].title:
            film.name = adapted[0].name
            film.title = f"{film.name} (film)"
            adapted[0].title = f"{film.name} (novel)"


def _occupation(world: World, person: Entity) -> str:
    return world.entities[world.tails(person.qid, "P106")[0]].name


def _add_pages_elsewhere(builder: Builder) -> None:
    """Give some items a sitelink to a page that this slice of a dump does not hold."""
    taken = {e.title for e in builder.world.entities.values()}
    bare = [e for e in builder.world.entities.values() if not e.title and e.name not in taken]
    for entity in builder.rng.sample(bare, EXTRA_SITELINKS):
        if entity.kind != "concept":
            entity.title = entity.name


def _record(builder: Builder) -> None:
    rng, world = builder.rng, builder.world
    for fact in world.facts:
        if rng.random() < MISSING.get(fact.pid, MISSING_ELSE):
            continue
        start, end = _years(rng, world, fact)
        rank = "preferred" if fact.pid in ("P6", "P54") and rng.random() < 0.3 else "normal"
        world.statements.append(Statement(fact, rank, start, end))
    for fact in rng.sample(world.facts, int(DEPRECATED_SHARE * len(world.facts))):
        kind = world.entities[fact.tail].kind
        wrong = Fact(fact.head, fact.pid, rng.choice(_alternatives(world, kind)).qid)
        if kind != "concept" and wrong not in world.facts and wrong.head != wrong.tail:
            world.statements.append(Statement(wrong, "deprecated"))


def _alternatives(world: World, kind: str) -> Sequence[Entity]:
    return world.of_kind(kind)


def _years(rng: random.Random, world: World, fact: Fact) -> tuple[int, int]:
    if fact.pid not in TIMED or rng.random() < 0.3:
        return 0, 0
    head, tail = world.entities[fact.head], world.entities[fact.tail]
    person = tail if fact.pid == "P6" else head
    start = person.year + rng.randint(18, 32)
    last = person.end_year or start + 20
    end = min(start + rng.randint(2, 15), last) if rng.random() < 0.7 else 0
    return (min(start, last), end)
