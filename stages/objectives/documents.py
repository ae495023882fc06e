"""What ED and RD share: whole documents with all their entities, and masked pieces beside.

Shapes: B sequences, E entities, P pairs, L labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from stages.model.batch import NA, Batch, joined, sequence_of
from stages.model.chance import Chance
from stages.model.ragged import Array, Ints
from storage.errors import ConfigError

if TYPE_CHECKING:
    from stages.model.course import Groups, Taken
    from stages.objectives.parts import MlmConfig
    from stages.objectives.setting import Setting


class Documents:
    """The documents of a corpus that have a label.

    Attributes:
        rows: Their numbers in the corpus.
    """

    def __init__(self, setting: Setting, max_pieces: int) -> None:
        self.corpus, self.encoder, self.seed = setting.corpus, setting.encoder, setting.seed
        self.max_pieces = max_pieces
        labelled = self.corpus.label["relation"] != NA
        counts = np.add.reduceat(
            np.append(labelled, False).astype(np.int64), self.corpus.label.bounds[:-1]
        ) * (np.diff(self.corpus.label.bounds) > 0)
        self.rows = np.flatnonzero(counts)
        if not len(self.rows):
            raise ConfigError(
                "no document of the corpus has a relation",
                mend="Take a larger corpus, or look at the tables tuples and splits",
            )

    def epoch(self, epoch: int) -> Groups:
        """Return the documents in random order."""
        from stages.model.course import Groups

        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return Groups(order[:, None], np.zeros(len(order), dtype=np.int64))

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of documents as they are encoded."""
        return np.minimum(self.corpus.lengths_D[rows], self.max_pieces)

    def names(self, rows: Ints) -> list[str]:
        """Return names of documents."""
        return [self.corpus.names_D[row] for row in rows]

    def disguised(
        self,
        taken: Taken,
        view: Callable[[Batch[Array], Chance], Batch[Array]],
        mlm: MlmConfig,
        reserve: int = 0,
    ) -> Batch[Array]:
        """Return documents as a view shows them, with pieces hidden; those of one epoch together.

        Args:
            view: Changes a batch of one epoch; it may leave sequences out.
            reserve: Pieces that the view may add to a sequence.
        """
        from stages.model import masking, views

        shown = []
        for epoch in np.unique(taken.epochs):
            chance = Chance(self.seed, int(epoch))
            batch = self.corpus.take(taken.rows[taken.epochs == epoch])
            batch, _ = views.fit(batch, self.max_pieces - reserve)
            batch = view(batch, chance)
            if mlm.weight:
                batch = masking.mask(
                    batch,
                    self.encoder.markers,
                    chance,
                    share=mlm.share,
                    protect_mentions=mlm.protect == "mentions",
                )
            shown.append(batch)
        return joined(shown) if len(shown) > 1 else shown[0]


def entities_in_sequence(batch: Batch[Array]) -> Ints:
    """Return for each entity its number within its sequence, (E,)."""
    first_B = np.searchsorted(batch.entity_sequence_E, np.arange(len(batch)))
    numbers: Ints = np.arange(len(batch.entity_sequence_E)) - first_B[batch.entity_sequence_E]
    return numbers


def label_sequence(batch: Batch[Array]) -> Ints:
    """Return the sequence of each label, (L,)."""
    return sequence_of(batch, "L")
