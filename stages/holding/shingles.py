"""Shingles: stretches of letters and digits by which two texts are seen to share a passage.

White space and punctuation are left aside, so that a text and its tokens joined again are the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np

from storage.lookup import Keys

BRACKETS = re.compile("-[lr][rsc]b-")
"""How the Penn Treebank writes brackets."""

ASIDE = re.compile(r"[\W_]+")

BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2^64."""

INVERSE = pow(BASE, -1, 1 << 64)
SPREAD = np.uint64(0xBF58476D1CE4E5B9)
HALF = np.uint64(31)


def letters(text: str) -> str:
    """Return the letters and digits of a text, lower-cased, in compatible form."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return ASIDE.sub("", BRACKETS.sub(" ", plain))


def shingles(plain: str, length: int) -> Keys:
    """Return the key of each stretch of `length` characters of what `letters` gave.

    Each is a polynomial of the characters modulo 2^64, taken from running sums.
    """
    count = len(plain) - length + 1
    if count < 1:
        return np.empty(0, np.uint64)
    codes = np.frombuffer(plain.encode("utf-32-le"), np.uint32).astype(np.uint64)
    codes = (codes + np.uint64(1)) * SPREAD
    codes ^= codes >> HALF
    up, down = _powers(_size(len(plain)))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes * up[: len(codes)])])
    keys = (sums[length:] - sums[:count]) * down[:count] + np.uint64(length)
    keys = (keys ^ (keys >> HALF)) * SPREAD
    return np.asarray(keys ^ (keys >> HALF), np.uint64)


def _size(length: int) -> int:
    return 1 << max(length - 1, 1).bit_length()


@lru_cache(maxsize=4)
def _powers(size: int) -> tuple[Keys, Keys]:
    """Return the powers of the base and of its inverse."""
    both = []
    for factor in (BASE, INVERSE):
        factors = np.full(size, factor, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]
