"""Arrays of lists: all values one behind the other, and where each list begins and ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


def offsets(counts: Array) -> Ints:
    """Return where lists of these lengths begin, and where the last one ends.

    Shape:
        counts: (N,). Result: (N + 1,), int64, from 0.
    """
    bounds = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def ranges(starts: Array, counts: Array) -> Ints:
    """Return the numbers `start .. start + count - 1` of each list, one list behind the other.

    Shape:
        starts, counts: (N,). Result: (sum of counts,), int64.
    """
    bounds = offsets(counts)
    shift = np.asarray(starts, dtype=np.int64) - bounds[:-1]
    return np.repeat(shift, counts) + np.arange(bounds[-1])


def owners(counts: Array) -> Ints:
    """Return for each value the number of the list that it is in.

    Shape:
        counts: (N,). Result: (sum of counts,), int64.
    """
    return np.repeat(np.arange(len(counts)), counts)
