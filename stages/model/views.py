"""Views: what is shown of an example. Pure functions from batch to batch.

Order in which they go together: `input_format` or `blank`, then `mark`; `prefix`; `fit`; and
`mask` of stages/model/masking.py last. What is random hangs on seed, epoch, example and the name of
the view alone (`Chance`).
"""

from __future__ import annotations

from typing import Literal

from stages.model.batch import Batch
from stages.model.chance import Chance
from stages.model.markers import Markers
from stages.model.ragged import Array

InputFormat = Literal["C+M", "C+T", "OnlyC", "OnlyM", "OnlyT"]


def blank(
    batch: Batch[Array], markers: Markers, chance: Chance, *, probability: float
) -> Batch[Array]:
    """Put [BLANK] in the place of heads and tails, each with a probability of its own.

    For sequences with one pair. `chance.of(0)` makes it the same in every epoch.

    Paper: Baldini Soares et al. (ACL 2019), section 4.2; Peng et al. (EMNLP 2020), section 3.2.
    """
    raise NotImplementedError


def mark(batch: Batch[Array], markers: Markers) -> Batch[Array]:
    """Put [E1] [/E1] around the head and [E2] [/E2] around the tail of each pair.

    For sequences with one pair. `mention_marker_M` says where the start markers are.
    """
    raise NotImplementedError


def mark_entities(batch: Batch[Array], markers: Markers, chance: Chance) -> Batch[Array]:
    """Put a pair of entity markers around every mention: one pair of them an entity, at random.

    Paper: Qin et al., ERICA (ACL 2021), Appendix: the variant with entity markers.
    """
    raise NotImplementedError


def prefix(
    batch: Batch[Array],
    markers: Markers,
    relation_B: Array,
    head_B: Array,
    name_bounds: Array,
    name_ids: Array,
) -> Batch[Array]:
    """Put "relation name, first mention of the head, [SEP]" in front of each sequence.

    No mention points into the prefix.

    Args:
        relation_B: Id of a relation of each sequence.
        head_B: Entity of each sequence.
        name_bounds, name_ids: Pieces of each relation's name, by id: bounds (R + 1,).

    Paper: Qin et al., ERICA (ACL 2021), section 3.3.
    """
    raise NotImplementedError


def input_format(batch: Batch[Array], markers: Markers, form: InputFormat) -> Batch[Array]:
    """Show of each pair what one of five formats shows, markers not yet in.

    C+M leaves all as it is; C+T puts types in the place of mentions, OnlyC a blank; OnlyM and
    OnlyT leave mentions or types without context, in the order of the text.

    Paper: Peng et al. (EMNLP 2020), section 2.2.
    """
    raise NotImplementedError


def fit(batch: Batch[Array], max_pieces: int) -> tuple[Batch[Array], dict[str, int]]:
    """Cut sequences that are too long at their end, before [SEP].

    Returns:
        The batch, and how many mentions, entities and pairs it lost, by those names.
    """
    raise NotImplementedError
