"""Entity claims: turn the statements of an item into rows of statements and of literals."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from stages.wiki.entity_json import Claim, Snak, Time, Times, TimeSnak, Value
from stages.wiki.entity_rows import EntityRows, Moment

__all__ = ["ITEM_ID", "PROPERTY_ID", "add_claims"]

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
ITEM_ID = re.compile(r"Q[1-9][0-9]{0,8}")
PROPERTY_ID = re.compile(r"P[1-9][0-9]{0,8}")
"""A billion items are eight times those of 2025."""

ANY_ID = re.compile(r"(?!Q0)[A-Z][0-9]{1,9}(?:-[A-Z][0-9]{1,9})?")
LETTERS = {"item": "Q", "property": "P", "lexeme": "L"}
INSTANCE_OF = "P31"
FINEST = 14
"""The highest precision of a time: a second."""

REMEMBERED = 1 << 16
"""Strings that rows share; the values of most statements are one of a few thousand items."""

Span = tuple[Moment | None, Moment | None, Moment | None]
"""Start, end, point in time."""

About = tuple[str, int, str]
"""Head, ordinal and PID of a statement."""

Stated = tuple[str, str, Moment | None, Moment | None, Moment | None]
"""Snak, rank, start, end, point in time of a statement."""

Content = tuple[str | None, int | None, str | None, str | None, str | None]
"""Value, precision, calendar, unit and language of a literal."""

NO_VALUE = Value()


class _Shared(dict[str | None, str | None]):
    """Gives for a string the equal one that was met first."""

    def __missing__(self, text: str | None) -> str | None:
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = text
        return text


class _SharedItems(_Shared):
    """Gives for the id of an item the equal one that was met first, for all else None."""

    def __missing__(self, text: str | None) -> str | None:
        if text is None or not ITEM_ID.fullmatch(text):
            return None
        return super().__missing__(text)


_ITEMS, _WORDS = _SharedItems(), _Shared()


def add_claims(
    head: str, claims: dict[str, list[Claim]], rows: EntityRows
) -> tuple[tuple[str, ...], list[str]]:
    """Add statements and literals; return the item's classes and what is wrong with others.

    Items and strings, three of four values, are added here without a call; the speed comes from
    that, from a row being one tuple, never put together of others, and from rows that share the
    strings they repeat.
    """
    classes: tuple[str, ...] = ()
    unread: list[str] = []
    statements, literals, n = rows.statements, rows.literals, -1
    items, words = _ITEMS, _WORDS
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
                literals.append((head, n, pid, words[data.type], words[snak.datatype], value, None,
                                 None, None, None, stated, rank, start, end, at))
                # fmt: on
            elif (tail := value.id) is not None and (tail := items[tail]) is not None:
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
    if _ITEMS[name] is not None:
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
    return PROPERTY_ID.fullmatch(name) is not None


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
