"""Memory-mapped maps for what is too big to join in every shard: names to items, pairs to PIDs.

A lookup is a sorted array of 64-bit keys and arrays of values beside it, each a `.npy` file that
all workers of a machine share through the page cache. A key may occur more than once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Array = npt.NDArray[Any]


def text_key(text: str) -> int:
    """Return the 64-bit key of a text; among 18 million, two share one with odds of 1 : 100,000."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def text_keys(texts: Iterable[str]) -> Keys:
    """Return the keys of texts, in their order."""
    return np.fromiter((text_key(text) for text in texts), dtype=np.uint64)


def pair_keys(heads: npt.ArrayLike, tails: npt.ArrayLike) -> Keys:
    """Return the keys of ordered pairs of item numbers below 2^32."""
    high = np.asarray(heads, dtype=np.uint64) << np.uint64(32)
    return high | np.asarray(tails, dtype=np.uint64)


def write_lookup(
    place: Callable[[str], Path], name: str, keys: Keys, values: Mapping[str, Array]
) -> None:
    """Write a lookup as files `NAME.key.npy` and `NAME.<value>.npy`.

    Args:
        place: Gives the path of a file to be kept, as `Inputs.keep` does.
        keys: Keys in any order.
        values: Arrays as long as `keys`; equal keys keep the order of their values.
    """
    order = np.argsort(keys, kind="stable")
    np.save(place(f"{name}.key.npy"), keys[order])
    for column, array in values.items():
        np.save(place(f"{name}.{column}.npy"), array[order])


def write_sorted_lookup(
    place: Callable[[str], Path],
    name: str,
    stretches: Iterable[tuple[Keys, Mapping[str, Array]]],
    columns: Mapping[str, npt.DTypeLike],
) -> None:
    """Write a lookup that is larger than memory; the same bytes as `write_lookup`.

    Args:
        place: Gives the path of a file to be kept.
        stretches: Keys and their values, a stretch at a time, the keys ascending.
        columns: Type of each value.
    """
    types = {"key": np.dtype(np.uint64)} | {c: np.dtype(t) for c, t in columns.items()}
    with ExitStack() as stack:
        paths = {column: place(f"{name}.{column}.npy") for column in types}
        files = {column: stack.enter_context(path.open("wb")) for column, path in paths.items()}
        for column, file in files.items():
            _write_header(file, types[column], 0)
        count = 0
        for keys, values in stretches:
            for column, array in {"key": keys, **values}.items():
                files[column].write(array.astype(types[column], copy=False).tobytes())
            count += len(keys)
        for column, file in files.items():
            file.seek(0)
            _write_header(file, types[column], count)


def _write_header(file: BinaryIO, kind: np.dtype[Any], count: int) -> None:
    """Write what stands before the values of an `.npy` file; it is as long for any count."""
    described = np.lib.format.dtype_to_descr(kind)
    header = {"descr": described, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)


class Lookup:
    """A lookup that was written by `write_lookup`, opened without reading it."""

    def __init__(self, files: Mapping[str, Path], name: str, columns: Iterable[str]) -> None:
        # Plain views: each slice of a memmap itself costs microseconds.
        self._keys: Keys = np.asarray(np.load(files[f"{name}.key.npy"], mmap_mode="r"))
        self._values: dict[str, Array] = {
            c: np.asarray(np.load(files[f"{name}.{c}.npy"], mmap_mode="r")) for c in columns
        }

    def __len__(self) -> int:
        return len(self._keys)

    def ranges(self, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return where each key's values begin and end; an unknown key has an empty range.

        Many keys are found fastest in ascending order: then memory is read as it lies.
        """
        starts, known = self.places(keys)
        ends = starts.copy()
        ends[known] = np.searchsorted(self._keys, keys[known], side="right")
        return starts, ends

    def places(self, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return where the first value of each key stands, and which keys are known at all."""
        places = np.searchsorted(self._keys, keys, side="left")
        if not len(self._keys):
            return places, np.zeros(len(keys), np.bool_)
        known: npt.NDArray[np.bool_] = self._keys[np.minimum(places, len(self) - 1)] == keys
        return places, known

    def keys(self, places: npt.NDArray[np.int64]) -> Keys:
        """Return the keys at some places of the sorted array."""
        found: Keys = self._keys.take(places)
        return found

    def values(self, column: str) -> Array:
        """Return the values of a column, in the order of the sorted keys."""
        values: Array = self._values[column]
        return values
