"""Heads: what a task puts on an encoder.

Shapes: P pairs, E width of a pair's vector, R relations; N relations, K supports, B queries of an
episode; M entities of documents, D width of their vectors.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from stages.model.losses import at_least_fp32

__all__ = ["BilinearHead", "LinearHead", "PrototypeHead", "Similarity", "distance_bucket"]

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


BUCKETS = 10
"""Distances of one sign: 0, 1, 2 to 3, 4 to 7, ... 256 and more."""


def distance_bucket(offset_P: Tensor) -> Tensor:
    """Return the bucket of signed distances: 0 for none, else the sign times 1 + floor(log2), <= 9.

    Shape:
        offset_P: (P,), int64. Result: (P,), int64, -9 to 9.
    """
    edges = 2 ** torch.arange(BUCKETS - 1, device=offset_P.device)
    # Right: a distance of just 2^n begins bucket n + 1.
    size_P = torch.bucketize(offset_P.abs(), edges, right=True)
    return size_P * offset_P.sign()


class BilinearHead(nn.Module):
    """A bilinear form of head and tail of a document, each with their distance beside.

    Args:
        width: D.
        relations: R, NA at 0 among them.
        hidden: Width that entities are brought to.
        distance: Width of the embedding of distances.
        dropout: Share of the vector of an entity that is dropped in training, [0, 1).

    Paper: Yao et al., DocRED (ACL 2019), section 4: the baseline's classifier, as ERICA and FineCL
    use it.
    """

    def __init__(
        self,
        width: int,
        relations: int,
        *,
        hidden: int = 128,
        distance: int = 20,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width, hidden)
        self.distance = nn.Embedding(2 * BUCKETS, distance)
        self.dropout = nn.Dropout(dropout)
        self.bilinear = nn.Bilinear(hidden + distance, hidden + distance, relations)

    def forward(self, entity_MD: Tensor, first_M: Tensor, head_P: Tensor, tail_P: Tensor) -> Tensor:
        """Return logits, (P, R), in fp32.

        Shape:
            entity_MD: (M, D), means of mention means; the linear layer may as well come first.
            first_M: (M,), int64, first piece of each entity's first mention.
            head_P, tail_P: (P,), int64, entities.
        """
        small_MH = self.linear(self.dropout(entity_MD))
        away_P = distance_bucket(first_M[head_P] - first_M[tail_P])
        head_PE = torch.cat([small_MH[head_P], self.distance(BUCKETS + away_P)], dim=1)
        tail_PE = torch.cat([small_MH[tail_P], self.distance(BUCKETS - away_P)], dim=1)
        return at_least_fp32(bilinear(self.bilinear, head_PE, tail_PE))


PAIRS_AT_ONCE = 4096


def bilinear(layer: nn.Bilinear, head_PE: Tensor, tail_PE: Tensor) -> Tensor:
    """Return what a bilinear layer returns, through one product of matrices.

    PyTorch's own way back through the layer takes 30 times as long on a CPU.

    Shape:
        head_PE, tail_PE: (P, E). Result: (P, R).
    """
    relations, width, _ = layer.weight.shape
    weight_ERE = layer.weight.permute(1, 0, 2).reshape(width, relations * width)
    # In pieces, so that all pairs of many documents do not stand in memory R times at once.
    parts = [
        torch.einsum("pre,pe->pr", (head @ weight_ERE).view(len(head), relations, width), tail)
        for head, tail in zip(
            head_PE.split(PAIRS_AT_ONCE), tail_PE.split(PAIRS_AT_ONCE), strict=True
        )
    ]
    return torch.cat(parts) + layer.bias


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
