"""Entity rows: turn lines of a Wikidata dump into rows, a list of tuples a kind.

This is where a Wikidata dump spends its time, so rows are made once, in the form in which a table
takes them. `parse_entity` shows the rows of one line as an `Entity`, by name.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from stages.wiki.entity import Entity, Literal, Statement, TimeValue
from stages.wiki.entity_json import Claim, Decoder, Snak, Time, Times, TimeSnak, Value
from stages.wiki.records import DamagedRecord

__all__ = ["EntityReader", "EntityRows", "parse_entity"]

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

ANY_ID = re.compile(r"(?!Q0)[A-Z][0-9]{1,9}(?:-[A-Z][0-9]{1,9})?")
LETTERS = {"item": "Q", "property": "P", "lexeme": "L"}
KIND_OF_LETTER = {"Q": "item", "P": "property"}
INSTANCE_OF = "P31"
FINEST = 14
"""The highest precision of a time: a second."""

REMEMBERED = 1 << 16
"""Ids of items that are remembered as sound; most statements have one of a few thousand."""

Moment = tuple[str, int, str]
"""Time, precision and calendar, as in `TimeValue`."""

Span = tuple[Moment | None, Moment | None, Moment | None]
"""Start, end, point in time."""

About = tuple[str, int, str]
"""Head, ordinal and PID of a statement."""

Stated = tuple[str, str, Moment | None, Moment | None, Moment | None]
"""Snak, rank, start, end, point in time of a statement."""

Content = tuple[str | None, int | None, str | None, str | None, str | None]
"""Value, precision, calendar, unit and language of a literal."""

NO_VALUE = Value()


class EntityRows:
    """Rows of the entities that were read, in the order of the dump; the caller empties it.

    Attributes:
        items: QID, label, description, aliases, sitelink title, classes.
        redirects: QID that was given up, QID that it leads to.
        properties: PID, label, description, aliases, datatype.
        statements: Head, ordinal, PID, tail, rank, snak, start, end, point.
        literals: Head, ordinal, PID, kind, datatype, value, precision, calendar, unit, language,
            snak, rank, start, end, point.
        further: Head, ordinal, and how many times a statement has beyond its start, end and point.

    What the values say is told at `Entity`, `Statement` and `Literal`; a time is a `Moment`.
    """

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.redirects: list[tuple[Any, ...]] = []
        self.properties: list[tuple[Any, ...]] = []
        self.statements: list[tuple[Any, ...]] = []
        self.literals: list[tuple[Any, ...]] = []
        self.further: list[tuple[str, int, int]] = []

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(map(len, self._lists()))

    def clear(self) -> None:
        """Forget all rows."""
        self.cut([0] * len(self._lists()))

    def ends(self) -> list[int]:
        """Return the lengths of the lists, for `cut`."""
        return [len(rows) for rows in self._lists()]

    def cut(self, ends: list[int]) -> None:
        """Forget the rows that were added since `ends`."""
        for rows, end in zip(self._lists(), ends, strict=True):
            del rows[end:]

    def _lists(self) -> tuple[list[Any], ...]:
        lists = (self.items, self.redirects, self.properties, self.statements, self.literals)
        return (*lists, self.further)


class EntityReader:
    """Reads lines of a dump into `rows`.

    Args:
        language: Language code of labels, descriptions and aliases.
        wiki: Name of the wiki whose sitelink is asked for, as "enwiki".
    """

    def __init__(self, language: str, wiki: str) -> None:
        self.rows = EntityRows()
        self._decoder = Decoder(language, wiki)

    def read(self, data: bytes) -> tuple[str, str, list[str]]:
        """Add the rows of one line.

        Args:
            data: One JSON object.

        Returns:
            Kind and id of the entity as in `Entity`, and what is wrong with each statement that
            could not be read.

        Raises:
            DamagedRecord: With one of these reasons, and no row is added: "invalid_utf8",
                "invalid_json", "no_entity" (JSON but no object), "entity_without_id", "invalid_id",
                "invalid_entity" (a part of it has not the shape that it must have).
        """
        line, unread = self._decoder.decode(data)
        if unread:
            return _add(line, unread, self.rows)
        ends = self.rows.ends()
        kind, name, unread = _add(line, unread, self.rows)
        if unread:
            # The fast way knows no foreign types of values; the slow one keeps them as JSON.
            self.rows.cut(ends)
            return _add(*self._decoder.decode_slowly(data), self.rows)
        return kind, name, unread


def parse_entity(data: bytes, language: str, wiki: str) -> Entity:
    """Read one line of a dump, to be looked at; `EntityReader` reads many.

    Args:
        data: One JSON object.
        language: Language code of labels, descriptions and aliases.
        wiki: Name of the wiki whose sitelink is asked for, as "enwiki".

    Raises:
        DamagedRecord: As `EntityReader.read`.
    """
    reader = _reader(language, wiki)
    try:
        return _shown(*reader.read(data), reader.rows)
    finally:
        reader.rows.clear()


@cache
def _reader(language: str, wiki: str) -> EntityReader:
    return EntityReader(language, wiki)


def _shown(kind: str, name: str, unread: list[str], rows: EntityRows) -> Entity:
    further = {ordinal: more for _, ordinal, more in rows.further}
    statements = tuple(_statement(row, further) for row in rows.statements)
    literals = tuple(_literal(row, further) for row in rows.literals)
    for _, target in rows.redirects:
        return Entity(kind, name, redirect_to=target)
    for _, label, description, aliases, datatype in rows.properties:
        return Entity(kind, name, label, description, aliases, datatype=datatype)
    for values in rows.items:
        read = (*values[1:], None, None, statements, literals, tuple(unread))
        return Entity(kind, name, *read)
    return Entity(kind, name)


def _statement(row: tuple[Any, ...], further: dict[int, int]) -> Statement:
    _, n, pid, tail, rank, snak, start, end, point = row
    times: list[Any] = [*map(_named, (start, end, point)), further.get(n, 0)]
    return Statement(n, pid, rank, snak, tail, *times)


def _literal(row: tuple[Any, ...], further: dict[int, int]) -> Literal:
    _, n, pid, kind, datatype, *content, snak, rank, start, end, point = row
    times: list[Any] = [*map(_named, (start, end, point)), further.get(n, 0)]
    return Literal(n, pid, rank, snak, datatype, kind, *content, *times)


def _named(moment: Moment | None) -> TimeValue | None:
    return TimeValue(*moment) if moment is not None else None


def _add(line: Any, unread: list[str], rows: EntityRows) -> tuple[str, str, list[str]]:
    given = line.id or line.entity
    if not given:
        raise DamagedRecord("entity_without_id", f"type {line.type!r}")
    kind = line.type or KIND_OF_LETTER.get(given[0].upper(), "other")
    if kind not in IDS:
        return "other", given, []
    name = _id(given, kind)
    if line.redirect is not None:
        rows.redirects.append((name, _id(line.redirect, kind)))
        return "redirect", name, []
    claims, sitelinks = line.claims, line.sitelinks
    names = (name, _term(line.labels), _term(line.descriptions), _aliases(line.aliases))
    if kind == "property":
        # Its statements are not read: they say nothing of entities that a text names.
        rows.properties.append((*names, line.datatype))
        return kind, name, []
    classes, unreadable = _add_claims(name, claims, rows) if claims else ((), [])
    title = sitelinks.own.title if sitelinks and sitelinks.own else None
    rows.items.append((*names, title, classes))
    return kind, name, [*unread, *unreadable]


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


def _add_claims(
    head: str, claims: dict[str, list[Claim]], rows: EntityRows
) -> tuple[tuple[str, ...], list[str]]:
    """Add statements and literals; return the item's classes and what is wrong with others.

    Items and strings, three of four values, are added here without a call; the speed comes from
    that and from a row being one tuple, never put together of others.
    """
    classes: tuple[str, ...] = ()
    unread: list[str] = []
    statements, literals, n = rows.statements, rows.literals, -1
    for pid, group in claims.items():
        if not _is_property(pid):
            unread.append(f"{pid[:40]!r} is no property")
            continue
        before = len(statements)
        for claim in group:
            n += 1
            snak, rank, stated = claim.mainsnak, claim.rank, claim.mainsnak.snaktype
            data: Any = snak.datavalue
            times: Any = claim.qualifiers
            start = end = at = None
            if times:
                start, end, at = _times(times, head, n, rows)
            value = data.value if data is not None and stated == "value" else NO_VALUE
            if value.__class__ is str:
                # fmt: off
                literals.append((head, n, pid, data.type, snak.datatype, value, None, None, None,
                                 None, stated, rank, start, end, at))
                # fmt: on
            elif (tail := value.id) is not None and _is_item(tail):
                statements.append((head, n, pid, tail, rank, stated, start, end, at))
            elif wrong := _add_other((head, n, pid), snak, (stated, rank, start, end, at), rows):
                unread.append(f"{pid}: {wrong}")
        if pid == INSTANCE_OF:
            classes = _classes(statements[before:])
    return classes, unread


def _classes(statements: list[tuple[Any, ...]]) -> tuple[str, ...]:
    classes = [
        (rank != "preferred", tail)
        for _, _, _, tail, rank, *_ in statements
        if tail is not None and rank != "deprecated"
    ]
    classes.sort(key=lambda ranked: ranked[0])
    return tuple(dict.fromkeys(qid for _, qid in classes))


def _add_other(about: About, snak: Snak, stated: Stated, rows: EntityRows) -> str | None:
    """Add a statement with a value of another kind or without one; return what is wrong with it."""
    data, datatype = snak.datavalue, snak.datatype
    if snak.snaktype != "value":
        _add_missing(about, datatype, stated, rows)
        return None
    if data is None:
        return "a value without datavalue"
    value: Any = data.value
    kind = data.type
    if kind == ENTITY_ID:
        return _add_entity(about, value, datatype, stated, rows)
    content: Content
    if kind == "quantity" and value.amount is not None:
        content = value.amount, None, None, _qid(value.unit), None
    elif kind == "monolingualtext" and value.text is not None:
        content = value.text, None, None, None, value.language
    elif kind == "time" and (time := _time(value)) is not None:
        content = *time, None, None
    elif kind == "globecoordinate" and None not in (value.latitude, value.longitude):
        place = f"{value.latitude},{value.longitude}"
        content = place, None, None, _qid(value.globe), None
    else:
        return f"a value of type {kind!r} that lacks a part or has a wrong one"
    rows.literals.append((*about, kind, datatype, *content, *stated))
    return None


def _add_missing(about: About, datatype: str | None, stated: Stated, rows: EntityRows) -> None:
    """Add a statement whose value is unknown or none."""
    if datatype is None or datatype == ITEM:
        snak, rank, *times = stated
        rows.statements.append((*about, None, rank, snak, *times))
    else:
        kind = KINDS.get(datatype, "string")
        rows.literals.append((*about, kind, datatype, None, None, None, None, None, *stated))


def _add_entity(
    about: About, value: Value, datatype: str | None, stated: Stated, rows: EntityRows
) -> str | None:
    """Add a statement whose value is an entity; before 2016 it has a number and no id."""
    letter, name = LETTERS.get(value.entity_type or ""), value.id
    if letter is not None and value.numeric_id is not None:
        name = f"{letter}{value.numeric_id}"
    elif name is None or not ANY_ID.fullmatch(name):
        return f"an entity of type {value.entity_type!r} with the id {name!r}"
    if _is_item(name):
        snak, rank, *times = stated
        rows.statements.append((*about, name, rank, snak, *times))
    else:
        rows.literals.append((*about, ENTITY_ID, datatype, name, None, None, None, None, *stated))
    return None


def _time(value: Value | Time) -> Moment | None:
    precision, calendar = value.precision, value.calendarmodel
    if value.time is None or calendar is None or precision.__class__ is not int:
        return None
    if not 0 <= precision <= FINEST:
        return None
    return value.time, precision, _qid(calendar) or calendar


@lru_cache(1 << 14)
def _is_property(name: str) -> bool:
    return IDS["property"].fullmatch(name) is not None


@lru_cache(REMEMBERED)
def _is_item(name: str | None) -> bool:
    return name is not None and IDS["item"].fullmatch(name) is not None


@lru_cache(1 << 12)
def _qid(address: str | None) -> str | None:
    """Return the id at the end of an address; None for "1", the unit of mere numbers."""
    if address is None or address == "1":
        return None
    return address.rpartition("/")[2]


def _times(times: Times, head: str, n: int, rows: EntityRows) -> Span:
    """Return the first start, end and point in time; count further ones in the rows."""
    start = end = point = None
    more = 0
    if times.p580 is not None:
        start, more = _first(times.p580)
    if times.p582 is not None:
        end, ends = _first(times.p582)
        more += ends
    if times.p585 is not None:
        point, points = _first(times.p585)
        more += points
    if more:
        rows.further.append((head, n, more))
    return start, end, point


def _first(snaks: list[TimeSnak]) -> tuple[Moment | None, int]:
    """Return the first time that is stated, and how many values stand beside it."""
    for snak in snaks:
        data = snak.datavalue
        if data is not None and not isinstance(data.value, str):
            time = _time(data.value)
            if time is not None:
                return time, len(snaks) - 1
    return None, len(snaks)
