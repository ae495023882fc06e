"""The labels of a document's pairs: every ordered pair of its items, looked up in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stages.alignment.merged import Numbers
from stages.alignment.statements import DEPRECATED, RANKS

if TYPE_CHECKING:
    from stages.alignment.statements import Statements


class Stated(NamedTuple):
    """A statement that relates a pair.

    Attributes:
        head: Number of the item that it is of.
        statement: Its ordinal there.
        times: Where its times stand, as `Statements.times` takes it.
    """

    pid: int
    rank: str
    head: int
    statement: int
    times: int

    @property
    def deprecated(self) -> bool:
        """Whether it gives no label."""
        return self.rank == RANKS[DEPRECATED]


@dataclass(frozen=True)
class Labels:
    """What is stated of the pairs of one document.

    Attributes:
        stated: By places of head and tail among the document's items, in the order of properties.
    """

    stated: dict[tuple[int, int], list[Stated]]

    @property
    def triples(self) -> int:
        """Number of labels: of each pair the properties that are not deprecated."""
        return sum(
            len({s.pid for s in found if not s.deprecated}) for found in self.stated.values()
        )

    def of(self, head: int, tail: int) -> list[Stated]:
        """Return the statements of a pair, given the places of head and tail."""
        return self.stated.get((head, tail), [])

    @property
    def positive(self) -> list[tuple[int, int]]:
        """The pairs that have a label, as places."""
        sound = (pair for pair, s in self.stated.items() if any(not each.deprecated for each in s))
        return sorted(sound)


def labels_of(
    statements: Statements, documents: Sequence[Numbers], capacity: int
) -> Iterator[Labels]:
    """Yield what is stated of the pairs of each document.

    Args:
        statements: The lookups.
        documents: Numbers of the items of each document.
        capacity: Statements that are looked at together.
    """
    sizes = np.array([len(items) for items in documents], dtype=np.int64)
    if not len(documents):
        return
    owners = np.repeat(np.arange(len(documents)), sizes)
    firsts = np.cumsum(sizes) - sizes
    hits = statements.among(np.concatenate(documents), owners, capacity)
    columns = [hits.values[name].tolist() for name in ("pid", "rank", "statement", "times")]
    heads, tails, items = (c.tolist() for c in (hits.head, hits.tail, hits.item))
    bounds = np.searchsorted(hits.head, [*firsts, sizes.sum()]).tolist()
    for first, start, end in zip(firsts.tolist(), bounds[:-1], bounds[1:], strict=True):
        stated: dict[tuple[int, int], list[Stated]] = {}
        for row in range(start, end):
            pid, rank, statement, times = (column[row] for column in columns)
            pair = (heads[row] - first, tails[row] - first)
            own = stated.setdefault(pair, [])
            own.append(Stated(pid, RANKS[rank], items[row], statement, times))
        yield Labels(stated)
