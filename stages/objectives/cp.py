"""cp: texts of the same relation come together, texts of others apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.objectives.parts import BlankConfig, MlmConfig, ObjectiveConfig, Pool

if TYPE_CHECKING:
    from torch import Tensor

    from stages.model.course import Groups, Taken
    from stages.model.ragged import Ints
    from stages.model.update import Losses, Output, Rows
    from stages.objectives.sentences import SentenceMicro
    from stages.objectives.setting import Setting


class CpConfig(ObjectiveConfig):
    """Contrastive pre-training on relations.

    Paper: Peng et al., "Learning from Context or Names?" (EMNLP 2020), section 3, Eq. 2; with
    weights Hogan et al., FineCL (NAACL 2022), Eq. 5.
    """

    name: Literal["cp"] = "cp"
    temperature: float = Field(0.05, gt=0.0, description="divides similarities")
    similarity: Literal["cosine", "dot"] = Field(
        "cosine", description="of two representations; the paper writes dot, its code is cosine"
    )
    pool: Pool = Field(
        "global",
        description="what an anchor is held against: its micro-batch, its process, or the update",
    )
    positives: Literal["all", "sampled"] = Field(
        "all", description="all texts of the pool with the anchor's relation, or its partner alone"
    )
    mask_false_negatives: bool = Field(
        True, description="a text whose pair has a relation of the anchor's is no negative"
    )
    representation: Literal["marker", "cls"] = Field(
        "marker", description="states of the two start markers, or of [CLS]"
    )
    weights: bool = Field(
        False,
        description="whether the weights that denoise gave count: FineCL's loss on sentences",
    )
    max_pieces: int = Field(64, ge=16, le=512, description="pieces of a sentence, all included")
    blank: BlankConfig = Field(BlankConfig(), description="blanks in place of heads and tails")
    mlm: MlmConfig = Field(MlmConfig(), description="masked language modelling beside")


class Cp:
    """Draws texts by relation and contrasts them over a pool."""

    def __init__(self, config: CpConfig, setting: Setting) -> None:
        from stages.objectives.sentences import Sentences, require_mlm_head

        require_mlm_head(setting.encoder, config.mlm)
        self._config = config
        self._encoder = setting.encoder
        self._sentences = Sentences(setting, config.max_pieces)
        self._labels = self._sentences.label_rows()
        self._relations = len(setting.corpus.relations)
        self.pool: Pool = config.pool
        self.weights: Mapping[str, float] = {
            "cp": config.weight,
            "mlm": config.weight * config.mlm.weight,
        }
        self.dropped = self._sentences.dropped

    def epoch(self, epoch: int) -> Groups:
        """Return pairs of texts of one relation, each text once for each of its relations."""
        from stages.model.course import Groups
        from stages.objectives.pairing import neighbours

        dice = np.random.default_rng([self._sentences.seed, epoch])
        pairs = neighbours(self._labels.relation_R, dice)
        return Groups(pairs, self._labels.relation_R[pairs[:, 0]])

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of texts."""
        return self._sentences.lengths(self._labels.example_R[rows])

    def names(self, rows: Ints) -> Sequence[str]:
        """Return names of texts."""
        return self._sentences.names(self._labels.example_R[rows])

    def collate(self, taken: Taken) -> SentenceMicro:
        """Return a micro-batch of disguised texts."""
        examples = self._labels.example_R[taken.rows]
        return self._sentences.collate(examples, taken, self._config.blank, self._config.mlm)

    def forward(self, micro: SentenceMicro) -> Output:
        """Return the representation of each text, and the loss of its masked pieces."""
        from stages.model.update import Output
        from stages.objectives.sentences import mlm_loss

        encoded = self._encoder.encode(micro.batch.to(self._encoder.device))
        if self._config.representation == "marker":
            texts = encoded.pair_P2D("marker")
        else:
            texts = encoded.sequence_BD
        losses = {"mlm": mlm_loss(self._encoder, encoded)} if self._config.mlm.weight else {}
        return Output({"text": texts}, losses)

    def counts(self, micros: Sequence[SentenceMicro]) -> Mapping[str, int]:
        """Return the number of masked pieces."""
        from stages.objectives.sentences import masked_count

        return {"mlm": masked_count([micro.batch for micro in micros])}

    def pooled(self, rows: Rows, micros: Sequence[SentenceMicro]) -> Losses:
        """Contrast the texts of this process with those of the pool."""
        from stages.model.gather import gather, row_counts
        from stages.model.losses import info_nce, similarities
        from stages.objectives.sentences import facts

        own, texts = facts(micros, rows["text"]), rows["text"]
        counts = row_counts(len(texts), texts.device) if self.pool == "global" else [len(texts)]
        keys = gather(texts, counts)
        others = {name: gather(values, counts) for name, values in own.items()}
        positive, negative = self._masks(own, others)
        similarity = similarities(texts, keys, self._config.similarity)
        weigh = self._config.weights
        loss = info_nce(
            similarity,
            positive,
            negative,
            temperature=self._config.temperature,
            anchor_weight_A=self._weights(own) if weigh else None,
            key_weight=self._weights(others) if weigh else None,
        )
        return {"cp": loss}

    def _weights(self, known: Mapping[str, Tensor]) -> Tensor:
        import torch

        weights = self._labels.weight_R[known["rows"].cpu().numpy()]
        return torch.as_tensor(weights, device=known["rows"].device)

    def _masks(
        self, own: Mapping[str, Tensor], others: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return which keys are positives and which are negatives of each anchor, (A, K)."""
        same_text = self._texts(own)[:, None] == self._texts(others)[None]
        same_relation = own["targets"][:, None] == others["targets"][None]
        positive = same_relation & ~same_text
        if self._config.positives == "sampled":
            positive = positive & (own["groups"][:, None] == others["groups"][None])
        negative = ~same_relation & ~same_text
        if self._config.mask_false_negatives:
            negative = negative & ~self._share_a_label(own, others)
        return positive, negative

    def _texts(self, known: Mapping[str, Tensor]) -> Tensor:
        import torch

        examples = self._labels.example_R[known["rows"].cpu().numpy()]
        return torch.as_tensor(examples, device=known["rows"].device)

    def _share_a_label(self, own: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> Tensor:
        anchors, keys = self._label_sets(own), self._label_sets(others)
        return (anchors @ keys.T) > 0

    def _label_sets(self, known: Mapping[str, Tensor]) -> Tensor:
        """Return the relations of each row's text, as 0 and 1: (rows, relations)."""
        import torch

        examples = self._labels.example_R[known["rows"].cpu().numpy()]
        first = np.searchsorted(self._labels.example_R, examples, side="left")
        last = np.searchsorted(self._labels.example_R, examples, side="right")
        counts = last - first
        places = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        sets = torch.zeros(len(examples), self._relations, device=known["rows"].device)
        owner = torch.as_tensor(np.repeat(np.arange(len(examples)), counts))
        sets[
            owner.to(sets.device), torch.as_tensor(self._labels.relation_R[places]).to(sets.device)
        ] = 1.0
        return sets
