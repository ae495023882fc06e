"""From characters to word pieces: texts are cut, spans of code points become spans of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.model.corpus import Lists
from stages.model.ragged import Array, Ints, offsets, owners, ranges

if TYPE_CHECKING:
    from stages.model.markers import Tokenizer


@dataclass(frozen=True)
class Cut:
    """Texts in pieces.

    Attributes:
        bounds: Where the pieces of each text begin and end.
        ids, words: Id of each piece, and whether it begins a word.
        starts, ends: Code points of the text that it stands for.
    """

    bounds: Ints
    ids: Array
    words: Array
    starts: Ints
    ends: Ints

    def spans(self, text: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Return the pieces, local to their text, that share a code point with each span.

        Where a span has no piece, the end is not above the start.

        Args:
            text: Number of the text that each span is of.
            start, end: Code points `[start, end)`.
        """
        owner = owners(np.diff(self.bounds))
        # One number line for all texts: each has a stretch of its own.
        furthest = max(self.ends.max(initial=0), end.max(initial=0)) + 1
        first = np.searchsorted(self.ends + furthest * owner, start + furthest * text, "right")
        behind = np.searchsorted(self.starts + furthest * owner, end + furthest * text, "left")
        return first - self.bounds[text], behind - self.bounds[text]


@dataclass(frozen=True)
class InPieces:
    """Documents in pieces, and what of them did not survive.

    Attributes:
        piece, sentence, mention: As in `Corpus`; mentions are sorted by entity and start.
        entity_bounds: Where the entities that are left of each document begin and end.
        place_E: For each entity that was given its new ordinal in its document, -1 for lost ones.
        no_pieces_M, behind_M: Which of the mentions that were given have no piece of their own,
            and which do not end within the pieces that are kept.
        given_bounds: Where the mentions that were given begin and end.
    """

    piece: Lists
    sentence: Lists
    mention: Lists
    entity_bounds: Ints
    place_E: Ints
    no_pieces_M: Array
    behind_M: Array
    given_bounds: Ints


def cut(tokenizer: Tokenizer, texts: Sequence[str]) -> Cut:
    """Cut texts into pieces, [CLS] and [SEP] not among them.

    Words of a text that look like special pieces, "[SEP]" say, are cut as any others.
    """
    backend = tokenizer.backend_tokenizer
    before, backend.encode_special_tokens = backend.encode_special_tokens, True
    backend.no_truncation()
    backend.no_padding()
    try:
        found = backend.encode_batch(list(texts), add_special_tokens=False)
    finally:
        backend.encode_special_tokens = before
    bounds = offsets(np.array([len(encoding.ids) for encoding in found], dtype=np.int64))
    spans = joined([encoding.offsets for encoding in found], (0, 2))
    word = joined([encoding.word_ids for encoding in found], (0,))
    begins = np.ones(len(word), dtype=bool)
    begins[1:] = word[1:] != word[:-1]
    begins[bounds[:-1][np.diff(bounds) > 0]] = True
    ids = joined([encoding.ids for encoding in found], (0,)).astype(np.int32)
    return Cut(bounds, ids, begins, spans[:, 0], spans[:, 1])


def joined(parts: Sequence[Sequence[object]], shape: tuple[int, ...]) -> Ints:
    """Return lists of numbers as one array."""
    arrays = [np.array(part, dtype=np.int64) for part in parts if len(part)]
    return np.concatenate([np.empty(shape, dtype=np.int64), *arrays])


def in_pieces(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    sentence: Lists,
    mention: Lists,
    entity_bounds: Ints,
    max_pieces: int,
) -> InPieces:
    """Return documents in pieces.

    A mention that has no piece, or ends behind the last piece that is kept, is lost; so is an
    entity with its last mention.

    Args:
        texts: One text a document.
        sentence: Columns `start` and `end`, code points of the text.
        mention: Likewise, and `entity` and `sentence` local to the document.
        entity_bounds: Where the entities of each document begin and end.
        max_pieces: Pieces of a document that are kept, [CLS] and [SEP] not counted.
    """
    found = cut(tokenizer, texts)
    lengths = np.minimum(np.diff(found.bounds), max_pieces)
    document_M = owners(np.diff(mention.bounds))
    start_M, end_M = found.spans(document_M, mention["start"], mention["end"])
    no_pieces_M = end_M <= start_M
    behind_M = ~no_pieces_M & (end_M > max_pieces)
    kept_M = ~no_pieces_M & ~behind_M
    entity_M = entity_bounds[document_M] + mention["entity"]
    kept_E = np.bincount(entity_M[kept_M], minlength=entity_bounds[-1]).astype(bool)
    before_E = np.concatenate([[0], np.cumsum(kept_E)])
    bounds_E = before_E[entity_bounds]
    document_E = owners(np.diff(entity_bounds))
    place_E = np.where(kept_E, before_E[:-1] - bounds_E[:-1][document_E], -1)
    order = np.lexsort((start_M, entity_M))
    order = order[kept_M[order]]
    columns = {
        "start": start_M[order].astype(np.int32),
        "end": end_M[order].astype(np.int32),
        "entity": place_E[entity_M[order]].astype(np.int32),
        "sentence": mention["sentence"][order].astype(np.int32),
    }
    mentions = Lists(offsets(np.bincount(document_M[order], minlength=len(texts))), columns)
    chosen = ranges(found.bounds[:-1], lengths)
    pieces = Lists(offsets(lengths), {"id": found.ids[chosen], "word": found.words[chosen]})
    sentences = sentences_in_pieces(found, sentence, lengths)
    return InPieces(
        piece=pieces,
        sentence=sentences,
        mention=mentions,
        entity_bounds=bounds_E,
        place_E=place_E,
        no_pieces_M=no_pieces_M,
        behind_M=behind_M,
        given_bounds=mention.bounds,
    )


def sentences_in_pieces(found: Cut, sentence: Lists, lengths: Ints) -> Lists:
    """Return the pieces of each sentence, as far as they are kept."""
    document_S = owners(np.diff(sentence.bounds))
    start_S, end_S = found.spans(document_S, sentence["start"], sentence["end"])
    limit_S = lengths[document_S]
    start_S = np.minimum(start_S, limit_S)
    columns = {
        "start": start_S.astype(np.int32),
        "end": np.clip(end_S, start_S, limit_S).astype(np.int32),
    }
    return Lists(sentence.bounds, columns)
