"""Views: what is shown of an example. Pure functions from batch to batch.

Order in which they go together: `input_format` or `blank`, then `mark`; `prefix`; `fit`; and
`mask` of stages/model/masking.py last. What is random hangs on seed, epoch, example and the name of
the view alone (`Chance`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from stages.model.batch import Batch, keep, sequence_of, size
from stages.model.chance import Chance
from stages.model.edit import Insertion, edit, replace_mentions
from stages.model.markers import ENTITIES, TYPES, Markers
from stages.model.ragged import Array, Ints, owners, ranges

InputFormat = Literal["C+M", "C+T", "OnlyC", "OnlyM", "OnlyT"]


def pair_mentions(batch: Batch[Array]) -> tuple[Ints, Ints]:
    """Return the first mention of the head and of the tail of each sequence's one pair.

    Raises:
        ValueError: If a sequence has no pair, or several.
    """
    if not np.array_equal(sequence_of(batch, "P"), np.arange(len(batch))):
        raise ValueError("each sequence must have exactly one pair: see Corpus.take_examples")
    first_E = first_mentions(batch)
    return first_E[batch.pair_head_P], first_E[batch.pair_tail_P]


def first_mentions(batch: Batch[Array]) -> Ints:
    """Return the first mention of each entity."""
    return np.searchsorted(batch.mention_entity_M, np.arange(size(batch, "E")))


def blank(
    batch: Batch[Array], markers: Markers, chance: Chance, *, probability: float
) -> Batch[Array]:
    """Put [BLANK] in the place of heads and tails, each with a probability of its own.

    For sequences with one pair. `chance.of(0)` makes it the same in every epoch.

    Paper: Baldini Soares et al. (ACL 2019), section 4.2; Peng et al. (EMNLP 2020), section 3.2.
    """
    head_B, tail_B = pair_mentions(batch)
    hidden = [
        mention_B[chance.uniform(f"blank/{name}", batch.key_B) < probability]
        for name, mention_B in (("head", head_B), ("tail", tail_B))
    ]
    mentions = np.concatenate(hidden)
    return replace_mentions(batch, mentions, np.full(len(mentions), markers.blank))


def mark(batch: Batch[Array], markers: Markers) -> Batch[Array]:
    """Put [E1] [/E1] around the head and [E2] [/E2] around the tail of each pair.

    For sequences with one pair. `mention_marker_M` says where the start markers are.
    """
    head_B, tail_B = pair_mentions(batch)
    mentions = np.concatenate([head_B, tail_B])
    ids = ((markers.head_start, markers.tail_start), (markers.head_end, markers.tail_end))
    starts, ends = (np.repeat(pair, len(batch)) for pair in ids)
    return marked(batch, mentions, starts, ends)


def mark_entities(batch: Batch[Array], markers: Markers, chance: Chance) -> Batch[Array]:
    """Put a pair of entity markers around every mention: one pair of them an entity, at random.

    A text with more than 100 entities uses pairs of markers again.

    Paper: Qin et al., ERICA (ACL 2021), Appendix: the variant with entity markers.
    """
    keys, slots = np.repeat(batch.key_B, ENTITIES), np.tile(np.arange(ENTITIES), len(batch))
    drawn = chance.uniform("mark_entities", keys, slots).reshape(len(batch), ENTITIES)
    order = np.argsort(drawn, axis=1)
    sequence_E = batch.entity_sequence_E
    ordinal_E = np.arange(len(sequence_E)) - np.searchsorted(sequence_E, sequence_E)
    marker_M = order[sequence_E, ordinal_E % ENTITIES][batch.mention_entity_M]
    mentions = np.arange(size(batch, "M"))
    return marked(batch, mentions, markers.entity_starts[marker_M], markers.entity_ends[marker_M])


def marked(batch: Batch[Array], mentions: Ints, start_ids: Array, end_ids: Array) -> Batch[Array]:
    """Put a piece before and a piece behind each of some mentions."""
    # Ends come first: between two mentions that touch, one closes before the other opens.
    closing = Insertion(batch.mention_end_M[mentions], end_ids)
    opening = Insertion(batch.mention_start_M[mentions], start_ids)
    changed, (_, places) = edit(batch, closing, opening)
    marker_M = changed.mention_marker_M.copy()
    marker_M[mentions] = places
    return replace(changed, mention_marker_M=marker_M)


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
    at_B = batch.cu_seqlens[:-1] + 1
    mention_B = first_mentions(batch)[head_B]
    start_B = batch.mention_start_M[mention_B]
    head_pieces_B = batch.mention_end_M[mention_B] - start_B
    name_pieces_B = name_bounds[relation_B + 1] - name_bounds[relation_B]
    name = name_ids[ranges(name_bounds[relation_B], name_pieces_B)]
    head = batch.ids_T[ranges(start_B, head_pieces_B)]
    return edit(
        batch,
        Insertion(at_B[owners(name_pieces_B)], name, fixed=False),
        Insertion(at_B[owners(head_pieces_B)], head, fixed=False),
        Insertion(at_B, np.full(len(batch), markers.separate)),
    )[0]


def input_format(batch: Batch[Array], markers: Markers, form: InputFormat) -> Batch[Array]:
    """Show of each pair what one of five formats shows, markers not yet in.

    C+M leaves all as it is; C+T puts types in the place of mentions, OnlyC a blank; OnlyM and
    OnlyT leave mentions or types without context, in the order of the text. An entity without a
    type is blanked where its type should stand.

    Raises:
        ValueError: If there are more types than the registry has room for.

    Paper: Peng et al. (EMNLP 2020), section 2.2.
    """
    head_B, tail_B = pair_mentions(batch)
    mentions = np.concatenate([head_B, tail_B])
    if form in ("C+T", "OnlyT"):
        types_E = batch.entity_type_E
        if len(types_E) and types_E.max() >= TYPES:
            raise ValueError(f"type {types_E.max()} is above the last of {TYPES} type markers")
        heads, tails = types_E[batch.pair_head_P], types_E[batch.pair_tail_P]
        ids = np.concatenate([markers.head_types[heads], markers.tail_types[tails]])
        ids = np.where(np.concatenate([heads, tails]) < 0, markers.blank, ids)
        batch = replace_mentions(batch, mentions, ids)
    if form == "OnlyC":
        batch = replace_mentions(batch, mentions, np.full(len(mentions), markers.blank))
    if form in ("OnlyM", "OnlyT"):
        shown_T = np.zeros(batch.pieces, dtype=bool)
        shown_T[batch.cu_seqlens[:-1]] = shown_T[batch.cu_seqlens[1:] - 1] = True
        starts, ends = batch.mention_start_M[mentions], batch.mention_end_M[mentions]
        shown_T[ranges(starts, ends - starts)] = True
        batch = edit(batch, keep_T=shown_T)[0]
    return batch


def fit(batch: Batch[Array], max_pieces: int) -> tuple[Batch[Array], dict[str, int]]:
    """Cut sequences that are too long at their end, before [SEP].

    Returns:
        The batch, and how many mentions, entities and pairs it lost, by those names.
    """
    if batch.longest <= max_pieces:
        return batch, {}
    begin_B, end_B = batch.cu_seqlens[:-1], batch.cu_seqlens[1:]
    limit_B = np.minimum(begin_B + max_pieces, end_B) - 1
    left = {"M": batch.mention_end_M <= limit_B[sequence_of(batch, "M")]}
    if batch.span_end_S is not None:
        left["S"] = batch.span_end_S <= limit_B[sequence_of(batch, "S")]
    short = keep(batch, left)
    names = {"mentions": "M", "entities": "E", "pairs": "P"}
    lost = {name: size(batch, axis) - size(short, axis) for name, axis in names.items()}
    place_T = np.arange(batch.pieces)
    owner_T = sequence_of(batch, "T")
    last_T = place_T == end_B[owner_T] - 1
    cut, _ = edit(short, keep_T=(place_T < limit_B[owner_T]) | last_T)
    return cut, lost
