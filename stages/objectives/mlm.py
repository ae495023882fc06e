"""mlm: predict pieces that are hidden, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.objectives.parts import MlmConfig, ObjectiveConfig, Pool

if TYPE_CHECKING:
    from stages.model.batch import Batch
    from stages.model.course import Groups, Taken
    from stages.model.meter import Work
    from stages.model.ragged import Array, Ints
    from stages.model.update import Losses, Output, Rows
    from stages.objectives.setting import Setting


class MlmOnlyConfig(ObjectiveConfig):
    """Masked language modelling alone: what contrastive objectives are compared with.

    Paper: Devlin et al. (NAACL 2019), section 3.1, Task 1.
    """

    name: Literal["mlm"] = "mlm"
    max_pieces: int = Field(512, ge=16, description="pieces of a document, all included")
    mlm: MlmConfig = Field(MlmConfig(), description="what is hidden")


@dataclass(frozen=True)
class DocumentMicro:
    """A micro-batch of documents."""

    batch: Batch[Array]
    work: Work


class Mlm:
    """Goes through whole documents."""

    pool: Pool = "micro"
    dropped: Mapping[str, int] = {}

    def __init__(self, config: MlmOnlyConfig, setting: Setting) -> None:
        from stages.objectives.sentences import require_mlm_head

        require_mlm_head(setting.encoder, config.mlm)
        self._config = config
        self._corpus = setting.corpus
        self._encoder = setting.encoder
        self._seed = setting.seed
        self.weights: Mapping[str, float] = {"mlm": config.weight * config.mlm.weight}

    def epoch(self, epoch: int) -> Groups:
        """Return the documents in random order."""
        from stages.model.course import Groups

        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._corpus))
        return Groups(order[:, None], np.zeros(len(order), dtype=np.int64))

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of documents, [CLS] and [SEP] among them."""
        return np.minimum(self._corpus.lengths_D[rows], self._config.max_pieces)

    def names(self, rows: Ints) -> Sequence[str]:
        """Return names of documents."""
        return [self._corpus.names_D[row] for row in rows]

    def collate(self, taken: Taken) -> DocumentMicro:
        """Return documents with pieces hidden."""
        from stages.model import masking, views
        from stages.model.batch import joined
        from stages.model.chance import Chance
        from stages.model.meter import measured

        masked = []
        for epoch in np.unique(taken.epochs):
            batch = self._corpus.take(taken.rows[taken.epochs == epoch])
            batch, _ = views.fit(batch, self._config.max_pieces)
            masked.append(
                masking.mask(
                    batch,
                    self._encoder.markers,
                    Chance(self._seed, int(epoch)),
                    share=self._config.mlm.share,
                    protect_mentions=self._config.mlm.protect == "mentions",
                )
            )
        whole = joined(masked)
        return DocumentMicro(whole, measured(self._encoder, whole))

    def forward(self, micro: DocumentMicro) -> Output:
        """Return the loss of the hidden pieces."""
        from stages.model.update import Output
        from stages.objectives.sentences import mlm_loss

        encoded = self._encoder.encode(micro.batch.to(self._encoder.device))
        return Output({}, {"mlm": mlm_loss(self._encoder, encoded)})

    def counts(self, micros: Sequence[DocumentMicro]) -> Mapping[str, int]:
        """Return the number of hidden pieces."""
        from stages.objectives.sentences import masked_count

        return {"mlm": masked_count([micro.batch for micro in micros])}

    def pooled(self, rows: Rows, micros: Sequence[DocumentMicro]) -> Losses:
        """Pay for nothing over a pool."""
        return {}
