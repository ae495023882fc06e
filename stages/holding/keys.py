"""Keys by which an entity of a benchmark and one of a corpus are seen to be the same.

An entity with an item is known by that; the name counts where one of the two has none. So an end of
a benchmark's pair has the keys of `benchmark_keys`, an entity of the corpus those of `corpus_keys`,
and they are the same where they share one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from storage.lookup import Keys, text_key

MIXED = np.uint64(0x9E3779B97F4A7C15)
TURN = np.uint64(29)


def normal(name: str) -> str:
    """Return a name as names are compared: case, width and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).lower()


def item_key(qid: str) -> int:
    """Return the key of an item."""
    return text_key(f"item {qid}")


def name_key(name: str) -> int:
    """Return the key of a name of a benchmark's entity that has no item."""
    return text_key(f"name {normal(name)}")


def spare_key(name: str) -> int:
    """Return the key of a name of a benchmark's entity that has one: for corpora that have none."""
    return text_key(f"spare {normal(name)}")


def benchmark_keys(qid: str | None, names: Iterable[str]) -> set[int]:
    """Return the keys of an entity of a benchmark, given all names that it has there."""
    known = {name for name in names if normal(name)}
    if qid is None:
        return {name_key(name) for name in known}
    return {item_key(qid)} | {spare_key(name) for name in known}


def corpus_keys(qid: str | None, names: Iterable[str]) -> set[int]:
    """Return the keys of an entity of a corpus, given its names in the text."""
    known = {name for name in names if normal(name)}
    keys = {name_key(name) for name in known}
    return keys | ({spare_key(name) for name in known} if qid is None else {item_key(qid)})


def unordered_keys(first: npt.ArrayLike, second: npt.ArrayLike) -> Keys:
    """Return the keys of pairs of keys, the same in either order."""
    a, b = np.asarray(first, np.uint64), np.asarray(second, np.uint64)
    low, high = np.minimum(a, b) * MIXED, np.maximum(a, b)
    mixed = (low ^ (low >> TURN) ^ high) * MIXED
    return np.asarray(mixed ^ (mixed >> TURN), np.uint64)
