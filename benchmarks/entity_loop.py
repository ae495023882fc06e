"""The peers' way from a line of a Wikidata dump to rows: decode all of it, then walk through dicts.

It makes the very rows that relmill makes of a sound line, in the way in which one would write it
for speed, a tuple a row; Arrow turns them into columns. Which decoder it stands on is for the
caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from storage.tables import ITEMS, LITERALS, PROPERTIES, TRIPLES

KINDS = {
    "time": "time",
    "quantity": "quantity",
    "monolingualtext": "monolingualtext",
    "globe-coordinate": "globecoordinate",
    "wikibase-property": "wikibase-entityid",
    "wikibase-lexeme": "wikibase-entityid",
    "wikibase-form": "wikibase-entityid",
    "wikibase-sense": "wikibase-entityid",
    "entity-schema": "wikibase-entityid",
}
LETTERS = {"item": "Q", "property": "P", "lexeme": "L"}
TIMES = ("P580", "P582", "P585")
ITEM = re.compile(r"Q[1-9][0-9]{0,8}")


class LoopRows:
    """Rows as tuples of the columns of their tables."""

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.properties: list[tuple[Any, ...]] = []
        self.statements: list[tuple[Any, ...]] = []
        self.literals: list[tuple[Any, ...]] = []
        self.further: list[tuple[str, int, int]] = []

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(map(len, (self.items, self.properties, self.statements, self.literals)))

    def take(self) -> list[pa.RecordBatch]:
        """Return the rows as batches of items, properties, triples, literals, and forget them."""
        rows = (self.items, self.properties, self.statements, self.literals)
        tables = (ITEMS, PROPERTIES, TRIPLES, LITERALS)
        batches = [table.batch(values) for table, values in zip(tables, rows, strict=True)]
        for values in (*rows, self.further):
            values.clear()
        return batches


def read_line(loads: Callable[[bytes], Any], data: bytes, rows: LoopRows) -> None:
    """Add the rows of one line, in English and for the English Wikipedia."""
    entity = loads(data)
    name = entity["id"]
    labels, descriptions = entity.get("labels") or {}, entity.get("descriptions") or {}
    label = labels.get("en") or labels.get("mul")
    description = descriptions.get("en") or descriptions.get("mul")
    aliases = entity.get("aliases") or {}
    names = (
        name,
        label["value"] if label else None,
        description["value"] if description else None,
        tuple(dict.fromkeys(a["value"] for a in (*aliases.get("en", ()), *aliases.get("mul", ())))),
    )
    if entity["type"] == "property":
        rows.properties.append((*names, entity.get("datatype")))
        return
    classes: dict[str, bool] = {}
    n = -1
    for pid, group in (entity.get("claims") or {}).items():
        for claim in group:
            n += 1
            tail = add_claim(name, n, pid, claim, rows)
            if pid == "P31" and tail is not None and claim["rank"] != "deprecated":
                preferred = claim["rank"] == "preferred"
                classes[tail] = classes.get(tail, False) or preferred
    title = (entity.get("sitelinks") or {}).get("enwiki")
    ranked = tuple(sorted(classes, key=lambda qid: not classes[qid]))
    rows.items.append((*names, title["title"] if title else None, ranked))


def add_claim(head: str, n: int, pid: str, claim: dict[str, Any], rows: LoopRows) -> str | None:
    """Add the row of one statement; return the item that is its value, if one is."""
    snak, rank = claim["mainsnak"], claim["rank"]
    stated, datatype = snak["snaktype"], snak.get("datatype")
    start = end = point = None
    if qualifiers := claim.get("qualifiers"):
        start, end, point, more = times_of(qualifiers)
        if more:
            rows.further.append((head, n, more))
    if stated != "value":
        if datatype is None or datatype == "wikibase-item":
            rows.statements.append((head, n, pid, None, rank, stated, start, end, point))
            return None
        kind, content = KINDS.get(datatype, "string"), (None, None, None, None, None)
    else:
        value, kind = snak["datavalue"]["value"], snak["datavalue"]["type"]
        if kind == "wikibase-entityid":
            tail = value.get("id") or f"{LETTERS[value['entity-type']]}{value['numeric-id']}"
            if ITEM.fullmatch(tail):
                rows.statements.append((head, n, pid, tail, rank, stated, start, end, point))
                return str(tail)
            content = (tail, None, None, None, None)
        else:
            content = content_of(value, kind)
    rows.literals.append((head, n, pid, kind, datatype, *content, stated, rank, start, end, point))
    return None


def content_of(value: Any, kind: str) -> tuple[Any, ...]:
    """Return value, precision, calendar, unit and language of a literal."""
    if kind == "time":
        return *time_of(value), None, None
    if kind == "quantity":
        unit = value["unit"]
        return value["amount"], None, None, None if unit == "1" else last(unit), None
    if kind == "monolingualtext":
        return value["text"], None, None, None, value["language"]
    if kind == "globecoordinate":
        globe = value.get("globe")
        place = f"{value['latitude']},{value['longitude']}"
        return place, None, None, last(globe) if globe else None, None
    return value, None, None, None, None


def times_of(qualifiers: dict[str, Any]) -> tuple[Any, ...]:
    """Return the first start, end and point in time, and how many more there are."""
    found: list[Any] = []
    more = 0
    for pid in TIMES:
        first = None
        snaks = qualifiers.get(pid, ())
        for snak in snaks:
            if snak["snaktype"] == "value":
                first = time_of(snak["datavalue"]["value"])
                break
        more += len(snaks) - (first is not None)
        found.append(first)
    return *found, more


def time_of(value: dict[str, Any]) -> tuple[str, int, str]:
    """Return time, precision and calendar."""
    return value["time"], value["precision"], last(value["calendarmodel"])


def last(address: str) -> str:
    """Return the id at the end of an address."""
    return address.rpartition("/")[2]
