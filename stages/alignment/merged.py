"""Items that were merged into others: an id that was given up means the item that is left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

HOPS = 32
"""Merges behind one another that are followed; what is not at its end by then runs in a loop."""


class Merged:
    """Which items were merged into which, as sorted arrays: Wikidata has millions of them.

    Args:
        gone: Numbers of items that were given up, each once, in any order.
        target: Number of the item that each leads to, one step.
    """

    def __init__(self, gone: npt.ArrayLike, target: npt.ArrayLike) -> None:
        old = np.asarray(gone, dtype=np.uint64)
        new = np.asarray(target, dtype=np.uint64)
        order = np.argsort(old, kind="stable")
        self._old: Numbers = old[order]
        end = new[order]
        for _ in range(HOPS):
            further = self._place(end)
            if not (further >= 0).any():
                break
            end = np.where(further >= 0, new[order][further], end)
        sound = self._place(end) < 0
        self._old, self._end = self._old[sound], end[sound]
        by_end = np.argsort(self._end, kind="stable")
        self._ends: Numbers = self._end[by_end]
        self._olds: Numbers = self._old[by_end]

    def current(self, items: npt.ArrayLike) -> Numbers:
        """Return the item that each one leads to in the end: itself, unless it was merged."""
        given = np.asarray(items, dtype=np.uint64)
        place = self._place(given)
        if not len(self._old):
            return given
        return np.where(place >= 0, self._end[place], given)

    def with_older(self, items: Numbers) -> tuple[Places, Numbers]:
        """Return the items and all that were merged into them.

        Returns:
            Two arrays of one length: the place in `items` that each number belongs to, and the
            number. The items themselves come first.
        """
        starts = np.searchsorted(self._ends, items, side="left")
        counts = np.searchsorted(self._ends, items, side="right") - starts
        owners = np.repeat(np.arange(len(items)), counts)
        before = np.cumsum(counts) - counts
        places = np.arange(len(owners)) - before[owners] + starts[owners]
        return (
            np.concatenate([np.arange(len(items)), owners]),
            np.concatenate([items, self._olds[places]]),
        )

    def _place(self, items: Numbers) -> Places:
        """Return where each item stands among those that were given up, or -1."""
        if not len(self._old):
            return np.full(len(items), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._old, items), len(self._old) - 1)
        return np.where(self._old[places] == items, places, -1)
