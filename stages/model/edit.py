"""Pieces put into sequences and taken out of them, with all that points at pieces put right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stages.model.batch import NO_LABEL, Batch
from stages.model.ragged import Array, Ints


@dataclass(frozen=True)
class Insertion:
    """Pieces that are put in.

    Attributes:
        at_I: Piece before which each is put; never a sequence's first one.
        ids_I: Their ids.
        fixed: Whether masking leaves them alone.
    """

    at_I: Ints
    ids_I: Ints
    fixed: bool = True


def edit(
    batch: Batch[Array], *insertions: Insertion, keep_T: Array | None = None
) -> tuple[Batch[Array], list[Ints]]:
    """Return a batch with pieces put in and others taken out.

    Where several are put before the same piece, those of the first insertion stand first. A mention
    keeps the pieces that are left of it; what is put at its borders stays outside.

    Args:
        keep_T: Mask of the pieces that stay, the first of each mention among them.

    Returns:
        The batch, and where the pieces of each insertion are now.
    """
    kept_T = np.ones(batch.pieces, dtype=bool) if keep_T is None else keep_T
    at_I = np.concatenate([np.empty(0, np.int64), *(i.at_I for i in insertions)])
    order_I = np.argsort(at_I, kind="stable")
    sorted_I = at_I[order_I]
    borders = np.arange(batch.pieces + 1)
    before = np.concatenate([[0], np.cumsum(kept_T)])
    starts = before + np.searchsorted(sorted_I, borders, side="right")
    ends = before + np.searchsorted(sorted_I, borders, side="left")
    place_I = np.empty(len(at_I), dtype=np.int64)
    place_I[order_I] = before[sorted_I] + np.arange(len(at_I))

    made: dict[str, Array] = {}
    for name, info, values in batch.columns():
        if info["axis"] == "T":
            put_in = [inserted(name, insertion) for insertion in insertions]
            whole = np.empty(len(at_I) + before[-1], dtype=values.dtype)
            whole[starts[:-1][kept_T]] = values[kept_T]
            whole[place_I] = np.concatenate([np.empty(0, values.dtype), *put_in])
            made[name] = whole
        elif info["points_at"] == "start":
            made[name] = np.where(values < 0, -1, starts[values])
        elif info["points_at"] == "end":
            made[name] = ends[values]
    cuts = np.cumsum([len(insertion.at_I) for insertion in insertions])[:-1]
    return replace(batch, cu_seqlens=ends[batch.cu_seqlens], **made), np.split(place_I, cuts)


def inserted(column: str, insertion: Insertion) -> Array:
    """Return what a column of pieces holds for those that are put in; each is a word of its own."""
    values: dict[str, Any] = {
        "ids_T": insertion.ids_I,
        "fixed_T": insertion.fixed,
        "word_T": True,
    }
    return np.full(insertion.at_I.shape, values.get(column, NO_LABEL))


def replace_mentions(batch: Batch[Array], mentions: Array, ids: Array) -> Batch[Array]:
    """Return a batch with one special piece in the place of each of some mentions.

    Args:
        mentions: Their numbers; no two of them overlap.
        ids: The pieces that take their place.
    """
    starts, ends = batch.mention_start_M[mentions], batch.mention_end_M[mentions]
    ids_T, fixed_T, word_T = batch.ids_T.copy(), batch.fixed_T.copy(), batch.word_T.copy()
    ids_T[starts], fixed_T[starts], word_T[starts] = ids, True, True
    # Pieces behind the first one of a mention go: +1 where they begin, -1 where they end.
    steps = np.zeros(batch.pieces + 1, dtype=np.int64)
    np.add.at(steps, starts + 1, 1)
    np.add.at(steps, ends, -1)
    changed = replace(batch, ids_T=ids_T, fixed_T=fixed_T, word_T=word_T)
    return edit(changed, keep_T=np.cumsum(steps[:-1]) == 0)[0]
