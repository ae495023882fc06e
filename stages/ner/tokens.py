"""Tokens of a text by spaCy's rules for its language, cut where a mention begins or ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import spacy
from spacy.tokenizer import Tokenizer

from storage.spans import Span, holder


@lru_cache(maxsize=4)
def tokenizer(language: str) -> Tokenizer:
    """Return spaCy's tokenizer of a language; one that it does not know takes generic rules."""
    try:
        return spacy.blank(language).tokenizer
    except ImportError:
        return spacy.blank("xx").tokenizer


def tokens(text: str, language: str, mentions: Iterable[Span]) -> list[Span]:
    """Return the spans of the tokens of a text, none of them white space.

    Args:
        mentions: Spans that shall begin and end with a token.
    """
    found = [
        (t.idx, t.idx + len(t)) for t in tokenizer(language)(text) if not t.is_space and len(t)
    ]
    starts = [start for start, _ in found]
    cuts: dict[int, set[int]] = {}
    for border in {border for span in mentions for border in span}:
        at = holder(starts, border)
        if found and found[at][0] < border < found[at][1]:
            cuts.setdefault(at, set()).add(border)
    pieces: list[Span] = []
    for at, (start, end) in enumerate(found):
        borders = [start, *sorted(cuts.get(at, ())), end]
        pieces += pairwise(borders)
    return pieces
