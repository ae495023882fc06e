"""The world as a Wikidata JSON dump: `[`, one entity a line, `]`, in bzip2."""

from __future__ import annotations

import bz2
import hashlib
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.sample import wikidata_values as values
from stages.sample.properties import PROPERTIES, Property
from stages.sample.world import Entity, Statement, World

Json = dict[str, Any]
WIKI = "enwiki"
DATATYPES = {p.pid: p.datatype for p in PROPERTIES}


class Writer:
    """Turns entities into the JSON objects of a dump."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(f"wikidata {seed}")
        self.by_head: defaultdict[str, list[Statement]] = defaultdict(list)
        for statement in world.statements:
            self.by_head[statement.fact.head].append(statement)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the dump, without `[`, `]` and commas, in no order of id."""
        objects: list[Json] = [self.property(prop) for prop in PROPERTIES]
        objects += [self.item(entity) for entity in self.world.entities.values()]
        objects += [
            {"entity": old, "redirect": target} for old, target in self.world.item_redirects
        ]
        self.rng.shuffle(objects)
        for item in objects:
            yield json.dumps(item, separators=(",", ":"))

    def item(self, entity: Entity) -> Json:
        """Return an item with its terms, claims and sitelinks."""
        claims: defaultdict[str, list[Json]] = defaultdict(list)
        for recorded in self.by_head[entity.qid]:
            snak = self.snak(recorded.fact.pid, values.item(recorded.fact.tail))
            times = {"P580": recorded.start, "P582": recorded.end}
            qualifiers = {
                pid: [self.snak(pid, values.time(year, precision=9))]
                for pid, year in times.items()
                if year
            }
            claims[recorded.fact.pid].append(
                self.statement(entity.qid, snak, recorded.rank, qualifiers)
            )
        for literal in values.literals(entity, self.rng):
            snak = self.snak(literal.pid, literal.value, literal.snaktype)
            qualifiers = {pid: [self.snak(pid, value)] for pid, value in literal.qualifiers.items()}
            claims[literal.pid].append(self.statement(entity.qid, snak, literal.rank, qualifiers))
        return {
            "type": "item",
            "id": entity.qid,
            **self.terms(entity),
            "claims": claims,
            "sitelinks": self.sitelinks(entity),
            **self.envelope(0, entity.qid),
        }

    def property(self, prop: Property) -> Json:
        """Return a property with its datatype and English terms."""
        return {
            "type": "property",
            "datatype": prop.datatype,
            "id": prop.pid,
            "labels": {"en": term("en", prop.label)},
            "descriptions": {"en": term("en", prop.description)},
            "aliases": {"en": [term("en", alias) for alias in prop.aliases]}
            if prop.aliases
            else {},
            "claims": {},
            **self.envelope(120, f"Property:{prop.pid}"),
        }

    def envelope(self, namespace: int, title: str) -> Json:
        """Return what the wiki says of the page on which an entity lies."""
        rng = self.rng
        month, day, hour = rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23)
        return {
            "pageid": rng.randint(100, 9_999_999),
            "ns": namespace,
            "title": title,
            "lastrevid": rng.randint(1_900_000_000, 2_300_000_000),
            "modified": f"2025-{month:02}-{day:02}T{hour:02}:{rng.randint(0, 59):02}:07Z",
        }

    def terms(self, entity: Entity) -> Json:
        """Return labels, descriptions and aliases in one to three languages."""
        labels = {"en": term("en", entity.name)}
        if self.rng.random() < 0.4:
            labels["fr"] = term("fr", entity.name)
        if entity.kind == "village" and self.rng.random() < 0.05:
            # Since 2024 a name that is the same everywhere may stand under `mul` alone.
            labels = {"mul": term("mul", entity.name)}
        elif entity.kind == "village" and self.rng.random() < 0.05:
            labels = {"de": term("de", entity.name)}
        description = entity.description or f"{entity.kind} of the sample world"
        aliases = {"en": [term("en", alias) for alias in entity.aliases]} if entity.aliases else {}
        return {
            "labels": labels,
            "descriptions": {"en": term("en", description)},
            "aliases": aliases,
        }

    def sitelinks(self, entity: Entity) -> Json:
        """Return the sitelinks, among them the one to `enwiki` if the entity has a title."""
        links = {WIKI: entity.title} if entity.title else {}
        if entity.title and self.rng.random() < 0.4:
            links["frwiki"] = entity.name
            links["commonswiki"] = f"Category:{entity.name}"
        return {site: {"site": site, "title": title, "badges": []} for site, title in links.items()}

    def snak(self, pid: str, value: Json | None, snaktype: str = "value") -> Json:
        """Return a snak; only one of type `value` has a datavalue."""
        snak: Json = {"snaktype": snaktype, "property": pid}
        if value is not None:
            snak["datavalue"] = value
        snak["datatype"] = DATATYPES[pid]
        return snak

    def statement(
        self, subject: str, snak: Json, rank: str, qualifiers: dict[str, list[Json]]
    ) -> Json:
        """Return a whole statement: main snak, qualifiers, rank, and at times a reference."""
        identity = uuid.UUID(int=self.rng.getrandbits(128), version=4)
        statement: Json = {"mainsnak": snak, "type": "statement"}
        if qualifiers:
            statement["qualifiers"] = {
                pid: [hashed(s) for s in qualifiers[pid]] for pid in qualifiers
            }
            statement["qualifiers-order"] = list(qualifiers)
        statement["id"] = f"{subject}${str(identity).upper()}"
        statement["rank"] = rank
        if self.rng.random() < 0.25:
            snaks = {
                "P143": [hashed(self.snak("P143", values.item("Q328")))],
                "P813": [hashed(self.snak("P813", values.time(2021, 5, 17)))],
            }
            reference = {"snaks": snaks, "snaks-order": list(snaks)}
            statement["references"] = [{"hash": digest(snaks), **reference}]
        return statement


def term(language: str, value: str) -> Json:
    """Return a label, description or alias in one language."""
    return {"language": language, "value": value}


def digest(value: Any) -> str:
    """Return the hash that a dump puts beside a qualifier or a reference (40 hex digits)."""
    return hashlib.sha1(json.dumps(value).encode(), usedforsecurity=False).hexdigest()


def hashed(snak: Json) -> Json:
    """Return a snak with its hash, as qualifiers and references have it."""
    return {**snak, "hash": digest(snak)}


def write_wikidata(world: World, seed: int, path: Path) -> None:
    """Write the dump of a world."""
    body = ",\n".join(Writer(world, seed).lines())
    path.write_bytes(bz2.compress(f"[\n{body}\n]\n".encode()))
