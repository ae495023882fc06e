"""Datavalues of the Wikidata dump: items, times, quantities, strings, and what has no value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stages.sample.world import Entity

Json = dict[str, Any]
CONCEPT_URI = "http://www.wikidata.org/entity/"
GREGORIAN, JULIAN = "Q1985727", "Q1985786"
END_OF_JULIAN = 1582


@dataclass(frozen=True)
class Literal:
    """A statement whose value is no item: a datavalue, or a snak type that has none."""

    pid: str
    value: Json | None
    snaktype: str = "value"
    rank: str = "normal"
    qualifiers: dict[str, Json] = field(default_factory=dict)


def item(qid: str) -> Json:
    """Return the value that points to an item."""
    value = {"entity-type": "item", "numeric-id": int(qid[1:]), "id": qid}
    return {"value": value, "type": "wikibase-entityid"}


def time(year: int, month: int = 0, day: int = 0, precision: int = 0) -> Json:
    """Return a time.

    Args:
        year: Negative before the Common Era.
        month: 1 to 12, or 0 for none.
        day: 1 to 31, or 0 for none.
        precision: 9 year, 10 month, 11 day, 7 century; 0 means by what is given.
    """
    precision = precision or (11 if day else 10 if month else 9)
    calendar = GREGORIAN if year >= END_OF_JULIAN else JULIAN
    value = {
        "time": f"{'-' if year < 0 else '+'}{abs(year):04}-{month:02}-{day:02}T00:00:00Z",
        "timezone": 0,
        "before": 0,
        "after": 0,
        "precision": precision,
        "calendarmodel": CONCEPT_URI + calendar,
    }
    return {"value": value, "type": "time"}


def quantity(amount: int, unit: str = "") -> Json:
    """Return a number with the QID of its unit, or without one."""
    value: Json = {"amount": f"{amount:+}", "unit": CONCEPT_URI + unit if unit else "1"}
    if unit:
        value |= {"upperBound": f"{amount + 1:+}", "lowerBound": f"{amount - 1:+}"}
    return {"value": value, "type": "quantity"}


def string(text: str) -> Json:
    """Return a string."""
    return {"value": text, "type": "string"}


def monolingual(text: str) -> Json:
    """Return a text in English."""
    return {"value": {"text": text, "language": "en"}, "type": "monolingualtext"}


def coordinate(latitude: float, longitude: float) -> Json:
    """Return a point in degrees."""
    value = {
        "latitude": latitude,
        "longitude": longitude,
        "altitude": None,
        "precision": 0.0001,
        "globe": CONCEPT_URI + "Q2",
    }
    return {"value": value, "type": "globecoordinate"}


def literals(entity: Entity, rng: random.Random) -> Iterator[Literal]:
    """Yield the statements of an entity whose values are no items."""
    if entity.kind == "person":
        yield from _of_person(entity, rng)
    elif entity.kind in ("book", "film"):
        yield Literal("P577", some_day(entity.born, rng))
        yield Literal("P1476", monolingual(entity.name))
    elif entity.kind in ("country", "region", "city", "village"):
        yield from _of_place(entity, rng)
    elif entity.year:
        yield Literal("P571", time(entity.year, 1, 1, precision=9))
        if rng.random() < 0.3:
            site = entity.name.split()[0].lower().encode("ascii", "ignore").decode()
            yield Literal("P856", string(f"https://{site}.example/"))


def some_day(date: tuple[int, int, int], rng: random.Random) -> Json:
    """Return a time known to the day, the month or the year."""
    year, month, day = date
    return rng.choice((time(year, month, day), time(year, month), time(year)))


def _of_person(entity: Entity, rng: random.Random) -> Iterator[Literal]:
    yield Literal("P569", some_day(entity.born, rng))
    if entity.end_year:
        yield Literal("P570", some_day(entity.died, rng))
    elif rng.random() < 0.2:
        yield Literal("P570", None, "somevalue")
    if rng.random() < 0.03:
        yield Literal("P19", None, "somevalue", "deprecated")
    if rng.random() < 0.05:
        yield Literal("P40", None, "novalue")


def _of_place(entity: Entity, rng: random.Random) -> Iterator[Literal]:
    if entity.demonym:
        yield Literal("P1549", monolingual(entity.demonym))
    if entity.year:
        # One old town is older than any calendar of ours, and known to the century only.
        ancient = entity.kind == "city" and rng.random() < 0.04
        yield Literal("P571", time(-43, precision=7) if ancient else time(entity.year))
    people = rng.randint(200, 900_000)
    for index, year in enumerate((1970, 2001, 2021)):
        rank = "preferred" if year == 2021 else "normal"
        count = quantity(people + index * people // 9)
        yield Literal("P1082", count, "value", rank, {"P585": time(year, precision=9)})
    if entity.kind in ("city", "village"):
        yield Literal("P2044", quantity(rng.randint(0, 900), "Q11573"))
        yield Literal(
            "P625", coordinate(rng.randint(-800, 800) / 10, rng.randint(-1700, 1700) / 10)
        )
        yield Literal("P373", string(entity.name))
