"""Random numbers that hang on names alone: seed, epoch, purpose, example and place.

A counter-based generator makes the number at a place without making those before it, so what a view
draws for an example is the same in whatever batch, order or process it comes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from stages.model.ragged import Array

Words = npt.NDArray[np.uint64]
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
ROUNDS = 10


class Chance:
    """Where a view gets its random numbers from.

    Args:
        seed: Seed of the recipe.
        epoch: Epoch, from 0; the same for all epochs where a draw shall be kept.
    """

    def __init__(self, seed: int, epoch: int) -> None:
        self._seed, self._epoch = seed, epoch

    def of(self, epoch: int) -> Chance:
        """Return the same source at another epoch."""
        return Chance(self._seed, epoch)

    def uniform(self, name: str, keys: Array, places: Array | int = 0) -> npt.NDArray[np.float64]:
        """Return a number in [0, 1) for each example and place.

        Args:
            name: What it is for; draws for different names are independent.
            keys: Number of the example, as `Batch.key_B`.
            places: Place within the example, such as the number of a piece; below 2^32.

        Shape:
            keys, places: (N,) each, or places a single number. Result: (N,).
        """
        first, second = self._words(name, keys, places)
        return ((first << np.uint64(21)) ^ (second >> np.uint64(11))).astype(np.float64) / 2.0**53

    def below(
        self, bounds: Array | int, name: str, keys: Array, places: Array | int = 0
    ) -> npt.NDArray[np.int64]:
        """Return a whole number in [0, bound) for each example and place; bounds are above 0."""
        return (self.uniform(name, keys, places) * bounds).astype(np.int64)

    def _words(self, name: str, keys: Array, places: Array | int) -> tuple[Words, Words]:
        text = f"{self._seed}/{self._epoch}/{name}".encode()
        digest = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        examples = np.asarray(keys).astype(np.uint64)
        counter = (
            np.broadcast_to(np.asarray(places, dtype=np.uint64), examples.shape),
            np.zeros_like(examples),
            examples & LOW,
            examples >> HALF,
        )
        words = philox(counter, (digest & 0xFFFFFFFF, digest >> 32))
        return words[0], words[1]


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> list[Words]:
    """Return four words of 32 bits for each counter.

    Shape:
        counter: four times (N,), uint64 below 2^32. Result: likewise.

    Paper: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011), section 4.3:
    Philox4x32-10.
    """
    a, b, c, d = (np.asarray(word, dtype=np.uint64) for word in counter)
    first, second = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(ROUNDS):
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b = (right >> HALF) ^ b ^ first, right & LOW
        c, d = (left >> HALF) ^ d ^ second, left & LOW
        first = np.uint64((int(first) + int(WEYL[0])) & 0xFFFFFFFF)
        second = np.uint64((int(second) + int(WEYL[1])) & 0xFFFFFFFF)
    return [a, b, c, d]


def mixed(keys: Array, *more: Array) -> Words:
    """Return a number for each key and further numbers below 2^32, as good as drawn at random.

    Shape:
        keys and each of `more`: (N,). Result: (N,), uint64.
    """
    made = np.asarray(keys).astype(np.uint64)
    for place in more:
        zero = np.zeros_like(made)
        words = philox((place.astype(np.uint64), zero, made & LOW, made >> HALF), (0, 0))
        made = (words[0] << HALF) | words[1]
    return made
