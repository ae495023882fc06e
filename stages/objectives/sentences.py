"""What MTB and CP share: sentences with one marked pair, blanks, and masked pieces beside.

Shapes: N examples, B sequences, P pairs (one a sequence), D width, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.model.batch import NO_LABEL, Batch, joined
from stages.model.chance import Chance
from stages.model.ragged import Array, Ints, owners, ranges
from storage.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from stages.model.course import Taken
    from stages.model.encoder import Encoded, Encoder
    from stages.model.losses import Loss
    from stages.model.meter import Work
    from stages.objectives.parts import BlankConfig, MlmConfig
    from stages.objectives.setting import Setting


@dataclass(frozen=True)
class SentenceMicro:
    """A micro-batch of sentences, with where each came from."""

    batch: Batch[Array]
    taken: Taken
    work: Work


@dataclass(frozen=True)
class LabelRows:
    """Sentences by relation: one row for each relation of each sentence's pair.

    Attributes:
        example_R: Sentence of each row.
        relation_R: Its relation.
        weight_R: How much the label counts, above 0.
    """

    example_R: Ints
    relation_R: Ints
    weight_R: Array


class Sentences:
    """The sentences of a corpus that name a labelled pair.

    Attributes:
        dropped: Sentences left out by reason.
    """

    def __init__(self, setting: Setting, max_pieces: int) -> None:
        from stages.model.examples import pairs_in_sentences

        self.corpus, self.encoder, self.seed = setting.corpus, setting.encoder, setting.seed
        self.examples, self.dropped = pairs_in_sentences(self.corpus, max_pieces)
        if not len(self.examples):
            raise ConfigError(
                "no sentence of the corpus names a pair that has a relation",
                mend="Take a larger corpus, or look at tuples with intra = true and at the splits",
            )

    def label_rows(self) -> LabelRows:
        """Return a row for each relation of each sentence's pair."""
        bounds = self.corpus.labels_of_pair
        first = bounds[self.examples.pair_N]
        counts = bounds[self.examples.pair_N + 1] - first
        labels = ranges(first, counts)
        relation_R, weight_R = (self.corpus.label[name][labels] for name in ("relation", "weight"))
        return LabelRows(owners(counts), relation_R, weight_R)

    def entities(self) -> tuple[Ints, Ints]:
        """Return numbers of the head and the tail of each sentence's pair, equal for equal items.

        An entity without an item equals only itself.
        """
        first = self.corpus.entity.bounds[self.examples.document_N]
        known = self.corpus.entity["qid"]
        own = -2 - np.arange(len(known))
        numbers = np.where(known >= 0, known, own)
        head, tail = (
            numbers[first + self.corpus.pair[side][self.examples.pair_N]]
            for side in ("head", "tail")
        )
        return head, tail

    def lengths(self, examples: Ints) -> Ints:
        """Return the pieces of each sentence as it will be encoded."""
        special = 6  # [CLS], [SEP] and four markers
        return self.examples.end_N[examples] - self.examples.start_N[examples] + special

    def names(self, examples: Ints) -> list[str]:
        """Return document and pair of each sentence."""
        documents = self.examples.document_N[examples]
        return [
            f"{self.corpus.names_D[document]}, pair {pair}"
            for document, pair in zip(documents, self.examples.pair_N[examples], strict=True)
        ]

    def collate(
        self, examples: Ints, taken: Taken, blank: BlankConfig, mlm: MlmConfig
    ) -> SentenceMicro:
        """Blank, mark and mask sentences; those of one epoch stand together."""
        from stages.model.meter import measured

        order = np.argsort(taken.epochs, kind="stable")
        taken, examples = taken.take(order), examples[order]
        pieces = [
            self._disguised(examples[taken.epochs == epoch], int(epoch), blank, mlm)
            for epoch in np.unique(taken.epochs)
        ]
        batch = joined(pieces) if len(pieces) > 1 else pieces[0]
        return SentenceMicro(batch, taken, measured(self.encoder, batch))

    def _disguised(
        self, examples: Ints, epoch: int, blank: BlankConfig, mlm: MlmConfig
    ) -> Batch[Array]:
        from stages.model import masking, views

        markers = self.encoder.markers
        batch = self.corpus.take_examples(self.examples[examples])
        chance = Chance(self.seed, epoch)
        batch = views.blank(
            batch,
            markers,
            chance.of(0) if blank.static else chance,
            probability=blank.probability,
        )
        batch = views.mark(batch, markers)
        if mlm.weight:
            batch = masking.mask(
                batch,
                markers,
                chance,
                share=mlm.share,
                protect_mentions=mlm.protect == "mentions",
            )
        return batch


def require_mlm_head(encoder: Encoder, mlm: MlmConfig) -> None:
    """Check that masked pieces can be predicted where they are to be.

    Raises:
        ConfigError: If the encoder has no head for it.
    """
    if mlm.weight and not encoder.has_mlm_head:
        raise ConfigError(
            "the encoder has no head for masked language modelling",
            mend="Set mlm.weight = 0, or start from a checkpoint that has one",
        )


def mlm_loss(encoder: Encoder, encoded: Encoded) -> Loss:
    """Return the loss of the masked pieces; logits are made at these alone."""
    from stages.model.losses import cross_entropy

    labels = encoded.batch.token_label_T
    assert labels is not None
    hidden = labels != NO_LABEL
    return cross_entropy(encoder.mlm_logits(encoded.hidden_TD[hidden]), labels[hidden])


def masked_count(batches: Sequence[Batch[Array]]) -> int:
    """Return how many pieces are masked."""
    labels = [batch.token_label_T for batch in batches]
    return sum(int((each != NO_LABEL).sum()) for each in labels if each is not None)


def facts(micros: Sequence[SentenceMicro], like: Tensor) -> Mapping[str, Tensor]:
    """Return what is known of the rows of micro-batches, one behind the other.

    They lie on the device of `like`.
    """
    import torch

    names = ("rows", "epochs", "groups", "targets")
    return {
        name: torch.as_tensor(
            np.concatenate([getattr(micro.taken, name) for micro in micros]), device=like.device
        )
        for name in names
    }
