"""Which texts belong together: the pairs of texts that an epoch of MTB or CP is made of.

Everything is drawn from one generator over whole columns, so an epoch costs no loop over texts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.int64]
Negatives: TypeAlias = Literal["hard", "random", "mixed"]
# Hard negatives are drawn and looked at; after so many rounds there are hardly any.
ROUNDS = 50


def neighbours(label_N: Rows, dice: np.random.Generator) -> Rows:
    """Return pairs of rows with the same label: each row is in one pair, an odd one in none.

    Relations so occur in proportion to how many texts they have.

    Shape:
        label_N: (N,). Result: (pairs, 2), row numbers, in random order.

    Paper: Peng et al. (EMNLP 2020), section 3.1: a relation is sampled in proportion to its
    number of texts, then two of them.
    """
    order = np.lexsort((dice.random(len(label_N)), label_N))
    place = place_in_group(label_N[order])
    # A row pairs with the next one of its group, if its place is even and there is a next one.
    first = np.flatnonzero(place % 2 == 0)
    first = first[first + 1 < len(order)]
    first = first[label_N[order[first]] == label_N[order[first + 1]]]
    pairs = np.stack([order[first], order[first + 1]], axis=1)
    return dice.permutation(pairs)


def place_in_group(sorted_N: npt.NDArray[np.generic]) -> Rows:
    """Return where each row stands among its equals, from 0; equals stand together.

    Shape:
        sorted_N: (N,). Result: (N,).
    """
    starts = np.ones(len(sorted_N), dtype=bool)
    starts[1:] = sorted_N[1:] != sorted_N[:-1]
    rows = np.arange(len(sorted_N))
    begin: Rows = np.maximum.accumulate(np.where(starts, rows, 0))
    return rows - begin


def same_pair(head_N: Rows, tail_N: Rows, *, most: int) -> Rows:
    """Return all pairs of rows that speak of the same head and tail, in this direction.

    Args:
        head_N: Entity numbers, (N,).
        tail_N: Likewise.
        most: Rows of one entity pair that count, the first ones; a frequent pair would otherwise
            have a share that grows with the square of its number.

    Returns:
        (pairs, 2), row numbers.
    """
    order = np.lexsort((tail_N, head_N))
    heads, tails = head_N[order], tail_N[order]
    group = np.zeros(len(order), dtype=np.int64)
    group[1:] = np.cumsum((heads[1:] != heads[:-1]) | (tails[1:] != tails[:-1]))
    kept = place_in_group(group) < most
    order, group = order[kept], group[kept]
    place = place_in_group(group)
    size = np.bincount(group, minlength=int(group[-1]) + 1 if len(group) else 0)[group]
    later = size - 1 - place
    first = np.repeat(np.arange(len(order)), later)
    step = place_in_group(first) + 1
    return np.stack([order[first], order[first + step]], axis=1)


def negative_pairs(
    head_N: Rows, tail_N: Rows, count: int, kind: Negatives, dice: np.random.Generator
) -> Rows:
    """Draw pairs of rows that speak of different entity pairs.

    Args:
        count: How many are wanted; there are fewer where the rows have fewer.
        kind: hard ones share exactly the head or exactly the tail, each such pair of rows being
            equally likely; random ones are any two rows of different pairs; mixed is half of each.

    Returns:
        (pairs, 2), row numbers.

    Paper: Baldini Soares et al. (ACL 2019), section 4.1: "strong" negatives share one entity.
    """
    if kind == "mixed":
        hard = negative_pairs(head_N, tail_N, count // 2, "hard", dice)
        rest = negative_pairs(head_N, tail_N, count - len(hard), "random", dice)
        return dice.permutation(np.concatenate([hard, rest]))
    if len(head_N) < 2 or count == 0:
        return np.empty((0, 2), dtype=np.int64)
    sides = [Sharers(head_N), Sharers(tail_N)] if kind == "hard" else []
    found: list[Rows] = []
    missing = count
    for _ in range(ROUNDS):
        drawn = share_one(sides, missing, dice) if sides else any_two(len(head_N), missing, dice)
        a, b = drawn[:, 0], drawn[:, 1]
        same_head, same_tail = head_N[a] == head_N[b], tail_N[a] == tail_N[b]
        fitting = drawn[~(same_head & same_tail)]
        found.append(fitting)
        missing -= len(fitting)
        if missing <= 0:
            break
    return np.concatenate(found)[:count]


class Sharers:
    """Draws two rows that share an entity, each such pair of rows being equally likely."""

    def __init__(self, entity_N: Rows) -> None:
        self._order = np.argsort(entity_N, kind="stable")
        _, self._start, size = np.unique(
            entity_N[self._order], return_index=True, return_counts=True
        )
        self._size = size
        self._upto = np.cumsum(size * (size - 1) // 2)

    @property
    def pairs(self) -> int:
        """How many such pairs of rows there are."""
        return int(self._upto[-1]) if len(self._upto) else 0

    def draw(self, count: int, dice: np.random.Generator) -> Rows:
        """Draw `count` of them, with replacement: (count, 2)."""
        group = np.searchsorted(self._upto, dice.integers(self.pairs, size=count), side="right")
        start, size = self._start[group], self._size[group]
        first = dice.integers(size)
        second = dice.integers(size - 1)
        second += second >= first
        return np.stack([self._order[start + first], self._order[start + second]], axis=1)


def share_one(sides: list[Sharers], count: int, dice: np.random.Generator) -> Rows:
    """Draw pairs of rows that share an entity on one side or the other."""
    pairs = [side.pairs for side in sides]
    if not sum(pairs):
        return np.empty((0, 2), dtype=np.int64)
    split = dice.binomial(count, pairs[0] / sum(pairs))
    drawn = [
        s.draw(n, dice) for s, n, p in zip(sides, (split, count - split), pairs, strict=True) if p
    ]
    return dice.permutation(np.concatenate(drawn))


def any_two(rows: int, count: int, dice: np.random.Generator) -> Rows:
    """Draw pairs of different rows."""
    first = dice.integers(rows, size=count)
    second = dice.integers(rows - 1, size=count)
    second += second >= first
    return np.stack([first, second], axis=1)
