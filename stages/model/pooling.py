"""From states of pieces to vectors of spans, mentions and entities: one weighted sum by segments.

Shapes: T pieces, K terms of the sums, N rows, D width, M mentions, E entities, P pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stages.model.batch import Batch
from stages.model.losses import at_least_fp32


class Index(NamedTuple):
    """Which pieces are summed up into which rows.

    Attributes:
        token_K: Piece of each term.
        row_K: Row that the term is added to.
        weight_K: What it is multiplied by.
        rows: Number of rows.
    """

    token_K: Tensor
    row_K: Tensor
    weight_K: Tensor
    rows: int


def pool(hidden_TD: Tensor, index: Index) -> Tensor:
    """Return for each row the weighted sum of the states of its pieces.

    Shape:
        hidden_TD: (T, D). Result: (N, D) in the type of `hidden_TD`, summed in fp32.
    """
    terms_KD = at_least_fp32(hidden_TD[index.token_K]) * index.weight_K.unsqueeze(1)
    sums_ND = terms_KD.new_zeros(index.rows, hidden_TD.shape[1])
    return sums_ND.index_add(0, index.row_K, terms_KD).to(hidden_TD.dtype)


def span_means(start_N: Tensor, end_N: Tensor, pieces: int | None = None) -> Index:
    """Return the index of the mean over the pieces `[start, end)` of each span.

    Args:
        pieces: Pieces of all spans together; a GPU need not be asked where it is known.

    Shape:
        start_N, end_N: (N,), end above start.
    """
    length_N = end_N - start_N
    spans = torch.arange(len(start_N), device=start_N.device)
    row_K = torch.repeat_interleave(spans, length_N, output_size=pieces)
    before_N = length_N.cumsum(0) - length_N
    token_K = torch.arange(len(row_K), device=row_K.device) + (start_N - before_N)[row_K]
    return Index(token_K, row_K, 1.0 / length_N[row_K], len(start_N))


def mention_means(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the pieces of each mention."""
    return span_means(batch.mention_start_M, batch.mention_end_M, batch.mention_pieces)


def entity_means(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the mentions of each entity of the means over pieces.

    Paper: Qin et al., ERICA (ACL 2021), Eq. 1.
    """
    token_K, mention_K, weight_K, _ = mention_means(batch)
    entities = len(batch.entity_sequence_E)
    share_E = shares(batch.mention_entity_M, entities)
    row_K = batch.mention_entity_M[mention_K]
    return Index(token_K, row_K, weight_K * share_E[row_K], entities)


def start_markers(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the start markers of each entity's mentions.

    With one mention an entity: the state of its start marker.

    Raises:
        ValueError: If a mention has no marker: see `mark` and `mark_entities`.
    """
    if not batch.marked:
        raise ValueError("a mention has no start marker: put markers in before encoding")
    entities = len(batch.entity_sequence_E)
    share_E = shares(batch.mention_entity_M, entities)
    return Index(
        batch.mention_marker_M, batch.mention_entity_M, share_E[batch.mention_entity_M], entities
    )


def first_pieces(batch: Batch[Tensor]) -> Index:
    """Return the index of the state of each sequence's first piece, [CLS]."""
    first_B = batch.cu_seqlens[:-1].long()
    rows = torch.arange(len(first_B), device=first_B.device)
    return Index(first_B, rows, torch.ones_like(rows, dtype=torch.float32), len(first_B))


def shares(row_N: Tensor, rows: int) -> Tensor:
    """Return for each row one over how often it occurs; 1 for one that does not.

    Shape:
        row_N: (N,). Result: (rows,), fp32.
    """
    # Not bincount, which asks a GPU for the highest number.
    ones_N = torch.ones_like(row_N, dtype=torch.float32)
    count = torch.zeros(rows, device=row_N.device).index_add(0, row_N, ones_N)
    return 1.0 / count.clamp(min=1.0)
