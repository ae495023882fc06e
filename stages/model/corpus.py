"""Documents in pieces, as columns that a process maps into memory; batches are cut out of them.

Positions in here are local to their document: pieces count from 0 at its first piece, without
[CLS]. A `Corpus` serves pre-training, from one Arrow file a machine, and tasks, from memory.

Shapes: D documents, N examples; see stages/model/batch.py for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from stages.model.batch import Batch
from stages.model.markers import Markers
from stages.model.ragged import Array, Ints

MARKERS_OF_A_PAIR = 4


class Ragged(NamedTuple):
    """One list a document: where the lists begin and end, and their values by name."""

    bounds: Ints
    values: Mapping[str, Array]


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
        return Examples(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


class Corpus:
    """Documents in pieces.

    Attributes:
        key_D: Number of each document that hangs on its name alone.
        names_D: Names of the documents.
        piece, word, sentence, mention, entity, pair, label: Columns, a list for each document.
            `pair["head"]` and the like number the entities of the same document.
        relations: Names of the relations by id; the first is NA.
        types: Names of the entity types by number.
    """

    def __init__(self, table: pa.Table, markers: Markers) -> None: ...

    @classmethod
    def open(cls, path: Path, markers: Markers) -> Corpus:
        """Map a file that `pack` wrote into memory, without reading it."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def take(self, documents_N: Array) -> Batch[Array]:
        """Return whole documents, in the order given, with [CLS] and [SEP] around each.

        All pairs come with them, NA pairs too; see `keep` to leave some out.
        """
        raise NotImplementedError

    def pairs_in_sentences(self, max_pieces: int, labelled: bool = True) -> tuple[Examples, int]:
        """Return every pair in every sentence that mentions both, once.

        The first mention of each in that sentence counts. A sentence that is too long is cut to
        what stands around the two mentions, evenly on both sides.

        Args:
            max_pieces: Pieces that a sequence may have, with [CLS], [SEP] and four markers.
            labelled: Leave NA pairs out.

        Returns:
            The examples in the order of the corpus, and how many were left out because the two
            mentions stand too far apart to fit.
        """
        raise NotImplementedError

    def take_examples(self, examples: Examples) -> Batch[Array]:
        """Return sentences with one pair each: its head is entity 2 n, its tail 2 n + 1."""
        raise NotImplementedError
