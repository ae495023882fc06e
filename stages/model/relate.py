"""Which relations the pairs of a document have: an encoder with the bilinear head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.model.batch import Batch
from stages.model.encoder import Encoder
from stages.model.heads import BilinearHead


class DocumentClassifier(nn.Module):
    """An encoder with a bilinear head over the pairs of a document.

    Args:
        relations: R, NA at 0 among them.
    """

    def __init__(self, encoder: Encoder, relations: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = BilinearHead(encoder.width, relations, dropout=dropout)

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Return logits, (P, R)."""
        entity_ED = self.encoder.encode(batch).entity_ED("mean")
        numbers = torch.arange(len(entity_ED), device=entity_ED.device)
        # Mentions are sorted by entity and start, so an entity's first row is its first mention.
        first_E = batch.mention_start_M[torch.searchsorted(batch.mention_entity_M, numbers)]
        logits_PR: Tensor = self.head(entity_ED, first_E, batch.pair_head_P, batch.pair_tail_P)
        return logits_PR
