"""From states of pieces to vectors of spans, mentions and entities: one weighted sum by segments.

Shapes: T pieces, K terms of the sums, N rows, D width, M mentions, E entities, P pairs.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from stages.model.batch import Batch


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
    raise NotImplementedError


def span_means(start_N: Tensor, end_N: Tensor) -> Index:
    """Return the index of the mean over the pieces `[start, end)` of each span.

    Shape:
        start_N, end_N: (N,), end above start.
    """
    raise NotImplementedError


def mention_means(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the pieces of each mention."""
    raise NotImplementedError


def entity_means(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the mentions of each entity of the means over pieces.

    Paper: Qin et al., ERICA (ACL 2021), Eq. 1.
    """
    raise NotImplementedError


def start_markers(batch: Batch[Tensor]) -> Index:
    """Return the index of the mean over the start markers of each entity's mentions.

    With one mention an entity: the state of its start marker.

    Raises:
        ValueError: If a mention has no marker: see `mark` and `mark_entities`.
    """
    raise NotImplementedError


def first_pieces(batch: Batch[Tensor]) -> Index:
    """Return the index of the state of each sequence's first piece, [CLS]."""
    raise NotImplementedError
