"""mtb: whether two texts with blanked entities speak of the same pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.objectives.parts import BlankConfig, MlmConfig, ObjectiveConfig, Pool

if TYPE_CHECKING:
    from stages.model.course import Groups, Taken
    from stages.model.ragged import Ints
    from stages.model.update import Losses, Output, Rows
    from stages.objectives.sentences import SentenceMicro
    from stages.objectives.setting import Setting


class MtbConfig(ObjectiveConfig):
    """Matching the blanks.

    Paper: Baldini Soares et al. (ACL 2019), section 4; as Peng et al. (EMNLP 2020) run it again,
    appendix A.
    """

    name: Literal["mtb"] = "mtb"
    negatives: Literal["hard", "random", "mixed"] = Field(
        "hard", description="texts that share one entity, any texts of other pairs, half of each"
    )
    max_texts: int = Field(
        8, ge=2, description="texts of one pair that count, the first ones of the corpus"
    )
    max_pieces: int = Field(64, ge=16, le=512, description="pieces of a sentence, all included")
    blank: BlankConfig = Field(BlankConfig(), description="blanks in place of heads and tails")
    mlm: MlmConfig = Field(MlmConfig(), description="masked language modelling beside")


class Mtb:
    """Draws pairs of texts, half of them of the same entity pair."""

    pool: Pool = "rank"

    def __init__(self, config: MtbConfig, setting: Setting) -> None:
        from stages.objectives.pairing import same_pair
        from stages.objectives.sentences import Sentences, require_mlm_head

        require_mlm_head(setting.encoder, config.mlm)
        self._config = config
        self._encoder = setting.encoder
        self._sentences = Sentences(setting, config.max_pieces)
        self._heads, self._tails = self._sentences.entities()
        self._positives = same_pair(self._heads, self._tails, most=config.max_texts)
        self.weights: Mapping[str, float] = {
            "mtb": config.weight,
            "mlm": config.weight * config.mlm.weight,
        }
        self.dropped = self._sentences.dropped

    def epoch(self, epoch: int) -> Groups:
        """Return every positive pair of texts and as many negatives, one after the other."""
        from stages.model.course import Groups
        from stages.objectives.pairing import negative_pairs

        dice = np.random.default_rng([self._sentences.seed, epoch])
        positives = dice.permutation(self._positives)
        negatives = negative_pairs(
            self._heads, self._tails, len(positives), self._config.negatives, dice
        )
        count = min(len(positives), len(negatives))
        pairs = np.stack([positives[:count], negatives[:count]], axis=1).reshape(-1, 2)
        return Groups(pairs, np.tile([1, 0], count))

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of texts."""
        return self._sentences.lengths(rows)

    def names(self, rows: Ints) -> Sequence[str]:
        """Return names of texts."""
        return self._sentences.names(rows)

    def collate(self, taken: Taken) -> SentenceMicro:
        """Return a micro-batch of disguised texts."""
        return self._sentences.collate(taken.rows, taken, self._config.blank, self._config.mlm)

    def forward(self, micro: SentenceMicro) -> Output:
        """Return the states of both start markers of each text, and the loss of masked pieces."""
        from stages.model.update import Output
        from stages.objectives.sentences import mlm_loss

        encoded = self._encoder.encode(micro.batch.to(self._encoder.device))
        losses = {"mlm": mlm_loss(self._encoder, encoded)} if self._config.mlm.weight else {}
        return Output({"text": encoded.pair_P2D("marker")}, losses)

    def counts(self, micros: Sequence[SentenceMicro]) -> Mapping[str, int]:
        """Return the number of masked pieces."""
        from stages.objectives.sentences import masked_count

        return {"mlm": masked_count([micro.batch for micro in micros])}

    def pooled(self, rows: Rows, micros: Sequence[SentenceMicro]) -> Losses:
        """Compare the two texts of each pair by the dot product of their representations."""
        import torch

        from stages.model.losses import at_least_fp32, pair_bce
        from stages.objectives.sentences import facts

        known = facts(micros, rows["text"])
        order = torch.argsort(known["groups"], stable=True)
        texts = at_least_fp32(rows["text"])[order].unflatten(0, (-1, 2))
        logits = (texts[:, 0] * texts[:, 1]).sum(dim=-1)
        return {"mtb": pair_bce(logits, known["targets"][order][::2] == 1)}
