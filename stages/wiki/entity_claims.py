"""Entity claims: gather the statements of items in columns, for tables to be made of.

This is where a Wikidata dump spends its time. Three of four statements have an item or a string,
are of normal rank and say nothing of time: of such a one a number is kept, or a string and a
number. What few have is kept by the place of the statement.
"""

from __future__ import annotations

import re
from array import array
from itertools import chain, islice
from typing import Any

from stages.wiki.entity_json import Claim, Snak, Times, Value
from stages.wiki.entity_moments import Moment, add_first, last_part, moment

__all__ = ["ITEM_ID", "LITERAL", "NO_ITEM", "PROPERTY_ID", "UNREAD", "ClaimColumns"]

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
REMEMBERED = 1 << 16
"""Properties that need no second look; Wikidata has 13,000."""

_PROPERTIES: set[str] = set()
NO_VALUE = Value()
NO_ITEM, LITERAL, UNREAD = 0, 1 << 30, (1 << 32) - 1
"""Codes of statements: of an item that is unknown or none; the first of literals; left out."""


class _Codes(dict[tuple[str, str | None], int]):
    """Gives numbers to kinds of literals, a type of value and a datatype, as they are met."""

    def __missing__(self, kind: tuple[str, str | None]) -> int:
        self[kind] = code = len(self) + LITERAL
        return code


class _StringCodes(dict[str | None, int]):
    """Gives the codes of strings by datatype."""

    def __init__(self, codes: _Codes) -> None:
        self._codes = codes

    def __missing__(self, datatype: str | None) -> int:
        self[datatype] = code = self._codes["string", datatype]
        return code


