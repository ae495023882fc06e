"""One ragged batch for every objective and task: no padding, everything in flat columns.

Rows of every axis stand in the order of their sequences. What points at pieces points into the flat
`ids_T`, what points at an entity or pair into the columns of those.

Shapes: T pieces, B sequences, M mentions, E entities, P pairs, L labels, S spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from stages.model.ragged import Array, Ints, offsets, owners, ranges

if TYPE_CHECKING:
    import torch

A = TypeVar("A")
NO_LABEL = -100
"""Target of a piece that is not to be predicted."""
NA = 0
"""Id of "no relation"; a relation's id is never 0."""
HOST = ("longest", "mention_pieces", "marked")
"""What a batch of tensors knows without asking their device."""


def column(axis: str, points_at: str = "", optional: bool = False) -> Any:
    """Declare a column: the axis of its rows, and what its values point at.

    Args:
        axis: One of T, B, M, E, P, L, S.
        points_at: The axis whose rows the values number, or "start" and "end" for borders of
            pieces; empty where the values are no numbers of rows.
        optional: Whether the column may be None.
    """
    metadata = {"axis": axis, "points_at": points_at}
    return field(default=None, metadata=metadata) if optional else field(metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[A]):
    """Sequences of pieces with mentions, entities, pairs and labels.

    Its arrays are NumPy's while views work on it, and torch tensors of one device after `to`.

    Attributes:
        cu_seqlens: (B + 1,). Sequence b is the pieces `[cu_seqlens[b], cu_seqlens[b + 1])`.
        key_B: Number of the example, the same in every epoch and on every machine: what randomness
            hangs on.
        ids_T: Ids of pieces, [CLS] and [SEP] of each sequence among them.
        fixed_T: Whether a piece may not be masked for being a marker, a blank, [CLS] or [SEP].
        word_T: Whether a piece begins a word.
        token_label_T: Id that is to be predicted at a piece, or NO_LABEL.
        mention_start_M, mention_end_M: Pieces `[start, end)` of a mention, its markers not
            included.
        mention_entity_M: Entity that the mention names.
        mention_marker_M: Piece that is the start marker of the mention, -1 without one.
        entity_sequence_E: Sequence that the entity is in. Every entity has a mention.
        entity_qid_E: Number of its QID, -1 for an entity that is not linked.
        entity_type_E: Number of its type, -1 for none.
        pair_head_P, pair_tail_P: Entities that are head and tail.
        pair_intra_P: Whether some sentence of the text holds both.
        label_pair_L: Pair that the label is of; every pair has one at least.
        label_relation_L: Id of the relation; NA (0) is the one label of a pair without relation.
        label_weight_L: Weight of the label, above 0.
        span_start_S, span_end_S: Further spans of pieces, for objectives that draw some.
    """

    cu_seqlens: A
    key_B: A = column("B")
    ids_T: A = column("T")
    fixed_T: A = column("T")
    word_T: A = column("T")
    mention_start_M: A = column("M", "start")
    mention_end_M: A = column("M", "end")
    mention_entity_M: A = column("M", "E")
    mention_marker_M: A = column("M", "start")
    entity_sequence_E: A = column("E", "B")
    entity_qid_E: A = column("E")
    entity_type_E: A = column("E")
    pair_head_P: A = column("P", "E")
    pair_tail_P: A = column("P", "E")
    pair_intra_P: A = column("P")
    label_pair_L: A = column("L", "P")
    label_relation_L: A = column("L")
    label_weight_L: A = column("L")
    token_label_T: A | None = column("T", optional=True)
    span_start_S: A | None = column("S", "start", optional=True)
    span_end_S: A | None = column("S", "end", optional=True)

    def __len__(self) -> int:
        return len(self.cu_seqlens) - 1  # type: ignore[arg-type]

    @property
    def pieces(self) -> int:
        """Number of pieces of all sequences."""
        return len(self.ids_T)  # type: ignore[arg-type]

    @property
    def lengths_B(self) -> A:
        """Pieces of each sequence."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]  # type: ignore[index, no-any-return]

    @cached_property
    def longest(self) -> int:
        """Pieces of the longest sequence."""
        return int(self.lengths_B.max()) if len(self) else 0  # type: ignore[attr-defined]

    @cached_property
    def mention_pieces(self) -> int:
        """Pieces of all mentions together."""
        return int((self.mention_end_M - self.mention_start_M).sum())  # type: ignore[operator]

    @cached_property
    def marked(self) -> bool:
        """Whether every mention has a start marker."""
        return bool((self.mention_marker_M >= 0).all())  # type: ignore[attr-defined, operator]

    def columns(self) -> Iterator[tuple[str, Mapping[str, str], A]]:
        """Yield name, declaration and values of each column that is there."""
        for info in fields(self):
            values = getattr(self, info.name)
            if info.metadata and values is not None:
                yield info.name, info.metadata, values

    def to(self, device: torch.device | str) -> Batch[torch.Tensor]:
        """Return the same batch as tensors on a device.

        Numbers become int64, weights fp32; `cu_seqlens` becomes int32, as attention kernels ask.
        """
        import torch

        moved = {
            name: torch.as_tensor(as_torch(values)).to(device, non_blocking=True)
            for name, _, values in self.columns()
        }
        bounds = torch.as_tensor(self.cu_seqlens).to(device, torch.int32)
        made: Batch[torch.Tensor] = Batch(cu_seqlens=bounds, **moved)
        # Known here, these need not be asked of a GPU, which would have to finish its work first.
        for name in HOST:
            made.__dict__[name] = getattr(self, name)
        return made


def as_torch(values: Any) -> Any:
    """Return values in a type that torch computes with."""
    if isinstance(values, np.ndarray) and values.dtype == np.uint64:
        return values.view(np.int64)
    return values


def sequence_of(batch: Batch[Array], axis: str) -> Ints:
    """Return the sequence of each row of an axis.

    Raises:
        KeyError: If the axis is none of a batch's.
    """
    if axis == "B":
        return np.arange(len(batch))
    if axis == "T":
        return owners(batch.lengths_B)
    if axis == "E":
        return batch.entity_sequence_E
    if axis == "M":
        return batch.entity_sequence_E[batch.mention_entity_M]
    if axis == "P":
        return batch.entity_sequence_E[batch.pair_head_P]
    if axis == "L":
        return sequence_of(batch, "P")[batch.label_pair_L]
    if axis == "S" and batch.span_start_S is not None:
        return np.searchsorted(batch.cu_seqlens, batch.span_start_S, side="right") - 1
    raise KeyError(axis)


def take(batch: Batch[Array], sequences: Array) -> Batch[Array]:
    """Return some sequences of a batch, in the order given; each at most once.

    Shape:
        sequences: (N,), numbers below B.
    """
    chosen = {}
    for axis in axes(batch):
        bounds = offsets(np.bincount(sequence_of(batch, axis), minlength=len(batch)))
        starts = bounds[:-1][sequences]
        chosen[axis] = ranges(starts, bounds[1:][sequences] - starts)
    return rows(batch, chosen)


def keep(batch: Batch[Array], kept: Mapping[str, Array]) -> Batch[Array]:
    """Return a batch without some rows; what hangs on a row that is left out goes with it.

    A mention goes with its entity, an entity with its last mention, a pair with its head or tail or
    with its last label, a label with its pair, all with their sequence. Pieces stay: see `edit`.

    Args:
        kept: By axis (all but T) a mask of the rows that stay.
    """
    stays = {
        axis: np.asarray(kept.get(axis, np.ones(size(batch, axis), dtype=bool)))
        for axis in axes(batch)
    }
    if "B" in kept:
        for axis in stays:
            stays[axis] = stays[axis] & stays["B"][sequence_of(batch, axis)]
    mentioned = np.bincount(batch.mention_entity_M[stays["M"]], minlength=size(batch, "E")).astype(
        bool
    )
    stays["E"] &= mentioned
    stays["M"] &= stays["E"][batch.mention_entity_M]
    stays["P"] &= stays["E"][batch.pair_head_P] & stays["E"][batch.pair_tail_P]
    stays["L"] &= stays["P"][batch.label_pair_L]
    labelled = np.bincount(batch.label_pair_L[stays["L"]], minlength=size(batch, "P"))
    stays["P"] &= labelled.astype(bool)
    left = {axis: mask for axis, mask in stays.items() if not mask.all()}
    return rows(batch, {axis: np.flatnonzero(mask) for axis, mask in left.items()})


def rows(batch: Batch[Array], chosen: Mapping[str, Ints]) -> Batch[Array]:
    """Return some rows of each axis, with what points at them put right.

    Args:
        chosen: Rows by axis, in their new order; what the rows left point at must be among them. An
            axis that is not named stays as it is.
    """
    places = {}
    for axis, own in chosen.items():
        places[axis] = np.full(size(batch, axis), -1, dtype=np.int64)
        places[axis][own] = np.arange(len(own))
    made: dict[str, Array] = {}
    for name, info, values in batch.columns():
        own = values[chosen[info["axis"]]] if info["axis"] in chosen else values
        made[name] = moved(own, info["points_at"], places)
    if "T" in chosen or "B" in chosen:
        sequence_T = sequence_of(batch, "T")
        sequence_T = sequence_T[chosen["T"]] if "T" in chosen else sequence_T
        sequence_T = places["B"][sequence_T] if "B" in chosen else sequence_T
        count = len(chosen["B"]) if "B" in chosen else len(batch)
        made["cu_seqlens"] = offsets(np.bincount(sequence_T, minlength=count))
    return replace(batch, **made)


def moved(values: Array, points_at: str, places: Mapping[str, Ints]) -> Array:
    """Return values with the new numbers of the rows that they point at."""
    if {"start": "T", "end": "T"}.get(points_at, points_at) not in places:
        return values
    if points_at == "start":
        return np.asarray(np.where(values < 0, -1, places["T"][np.maximum(values, 0)]))
    if points_at == "end":
        return np.asarray(places["T"][values - 1] + 1)
    return np.asarray(places[points_at][values])


def joined(batches: Sequence[Batch[Array]]) -> Batch[Array]:
    """Return batches as one, with the sequences of the first one first.

    Raises:
        ValueError: If there is none, or an optional column is in some of them only.
    """
    if len({tuple(name for name, _, _ in b.columns()) for b in batches}) != 1:
        raise ValueError("batches with different columns cannot be joined")
    parts: dict[str, list[Array]] = {}
    shifts = dict.fromkeys("TBMEPLS", 0)
    for batch in batches:
        for name, info, values in batch.columns():
            at = {"start": "T", "end": "T"}.get(info["points_at"], info["points_at"])
            shifted = np.where(values < 0, values, values + shifts[at]) if at else values
            parts.setdefault(name, []).append(shifted)
        for axis in axes(batch):
            shifts[axis] += size(batch, axis)
    lengths = np.concatenate([batch.lengths_B for batch in batches])
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    return Batch(cu_seqlens=offsets(lengths), **whole)


def axes(batch: Batch[Array]) -> list[str]:
    """Return the axes that a batch has rows along."""
    return [*"TBMEPL", *(["S"] if batch.span_start_S is not None else [])]


def size(batch: Batch[Array], axis: str) -> int:
    """Return the number of rows of an axis."""
    if axis == "B":
        return len(batch)
    columns = {
        "T": batch.ids_T,
        "M": batch.mention_start_M,
        "E": batch.entity_sequence_E,
        "P": batch.pair_head_P,
        "L": batch.label_pair_L,
        "S": batch.span_start_S,
    }
    found = columns[axis]
    return 0 if found is None else len(found)
