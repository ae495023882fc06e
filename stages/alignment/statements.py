"""What a knowledge graph states of pairs of items: lookups in sorted, memory-mapped arrays.

The statements of each shard of items are a `storage.lookup.Lookup` by (head, tail), of which every
worker of a machine shares the pages. A batch of pairs is looked up sorted, shard by shard, so that
memory is read in the order in which it lies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.merged import Merged, Numbers
from stages.model.ragged import ranges
from storage.artifact import Shards
from storage.lookup import Keys, Lookup, pair_keys, write_lookup, write_sorted_lookup

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
    "entry": np.empty(0, np.int64),
    "tail": np.empty(0, np.uint64),
} | {name: np.empty(0, kind) for name, kind in COLUMNS.items()}
"""What no statement gives."""

OPEN_AT_ONCE = 100
"""Shards that are open at a time: a process may have about 1,000 files open, each has eight."""

Times = tuple[Mapping[str, Any] | None, ...]
"""Start, end and point in time of a statement, each as in `triples`, or None."""

NO_TIMES: Times = (None, None, None)


def lookup_name(shard: int) -> str:
    """Return the name of the lookup of a shard of items."""
    return f"statements-{shard:05d}"


def heads_name(shard: int) -> str:
    """Return the name of the lookup of the items that a shard's statements are of.

    By number of the item it says where its statements begin (`start`) and end (`end`) in the
    lookup of statements: a search among items is a fourth of one among statements.
    """
    return f"heads-{shard:05d}"


def times_name(shard: int) -> str:
    """Return the name of the file with the times of a shard's statements, JSON a line."""
    return f"{lookup_name(shard)}.times.jsonl"


def keep_statements(
    place: Callable[[str], Path],
    shard: int,
    stretches: Iterable[tuple[Keys, Mapping[str, npt.NDArray[Any]]]],
) -> None:
    """Write the lookups of a shard.

    Args:
        place: Gives the path of a file to be kept, as `Inputs.keep` does.
        shard: Number of the shard of items.
        stretches: Keys of head and tail with the values of COLUMNS, the keys ascending.
    """
    heads, starts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    count = 0

    def watched() -> Iterator[tuple[Keys, Mapping[str, npt.NDArray[Any]]]]:
        nonlocal count
        for keys, values in stretches:
            own = keys >> HEAD
            new = np.r_[True, own[1:] != own[:-1]][: len(own)]
            if len(heads[-1]) and len(own):
                new[0] = own[0] != heads[-1][-1]
            heads.append(own[new])
            starts.append(np.flatnonzero(new) + count)
            count += len(keys)
            yield keys, values

    write_sorted_lookup(place, lookup_name(shard), watched(), COLUMNS)
    begin = np.concatenate(starts)
    end = np.append(begin[1:], count)[: len(begin)]
    write_lookup(place, heads_name(shard), np.concatenate(heads), {"start": begin, "end": end})


Places = npt.NDArray[np.int64]

SCANNED = 4
"""A head with at most so many times as many statements as its document has items is read whole;
the items of others are sought one by one."""

HEAD = np.uint64(32)
"""Bits that a head stands above a tail in a key."""

TAIL = np.uint64(2**32 - 1)
"""The part of a key that is the tail."""

NO_KEY = np.uint64(2**64 - 1)
"""Stands behind the last key."""

MIXED = np.uint64(0x9E3779B97F4A7C15)
"""Odd, and far from any pattern: the upper bits of a key times this are its hash."""

