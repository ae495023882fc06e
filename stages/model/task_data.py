"""Examples of a task in pieces: from texts with a head and a tail to batches.

Shapes: N examples, B sequences, P pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.model.batch import Batch
from stages.model.corpus import Corpus, Examples, Lists
from stages.model.encoder import Encoder
from stages.model.examples import pairs_in_sentences
from stages.model.markers import TYPES, Markers
from stages.model.pieces import in_pieces
from stages.model.ragged import Array, Ints, offsets
from stages.model.views import InputFormat, input_format, mark
from stages.tasks.base import Example
from storage.errors import StageError
from storage.lookup import text_keys

__all__ = ["TaskData", "task_data", "types_of"]

MOST_PIECES = 1 << 20
"""Texts are not cut when they are turned into pieces: later, around head and tail."""


@dataclass(frozen=True)
class TaskData:
    """Examples of a task, ready to be cut into batches.

    Attributes:
        place_N: Which of the examples that were given each of these is.
        class_N: Class of its relation, -1 where unlabelled.
        lost: How many examples were left out, by reason.
    """

    corpus: Corpus
    shown: Examples
    markers: Markers
    form: InputFormat
    place_N: Ints
    class_N: Ints
    lost: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.place_N)

    @property
    def lengths_N(self) -> Ints:
        """Pieces of each example at most, with markers."""
        return self.shown.end_N - self.shown.start_N + 6

    def batch(self, chosen: Ints) -> Batch[Array]:
        """Return examples as a batch: shown in their input format, with markers."""
        whole = self.corpus.take_examples(self.shown[chosen])
        return mark(input_format(whole, self.markers, self.form), self.markers)


def types_of(examples: Sequence[Example]) -> list[str]:
    """Return the entity types that occur, sorted: their numbers are those of their tokens.

    Raises:
        StageError: If there are more than there are tokens for.
    """
    sides = {t for e in examples for t in (e.head_type, e.tail_type) if t is not None}
    if len(sides) > TYPES:
        raise StageError(
            f"there are {len(sides)} entity types, and tokens for {TYPES}",
            mend="Put rare types together in the benchmark's files",
        )
    return sorted(sides)


def task_data(
    encoder: Encoder,
    examples: Sequence[Example],
    *,
    classes: Mapping[str, int],
    types: Sequence[str],
    form: InputFormat,
    max_pieces: int,
) -> TaskData:
    """Cut examples into pieces.

    A text that is too long is cut to what stands around head and tail. Left out and counted are
    examples of which that does not hold both ("too_far_apart"), those whose head and tail overlap
    ("overlapping_mentions"), and those of which a mention has no piece ("no_pieces").

    Args:
        classes: Class of each relation.
        types: Names of the entity types by number; another type counts as none.
        max_pieces: Pieces of a sequence, with [CLS], [SEP] and four markers.
    """
    count = len(examples)
    number = {name: i for i, name in enumerate(types)}
    sides = [(e.head, e.tail) for e in examples]
    spans = np.array(sides, dtype=np.int64).reshape(2 * count, 2)
    mention = Lists(
        offsets(np.full(count, 2)),
        {
            "start": spans[:, 0],
            "end": spans[:, 1],
            "entity": np.tile([0, 1], count),
            "sentence": np.zeros(2 * count, dtype=np.int64),
        },
    )
    texts = [example.text for example in examples]
    once = offsets(np.ones(count, dtype=np.int64))
    ends = np.array([len(text) for text in texts], dtype=np.int64)
    sentence = Lists(once, {"start": np.zeros(count, dtype=np.int64), "end": ends})
    found = in_pieces(encoder.tokenizer, texts, sentence, mention, mention.bounds, MOST_PIECES)
    kept_E = found.place_E >= 0
    kept_N = kept_E[0::2] & kept_E[1::2]
    type_E = [number.get(t or "", -1) for e in examples for t in (e.head_type, e.tail_type)]
    class_N = np.array([-1 if e.relation is None else classes[e.relation] for e in examples])
    bounds_P = offsets(kept_N.astype(np.int64))
    pairs = int(kept_N.sum())
    corpus = Corpus(
        text_keys(example.id for example in examples),
        [example.id for example in examples],
        {
            "piece": found.piece,
            "sentence": found.sentence,
            "mention": found.mention,
            "entity": Lists(
                found.entity_bounds,
                {
                    "qid": np.full(int(kept_E.sum()), -1, dtype=np.int64),
                    "type": np.array(type_E, dtype=np.int64)[kept_E],
                },
            ),
            "pair": Lists(
                bounds_P,
                {
                    "head": np.zeros(pairs, dtype=np.int64),
                    "tail": np.ones(pairs, dtype=np.int64),
                    "intra": np.ones(pairs, dtype=bool),
                },
            ),
            "label": Lists(
                bounds_P,
                {
                    "pair": np.zeros(pairs, dtype=np.int64),
                    "relation": np.maximum(class_N[kept_N], 0),
                    "weight": np.ones(pairs, dtype=np.float32),
                },
            ),
        },
        sorted(classes, key=classes.__getitem__),
        types,
        encoder.markers,
    )
    shown, lost = pairs_in_sentences(corpus, max_pieces, labelled=False)
    place_N = shown.document_N
    return TaskData(
        corpus,
        shown,
        encoder.markers,
        form,
        place_N,
        class_N[place_N],
        {**lost, "no_pieces": int(count - pairs)},
    )