class ClaimColumns:
    """Statements of any number of items, literal ones too, in the order in which they came.

    A statement's number is its place in `codes`.

    Attributes:
        heads: Items; `sizes` says how many statements each has.
        pids: Properties of stretches of statements; `lengths` says how many each has.
        codes: The number of the item that is the value (42 of Q42), else `NO_ITEM`, `UNREAD`, or
            the number that `kinds` gives to a type and a datatype.
        texts: Values of the literals as text, one each, None where it is unknown or none.
        ranks, snaks: Of statements whose rank is not "normal", or whose snak is not "value".
        starts, ends, points: Qualifiers of time of those that have them.
        times: Precision and calendar of those whose value is a time.
        units, languages: Of those that have one.
        further: How many times a statement has beyond its start, end and point.
    """

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.sizes: list[int] = []
        self.pids: list[str] = []
        self.lengths: list[int] = []
        self.codes = array("I")
        self.texts: list[str | None] = []
        self.ranks: dict[int, str] = {}
        self.snaks: dict[int, str] = {}
        self.starts: dict[int, Moment] = {}
        self.ends: dict[int, Moment] = {}
        self.points: dict[int, Moment] = {}
        self.times: dict[int, tuple[int, str]] = {}
        self.units: dict[int, str] = {}
        self.languages: dict[int, str | None] = {}
        self.further: dict[int, int] = {}
        self.kinds = _Codes()
        self._strings = _StringCodes(self.kinds)

    def __len__(self) -> int:
        """Return the number of statements, those left out too."""
        return len(self.codes)

    def add(self, head: str, claims: dict[str, list[Claim]]) -> tuple[tuple[str, ...], list[str]]:
        """Add the statements of an item; return its classes and what is wrong with others.

        Most are added here without a call: the speed comes from that. Where an item is given by
        its number and by its id, the number is read: it needs no check.
        """
        unread: list[str] = []
        if not _PROPERTIES.issuperset(claims):
            claims = _of_properties(claims, unread)
        codes, texts, strings = self.codes, self.texts, self._strings
        begin = len(codes)
        for claim in chain.from_iterable(claims.values()):
            snak, times = claim.mainsnak, claim.qualifiers
            data: Any = snak.datavalue
            if times:
                self._add_times(times)  # type: ignore[arg-type]
            if claim.rank != "normal":
                self.ranks[len(codes)] = claim.rank
            value = data.value if data is not None and snak.snaktype == "value" else NO_VALUE
            if value.__class__ is str:
                string = data.type == "string"
                codes.append(strings[snak.datatype] if string else self._code(snak))
                texts.append(value)
            elif (item := value.numeric_id) is not None and value.entity_type == "item":
                codes.append(item)
            elif wrong := self._add_other(snak):
                unread.append(f"{_property_of(claims, len(codes) - begin)}: {wrong}")
                codes.append(UNREAD)
        self.heads.append(head)
        self.sizes.append(len(codes) - begin)
        self.pids.extend(claims)
        self.lengths.extend(map(len, claims.values()))
        return self._classes(claims, begin), unread

    def begin(self) -> tuple[int, int, int, int]:
        """Return how much there is, for `cut`."""
        return len(self.heads), len(self.pids), len(self.codes), len(self.texts)

    def cut(self, begin: tuple[int, int, int, int]) -> None:
        """Forget what was added since `begin`."""
        items, groups, statements, literals = begin
        del self.heads[items:], self.sizes[items:]
        del self.pids[groups:], self.lengths[groups:]
        del self.codes[statements:], self.texts[literals:]
        for few in self._sparse():
            for number in [number for number in few if number >= statements]:
                del few[number]

    def clear(self) -> None:
        """Forget all."""
        self.cut((0, 0, 0, 0))
        self.kinds.clear()
        self._strings.clear()

    def _sparse(self) -> tuple[dict[int, Any], ...]:
        moments = (self.starts, self.ends, self.points)
        return (
            *moments,
            self.times,
            self.ranks,
            self.snaks,
            self.units,
            self.languages,
            self.further,
        )

    def _classes(self, claims: dict[str, list[Claim]], begin: int) -> tuple[str, ...]:
        if INSTANCE_OF not in claims:
            return ()
        for pid, group in claims.items():
            if pid == INSTANCE_OF:
                break
            begin += len(group)
        end = begin + len(claims[INSTANCE_OF])
        tails = {n: f"Q{self.codes[n]}" for n in range(begin, end) if 0 < self.codes[n] < LITERAL}
        if ranks := self.ranks.keys() & tails.keys():
            preferred = [n for n in tails if self.ranks.get(n) == "preferred"]
            others = [n for n in tails if n not in ranks]
            return tuple(dict.fromkeys(tails[n] for n in preferred + others))
        return tuple(dict.fromkeys(tails.values()))

    def _code(self, snak: Snak) -> int:
        data: Any = snak.datavalue
        return self.kinds[data.type, snak.datatype]

    def _add_other(self, snak: Snak) -> str | None:
        """Add a value of another kind, or that there is none; return what is wrong with it."""
        if snak.snaktype != "value":
            self._add_missing(snak)
            return None
        if snak.datavalue is None:
            return "a value without datavalue"
        value: Any = snak.datavalue.value
        kind, number = snak.datavalue.type, len(self.codes)
        if kind == ENTITY_ID:
            return self._add_entity(value, snak)
        if kind == "quantity" and value.amount is not None:
            content, unit = value.amount, last_part(value.unit)
        elif kind == "monolingualtext" and value.text is not None:
            content, unit = value.text, None
            self.languages[number] = value.language
        elif kind == "time" and (time := moment(value)) is not None:
            content, unit = time[0], None
            self.times[number] = time[1:]
        elif kind == "globecoordinate" and None not in (value.latitude, value.longitude):
            content, unit = f"{value.latitude},{value.longitude}", last_part(value.globe)
        else:
            return f"a value of type {kind!r} that lacks a part or has a wrong one"
        if unit is not None:
            self.units[number] = unit
        self.codes.append(self._code(snak))
        self.texts.append(content)
        return None

    def _add_missing(self, snak: Snak) -> None:
        """Add that a value is unknown or none."""
        datatype = snak.datatype
        self.snaks[len(self.codes)] = snak.snaktype
        if datatype is None or datatype == ITEM:
            self.codes.append(NO_ITEM)
        else:
            self.codes.append(self.kinds[KINDS.get(datatype, "string"), datatype])
            self.texts.append(None)

    def _add_entity(self, value: Value, snak: Snak) -> str | None:
        """Add a value that is an entity; it has an id, a number or both, before 2016 no id."""
        name = value.id
        if value.numeric_id is not None and value.entity_type in LETTERS:
            name = f"{LETTERS[value.entity_type]}{value.numeric_id}"
        elif name is None or not ANY_ID.fullmatch(name):
            return f"an entity of type {value.entity_type!r} with the id {name!r}"
        if ITEM_ID.fullmatch(name):
            self.codes.append(int(name[1:]))
        else:
            self.codes.append(self._code(snak))
            self.texts.append(name)
        return None

    def _add_times(self, times: Times) -> None:
        """Add the first start, end and point in time, and count further ones."""
        number, more = len(self.codes), 0
        if times.p580 is not None:
            more += add_first(times.p580, number, self.starts)
        if times.p582 is not None:
            more += add_first(times.p582, number, self.ends)
        if times.p585 is not None:
            more += add_first(times.p585, number, self.points)
        if more:
            self.further[number] = more


def _of_properties(claims: dict[str, list[Claim]], unread: list[str]) -> dict[str, list[Claim]]:
    """Return the statements of properties; say which have something else."""
    if len(_PROPERTIES) >= REMEMBERED:
        _PROPERTIES.clear()
    known = {pid for pid in claims if PROPERTY_ID.fullmatch(pid)}
    _PROPERTIES.update(known)
    unread.extend(f"{pid[:40]!r} is no property" for pid in claims if pid not in known)
    return {pid: group for pid, group in claims.items() if pid in known}


def _property_of(claims: dict[str, list[Claim]], number: int) -> str:
    """Return the property of the statement that has so many before it."""
    groups = chain.from_iterable([pid] * len(group) for pid, group in claims.items())
    return next(islice(groups, number, None))
