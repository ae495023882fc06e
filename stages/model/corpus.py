"""Documents in pieces, as columns that a process maps into memory; batches are cut out of them.

Positions in here are local to their document: pieces count from 0 at its first piece, without
[CLS]. A `Corpus` serves pre-training, from one Arrow file a machine, and tasks, from memory.

Shapes: D documents, N examples; see stages/model/batch.py for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from stages.model.batch import Batch
from stages.model.chance import mixed
from stages.model.markers import Markers
from stages.model.ragged import Array, Ints, offsets, owners, ranges

MARKERS_OF_A_PAIR = 4
COLUMNS = {
    "piece": ("id", "word"),
    "sentence": ("start", "end"),
    "mention": ("start", "end", "entity", "sentence"),
    "entity": ("qid", "type"),
    "pair": ("head", "tail", "intra"),
    "label": ("pair", "relation", "weight"),
}
"""Columns of each list that a document has; numbers of rows are local to the document."""


@dataclass(frozen=True)
class Lists:
    """One list a document: where the lists begin and end, and their columns by name."""

    bounds: Ints
    columns: Mapping[str, Array]

    def __getitem__(self, column: str) -> Array:
        return self.columns[column]


@dataclass(frozen=True)
class Examples:
    """Sentences with one pair each: what MTB, CP and the sentence-level tasks learn from.

    Attributes:
        document_N: Document that the sentence is of.
        pair_N: Pair, numbered over the whole corpus.
        head_N, tail_N: Mentions of head and tail in that sentence, numbered over the whole corpus.
        start_N, end_N: Pieces of the document that the example shows.
    """

    document_N: Ints
    pair_N: Ints
    head_N: Ints
    tail_N: Ints
    start_N: Ints
    end_N: Ints

    def __len__(self) -> int:
        return len(self.pair_N)

    def __getitem__(self, chosen: Array) -> Examples:
        return Examples(*(getattr(self, field.name)[chosen] for field in fields(self)))


class Corpus:
    """Documents in pieces.

    Args:
        keys: Number of each document that hangs on its name alone, uint64.
        names: Names of the documents.
        lists: By name one of COLUMNS. Mentions are sorted by entity and start, every entity has
            one; labels are sorted by pair, every pair has one.
        relations: Names of the relations by id; the first is NA.
        types: Names of the entity types by number.
        markers: Ids of [CLS] and [SEP].
    """

    def __init__(
        self,
        keys: Array,
        names: Sequence[str],
        lists: Mapping[str, Lists],
        relations: Sequence[str],
        types: Sequence[str],
        markers: Markers,
    ) -> None:
        self.key_D = keys
        self.names_D = names
        self.piece, self.sentence = lists["piece"], lists["sentence"]
        self.mention, self.entity = lists["mention"], lists["entity"]
        self.pair, self.label = lists["pair"], lists["label"]
        self.relations, self.types = relations, types
        self.markers = markers

    def __len__(self) -> int:
        return len(self.key_D)

    @property
    def lengths_D(self) -> Ints:
        """Pieces of each document, with [CLS] and [SEP]."""
        return np.diff(self.piece.bounds) + 2

    @cached_property
    def labels_of_pair(self) -> Ints:
        """Where the labels of each pair begin and end, pairs numbered over the whole corpus."""
        document = owners(np.diff(self.label.bounds))
        pair = self.pair.bounds[document] + self.label["pair"]
        return offsets(np.bincount(pair, minlength=self.pair.bounds[-1]))

    def take(self, documents: Array) -> Batch[Array]:
        """Return whole documents, in the order given, with [CLS] and [SEP] around each.

        All pairs come with them, NA pairs too; `keep` of stages/model/batch.py leaves some out.

        Shape:
            documents: (B,), each below D.
        """
        rows, counts = {}, {}
        for name in ("mention", "entity", "pair", "label"):
            bounds = getattr(self, name).bounds
            counts[name] = bounds[documents + 1] - bounds[documents]
            rows[name] = ranges(bounds[documents], counts[name])
        begin = self.piece.bounds[documents]
        framed = self._framed(begin, self.piece.bounds[documents + 1] - begin)
        shift_B = framed["cu_seqlens"][:-1] + 1
        shift_M = np.repeat(shift_B, counts["mention"])
        first_E, first_P = offsets(counts["entity"])[:-1], offsets(counts["pair"])[:-1]
        mention_M, entity_E = rows["mention"], rows["entity"]
        pair_P, label_L = rows["pair"], rows["label"]
        return Batch(
            **framed,
            key_B=self.key_D[documents],
            mention_start_M=self.mention["start"][mention_M] + shift_M,
            mention_end_M=self.mention["end"][mention_M] + shift_M,
            mention_entity_M=self.mention["entity"][mention_M]
            + np.repeat(first_E, counts["mention"]),
            mention_marker_M=np.full(len(mention_M), -1),
            entity_sequence_E=owners(counts["entity"]),
            entity_qid_E=self.entity["qid"][entity_E],
            entity_type_E=self.entity["type"][entity_E].astype(np.int64),
            pair_head_P=self.pair["head"][pair_P] + np.repeat(first_E, counts["pair"]),
            pair_tail_P=self.pair["tail"][pair_P] + np.repeat(first_E, counts["pair"]),
            pair_intra_P=self.pair["intra"][pair_P],
            label_pair_L=self.label["pair"][label_L] + np.repeat(first_P, counts["label"]),
            label_relation_L=self.label["relation"][label_L].astype(np.int64),
            label_weight_L=self.label["weight"][label_L],
        )

    def take_examples(self, examples: Examples) -> Batch[Array]:
        """Return sentences with one pair each: its head is entity 2 n, its tail 2 n + 1."""
        count = len(examples)
        start_N = examples.start_N
        begin = self.piece.bounds[examples.document_N] + start_N
        framed = self._framed(begin, examples.end_N - start_N)
        shift_M = np.repeat(framed["cu_seqlens"][:-1] + 1 - start_N, 2)
        mention_M = np.stack([examples.head_N, examples.tail_N], axis=1).ravel()
        first_E = np.repeat(self.entity.bounds[examples.document_N], 2)
        entity_E = self.mention["entity"][mention_M] + first_E
        label_from, label_to = self.labels_of_pair[examples.pair_N + np.array([[0], [1]])]
        label_L = ranges(label_from, label_to - label_from)
        return Batch(
            **framed,
            key_B=self._keys(examples),
            mention_start_M=self.mention["start"][mention_M] + shift_M,
            mention_end_M=self.mention["end"][mention_M] + shift_M,
            mention_entity_M=np.arange(2 * count),
            mention_marker_M=np.full(2 * count, -1),
            entity_sequence_E=np.repeat(np.arange(count), 2),
            entity_qid_E=self.entity["qid"][entity_E],
            entity_type_E=self.entity["type"][entity_E].astype(np.int64),
            pair_head_P=2 * np.arange(count),
            pair_tail_P=2 * np.arange(count) + 1,
            pair_intra_P=np.ones(count, dtype=bool),
            label_pair_L=owners(label_to - label_from),
            label_relation_L=self.label["relation"][label_L].astype(np.int64),
            label_weight_L=self.label["weight"][label_L],
        )

    def _framed(self, begin_B: Ints, length_B: Ints) -> dict[str, Array]:
        """Return the columns of pieces, [CLS] in front of each sequence and [SEP] behind it."""
        bounds = offsets(length_B + 2)
        inside = ranges(bounds[:-1] + 1, length_B)
        chosen = ranges(begin_B, length_B)
        ids_T = np.empty(bounds[-1], dtype=np.int64)
        ids_T[bounds[:-1]], ids_T[bounds[1:] - 1] = self.markers.classify, self.markers.separate
        ids_T[inside] = self.piece["id"][chosen]
        fixed_T = np.ones(bounds[-1], dtype=bool)
        fixed_T[inside] = False
        word_T = np.ones(bounds[-1], dtype=bool)
        word_T[inside] = self.piece["word"][chosen]
        return {"cu_seqlens": bounds, "ids_T": ids_T, "fixed_T": fixed_T, "word_T": word_T}

    def _keys(self, examples: Examples) -> Array:
        document_N = examples.document_N
        pair_N = examples.pair_N - self.pair.bounds[document_N]
        head_N = examples.head_N - self.mention.bounds[document_N]
        return mixed(self.key_D[document_N], pair_N, head_N)
