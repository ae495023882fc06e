"""arnor: annotated and distantly labelled New York Times sentences.

One JSON array: `sentence` (tokens with one space between), `head` and `tail` (`word`, `type`, `pos`
[first, last]), `relation`, and in part `is_noise`, an annotator's verdict on the distant label. The
released files hold sentences twice, and pairs that overlap.
Paper: Jia et al., ARNOR (ACL 2019), section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from stages.annotated.check import token_bounds
from stages.annotated.document import Document
from stages.annotated.files import Record, array, decode
from stages.annotated.pair import Side, of_tokens

FORM = (
    '{"sentence": "token token ...", "head": {"word": ..., "type": ..., "pos": [first, last]}, '
    '"tail": {...}, "relation": ...}'
)


class Mentioned(msgspec.Struct):
    """`head` or `tail`."""

    word: str
    pos: list[int]
    type: str | None = None


class Item(msgspec.Struct):
    """One labelled pair of a sentence."""

    sentence: str
    head: Mentioned
    tail: Mentioned
    relation: str
    is_noise: bool | None = None


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document a labelled pair."""
    for record in array(path):
        item = decode(record, Item, FORM)
        tokens = item.sentence.split(" ")
        if not all(tokens):
            raise record.error("the sentence has two spaces in a row", "Leave one between tokens")
        head, tail = (
            Side(
                (token_bounds(record, what, found.pos, len(tokens), inclusive=True),),
                found.word,
                found.type,
            )
            for what, found in (("head", item.head), ("tail", item.tail))
        )
        number = str(record.number)
        yield record, of_tokens(number, tokens, head, tail, item.relation, item.is_noise)
