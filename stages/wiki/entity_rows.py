"""Entity rows: turn one line of a Wikidata dump into an `Entity`."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from stages.wiki.entity import Entity, Literal, Statement, TimeValue
from stages.wiki.entity_json import Claim, Decoder, Snak, Times, Value
from stages.wiki.records import DamagedRecord

__all__ = ["parse_entity"]

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
IDS = {"item": re.compile(r"Q[1-9][0-9]{0,8}"), "property": re.compile(r"P[1-9][0-9]{0,8}")}
"""Ids by kind. A billion items are eight times those of 2025."""

LONGEST_ID = 10

ANY_ID = re.compile(r"(?!Q0)[A-Z][0-9]{1,9}(?:-[A-Z][0-9]{1,9})?")
LETTERS = {"item": "Q", "property": "P", "lexeme": "L"}
KIND_OF_LETTER = {"Q": "item", "P": "property"}
INSTANCE_OF = "P31"
FINEST = 14
"""The highest precision of a time: a second."""

Span = tuple[TimeValue | None, TimeValue | None, TimeValue | None, int]
"""Start, end, point in time, and how many more there are."""

Content = tuple[str, str | None, int | None, str | None, str | None, str | None]
"""Kind, value, precision, calendar, unit and language of a literal."""

Rows = tuple[list[Statement], list[Literal], list[str]]


NO_TIMES: Span = (None, None, None, 0)
NO_TIME: tuple[TimeValue | None, int] = (None, 0)
NO_ROWS: Rows = ([], [], [])


class _UnreadableError(Exception):
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
    kind = line.type or KIND_OF_LETTER.get(given[0].upper(), "other")
    if kind not in IDS:
        return Entity("other", given)
    name = _id(given, kind)
    if line.redirect is not None:
        return Entity("redirect", name, redirect_to=_id(line.redirect, kind))
    claims, sitelinks = line.claims, line.sitelinks
    statements, literals, unreadable = _rows(claims) if claims else NO_ROWS
    return Entity(
        kind,
        name,
        _term(line.labels),
        _term(line.descriptions),
        _aliases(line.aliases),
        sitelinks.own.title if sitelinks and sitelinks.own else None,
        _classes(statements) if claims and INSTANCE_OF in claims else (),
        None,
        line.datatype,
        tuple(statements),
        tuple(literals),
        (*unread, *unreadable),
    )


def _id(given: str, kind: str) -> str:
    name = given.upper()
    if not IDS[kind].fullmatch(name):
        raise DamagedRecord("invalid_id", f"{kind} {given[:40]!r}")
    return name


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


def _rows(claims: dict[str, list[Claim]]) -> Rows:
    """Return statements, literals, and what is wrong with those that cannot be read.

    Nine of ten statements have an item or a string and no times. They are made here, without calls
    and with default fields, which is what the loop's speed comes from.
    """
    statements: list[Statement] = []
    literals: list[Literal] = []
    unread: list[str] = []
    ordinal = -1
    for pid, group in claims.items():
        if not _is_property(pid):
            unread.append(f"{pid[:40]!r} is no property")
            continue
        for claim in group:
            ordinal += 1
            snak, rank = claim.mainsnak, claim.rank
            data, kind = snak.datavalue, snak.snaktype
            times = NO_TIMES if claim.qualifiers is None else _times(claim.qualifiers)
            if times is NO_TIMES and data is not None and kind == "value":
                value = data.value
                if isinstance(value, str):
                    literals.append(
                        Literal(ordinal, pid, rank, kind, snak.datatype, data.type, value)
                    )
                    continue
                name = value.id
                if name and name[0] == "Q" and len(name) <= LONGEST_ID and name[1:].isdecimal():
                    statements.append(Statement(ordinal, pid, rank, kind, name))
                    continue
            try:
                content = _content(snak)
            except _UnreadableError as error:
                unread.append(f"{pid}: {error}")
                continue
            if isinstance(content, tuple):
                known = (ordinal, pid, rank, kind, snak.datatype)
                literals.append(Literal(*known, *content, *times))  # type: ignore[arg-type]
            else:
                statements.append(Statement(ordinal, pid, rank, kind, content, *times))
    return statements, literals, unread


def _content(snak: Snak) -> str | Content | None:
    """Return the item that is the value, None for no value, or what a literal says."""
    data = snak.datavalue
    if snak.snaktype != "value":
        if snak.datatype is None or snak.datatype == ITEM:
            return None
        return KINDS.get(snak.datatype, "string"), None, None, None, None, None
    if data is None:
        raise _UnreadableError("a value without datavalue")
    value, kind = data.value, data.type
    if isinstance(value, str):
        return kind, value, None, None, None, None
    if kind == ENTITY_ID:
        name = _name(value)
        return name if IDS["item"].fullmatch(name) else (kind, name, None, None, None, None)
    return kind, *_literal(value, kind)


def _name(value: Value) -> str:
    """Return the id of an entity value; before 2016 it has a number only."""
    letter = LETTERS.get(value.entity_type or "")
    if letter is not None and value.numeric_id is not None:
        return f"{letter}{value.numeric_id}"
    if value.id is None or not ANY_ID.fullmatch(value.id):
        raise _UnreadableError(f"an entity of type {value.entity_type!r} with the id {value.id!r}")
    return value.id


def _literal(value: Value, kind: str) -> tuple[str, int | None, str | None, str | None, str | None]:
    """Return value, precision, calendar, unit and language."""
    if kind == "time" and (time := _time(value)) is not None:
        return time.time, time.precision, time.calendar, None, None
    if kind == "quantity" and value.amount is not None:
        return value.amount, None, None, _qid(value.unit), None
    if kind == "monolingualtext" and value.text is not None:
        return value.text, None, None, None, value.language
    if kind == "globecoordinate" and value.latitude is not None and value.longitude is not None:
        return f"{value.latitude},{value.longitude}", None, None, _qid(value.globe), None
    raise _UnreadableError(f"a value of type {kind!r} that lacks a part or has a wrong one")


def _time(value: Value) -> TimeValue | None:
    precision, calendar = value.precision, value.calendarmodel
    if value.time is None or calendar is None or not isinstance(precision, int):
        return None
    if not 0 <= precision <= FINEST:
        return None
    return TimeValue(value.time, precision, _qid(calendar) or calendar)


@lru_cache(1 << 14)
def _is_property(name: str) -> bool:
    return IDS["property"].fullmatch(name) is not None


@lru_cache(1 << 12)
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
    start, more_starts = NO_TIME if started is None else _first(started)
    end, more_ends = NO_TIME if ended is None else _first(ended)
    point, more_points = NO_TIME if at is None else _first(at)
    return start, end, point, more_starts + more_ends + more_points


def _first(snaks: list[Snak]) -> tuple[TimeValue | None, int]:
    """Return the first time that is stated, and how many values stand beside it."""
    for snak in snaks:
        data = snak.datavalue
        if data is not None and not isinstance(data.value, str):
            time = _time(data.value)
            if time is not None:
                return time, len(snaks) - 1
    return None, len(snaks)