SPARSE = 16
"""Slots of a table of hashes for each of its keys, half as many at the least."""


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
        self._lookups = lru_cache(maxsize=OPEN_AT_ONCE)(self._open)

    def among(self, items: npt.ArrayLike, documents: npt.ArrayLike, capacity: int) -> Hits:
        """Return the statements between any two items of each document, deprecated ones too.

        What an item states of itself is left out.

        Args:
            items: Numbers of the items of all documents, shape (items,).
            documents: Ordinal of the document that each item is of, below 2^31, likewise.
            capacity: Statements that are looked at together.
        """
        owner, number = self._merged.with_older(np.asarray(items, dtype=np.uint64))
        entries = Entries(owner, number, np.asarray(documents)[owner])
        place = number // np.uint64(self._cut.block) % np.uint64(self._cut.count)
        order = np.argsort(pair_keys(place, number))
        bounds = np.flatnonzero(np.diff(place[order].astype(np.int64), prepend=-1, append=-1))
        likely = [NOTHING]
        likely += (
            part
            for own in (order[a:b] for a, b in pairwise(bounds))
            for part in self._likely(int(place[own[0]]), own, entries, capacity)
        )
        columns = {name: np.concatenate([part[name] for part in likely]) for name in NOTHING}
        return entries.hits(columns)

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

    def _likely(
        self, shard: int, own: Places, entries: Entries, capacity: int
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yield the statements of heads in one shard whose tails may stand in the same document."""
        lookup, items = self._lookups(shard)
        own, starts, ends = _stated(items, own, entries)
        many = ends - starts > SCANNED * entries.companions[own]
        sought, first, behind = _sought(lookup, own[many], entries, capacity)
        heads = np.concatenate([own[~many], sought])
        starts = np.concatenate([starts[~many], first])
        counts = np.concatenate([ends[~many], behind]) - starts
        for a, b in pairwise(_stretches(counts, capacity)):
            rows = ranges(starts[a:b], counts[a:b])
            tails = lookup.keys(rows) & TAIL
            tails |= np.repeat(entries.document_key[heads[a:b]], counts[a:b])
            likely = entries.likely(tails)
            entry = heads[a:b][np.searchsorted(np.cumsum(counts[a:b]), likely, side="right")]
            rows = rows[likely]
            yield {"entry": entry, "tail": tails[likely]} | {
                name: lookup.values(name).take(rows) for name in COLUMNS
            }

    def _open(self, shard: int) -> tuple[Lookup, Lookup]:
        return (
            Lookup(self._files, lookup_name(shard), COLUMNS),
            Lookup(self._files, heads_name(shard), ["start", "end"]),
        )


class Entries:
    """The items of documents under each of their numbers, older ones too.

    Args:
        owner: Place of the item that each entry is of.
        number: A number of the item.
        document: Ordinal of the document that it stands in, from 0.

    Attributes:
        document_key: The document in the upper half of a key.
        companions: Entries of the same document, itself counted too.
    """

    def __init__(self, owner: Places, number: Numbers, document: Places) -> None:
        self.owner = owner
        self.number = number
        self.document_key = pair_keys(document, 0)
        members = self.document_key | number
        self._order = np.argsort(members)
        self._members = members[self._order]
        new = np.flatnonzero(np.diff(self._members, append=NO_KEY))
        self._behind = np.repeat(new + 1, np.diff(new, prepend=-1))
        sizes = np.bincount(document)
        self.companions = sizes[document]
        self._firsts = (np.cumsum(sizes) - sizes)[document]
        bits = max(int(len(owner) * SPARSE).bit_length(), 1)
        self._shift = np.uint64(64 - bits)
        self._slots = np.zeros(1 << bits, np.bool_)
        self._slots[self._slot(members)] = True

    def beside(self, entries: Places) -> tuple[Places, Places]:
        """Return the other entries of the documents of entries, each with the one it is beside."""
        counts = self.companions[entries]
        others = self._order[ranges(self._firsts[entries], counts)]
        heads = np.repeat(entries, counts)
        proper = self.owner[heads] != self.owner[others]
        return heads[proper], others[proper]

    def likely(self, keys: Numbers) -> Places:
        """Return the places of keys that may be members: all that are, and a few that are not.

        A key is a document with a number. Most statements lead out of their document: a table of
        hashes tells that in a few nanoseconds, a search takes many times as long.
        """
        return np.flatnonzero(self._slots.take(self._slot(keys)))

    def _slot(self, keys: Numbers) -> Places:
        hashes = keys * MIXED
        hashes >>= self._shift
        return hashes.view(np.int64)

    def hits(self, columns: dict[str, npt.NDArray[Any]]) -> Hits:
        """Return the statements whose tails are members, each once for every such tail."""
        # In the order of the members: then a search goes on where the last one ended.
        order = np.argsort(columns["tail"])
        starts = np.searchsorted(self._members, columns["tail"][order])
        known = self._members[np.minimum(starts, len(self._members) - 1)] == columns["tail"][order]
        order, starts = order[known], starts[known]
        counts = self._behind[starts] - starts
        rows, tails = np.repeat(order, counts), self._order[ranges(starts, counts)]
        entry = columns["entry"][rows]
        proper = self.owner[entry] != self.owner[tails]
        rows, entry, tails = rows[proper], entry[proper], tails[proper]
        head, tail, item = self.owner[entry], self.owner[tails], self.number[entry]
        values = {name: columns[name][rows] for name in COLUMNS}
        order = in_order(head, tail, item, values)
        values = {name: column[order] for name, column in values.items()}
        return Hits(head[order], tail[order], item[order], values)


def _stated(items: Lookup, own: Places, entries: Entries) -> tuple[Places, Places, Places]:
    """Return the entries that anything is stated of, and where that begins and ends."""
    places, known = items.places(entries.number[own])
    places = places[known]
    starts, ends = (items.values(name).take(places) for name in ("start", "end"))
    return own[known], starts, ends


def _sought(
    lookup: Lookup, heads: Places, entries: Entries, capacity: int
) -> tuple[Places, Places, Places]:
    """Return the ranges of the pairs of heads with all items of their documents, where any."""
    found: list[tuple[Places, Places, Places]] = [(np.empty(0, np.int64),) * 3]
    for a, b in pairwise(_stretches(entries.companions[heads], capacity)):
        head, tail = entries.beside(heads[a:b])
        # Heads come in order, and the companions of each: so the keys ascend.
        starts, ends = lookup.ranges(pair_keys(entries.number[head], entries.number[tail]))
        some = starts < ends
        found.append((head[some], starts[some], ends[some]))
    head, starts, ends = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return head, starts, ends


def in_order(
    head: Places, tail: Places, item: Numbers, values: Mapping[str, npt.NDArray[Any]]
) -> Places:
    """Return the order of statements by head, tail, property, ordinal and item.

    Few pairs have several: only those are sorted by more than the pair.
    """
    pairs = pair_keys(head, tail)
    order = np.argsort(pairs)
    same = pairs[order][1:] == pairs[order][:-1]
    several = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
    own = order[several]
    within = pair_keys(values["pid"][own], values["statement"][own])
    order[several] = own[np.lexsort((item[own], within, pairs[own]))]
    return order


def _stretches(counts: Places, capacity: int) -> Places:
    """Return where to cut a row of counts so that what lies between sums to about `capacity`."""
    if counts.sum() < capacity:
        return np.array([0, len(counts)], np.int64)
    done = np.cumsum(counts) // capacity
    cuts = np.flatnonzero(np.diff(done)) + 1
    return np.array([0, *cuts.tolist(), len(counts)], np.int64)
