"""What a knowledge graph states of pairs of items: lookups in sorted, memory-mapped arrays.

The statements of each shard of items are a `storage.lookup.Lookup` by (head, tail), of which every
worker of a machine shares the pages. A batch of pairs is looked up sorted, shard by shard, so that
memory is read in the order in which it lies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.merged import Merged, Numbers
from storage.artifact import Shards
from storage.lookup import Lookup, pair_keys

RANKS = ("preferred", "normal", "deprecated")
"""Ranks by their code in the lookup."""

DEPRECATED = RANKS.index("deprecated")
COLUMNS: dict[str, npt.DTypeLike] = {
    "pid": np.uint32,
    "rank": np.uint8,
    "statement": np.uint32,
    "times": np.uint64,
}
"""Values of the lookup: number of the property, code of the rank, ordinal of the statement among
those of its item, and where its times stand in the file beside, from 1; 0 for none."""

NOTHING: dict[str, npt.NDArray[Any]] = {
    "head": np.empty(0, np.int64),
    "tail": np.empty(0, np.int64),
    "item": np.empty(0, np.uint64),
} | {name: np.empty(0, kind) for name, kind in COLUMNS.items()}
"""What no statement gives."""

OPEN_AT_ONCE = 100
"""Lookups that are open at a time: a process may have about 1,000 files open, each has five."""

Times = tuple[Mapping[str, Any] | None, ...]
"""Start, end and point in time of a statement, each as in `triples`, or None."""

NO_TIMES: Times = (None, None, None)


def lookup_name(shard: int) -> str:
    """Return the name of the lookup of a shard of items."""
    return f"statements-{shard:05d}"


def times_name(shard: int) -> str:
    """Return the name of the file with the times of a shard's statements, JSON a line."""
    return f"{lookup_name(shard)}.times.jsonl"


Places = npt.NDArray[np.int64]

SCANNED = 4
"""A head with at most so many times as many statements as its document has items is read whole;
the items of others are sought one by one."""

TAIL = np.uint64(2**32 - 1)
"""The part of a key that is the tail."""


@dataclass(frozen=True)
class Hits:
    """Statements between items of one document, as arrays of one length.

    They are ordered by head, tail, property and ordinal of the statement.

    Attributes:
        head: Place of the head among the items that were asked for.
        tail: Place of the tail there.
        item: Number of the item that the statement is of; an older id of the head, maybe.
        values: The columns of the lookup.
    """

    head: Places
    tail: Places
    item: Numbers
    values: Mapping[str, npt.NDArray[Any]]

    @property
    def sound(self) -> npt.NDArray[np.bool_]:
        """Which of them are not deprecated."""
        sound: npt.NDArray[np.bool_] = self.values["rank"] != DEPRECATED
        return sound


