"""The labels of a document's pairs: every ordered pair of its items, looked up in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stages.alignment.merged import Numbers
from stages.alignment.statements import DEPRECATED, RANKS

if TYPE_CHECKING:
    from stages.alignment.statements import Hits, Statements


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
        capacity: Pairs that are looked up at once; a document of more pairs goes in pieces.
    """
    found: list[dict[tuple[int, int], list[Stated]]] = [{} for _ in documents]
    for pieces in _batches(documents, capacity):
        heads = [np.repeat(documents[d][a:b], len(documents[d])) for d, a, b in pieces]
        tails = [np.tile(documents[d], b - a) for d, a, b in pieces]
        hits = statements.of(np.concatenate(heads), np.concatenate(tails))
        _sort_in(hits, pieces, documents, found)
    return (Labels(stated) for stated in found)


Piece = tuple[int, int, int]
"""A document, and the first of its heads and the one behind the last."""


def _batches(documents: Sequence[Numbers], capacity: int) -> Iterator[list[Piece]]:
    """Yield stretches of documents of at most `capacity` pairs, or of one head with all tails."""
    batch: list[Piece] = []
    pairs = 0
    for ordinal, items in enumerate(documents):
        size = len(items)
        step = max(capacity // max(size, 1), 1)
        for start in range(0, size, step):
            end = min(start + step, size)
            if batch and pairs + (end - start) * size > capacity:
                yield batch
                batch, pairs = [], 0
            batch.append((ordinal, start, end))
            pairs += (end - start) * size
    if batch:
        yield batch


def _sort_in(
    hits: Hits,
    pieces: Sequence[Piece],
    documents: Sequence[Numbers],
    found: Sequence[dict[tuple[int, int], list[Stated]]],
) -> None:
    """Note each hit with the pair that it is of; an item is no pair with itself."""
    sizes = np.array([(b - a) * len(documents[d]) for d, a, b in pieces])
    firsts = np.cumsum(sizes) - sizes
    piece_of = np.searchsorted(firsts, hits.pair, side="right") - 1
    columns = [hits.values[name].tolist() for name in ("pid", "rank", "statement", "times")]
    rows = zip(hits.pair.tolist(), piece_of.tolist(), hits.head.tolist(), *columns, strict=True)
    for pair, piece, item, pid, rank, statement, times in rows:
        document, start, _ = pieces[piece]
        head, tail = divmod(pair - int(firsts[piece]), len(documents[document]))
        if start + head != tail:
            own = found[document].setdefault((start + head, tail), [])
            own.append(Stated(pid, RANKS[rank], item, statement, times))
