"""Facts of one's own, as lines of tab-separated values, brought into the form of a Wikidata dump.

Facts are lines `head <tab> relation <tab> tail`. Names are lines `id <tab> label <tab> alias <tab>
alias ...`, of entities and relations alike; what has no line there is called by its id. A title by
which texts link an entity is its id.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages.own.numbers import LETTERS, Kind, Numbers
from stages.wiki.compression import open_dump
from stages.wiki.records import Record
from storage.errors import SourceError

WIKI = "own"
"""Name of the wiki that the titles are of, in the place of enwiki."""

FORM = "head <tab> relation <tab> tail"
NAMES_FORM = "id <tab> label <tab> alias <tab> alias ..."


class OwnFacts:
    """The facts of one file, with names of another.

    Args:
        facts: File of facts: plain, gz, bz2 or zst.
        names: File of names, likewise; None for none.

    Raises:
        SourceError: If a line has another form, with its number and the mend.
    """

    def __init__(self, facts: Path, names: Path | None) -> None:
        self._numbers: dict[Kind, Numbers] = {
            "entity": Numbers("entity"),
            "relation": Numbers("relation"),
        }
        self._names = dict(_named(names)) if names is not None else {}
        self._heads, self._relations, self._tails = array("L"), array("L"), array("L")
        for head, relation, tail in _facts(facts):
            self._heads.append(self._numbers["entity"].add(head))
            self._relations.append(self._numbers["relation"].add(relation))
            self._tails.append(self._numbers["entity"].add(tail))
        if not self._heads:
            raise SourceError("the file holds no fact", where=str(facts), mend=f"Write {FORM}")
        # A name without a fact is of an entity: texts may name it all the same.
        for name in self._names:
            if name not in self._numbers["relation"]:
                self._numbers["entity"].add(name)

    def ids(self) -> Iterator[tuple[Kind, str, str]]:
        """Yield the ids that became others: kind, new id, own id."""
        for kind, numbers in self._numbers.items():
            if not numbers.kept:
                for number, name in zip(numbers.numbers(), numbers.names, strict=True):
                    yield kind, f"{LETTERS[kind]}{number}", name

    def records(self) -> Iterator[Record]:
        """Yield properties and items as lines of a Wikidata dump, in the order of the files."""
        relations = self._numbers["relation"].numbers()
        for number, name in zip(relations, self._numbers["relation"].names, strict=True):
            line = self._terms(name) | {"type": "property", "id": f"P{number}"}
            yield _record(number, {"datatype": "wikibase-item"} | line)
        heads = np.asarray(self._heads)
        order = np.argsort(heads, kind="stable")
        bounds = np.searchsorted(
            heads[order], np.arange(len(self._numbers["entity"].numbers()) + 1)
        )
        entities = self._numbers["entity"].numbers()
        for place, name in enumerate(self._numbers["entity"].names):
            claims: dict[str, list[Any]] = {}
            for fact in dict.fromkeys(
                (relations[self._relations[at]], entities[self._tails[at]])
                for at in order[bounds[place] : bounds[place + 1]].tolist()
            ):
                claims.setdefault(f"P{fact[0]}", []).append(_claim(*fact))
            line = self._terms(name) | {"type": "item", "id": f"Q{entities[place]}"}
            sitelinks = {WIKI: {"site": WIKI, "title": name}}
            yield _record(entities[place], line | {"claims": claims, "sitelinks": sitelinks})

    def _terms(self, name: str) -> dict[str, Any]:
        label, aliases = self._names.get(name, (name, ()))
        terms = [{"language": "mul", "value": alias} for alias in aliases]
        return {
            "labels": {"mul": {"language": "mul", "value": label}},
            "descriptions": {},
            "aliases": {"mul": terms} if terms else {},
        }


def _record(number: int, entity: dict[str, Any]) -> Record:
    return Record(number, 0, json.dumps(entity, ensure_ascii=False).encode())


def _claim(relation: int, tail: int) -> dict[str, Any]:
    value = {"entity-type": "item", "numeric-id": tail, "id": f"Q{tail}"}
    snak = {
        "snaktype": "value",
        "property": f"P{relation}",
        "datatype": "wikibase-item",
        "datavalue": {"value": value, "type": "wikibase-entityid"},
    }
    return {"mainsnak": snak, "type": "statement", "rank": "normal"}


def _facts(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, cells in _lines(path):
        if len(cells) != 3 or not all(cells):
            shown = "\t".join(cells)[:80]
            raise SourceError(
                f"{shown!r} has {len(cells)} columns"
                if len(cells) != 3
                else f"{shown!r} lacks one",
                where=f"{path}, line {number}",
                mend=f"Write {FORM}, none of them empty",
            )
        yield cells[0], cells[1], cells[2]


def _named(path: Path) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    seen: dict[str, int] = {}
    for number, (name, *terms) in _lines(path):
        if not name or not terms or not terms[0]:
            raise SourceError(
                f"{name!r} has no label" if name else "the line begins without an id",
                where=f"{path}, line {number}",
                mend=f"Write {NAMES_FORM}",
            )
        if seen.setdefault(name, number) != number:
            raise SourceError(
                f"{name!r} has names already, in line {seen[name]}",
                where=f"{path}, line {number}",
                mend="Put all names of an id into one line",
            )
        yield name, (terms[0], tuple(alias for alias in terms[1:] if alias))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, cut at tabs, with their numbers."""
    with open_dump(path) as stream:
        for number, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{line[:60]!r} is no UTF-8",
                    where=f"{path}, line {number}",
                    mend="Save the file as UTF-8",
                ) from error
            cells = [cell.strip() for cell in text.rstrip("\r\n").split("\t")]
            if any(cells):
                yield number, cells
