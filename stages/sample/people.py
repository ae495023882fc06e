"""People, the families and careers that tie them to places, and the works that they made."""

from __future__ import annotations

from stages.sample.names import TONGUES, Tongue
from stages.sample.places import Builder, cities
from stages.sample.properties import ROLE_OCCUPATIONS
from stages.sample.world import Entity

ROLES = ("book", "film", "book", "club", "company", "city", "university", "")
PEOPLE_PER_COUNTRY = 62
PUBLISHED_PER_COUNTRY = 8
HELD_OUT_PER_COUNTRY = 2
FIRST_FILM_MAKER, FIRST_FOOTBALLER = 1866, 1850
"""Years of birth before which nobody makes films or plays football."""


def add_people(builder: Builder) -> None:
    """Add the families of every country and give each member a life."""
    for index, country in enumerate(builder.world.of_kind("country")):
        people: list[Entity] = []
        while len(people) < PEOPLE_PER_COUNTRY:
            people += _add_family(builder, country, TONGUES[index])
        for rank, person in enumerate(people):
            if rank < PUBLISHED_PER_COUNTRY:
                builder.publish(person)
            elif rank < PUBLISHED_PER_COUNTRY + HELD_OUT_PER_COUNTRY:
                person.title, person.held_out = person.name, True
        for rank, person in enumerate(people):
            _add_life(builder, country, person, _role(person, rank))


def _role(person: Entity, rank: int) -> str:
    role = ROLES[rank % len(ROLES)]
    late = person.year >= FIRST_FILM_MAKER
    if role == "film" and not late:
        return "book"
    if role == "book" and late and rank % 2 == 0 and rank % len(ROLES):
        return "film"
    if role == "" and person.year >= FIRST_FOOTBALLER:
        return "club"
    if role == "club" and person.year < FIRST_FOOTBALLER:
        return ""
    return role


def _add_person(builder: Builder, sex: str, surname: str, year: int) -> Entity:
    name = builder.names.person(sex, surname)
    person = builder.add("person", name, sex=sex, year=year)
    if builder.rng.random() < 0.75 or year < 1880:
        person.end_year = year + builder.rng.randint(38, 88)
    given, last = name.split(" ", 1)
    middle = builder.names.given(sex)
    person.aliases = [f"{given} {middle} {last}"]
    if builder.rng.random() < 0.35:
        person.redirects = list(person.aliases)
    if builder.rng.random() < 0.3:
        person.bold = person.aliases[0]
    return person


def _add_family(builder: Builder, country: Entity, tongue: Tongue) -> list[Entity]:
    rng, names = builder.rng, builder.names
    surname, year = names.surname(tongue), rng.randint(1790, 1890)
    husband = _add_person(builder, "male", surname, year)
    wife = _add_person(builder, "female", names.surname(tongue), year + rng.randint(-4, 9))
    builder.fact(husband, "P26", wife)
    builder.fact(wife, "P26", husband)
    family = [husband, wife]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        sex = rng.choice(("male", "female"))
        child = _add_person(builder, sex, surname, year + rng.randint(24, 38))
        builder.fact(child, "P22", husband)
        builder.fact(child, "P25", wife)
        builder.fact(husband, "P40", child)
        builder.fact(wife, "P40", child)
        family.append(child)
    for person in family:
        person.country = country.qid
    return family


def _add_life(builder: Builder, country: Entity, person: Entity, role: str) -> None:
    rng, world = builder.rng, builder.world
    published = bool(person.title)
    towns = cities(builder, country, published=published)
    builder.fact(person, "P27", country)
    builder.fact(person, "P19", rng.choice(towns))
    if person.end_year:
        builder.fact(person, "P20", rng.choice(towns))
    occupations = ROLE_OCCUPATIONS[role]
    builder.fact(person, "P106", world.entities[rng.choice(occupations)])
    universities = [u for u in world.of_kind("university") if u.country == country.qid]
    if rng.random() < 0.7:
        builder.fact(person, "P69", rng.choice(universities[:3] if published else universities))
    if role == "university" or rng.random() < 0.2:
        builder.fact(person, "P108", rng.choice(universities))
    companies = [c for c in world.of_kind("company") if c.country == country.qid]
    if rng.random() < 0.25:
        builder.fact(person, "P108", rng.choice(companies[:3] if published else companies))
    if role == "company":
        _found(builder, person, companies)
    elif role == "city":
        builder.fact(rng.choice(towns), "P6", person)
    elif role == "club":
        clubs = [c for c in world.of_kind("club") if c.country == country.qid]
        for club in rng.sample(clubs[:2] if published else clubs, rng.choice((1, 2))):
            builder.fact(person, "P54", club)
    elif role:
        _add_works(builder, country, person, role)


def _found(builder: Builder, person: Entity, companies: list[Entity]) -> None:
    founded = {fact.head for fact in builder.world.facts if fact.pid == "P112"}
    for company in [c for c in companies if c.qid not in founded][:1]:
        company.year = max(company.year, person.year + 25)
        builder.fact(company, "P112", person)


def _add_works(builder: Builder, country: Entity, person: Entity, role: str) -> None:
    rng, world = builder.rng, builder.world
    if role not in ("book", "film"):
        return
    places = [city.name for city in cities(builder, country, published=True)]
    for index in range(rng.choice((1, 2, 2, 3)) if role == "book" else rng.choice((2, 3, 4))):
        work = builder.add(role, builder.names.work(places), country=country.qid)
        last = person.end_year or person.year + 60
        work.year = min(person.year + rng.randint(24, 50), last)
        if role == "film":
            work.year = max(work.year, 1902)
        builder.fact(work, "P50" if role == "book" else "P57", person)
        builder.fact(work, "P495", country)
        if person.page and index < 2:
            builder.publish(work)
        elif person.title and index < 2:
            work.title, work.held_out = work.name, True
        books = [
            b for b in world.of_kind("book") if b.country == country.qid and b.year < work.year
        ]
        if role == "film" and books and rng.random() < 0.6:
            builder.fact(work, "P144", books[0] if work.title else rng.choice(books))
