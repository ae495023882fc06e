"""The protected keys of all benchmarks, asked for the documents of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.holding.keys import corpus_keys, unordered_keys
from stages.holding.shingles import letters, shingles
from storage.lookup import Keys, Lookup

PAIRS, ENDS, PAGES, PASSAGES, LENGTHS, BEARERS = (
    "pairs",
    "ends",
    "pages",
    "passages",
    "lengths",
    "bearers",
)
"""Lookups: pairs, pages and passages by key with the ordinal of their split as `split`; keys of all
ends of pairs; lengths of passages; and the name keys (`name`) that an item bears, by its number."""


class Hit(NamedTuple):
    """Why a tuple or document is held out.

    Attributes:
        split: Ordinal of the split that it would give away.
        protect: pair, page or text.
    """

    split: int
    protect: str


class HeldOut:
    """The lookups that protect keeps."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._pairs, self._pages, self._passages = (
            Lookup(files, name, ["split"]) for name in (PAIRS, PAGES, PASSAGES)
        )
        self._ends = Lookup(files, ENDS, [])
        self._bearers = Lookup(files, BEARERS, ["name"])
        self.lengths = sorted(Lookup(files, LENGTHS, ["length"]).values("length").tolist())

    def keys(self, qid: str | None, number: int, names: Iterable[str]) -> set[int]:
        """Return the keys of an entity of the corpus that are ends of protected pairs.

        Args:
            qid: Its item.
            number: Number of that.
            names: Its names in the text.
        """
        keys = corpus_keys(qid, names)
        if qid is not None:
            starts, ends = self._bearers.ranges(np.array([number], np.uint64))
            keys.update(self._bearers.values("name")[starts[0] : ends[0]].tolist())
        wanted = np.array(sorted(keys), np.uint64)
        starts, ends = self._ends.ranges(wanted)
        return set(wanted[starts < ends].tolist())

    def pairs(self, keys: Sequence[set[int]]) -> dict[frozenset[int], set[Hit]]:
        """Return which pairs of entities of a document are protected.

        Args:
            keys: Of each entity, what `keys` returned.
        """
        owners = [(i, key) for i, own in enumerate(keys) for key in own]
        both = [(a, b) for n, a in enumerate(owners) for b in owners[n + 1 :] if a[0] != b[0]]
        if not both:
            return {}
        asked = unordered_keys([a[1] for a, _ in both], [b[1] for _, b in both])
        found: dict[frozenset[int], set[Hit]] = {}
        for place, split in self._splits(self._pairs, asked):
            pair = frozenset((both[place][0][0], both[place][1][0]))
            found.setdefault(pair, set()).add(Hit(split, "pair"))
        return found

    def page(self, key: int) -> set[Hit]:
        """Return whether a page is protected, by the key of its title."""
        return {Hit(s, "page") for _, s in self._splits(self._pages, np.array([key], np.uint64))}

    def text(self, text: str) -> set[Hit]:
        """Return whether a text shares a passage with a protected one."""
        if not self.lengths:
            return set()
        plain = letters(text)
        keys = np.concatenate([shingles(plain, length) for length in self.lengths])
        return {Hit(split, "text") for _, split in self._splits(self._passages, np.sort(keys))}

    @staticmethod
    def _splits(lookup: Lookup, keys: Keys) -> Iterable[tuple[int, int]]:
        starts, ends = lookup.ranges(keys)
        splits = lookup.values("split")
        for place in np.flatnonzero(starts < ends).tolist():
            for split in splits[starts[place] : ends[place]].tolist():
                yield place, split
