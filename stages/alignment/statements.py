"""What a knowledge graph states of pairs of items: lookups in sorted, memory-mapped arrays.

The statements of each shard of items are a `storage.lookup.Lookup` by (head, tail), of which every
worker of a machine shares the pages. A batch of pairs is looked up sorted, shard by shard, so that
memory is read in the order in which it lies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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


@dataclass(frozen=True)
class Hits:
    """Statements that relate pairs, as arrays of one length, ordered by pair, property and item.

    Attributes:
        pair: Ordinal of the pair among those that were asked for.
        head: Number of the item that the statement is of; an older id of the pair's head, maybe.
        values: The columns of the lookup.
    """

    pair: npt.NDArray[np.int64]
    head: Numbers
    values: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def sound(self) -> npt.NDArray[np.bool_]:
        """Which of them are not deprecated."""
        return self.values["rank"] != DEPRECATED


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

    def of(self, heads: npt.ArrayLike, tails: npt.ArrayLike) -> Hits:
        """Return the statements of ordered pairs of items, deprecated ones too.

        Args:
            heads: Numbers of the heads, shape (pairs,).
            tails: Numbers of the tails, likewise.
        """
        given = np.asarray(tails, dtype=np.uint64)
        owner, head = self._merged.with_older(np.asarray(heads, dtype=np.uint64))
        second, tail = self._merged.with_older(given[owner])
        owner, head = owner[second], head[second]
        place = (head.astype(np.int64) // self._cut.block) % self._cut.count
        keys = pair_keys(head, tail)
        order = np.lexsort((keys, place))
        bounds = np.flatnonzero(np.diff(place[order], prepend=-1, append=-1))
        parts = [
            self._found(int(place[own[0]]), keys[own], own)
            for own in (order[a:b] for a, b in pairwise(bounds))
        ]
        columns = ["asked", *COLUMNS]
        found = {c: np.concatenate([p[c] for p in parts] or [np.empty(0, int)]) for c in columns}
        asked = found.pop("asked").astype(np.int64)
        pair, item = owner[asked], head[asked]
        order = np.lexsort((found["statement"], item, found["pid"], pair))
        return Hits(pair[order], item[order], {c: found[c][order] for c in COLUMNS})

    def times(self, head: int, place: int) -> Times:
        """Return the times of a statement.

        Args:
            head: Number of the item that it is of.
            place: Its value of the column `times`.
        """
        if not place:
            return NO_TIMES
        with self._files[times_name(self._cut.of(head))].open("rb") as file:
            file.seek(place - 1)
            return tuple(json.loads(file.readline()))

    def _found(self, place: int, keys: Numbers, asked: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return the statements of sorted keys in one shard, and which key each answers."""
        lookup = self._lookup(place)
        starts, ends = lookup.ranges(keys)
        counts = ends - starts
        hit = np.repeat(np.arange(len(keys)), counts)
        before = np.cumsum(counts) - counts
        rows = np.arange(len(hit)) - before[hit] + starts[hit]
        return {"asked": asked[hit]} | {c: lookup.values(c)[rows] for c in COLUMNS}

    def _open(self, place: int) -> Lookup:
        return Lookup(self._files, lookup_name(place), COLUMNS)
