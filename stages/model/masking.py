"""Masked language modelling: which pieces are hidden, and what stands in their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.model.batch import NO_LABEL, Batch, sequence_of
from stages.model.chance import Chance
from stages.model.markers import Markers
from stages.model.ragged import Array, ranges

MASKED, RANDOM = 0.8, 0.1


def mask(
    batch: Batch[Array],
    markers: Markers,
    chance: Chance,
    *,
    share: float = 0.15,
    protect_mentions: bool = True,
) -> Batch[Array]:
    """Hide pieces and set `token_label_T` to what they were.

    Of the hidden ones 80 % become [MASK], 10 % a random piece of the vocabulary, 10 % stay. Never
    hidden are [CLS], [SEP], markers and blanks (`fixed_T`).

    Args:
        share: Share of the other pieces that is hidden; each is drawn for itself.
        protect_mentions: Never hide a piece of a mention of the batch.

    Paper: Devlin et al. (NAACL 2019), section 3.1, Task 1.
    """
    free_T = ~batch.fixed_T
    if protect_mentions:
        lengths_M = batch.mention_end_M - batch.mention_start_M
        free_T[ranges(batch.mention_start_M, lengths_M)] = False
    owner_T = sequence_of(batch, "T")
    place_T = np.arange(batch.pieces) - batch.cu_seqlens[owner_T]
    key_T = batch.key_B[owner_T]
    hidden_T = free_T & (chance.uniform("mask", key_T, place_T) < share)
    key_N, place_N = key_T[hidden_T], place_T[hidden_T]
    kind_N = chance.uniform("mask/kind", key_N, place_N)
    drawn_N = chance.below(len(markers.ordinary), "mask/piece", key_N, place_N)
    random_N = markers.ordinary[drawn_N]
    own_N = batch.ids_T[hidden_T]
    shown_N = np.where(kind_N < MASKED + RANDOM, random_N, own_N)
    ids_T = batch.ids_T.copy()
    ids_T[hidden_T] = np.where(kind_N < MASKED, markers.mask, shown_N)
    label_T = np.where(hidden_T, batch.ids_T, NO_LABEL)
    return replace(batch, ids_T=ids_T, token_label_T=label_T)
