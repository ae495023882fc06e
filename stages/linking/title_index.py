"""Titles to items through redirects, as arrays: no title is held in memory, only its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.lookup import Keys

MOST_HOPS = 10
"""Redirects that are followed; MediaWiki follows one, and its bots straighten longer chains."""

Numbers = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TitleIndex:
    """Keys of titles in ascending order, each once, with the items that they lead to.

    Attributes:
        keys: Keys of the titles.
        qids: Numbers of the items.
        types: Codes of the items' entity types.
        hops: Redirects on the way, 0 for a title of an article.
    """

    keys: Keys
    qids: Numbers
    types: Codes
    hops: Codes

    def places(self, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return where keys stand, and which of them are known."""
        return _places(self.keys, keys)

    def with_redirects(self, sources: Keys, targets: Keys) -> TitleIndex:
        """Return the index with the titles of redirects that lead to one of its titles.

        A redirect that has an item of its own keeps it. Of redirects with the same title one
        counts. A chain of more than ten, and a loop, leads nowhere.

        Args:
            sources: Keys of the redirects' titles.
            targets: Keys of the titles that they lead to, one step.
        """
        order = np.lexsort((targets, sources))
        sources, targets = sources[order], targets[order]
        first = np.r_[True, sources[1:] != sources[:-1]][: len(sources)]
        sources, targets = sources[first], targets[first]
        fresh = ~self.places(sources)[1]
        ends = np.full(len(sources), -1, np.int64)
        hops = np.zeros(len(sources), np.uint8)
        open_ = np.flatnonzero(fresh)
        at = targets[open_]
        for hop in range(1, MOST_HOPS + 1):
            places, known = self.places(at)
            ends[open_[known]], hops[open_[known]] = places[known], hop
            following, more = _places(sources, at)
            goes_on = ~known & more
            open_, at = open_[goes_on], targets[following[goes_on]]
        led = ends >= 0
        keys = np.concatenate([self.keys, sources[led]])
        order = np.argsort(keys)
        return TitleIndex(
            keys[order],
            np.concatenate([self.qids, self.qids[ends[led]]])[order],
            np.concatenate([self.types, self.types[ends[led]]])[order],
            np.concatenate([self.hops, hops[led]])[order],
        )


def title_index(stretches: Iterable[tuple[Keys, Numbers, Codes]]) -> TitleIndex:
    """Return the index of articles' titles; of two items with one title, the older counts.

    Args:
        stretches: Keys of titles with the numbers and types of their items.
    """
    found = list(stretches)
    keys = np.concatenate([np.empty(0, np.uint64), *(k for k, _, _ in found)])
    qids = np.concatenate([np.empty(0, np.uint32), *(q for _, q, _ in found)])
    types = np.concatenate([np.empty(0, np.uint8), *(t for _, _, t in found)])
    order = np.lexsort((qids, keys))
    keys, qids, types = keys[order], qids[order], types[order]
    first = np.r_[True, keys[1:] != keys[:-1]][: len(keys)]
    return TitleIndex(keys[first], qids[first], types[first], np.zeros(int(first.sum()), np.uint8))


def _places(among: Keys, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    places = np.searchsorted(among, keys)
    inside = np.minimum(places, max(len(among) - 1, 0))
    known = among[inside] == keys if len(among) else np.zeros(len(keys), np.bool_)
    return inside, known
