"""What a classifier of relations is shown in an epoch: labelled pairs, and NA pairs drawn anew.

Shapes: D documents, P pairs and L labels of the whole corpus, N units (texts that are encoded).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stages.model import views
from stages.model.batch import NA, Batch, keep
from stages.model.corpus import Corpus, Examples
from stages.model.examples import FRAME, mentions_of_entity, pairs_in_sentences
from stages.model.ragged import Array, Ints, owners, ranges

Mask = npt.NDArray[np.bool_]


class Shown(Protocol):
    """Texts with pairs.

    Attributes:
        lost: Pairs that cannot be shown, by reason.
        na_P: Whether a pair has no relation.
    """

    lost: dict[str, int]
    na_P: Mask

    def epoch(self, epoch: int) -> Mask:
        """Return which pairs are shown in an epoch, (P,)."""

    def units(self, pairs_P: Mask) -> Ints:
        """Return the texts that hold some pairs."""

    def lengths(self, units: Ints) -> Ints:
        """Return the pieces of texts, or a little more."""

    def batch(self, units: Ints, pairs_P: Mask) -> tuple[Batch[Array], Ints]:
        """Return texts with those of their pairs that are shown, and the pairs' numbers."""

    def names(self, units: Ints) -> Sequence[str]:
        """Return names of texts."""


class ShownDocuments:
    """Documents with all that is shown of them.

    Args:
        na_ratio: NA pairs for each label of a document; None for all, those of documents without a
            label too.
    """

    def __init__(self, corpus: Corpus, *, max_pieces: int, na_ratio: float | None, seed: int):
        self._corpus, self._max_pieces, self._seed = corpus, max_pieces, seed
        self._document_P = owners(np.diff(corpus.pair.bounds))
        self.na_P = without_relation(corpus)
        self._possible_P = whole_pairs(corpus, max_pieces)
        self.lost = {"behind_max_pieces": int((~self._possible_P).sum())}
        labels_D = labels_in(corpus, self._possible_P)
        self._quota_D = None if na_ratio is None else np.ceil(na_ratio * labels_D)

    def epoch(self, epoch: int) -> Mask:
        """Return which pairs are shown in an epoch, (P,)."""
        if self._quota_D is None:
            return self._possible_P
        na = np.flatnonzero(self.na_P & self._possible_P)
        chosen = drawn(na, self._document_P[na], self._quota_D, [self._seed, epoch, NA])
        shown = self._possible_P & ~self.na_P
        shown[chosen] = True
        return shown

    def units(self, pairs_P: Mask) -> Ints:
        """Return the documents that hold some pairs."""
        return np.unique(self._document_P[pairs_P])

    def lengths(self, units: Ints) -> Ints:
        """Return the pieces of documents."""
        return np.minimum(self._corpus.lengths_D[units], self._max_pieces)

    def batch(self, units: Ints, pairs_P: Mask) -> tuple[Batch[Array], Ints]:
        """Return documents with those of their pairs that are shown, and the pairs' numbers."""
        bounds = self._corpus.pair.bounds
        pairs = ranges(bounds[units], bounds[units + 1] - bounds[units])
        batch = keep(self._corpus.take(units), {"P": pairs_P[pairs]})
        return views.fit(batch, self._max_pieces)[0], pairs[pairs_P[pairs]]

    def names(self, units: Ints) -> list[str]:
        """Return names of documents."""
        return [self._corpus.names_D[unit] for unit in units]


class ShownSentences:
    """Sentences with one pair each: of a pair the first sentence that holds it.

    Args:
        na_ratio: NA pairs for each label of the corpus; None for all.
    """

    def __init__(self, corpus: Corpus, *, max_pieces: int, na_ratio: float | None, seed: int):
        self._corpus, self._seed = corpus, seed
        found, lost = pairs_in_sentences(corpus, max_pieces, labelled=False)
        self._examples = found[np.unique(found.pair_N, return_index=True)[1]]
        self._unit_P = np.full(corpus.pair.bounds[-1], -1)
        self._unit_P[self._examples.pair_N] = np.arange(len(self._examples))
        self.na_P = without_relation(corpus)
        self._possible_P = self._unit_P >= 0
        apart = int((~np.asarray(corpus.pair["intra"], dtype=bool)).sum())
        self.lost = {**lost, "in_no_sentence_together": apart}
        self._quota = na_ratio and np.ceil(na_ratio * labels_in(corpus, self._possible_P).sum())

    def epoch(self, epoch: int) -> Mask:
        """Return which pairs are shown in an epoch, (P,)."""
        if self._quota is None:
            return self._possible_P
        na = np.flatnonzero(self.na_P & self._possible_P)
        whole = np.zeros(len(na), dtype=np.int64)
        shown = self._possible_P & ~self.na_P
        shown[drawn(na, whole, np.array([self._quota]), [self._seed, epoch, NA])] = True
        return shown

    def units(self, pairs_P: Mask) -> Ints:
        """Return the sentences that hold some pairs."""
        return self._unit_P[pairs_P]

    def lengths(self, units: Ints) -> Ints:
        """Return the pieces of sentences, with markers."""
        own = self._examples[units]
        return own.end_N - own.start_N + FRAME + 4

    def batch(self, units: Ints, pairs_P: Mask) -> tuple[Batch[Array], Ints]:
        """Return sentences with head and tail marked, and the pairs' numbers."""
        own: Examples = self._examples[units]
        batch = self._corpus.take_examples(own)
        return views.mark(batch, self._corpus.markers), own.pair_N

    def names(self, units: Ints) -> list[str]:
        """Return names of the documents that sentences are of."""
        return [self._corpus.names_D[document] for document in self._examples.document_N[units]]


def without_relation(corpus: Corpus) -> Mask:
    """Return which pairs have no relation, (P,)."""
    na: Mask = corpus.label["relation"][corpus.labels_of_pair[:-1]] == NA
    return na


def labels_in(corpus: Corpus, pairs_P: Mask) -> Ints:
    """Return how many relation labels each document has on some pairs, (D,)."""
    document = owners(np.diff(corpus.pair.bounds))
    labels_P = np.diff(corpus.labels_of_pair) * (pairs_P & ~without_relation(corpus))
    return np.bincount(document, labels_P, minlength=len(corpus)).astype(np.int64)


def whole_pairs(corpus: Corpus, max_pieces: int) -> Mask:
    """Return which pairs still have head and tail when documents are cut to `max_pieces`, (P,)."""
    ends = corpus.mention["end"]
    bounds = mentions_of_entity(corpus)
    # Mentions are sorted by start within an entity, and a long first one may end behind the second.
    first_E = np.minimum.reduceat(ends, bounds[:-1]) if len(bounds) > 1 else ends[:0]
    there_E = first_E <= max_pieces - FRAME
    base_P = corpus.entity.bounds[owners(np.diff(corpus.pair.bounds))]
    there: Mask = there_E[base_P + corpus.pair["head"]] & there_E[base_P + corpus.pair["tail"]]
    return there


def drawn(rows: Ints, group: Ints, most: Array, seed: Sequence[int]) -> Ints:
    """Draw rows at random, of each group at most so many.

    Shape:
        rows, group: (n,), groups ascending. most: one number a group.
    """
    lots = np.random.default_rng(seed).random(len(rows))
    order = np.lexsort((lots, group))
    place = np.arange(len(rows)) - np.searchsorted(group, group)
    return rows[order[place < most[group]]]
