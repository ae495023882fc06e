"""Entity: one line of a Wikidata dump as typed rows, in one language and for one wiki."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from stages.wiki.entity_json import Claim, Decoder, Snak, Times, Value
from stages.wiki.records import DamagedRecord

__all__ = ["Entity", "Literal", "Statement", "TimeValue", "parse_entity"]

ENTITY_ID = "wikibase-entityid"
KINDS = {
    "time": "time",
    "quantity": "quantity",
    "monolingualtext": "monolingualtext",
    "globe-coordinate": "globecoordinate",
    "wikibase-property": ENTITY_ID,
    "wikibase-lexeme": ENTITY_ID,
    "wikibase-form": ENTITY_ID,
    "wikibase-sense": ENTITY_ID,
    "entity-schema": ENTITY_ID,
}
"""Type of a value by the datatype of its property; the others have strings."""

ITEM = "wikibase-item"
IDS = {"item": re.compile(r"Q[1-9]\d{0,17}"), "property": re.compile(r"P[1-9]\d{0,17}")}
LETTERS = {"item": "Q", "property": "P", "lexeme": "L"}
KIND_OF_LETTER = {"Q": "item", "P": "property"}
INSTANCE_OF = "P31"
FINEST = 14
"""The highest precision of a time: a second."""

Span = tuple["TimeValue | None", "TimeValue | None", "TimeValue | None", int]
"""Start, end, point in time, and how many more there are."""

Content = tuple[str, str | None, int | None, str | None, str | None, str | None]
"""Kind, value, precision, calendar, unit and language of a literal."""


class TimeValue(Struct, frozen=True, gc=False):
    """A time as Wikidata states it.

    Attributes:
        time: As in the dump: "+1237-01-01T00:00:00Z". What is finer than `precision` means
            nothing, month and day may be 00, and the year may have any number of digits.
        precision: 0 (a billion years) to 9 (year), 10 (month), 11 (day), 14 (second).
        calendar: QID of the calendar: Q1985727 Gregorian, Q1985786 Julian.
    """

    time: str
    precision: int
    calendar: str


class Statement(Struct, frozen=True, gc=False):
    """A statement whose value is an item, or unknown, or none.

    Attributes:
        ordinal: Place among all statements of the entity, literal ones too, from 0.
        pid: Property.
        rank: "preferred", "normal" or "deprecated".
        snak: "value", "somevalue" (there is one, unknown) or "novalue" (there is none).
        tail_qid: Item that is the value; None for somevalue and novalue.
        start: First value of the qualifier P580 (start time).
        end: First value of P582 (end time).
        point: First value of P585 (point in time).
        more_times: Number of further P580, P582 and P585 that are not kept: second values, and
            those whose value is unknown or none.
    """

    ordinal: int
    pid: str
    rank: str
    snak: str
    tail_qid: str | None
    start: TimeValue | None = None
    end: TimeValue | None = None
    point: TimeValue | None = None
    more_times: int = 0


class Literal(Struct, frozen=True, gc=False):
    """A statement whose value is no item: a time, a quantity, a string, a place on a globe.

    Of a quantity the bounds are left out, of a place its precision, of a time its time zone.

    Attributes:
        ordinal: Place among all statements of the entity, from 0.
        pid: Property.
        rank: "preferred", "normal" or "deprecated".
        snak: "value", "somevalue" or "novalue".
        datatype: Datatype of the property, as "external-id"; None where the dump does not say.
        kind: Type of the value as the JSON names it: "time", "quantity", "string",
            "monolingualtext", "globecoordinate"; "wikibase-entityid" for properties, lexemes and
            other entities that are no items. Without a value: what the datatype would have.
        value: Time as in the dump, amount with its sign ("+16"), string, text, "latitude,longitude"
            in degrees, id; None for somevalue and novalue. Of an unknown kind: its JSON.
        precision: Precision of a time, 0 to 14.
        calendar: QID of a time's calendar.
        unit: QID of a quantity's unit, None for a mere number; of a place: QID of its globe.
        language: Language code of a monolingual text.
        start: First value of the qualifier P580 (start time).
        end: First value of P582 (end time).
        point: First value of P585 (point in time).
        more_times: As of `Statement`.
    """

    ordinal: int
    pid: str
    rank: str
    snak: str
    datatype: str | None
    kind: str
    value: str | None
    precision: int | None = None
    calendar: str | None = None
    unit: str | None = None
    language: str | None = None
    start: TimeValue | None = None
    end: TimeValue | None = None
    point: TimeValue | None = None
    more_times: int = 0


class Entity(Struct, frozen=True, gc=False):
    """An entity, in one language and with its article on one wiki.

    Attributes:
        kind: "item", "property", "redirect" (the id was given up for another) or "other" (lexemes,
            files and the like, of which nothing but the id is read).
        id: "Q31", "P31", ...
        label: Label in the language, else the one that holds in all languages, else None.
        description: Description, likewise.
        aliases: Further names in the language and in all languages, none twice.
        sitelink_title: Title of its article on the wiki, None where it has none.
        instance_of: QIDs of P31 that are not deprecated, preferred ones first, none twice.
        redirect_to: Id that a redirect leads to, one step.
        datatype: Kind of the values of a property, as Wikidata names it.
        statements: Statements whose value is an item, or is not there.
        literals: All other statements.
        unread: What is wrong with each statement that could not be read, as a message.
    """

    kind: str
    id: str
    label: str | None = None
    description: str | None = None
    aliases: tuple[str, ...] = ()
    sitelink_title: str | None = None
    instance_of: tuple[str, ...] = ()
    redirect_to: str | None = None
    datatype: str | None = None
    statements: tuple[Statement, ...] = ()
    literals: tuple[Literal, ...] = ()
    unread: tuple[str, ...] = ()


NO_TIMES: Span = (None, None, None, 0)


class _Unreadable(Exception):
    """One statement that cannot be read."""


def parse_entity(data: bytes, language: str, wiki: str) -> Entity:
    """Read one line of a dump.

    Args:
        data: One JSON object.
        language: Language code of labels, descriptions and aliases.
        wiki: Name of the wiki whose sitelink is asked for, as "enwiki".

    Raises:
        DamagedRecord: With one of these reasons: "invalid_utf8", "invalid_json", "no_entity" (JSON
            but no object), "entity_without_id", "invalid_id", "invalid_entity" (a part of it has
            not the shape that it must have).
    """
    decoder = _decoder(language, wiki)
    entity = _entity(*decoder.decode(data))
    if entity.unread:
        # The fast way knows no foreign types of values; the slow one keeps them as JSON.
        entity = _entity(*decoder.decode_slowly(data))
    return entity


@cache
def _decoder(language: str, wiki: str) -> Decoder:
    return Decoder(language, wiki)


def _entity(line: Any, unread: list[str]) -> Entity:
    given = line.id or line.entity
    if not given:
        raise DamagedRecord("entity_without_id", f"type {line.type!r}")
    kind = line.type or KIND_OF_LETTER.get(given[:1].upper(), "other")
    if kind not in IDS:
        return Entity("other", given)
    qid = given.upper()
    for name in (qid, line.redirect):
        if name is not None and not IDS[kind].fullmatch(name):
            raise DamagedRecord("invalid_id", f"{kind} {name[:40]!r}")
    if line.redirect is not None:
        return Entity("redirect", qid, redirect_to=line.redirect)
    statements, literals, unreadable = _rows(line.claims) if line.claims else ([], [], [])
    return Entity(
        kind,
        qid,
        _term(line.labels),
        _term(line.descriptions),
        _aliases(line.aliases),
        line.sitelinks.own.title if line.sitelinks and line.sitelinks.own else None,
        _classes(statements),
        None,
        line.datatype,
        tuple(statements),
        tuple(literals),
        (*unread, *unreadable),
    )


def _term(terms: Any) -> str | None:
    # Both an absent map and [] are false; a struct is true.
    term = (terms.own or terms.shared) if terms else None
    return (term.value or None) if term else None


def _aliases(aliases: Any) -> tuple[str, ...]:
    if not aliases:
        return ()
    return tuple(dict.fromkeys(a.value for a in (*(aliases.own or ()), *(aliases.shared or ()))))


def _classes(statements: list[Statement]) -> tuple[str, ...]:
    classes = [
        (statement.rank != "preferred", statement.tail_qid)
        for statement in statements
        if statement.pid == INSTANCE_OF and statement.tail_qid and statement.rank != "deprecated"
    ]
    classes.sort(key=lambda ranked: ranked[0])
    return tuple(dict.fromkeys(qid for _, qid in classes))


def _rows(claims: dict[str, list[Claim]]) -> tuple[list[Statement], list[Literal], list[str]]:
    """Return statements, literals, and what is wrong with those that cannot be read."""
    statements: list[Statement] = []
    literals: list[Literal] = []
    unread: list[str] = []
    ordinal = 0
    for pid, group in claims.items():
        for claim in group:
            snak, rank = claim.mainsnak, claim.rank
            times = _times(claim.qualifiers) if claim.qualifiers else NO_TIMES
            try:
                tail, content = _content(snak)
            except _Unreadable as error:
                unread.append(f"{pid}: {error}")
            else:
                if content is None:
                    row = Statement(ordinal, pid, rank, snak.snaktype, tail, *times)
                    statements.append(row)
                else:
                    known = (ordinal, pid, rank, snak.snaktype, snak.datatype)
                    literals.append(Literal(*known, *content, *times))  # type: ignore[arg-type]
            ordinal += 1
    return statements, literals, unread


def _content(snak: Snak) -> tuple[str | None, Content | None]:
    """Return the item that is the value, or what a literal says; both None for no value."""
    data = snak.datavalue
    if snak.snaktype != "value":
        if snak.datatype is None or snak.datatype == ITEM:
            return None, None
        return None, (KINDS.get(snak.datatype, "string"), None, None, None, None, None)
    if data is None:
        raise _Unreadable("a value without datavalue")
    value, kind = data.value, data.type
    if isinstance(value, str):
        return None, (kind, value, None, None, None, None)
    if kind == ENTITY_ID:
        name = value.id or _numbered(value)
        if name[0] == "Q":
            return name, None
        return None, (kind, name, None, None, None, None)
    return None, (kind, *_literal(value, kind))


def _numbered(value: Value) -> str:
    """Return the id of an entity value of before 2016, which has a number only."""
    letter = LETTERS.get(value.entity_type or "")
    if letter is None or value.numeric_id is None:
        raise _Unreadable(f"an entity of type {value.entity_type!r} without id")
    return f"{letter}{value.numeric_id}"


def _literal(value: Value, kind: str) -> tuple[str, int | None, str | None, str | None, str | None]:
    """Return value, precision, calendar, unit and language."""
    if kind == "time":
        moment = _time(value)
        return moment.time, moment.precision, moment.calendar, None, None
    if kind == "quantity" and value.amount is not None:
        return value.amount, None, None, _qid(value.unit), None
    if kind == "monolingualtext" and value.text is not None:
        return value.text, None, None, None, value.language
    if kind == "globecoordinate" and value.latitude is not None and value.longitude is not None:
        return f"{value.latitude},{value.longitude}", None, None, _qid(value.globe), None
    raise _Unreadable(f"a value of type {kind!r} without its parts")


def _time(value: Value) -> TimeValue:
    precision, calendar = value.precision, value.calendarmodel
    if value.time is None or not isinstance(precision, int) or calendar is None:
        raise _Unreadable("a time without its parts")
    if not 0 <= precision <= FINEST:
        raise _Unreadable(f"a time of precision {precision}")
    return TimeValue(value.time, precision, _qid(calendar) or calendar)


@lru_cache(4096)
def _qid(address: str | None) -> str | None:
    """Return the id at the end of an address; None for "1", the unit of mere numbers."""
    if address is None or address == "1":
        return None
    return address.rpartition("/")[2]


def _times(qualifiers: Times | list[None]) -> Span:
    if not isinstance(qualifiers, Times):
        return NO_TIMES
    started, ended, at = qualifiers.p580, qualifiers.p582, qualifiers.p585
    if started is ended is at is None:
        return NO_TIMES
    start, more_starts = _first(started)
    end, more_ends = _first(ended)
    point, more_points = _first(at)
    return start, end, point, more_starts + more_ends + more_points


def _first(snaks: list[Snak] | None) -> tuple[TimeValue | None, int]:
    """Return the first time that is stated, and how many values stand beside it."""
    if snaks is None:
        return None, 0
    first = next(filter(None, map(_moment, snaks)), None)
    return first, len(snaks) - (first is not None)


def _moment(snak: Snak) -> TimeValue | None:
    data = snak.datavalue
    if data is None or isinstance(data.value, str):
        return None
    try:
        return _time(data.value)
    except _Unreadable:
        return None
