"""Entity reader: read lines of a Wikidata dump into rows; `parse_entity` shows one by name."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from stages.wiki.entity import Entity, Literal, Statement, TimeValue
from stages.wiki.entity_claims import ITEM_ID, PROPERTY_ID
from stages.wiki.entity_columns import claim_columns
from stages.wiki.entity_json import Decoder
from stages.wiki.entity_rows import EntityRows
from stages.wiki.records import DamagedRecord

__all__ = ["EntityReader", "parse_entity"]

IDS = {"item": ITEM_ID, "property": PROPERTY_ID}

KIND_OF_LETTER = {"Q": "item", "P": "property"}


class EntityReader:
    """Reads lines of a dump into `rows`.

    Args:
        language: Language code of labels, descriptions and aliases.
        wiki: Name of the wiki whose sitelink is asked for, as "enwiki".
    """

    def __init__(self, language: str, wiki: str) -> None:
        self.rows = EntityRows()
        self._decoder = _decoder(language, wiki)
        self._known: set[str] = set()

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
                "invalid_entity" (a part of it has not the shape that it must have),
                "duplicate_id" (a line with this id was read before).
        """
        line, unread = self._decoder.decode(data)
        claims = self.rows.claims
        begin = claims.begin()
        kind, name, unreadable = _add(line, unread, self.rows, self._known)
        if unreadable and not unread:
            # The fast way knows no foreign types of values; the slow one keeps them as JSON.
            claims.cut(begin)
            self.rows.items.pop()
            line, unread = self._decoder.decode_slowly(data)
            kind, name, unreadable = _add(line, unread, self.rows, self._known)
        self._known.add(name)
        return kind, name, unreadable


def parse_entity(data: bytes, language: str, wiki: str) -> Entity:
    """Read one line of a dump, to be looked at; `EntityReader` reads many.

    Args:
        data: One JSON object.
        language: Language code of labels, descriptions and aliases.
        wiki: Name of the wiki whose sitelink is asked for, as "enwiki".

    Raises:
        DamagedRecord: As `EntityReader.read`.
    """
    reader = EntityReader(language, wiki)
    return _shown(*reader.read(data), reader.rows)


@cache
def _decoder(language: str, wiki: str) -> Decoder:
    return Decoder(language, wiki)


def _shown(kind: str, name: str, unread: list[str], rows: EntityRows) -> Entity:
    for _, target in rows.redirects:
        return Entity(kind, name, redirect_to=target)
    for _, label, description, aliases, datatype in rows.properties:
        return Entity(kind, name, label, description, aliases, datatype=datatype)
    further = rows.claims.further
    triples, literals = ([c.to_pylist() for c in table] for table in claim_columns(rows.claims))
    for values in rows.items:
        statements = tuple(_statement(row, further) for row in zip(*triples, strict=True))
        stated = tuple(_literal(row, further) for row in zip(*literals, strict=True))
        read = (*values[1:], None, None, statements, stated, tuple(unread))
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


def _named(moment: dict[str, Any] | None) -> TimeValue | None:
    return TimeValue(**moment) if moment is not None else None


def _add(
    line: Any, unread: list[str], rows: EntityRows, known: Collection[str]
) -> tuple[str, str, list[str]]:
    given = line.id or line.entity
    if not given:
        raise DamagedRecord("entity_without_id", f"type {line.type!r}")
    kind = line.type or KIND_OF_LETTER.get(given[0].upper(), "other")
    name = _id(given, kind) if kind in IDS else given
    if name in known:
        raise DamagedRecord("duplicate_id", name)
    if kind not in IDS:
        return "other", name, []
    if line.redirect is not None:
        rows.redirects.append((name, _id(line.redirect, kind)))
        return "redirect", name, []
    claims, sitelinks = line.claims, line.sitelinks
    names = (name, _term(line.labels), _term(line.descriptions), _aliases(line.aliases))
    if kind == "property":
        # Its statements are not read: they say nothing of entities that a text names.
        rows.properties.append((*names, line.datatype))
        return kind, name, []
    classes, unreadable = rows.claims.add(name, claims) if claims else ((), [])
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
    if not aliases or not (aliases.own or aliases.shared):
        return ()
    return tuple(dict.fromkeys([a.value for a in (*(aliases.own or ()), *(aliases.shared or ()))]))
