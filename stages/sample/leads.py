"""The first sentence of an article: who or what it is about, its name in bold."""

from __future__ import annotations

from stages.sample.markup import Piece, words
from stages.sample.sentence import Sentence
from stages.sample.text import Composer
from stages.sample.world import Entity, Fact

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_TEMPLATES = {
    "person": (
        "{self} was {dem:n} {o}",
        "{self} was {dem:n} {o} whose papers were found in <a cellar|an attic>",
        "{self} was {dem:n} {o}, <little known today|much read in the last century>",
    ),
    "country": (
        "{self} is a country that was founded in {y:s} and whose capital is {t}",
        "{self} is a mountainous country with its capital in {t}",
    ),
    "region": (
        "{self} is a region of {n}, governed from {t}",
        "{self} is one of the regions of {n}; {t} is its capital",
    ),
    "city": (
        "{self} is {a:c} in {r}, {n}",
        "{self} is an old {c:city} in {r} in {n}, first named in {y:s}",
    ),
    "university": (
        "{self} is {a:c} in {t}, {n}, founded in {y:s}",
        "{self}, founded in {y:s}, is {a:c} in {t} in {n}",
    ),
    "company": (
        "{self} is a company based in {t}, {n}, and registered in {y:s}",
        "{self} is a firm with its head office in {t} in {n}",
    ),
    "club": (
        "{self} is a football club based in {t}, {n}, known since {y:s}",
        "{self} is a football club with its headquarters in {t} in {n}",
    ),
    "book": (
        "{self} is a novel of {y:s} by the {dem_only:n} writer {t}",
        "{self} is a novel by {t}, first printed in {y:s}",
    ),
    "film": (
        "{self} is a film of {y:s} directed by {t}",
        "{self} is a silent film by {t} that was first shown in {y:s}",
    ),
    "concept": ("{self} is {gloss}", "{self} is {gloss}, found in many countries"),
}
_SLOTS = {
    "person": {"n": "P27", "o": "P106"},
    "country": {"t": "P36"},
    "region": {"n": "P17", "t": "P36"},
    "city": {"r": "P131", "n": "P17"},
    "university": {"t": "P131"},
    "company": {"t": "P159"},
    "club": {"t": "P159"},
    "book": {"t": "P50"},
    "film": {"t": "P57"},
}


def lead(composer: Composer) -> list[Sentence]:
    """Return the lead sentence of the composer's subject, and for some a second one."""
    subject, world = composer.subject, composer.world
    slots = {"s": subject}
    for slot, pid in _SLOTS.get(subject.kind, {}).items():
        slots[slot] = world.entities[world.tails(subject.qid, pid)[0]]
    if subject.kind in ("city", "university"):
        slots["c"] = world.entities[subject.classes[0]]
    if subject.kind in ("university", "company", "club", "book"):
        slots["n"] = world.entities[subject.country]
    prefix, states = _self(composer)
    composer.named.add(subject.qid)
    template = composer.rng.choice(_TEMPLATES[subject.kind])
    rest = template.removeprefix("{self}").replace("{gloss}", _with_article(subject.description))
    states += _states(slots)
    if "{dem_only:n}" in rest:
        states.append(Fact(slots["t"].qid, "P27", slots["n"].qid))
    sentence = composer.sentence(rest, slots, states, "fact", plainly=True)
    sentence.pieces = [*prefix, *sentence.pieces]
    return [sentence]


def _states(slots: dict[str, Entity]) -> list[Fact]:
    """Return what the lead of the subject `s` states, by the entities in its other slots."""
    subject, kind = slots["s"], slots["s"].kind
    stated = [Fact(subject.qid, pid, slots[slot].qid) for slot, pid in _SLOTS.get(kind, {}).items()]
    capital, country = slots.get("t"), slots.get("n")
    if "c" in slots:
        stated.append(Fact(subject.qid, "P31", slots["c"].qid))
    if kind == "country" and capital:
        stated.append(Fact(capital.qid, "P17", subject.qid))
    elif kind == "region" and capital and country:
        stated.append(Fact(subject.qid, "P131", country.qid))
        stated.append(Fact(capital.qid, "P131", subject.qid))
    elif kind == "city" and country:
        stated += [Fact(slots["r"].qid, pid, country.qid) for pid in ("P131", "P17")]
    elif kind in ("university", "company", "club") and capital and country:
        stated += [Fact(one.qid, "P17", country.qid) for one in (subject, capital)]
    return stated


def _self(composer: Composer) -> tuple[list[Piece], list[Fact]]:
    """Return the bold name with what stands in parentheses behind it, and what that states."""
    subject = composer.subject
    if subject.kind == "person":
        return _person(composer)
    if subject.kind == "concept":
        article = _with_article(subject.name)[: -len(subject.name)].capitalize()
        return [words(article), _bold(subject, subject.name)], []
    pieces = [_bold(subject, subject.bold or subject.name)]
    if subject.kind == "city" and subject.aliases:
        pieces += [words(" (formerly "), _bold(subject, subject.aliases[0]), words(")")]
    return pieces, []


def _person(composer: Composer) -> tuple[list[Piece], list[Fact]]:
    subject, world, rng = composer.subject, composer.world, composer.rng
    pieces, stated = [_bold(subject, subject.bold or subject.name), words(" (")], []
    with_places = bool(subject.end_year) and rng.random() < 0.25
    if not subject.end_year:
        pieces.append(words("born "))
    events = [("P19", subject.born), ("P20", subject.died)]
    for index, (pid, day) in enumerate(events if subject.end_year else events[:1]):
        if index:
            dash = rng.choice(("&ndash;", "\u2013"))
            pieces.append(Piece(f" {dash} ", " \u2013 "))
        year, month, number = day
        pieces.append(words(f"{number} {_MONTHS[month - 1]} {year}"))
        if with_places:
            place = world.entities[world.tails(subject.qid, pid)[0]]
            pieces += [words(", "), composer.mention(place)]
            stated.append(Fact(subject.qid, pid, place.qid))
    return [*pieces, words(")")], stated


def _bold(entity: Entity, surface: str) -> Piece:
    marks = "'''''" if entity.kind in ("book", "film") else "'''"
    return Piece(f"{marks}{surface}{marks}", surface, entity.qid)


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[:1] in 'aeiou' else 'a'} {phrase}"
