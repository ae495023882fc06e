"""Masked language modelling: which pieces are hidden, and what stands in their place."""

from __future__ import annotations

from stages.model.batch import Batch
from stages.model.chance import Chance
from stages.model.markers import Markers
from stages.model.ragged import Array


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
    raise NotImplementedError
