"""Which sentences show a pair: one example for each pair in each sentence that mentions both."""

from __future__ import annotations

import numpy as np

from stages.model.corpus import MARKERS_OF_A_PAIR, Corpus, Examples
from stages.model.ragged import Array, Ints, owners, ranges

FRAME = 2
"""[CLS] and [SEP]."""
MOST_SENTENCES = 24
"""Bits for the number of a sentence within its document."""


def pairs_in_sentences(
    corpus: Corpus, max_pieces: int, *, labelled: bool = True
) -> tuple[Examples, dict[str, int]]:
    """Return every pair in every sentence that mentions both, once.

    The first mention of each in that sentence counts. A sentence that is too long is cut to what
    stands around the two mentions, evenly on both sides.

    Args:
        max_pieces: Pieces that a sequence may have, with [CLS], [SEP] and four markers.
        labelled: Leave NA pairs out.

    Returns:
        The examples in the order of the corpus, and how many were left out by reason:
        "overlapping_mentions", or "too_far_apart" where both mentions cannot fit.
    """
    found = together(corpus, candidates(corpus, labelled))
    first_N = found.mention_start_N.min(axis=1)
    last_N = found.mention_end_N.max(axis=1)
    overlap_N = found.mention_start_N.max(axis=1) < found.mention_end_N.min(axis=1)
    room = max_pieces - FRAME - MARKERS_OF_A_PAIR
    far_N = ~overlap_N & (last_N - first_N > room)
    start_N, end_N = window(found.start_N, found.end_N, first_N, last_N, room)
    examples = Examples(found.document_N, found.pair_N, found.head_N, found.tail_N, start_N, end_N)
    lost = {"overlapping_mentions": int(overlap_N.sum()), "too_far_apart": int(far_N.sum())}
    return examples[~overlap_N & ~far_N], lost


class Together:
    """Pairs of mentions within one sentence; spans are local to the document."""

    def __init__(self, corpus: Corpus, pair_N: Ints, head_N: Ints, tail_N: Ints) -> None:
        mention, sentence = corpus.mention, corpus.sentence
        self.pair_N, self.head_N, self.tail_N = pair_N, head_N, tail_N
        self.document_N = np.searchsorted(corpus.pair.bounds, pair_N, side="right") - 1
        both = np.stack([head_N, tail_N], axis=1)
        self.mention_start_N, self.mention_end_N = mention["start"][both], mention["end"][both]
        sentence_N = sentence.bounds[self.document_N] + mention["sentence"][head_N]
        self.start_N = sentence["start"][sentence_N]
        # A mention may run over the end of the sentence that it starts in.
        self.end_N = np.maximum(sentence["end"][sentence_N], self.mention_end_N.max(axis=1))


def candidates(corpus: Corpus, labelled: bool) -> Ints:
    """Return the pairs that some sentence holds, numbered over the whole corpus."""
    wanted = np.asarray(corpus.pair["intra"], dtype=bool)
    if labelled:
        related = corpus.label["relation"][corpus.labels_of_pair[:-1]] != 0
        wanted = wanted & related
    return np.flatnonzero(wanted)


def together(corpus: Corpus, pairs: Ints) -> Together:
    """Return for each pair and each sentence with both the first mentions of head and tail."""
    document = np.searchsorted(corpus.pair.bounds, pairs, side="right") - 1
    base, bounds = corpus.entity.bounds[document], mentions_of_entity(corpus)
    head_from, head_count = span_of(bounds, base + corpus.pair["head"][pairs])
    tail_from, tail_count = span_of(bounds, base + corpus.pair["tail"][pairs])
    # All combinations of a head's and a tail's mentions, the tail's turning fastest.
    own = owners(head_count * tail_count)
    step = ranges(np.zeros(len(pairs), dtype=np.int64), head_count * tail_count)
    head = head_from[own] + step // tail_count[own]
    tail = tail_from[own] + step % tail_count[own]
    sentence = corpus.mention["sentence"]
    same = np.flatnonzero(sentence[head] == sentence[tail])
    own, head, tail = own[same], head[same], tail[same]
    # Mentions of an entity are sorted by start, so the first of each group is the earliest one.
    groups = (own << MOST_SENTENCES) | sentence[head]
    first = np.unique(groups, return_index=True)[1]
    return Together(corpus, pairs[own[first]], head[first], tail[first])


def mentions_of_entity(corpus: Corpus) -> Ints:
    """Return where the mentions of each entity begin and end, both numbered over the corpus."""
    document = owners(np.diff(corpus.mention.bounds))
    entity = corpus.entity.bounds[document] + corpus.mention["entity"]
    counts = np.bincount(entity, minlength=corpus.entity.bounds[-1])
    return np.concatenate([[0], np.cumsum(counts)])


def span_of(bounds: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Return where lists begin and how long they are."""
    return bounds[rows], bounds[rows + 1] - bounds[rows]


def window(
    start_N: Array, end_N: Array, first_N: Array, last_N: Array, room: int
) -> tuple[Ints, Ints]:
    """Return spans of at most `room` pieces within `[start, end)`, around `[first, last)`.

    What is spare stands evenly on both sides; what one side does not need goes to the other.
    """
    spare_N = np.maximum(room - (last_N - first_N), 0)
    left_N, right_N = first_N - start_N, end_N - last_N
    before_N = np.minimum(left_N, np.maximum(spare_N // 2, spare_N - right_N))
    after_N = np.minimum(right_N, spare_N - before_N)
    return first_N - before_N, last_N + after_N
