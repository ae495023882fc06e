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

    Every document is cut to one length whatever stands beside it in a batch, so that how an update
    is cut into micro-batches changes no text.

    Args:
        marked: Whether markers stand around the mentions of each entity.
        reserve: Pieces that a view may put in front of a document.

    Attributes:
        rows: Their numbers in the corpus.
        dropped: Mentions, entities and pairs that are cut off, by reason.
    """

    def __init__(
        self, setting: Setting, max_pieces: int, *, marked: bool, reserve: int = 0
    ) -> None:
        self.corpus, self.encoder, self.seed = setting.corpus, setting.encoder, setting.seed
        self.max_pieces, self._marked, self._room = max_pieces, marked, max_pieces - reserve
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
        self.dropped = self._lost()

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
    ) -> Batch[Array]:
        """Return documents as a view shows them, with pieces hidden; those of one epoch together.

        Args:
            view: Changes a batch of one epoch, cut and marked; it may leave sequences out.
        """
        from stages.model import masking

        shown = []
        for epoch in np.unique(taken.epochs):
            chance = Chance(self.seed, int(epoch))
            batch, _ = self._cut(taken.rows[taken.epochs == epoch], chance)
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

    def _cut(self, rows: Ints, chance: Chance) -> tuple[Batch[Array], dict[str, int]]:
        """Return documents, marked where they are to be, and what they lost at their ends."""
        from stages.model import views

        batch = self.corpus.take(rows)
        if self._marked:
            batch = views.mark_entities(batch, self.encoder.markers, chance)
        return views.fit(batch, self._room)

    def _lost(self) -> dict[str, int]:
        """Count what is cut off; the same in every epoch."""
        mentions = np.diff(self.corpus.mention.bounds)
        lengths = self.corpus.lengths_D + (2 * mentions if self._marked else 0)
        long = self.rows[lengths[self.rows] > self._room]
        lost = self._cut(long, Chance(self.seed, 0))[1] if len(long) else {}
        return {f"{what}_behind_max_pieces": count for what, count in lost.items()}


def entities_in_sequence(batch: Batch[Array]) -> Ints:
    """Return for each entity its number within its sequence, (E,)."""
    first_B = np.searchsorted(batch.entity_sequence_E, np.arange(len(batch)))
    numbers: Ints = np.arange(len(batch.entity_sequence_E)) - first_B[batch.entity_sequence_E]
    return numbers


def label_sequence(batch: Batch[Array]) -> Ints:
    """Return the sequence of each label, (L,)."""
    return sequence_of(batch, "L")
