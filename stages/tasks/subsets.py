"""Subsets of training data: the same for everybody, because a hash of the example's id draws them.

A subset of 1 % lies within that of 10 % of the same seed.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from stages.tasks.base import Example
from storage.errors import ConfigError

__all__ = ["Subset", "draw"]


@dataclass(frozen=True, slots=True)
class Subset:
    """Examples that were drawn, in the order of the file."""

    examples: tuple[Example, ...]
    fraction: float
    seed: int
    of: int

    def manifest(self) -> str:
        """Return what was drawn as JSON: how, which ids, and a checksum of these."""
        ids = [example.id for example in self.examples]
        relations: dict[str, int] = defaultdict(int)
        for example in self.examples:
            relations[example.relation or ""] += 1
        return json.dumps(
            {
                "fraction": self.fraction,
                "seed": self.seed,
                "of": self.of,
                "rule": "per relation ceil(fraction * n) examples, lowest blake2b of seed/id first",
                "relations": dict(sorted(relations.items())),
                "sha256": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
                "ids": ids,
            },
            ensure_ascii=False,
            indent=1,
        )


def draw(examples: Sequence[Example], fraction: float, seed: int) -> Subset:
    """Draw ceil(fraction x n) of the n examples of each relation.

    Args:
        fraction: Share that is wanted, (0, 1]; its decimal notation counts, so 0.1 of 30 is 3.

    Raises:
        ConfigError: If the share is out of range.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"the fraction is {fraction}", mend="Give a share above 0, at most 1")
    share = Fraction(repr(fraction))
    classes: dict[str | None, list[Example]] = defaultdict(list)
    for example in examples:
        classes[example.relation].append(example)
    chosen: set[str] = set()
    for members in classes.values():
        members.sort(key=lambda example: (place(seed, example.id), example.id))
        chosen.update(example.id for example in members[: ceil(share * len(members))])
    kept = tuple(example for example in examples if example.id in chosen)
    return Subset(kept, fraction, seed, len(examples))


def place(seed: int, id: str) -> bytes:
    """Return where the hash of an example's id puts it."""
    return hashlib.blake2b(f"{seed}/{id}".encode(), digest_size=8).digest()
