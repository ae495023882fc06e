"""Countries, regions, towns and the organizations that sit in them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stages.sample.names import TONGUES, Names, Tongue
from stages.sample.properties import CLASS_OF, CONCEPTS
from stages.sample.world import Entity, Fact, World

FIRST_QID = 1_000_001
FIELDS = ("Law", "Medicine", "Mining", "Navigation", "Agriculture", "Fine Arts", "Surveying")
TRADES = ("Works", "Shipping", "Instruments", "Publishing", "Railways", "Glass", "Textiles")


@dataclass
class Builder:
    """Adds entities and facts to a world under construction.

    Args:
        rng: All chance comes from here.
    """

    rng: random.Random
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.names = Names(self.rng)
        # Ids with gaps and in no order of kind, as in Wikidata: so every shard sees every kind.
        number, numbers = FIRST_QID, []
        for _ in range(1_700):
            numbers.append(number)
            number += self.rng.randint(1, 19)
        self.rng.shuffle(numbers)
        self._numbers = numbers

    def add(self, kind: str, name: str, **details: Any) -> Entity:
        """Add an entity with a new QID and the class of its kind."""
        qid = f"Q{self._numbers.pop()}"
        entity = Entity(qid, kind, name, (CLASS_OF[kind],), **details)
        self.world.entities[qid] = entity
        return entity

    def fact(self, head: Entity, pid: str, tail: Entity) -> None:
        """Let a triple hold."""
        self.world.facts.append(Fact(head.qid, pid, tail.qid))

    def publish(self, entity: Entity, title: str = "") -> None:
        """Give an entity an article."""
        entity.title, entity.page = title or entity.name, True


def add_concepts(builder: Builder) -> None:
    """Add the classes, occupations and common nouns under their real QIDs."""
    for concept in CONCEPTS:
        entity = Entity(concept.qid, "concept", concept.label, ())
        entity.description = concept.gloss
        builder.world.entities[concept.qid] = entity
        if concept.page:
            builder.publish(entity, concept.label[0].upper() + concept.label[1:])
        if concept.superclass:
            builder.world.facts.append(Fact(concept.qid, "P279", concept.superclass))


def add_places(builder: Builder) -> None:
    """Add eight countries with their regions, cities and villages, and who borders whom."""
    countries = [_add_country(builder, tongue) for tongue in TONGUES]
    for index, country in enumerate(countries):
        neighbour = countries[(index + 1) % len(countries)]
        builder.fact(country, "P47", neighbour)
        builder.fact(neighbour, "P47", country)


def _add_country(builder: Builder, tongue: Tongue) -> Entity:
    rng, names = builder.rng, builder.names
    name = names.country(tongue)
    country = builder.add("country", name, year=rng.randint(850, 1890))
    country.demonym = name + tongue.demonym
    country.country = country.qid
    country.redirects = [f"Republic of {name}"]
    country.aliases = [f"Republic of {name}"]
    builder.publish(country)
    regions = []
    for index in range(4):
        region = builder.add("region", names.place(tongue), country=country.qid)
        region.aliases = [f"{region.name} Province"]
        if index < 2:
            builder.publish(region)
        regions.append(region)
        builder.fact(region, "P17", country)
        builder.fact(region, "P131", country)
    for one, other in pairwise(regions):
        builder.fact(one, "P47", other)
        builder.fact(other, "P47", one)
    _add_towns(builder, tongue, country, regions)
    return country


def _add_towns(builder: Builder, tongue: Tongue, country: Entity, regions: list[Entity]) -> None:
    rng, names = builder.rng, builder.names
    for index in range(35):
        kind = "city" if index < 16 else "village"
        town = builder.add(kind, names.place(tongue), country=country.qid)
        town.year = rng.randint(900, 1800)
        # The two regions that have articles hold the towns that have articles.
        region = regions[index % 2] if index < 5 else rng.choice(regions)
        builder.fact(town, "P131", region)
        builder.fact(town, "P17", country)
        if index < 5:
            builder.publish(town)
            if rng.random() < 0.5:
                town.redirects = [names.place(tongue)]
                town.aliases = list(town.redirects)
        if index == 0:
            builder.fact(country, "P36", town)
        if index < 2 or 6 <= index < 8:
            builder.fact(regions[index % 2 if index < 2 else index - 4], "P36", town)
        town.held_out = index == 6 and country.qid[-1] in "02468"
        if town.held_out:
            town.title = town.name


def cities(builder: Builder, country: Entity, *, published: bool) -> list[Entity]:
    """Return the cities of a country, those with an article or all."""
    return [
        city
        for city in builder.world.of_kind("city")
        if city.country == country.qid and (city.page or not published)
    ]


def add_organizations(builder: Builder) -> None:
    """Add universities with faculties, companies and football clubs to every country."""
    for index, country in enumerate(builder.world.of_kind("country")):
        _add_universities(builder, country)
        _add_companies(builder, country, TONGUES[index])
        _add_clubs(builder, country)


def _seat(builder: Builder, entity: Entity, pid: str, city: Entity) -> None:
    entity.country = city.country
    builder.fact(entity, pid, city)
    if builder.rng.random() < 0.6:
        builder.fact(entity, "P17", builder.world.entities[city.country])


def _add_universities(builder: Builder, country: Entity) -> None:
    rng = builder.rng
    for index, city in enumerate(rng.sample(cities(builder, country, published=True), 4)):
        field_name = rng.choice(FIELDS)
        name = (
            f"University of {city.name}"
            if index % 2 == 0
            else f"{city.name} School of {field_name}"
        )
        university = builder.add("university", name, year=rng.randint(1400, 1850))
        university.aliases = [f"{city.name} University"] if index % 2 == 0 else []
        university.redirects = list(university.aliases)
        _seat(builder, university, "P131", city)
        if index < 2:
            builder.publish(university)
        elif index == 2 and len(builder.world.of_kind("university")) < 14:
            university.title, university.held_out = name, True
        for subject in rng.sample(FIELDS, 2):
            faculty = builder.add("faculty", f"{name} Faculty of {subject}", country=country.qid)
            faculty.aliases = [f"Faculty of {subject}"]
            builder.fact(faculty, "P361", university)


def _add_companies(builder: Builder, country: Entity, tongue: Tongue) -> None:
    rng, names = builder.rng, builder.names
    published = cities(builder, country, published=True)
    companies: list[Entity] = []
    for index in range(8):
        surname, trade = names.surname(tongue), rng.choice(TRADES)
        name = f"{surname} & {names.surname(tongue)}" if index == 0 else f"{surname} {trade}"
        company = builder.add("company", name, year=rng.randint(1790, 1910))
        company.aliases = [surname]
        _seat(builder, company, "P159", rng.choice(published))
        if index < 2:
            builder.publish(company)
        elif index == 2 and country.qid[-1] in "13579":
            company.title, company.held_out = name, True
        if companies and rng.random() < 0.4:
            builder.fact(company, "P361", companies[0])
        companies.append(company)


def _add_clubs(builder: Builder, country: Entity) -> None:
    rng = builder.rng
    for index, city in enumerate(cities(builder, country, published=True)[:5]):
        name = rng.choice((f"{city.name} FC", f"{city.name} Rovers", f"Sporting {city.name}"))
        club = builder.add("club", name, year=rng.randint(1870, 1910))
        club.aliases = [city.name]
        _seat(builder, club, "P159", city)
        if index < 1 or (index == 1 and country.qid[-1] in "05"):
            builder.publish(club)
