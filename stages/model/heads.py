"""Heads: what a task puts on an encoder.

Shapes: P pairs, E width of a pair's vector, R relations; N relations, K supports, B queries of an
episode.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from stages.model.losses import at_least_fp32

__all__ = ["LinearHead", "PrototypeHead"]

Similarity = Literal["dot", "euclid", "cosine"]


class LinearHead(nn.Module):
    """Dropout and one linear layer over the vector of a pair or of [CLS].

    Args:
        width: E.
        relations: R, NA at 0 among them.
        dropout: Share of the vector that is dropped in training, [0, 1).
    """

    def __init__(self, width: int, relations: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, relations)

    def forward(self, pair_PE: Tensor) -> Tensor:
        """Return logits, (P, E) -> (P, R), in fp32."""
        return at_least_fp32(self.linear(self.dropout(pair_PE)))


class PrototypeHead(nn.Module):
    """Nearest prototype: a relation is the mean of its supports.

    Args:
        similarity: What makes a query near: the dot product, minus the squared Euclidean distance,
            or the cosine.
        dropout: Share of each support and query that is dropped in training, [0, 1).

    Papers: Snell et al. (NeurIPS 2017), equations 1 and 2; Peng et al., CP (EMNLP 2020), section
    4.1: the dot product.
    """

    def __init__(self, similarity: Similarity = "dot", dropout: float = 0.0) -> None:
        super().__init__()
        self.similarity = similarity
        self.dropout = nn.Dropout(dropout)

    def forward(self, support_NKE: Tensor, query_BE: Tensor) -> Tensor:
        """Return logits, (N, K, E) and (B, E) -> (B, N), in fp32."""
        support_NKE = at_least_fp32(self.dropout(support_NKE))
        query_BE = at_least_fp32(self.dropout(query_BE))
        prototype_NE = support_NKE.mean(dim=1)
        if self.similarity == "euclid":
            return -torch.cdist(query_BE, prototype_NE).square()
        if self.similarity == "cosine":
            query_BE = nn.functional.normalize(query_BE, dim=-1)
            prototype_NE = nn.functional.normalize(prototype_NE, dim=-1)
        return query_BE @ prototype_NE.T