class Statements:
    """The lookups of all shards.

    Args:
        files: Files that `parse_wikidata` keeps beside its triples.
        cut: How items are cut into shards.
        merged: Items that were merged into others: they count as those.
    """

    def __init__(self, files: Mapping[str, Path], cut: Shards, merged: Merged) -> None:
        self._files = files
        self._cut = cut
        self._merged = merged
        self._lookup = lru_cache(maxsize=OPEN_AT_ONCE)(self._open)

    def among(self, items: npt.ArrayLike, documents: npt.ArrayLike, capacity: int) -> Hits:
        """Return the statements between any two items of each document, deprecated ones too.

        Args:
            items: Numbers of the items of all documents, shape (items,).
            documents: Ordinal of the document that each item is of, below 2^31, likewise.
            capacity: Statements that are looked at together.
        """
        owner, number = self._merged.with_older(np.asarray(items, dtype=np.uint64))
        document = np.asarray(documents, dtype=np.uint64)[owner]
        entries = _Entries(owner, number, document)
        place = (number.astype(np.int64) // self._cut.block) % self._cut.count
        order = np.lexsort((number, place))
        bounds = np.flatnonzero(np.diff(place[order], prepend=-1, append=-1))
        found = [NOTHING]
        found += (
            part
            for own in (order[a:b] for a, b in pairwise(bounds))
            for part in self._found(self._lookup(int(place[own[0]])), own, entries, capacity)
        )
        columns = {c: np.concatenate([p[c] for p in found]) for c in ("head", "tail", "item")}
        values = {c: np.concatenate([p[c] for p in found]) for c in COLUMNS}
        pairs = pair_keys(columns["head"], columns["tail"])
        order = np.lexsort((pair_keys(values["pid"], values["statement"]), pairs))
        head, tail, item = (columns[name][order] for name in ("head", "tail", "item"))
        return Hits(head, tail, item, {name: column[order] for name, column in values.items()})

    def times(self, item: int, place: int) -> Times:
        """Return the times of a statement.

        Args:
            item: Number of the item that it is of.
            place: Its value of the column `times`.
        """
        if not place:
            return NO_TIMES
        with self._files[times_name(self._cut.of(item))].open("rb") as file:
            file.seek(place - 1)
            return tuple(json.loads(file.readline()))

    def _found(
        self, lookup: Lookup, own: Places, entries: _Entries, capacity: int
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yield the statements of heads in one shard whose tails stand in the same document."""
        number = entries.number[own]
        starts, ends = lookup.between(pair_keys(number, 0), pair_keys(number + np.uint64(1), 0))
        many = ends - starts > SCANNED * entries.companions[own]
        sought, first, behind = _sought(lookup, own[many], entries, capacity)
        heads = np.concatenate([own[~many], sought])
        starts = np.concatenate([starts[~many], first])
        counts = np.concatenate([ends[~many], behind]) - starts
        for a, b in pairwise(_stretches(counts, capacity)):
            rows = spread(starts[a:b], counts[a:b])
            entry = np.repeat(heads[a:b], counts[a:b])
            which, tail = entries.members(entries.document[entry], lookup.keys(rows) & TAIL)
            rows, entry = rows[which], entry[which]
            yield {
                "head": entries.owner[entry],
                "tail": tail,
                "item": entries.number[entry],
            } | {name: lookup.values(name)[rows] for name in COLUMNS}

    def _open(self, place: int) -> Lookup:
        return Lookup(self._files, lookup_name(place), COLUMNS)


class _Entries:
    """The items of documents under each of their numbers, older ones too.

    Args:
        owner: Place of the item that each entry is of.
        number: A number of the item.
        document: The document that it stands in.
    """

    def __init__(self, owner: Places, number: Numbers, document: Numbers) -> None:
        self.owner = owner
        self.number = number
        self.document = document
        members = pair_keys(document, number)
        self._order = np.argsort(members, kind="stable")
        self._members = members[self._order]
        firsts = np.searchsorted(self._members, pair_keys(document, 0))
        behind = np.searchsorted(self._members, pair_keys(document + np.uint64(1), 0))
        self.companions = behind - firsts
        self._firsts = firsts

    def beside(self, entries: Places) -> tuple[Places, Numbers]:
        """Return all numbers of the documents of entries, and the entry that each goes with."""
        counts = self.companions[entries]
        places = spread(self._firsts[entries], counts)
        return np.repeat(entries, counts), self.number[self._order[places]]

    def members(self, document: Numbers, number: Numbers) -> tuple[Places, Places]:
        """Return which of some numbers stand in their document, and the places of their items."""
        keys = pair_keys(document, number)
        starts = np.searchsorted(self._members, keys)
        known = self._members[np.minimum(starts, len(self._members) - 1)] == keys
        which, starts = np.flatnonzero(known), starts[known]
        counts = np.searchsorted(self._members, keys[which], side="right") - starts
        return np.repeat(which, counts), self.owner[self._order[spread(starts, counts)]]


def _sought(
    lookup: Lookup, heads: Places, entries: _Entries, capacity: int
) -> tuple[Places, Places, Places]:
    """Return the ranges of the pairs of heads with all items of their documents, where any."""
    found: list[tuple[Places, Places, Places]] = [(np.empty(0, np.int64),) * 3]
    for a, b in pairwise(_stretches(entries.companions[heads], capacity)):
        head, tail = entries.beside(heads[a:b])
        keys = pair_keys(entries.number[head], tail)
        order = np.argsort(keys, kind="stable")
        starts, ends = lookup.ranges(keys[order])
        some = starts < ends
        found.append((head[order][some], starts[some], ends[some]))
    head, starts, ends = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return head, starts, ends


def _stretches(counts: Places, capacity: int) -> Places:
    """Return where to cut a row of counts so that what lies between sums to about `capacity`."""
    done = np.cumsum(counts) // capacity
    cuts = np.flatnonzero(np.diff(done)) + 1
    return np.array([0, *cuts.tolist(), len(counts)], np.int64)


def spread(starts: Places, counts: Places) -> Places:
    """Return the places `start, start + 1, ...` of ranges, one range behind the other."""
    before = np.cumsum(counts) - counts
    places: Places = np.arange(counts.sum()) + np.repeat(starts - before, counts)
    return places
