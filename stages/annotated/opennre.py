"""opennre: JSON lines of the OpenNRE toolkit (Wiki80, SemEval and others in its form).

A line holds `token` and positions [first, end) in tokens, or `text` and positions in code points;
`h` and `t` with `pos`, and where known `name`, `id` and `type`; and `relation`, where labelled.
Paper: Han et al., OpenNRE (EMNLP 2019, demonstrations).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from stages.annotated.check import Bounds, token_bounds
from stages.annotated.document import Document
from stages.annotated.files import Record, decode, lines
from stages.annotated.pair import Side, of_text, of_tokens, qid

FORM = (
    '{"token": [...] or "text": ..., "h": {"name": ..., "id": ..., "type": ..., "pos": [first, '
    'end]}, "t": {...}, "relation": ...}, one a line'
)
NO_TYPE = "UNK"


class Mentioned(msgspec.Struct):
    """`h` or `t`."""

    pos: list[int]
    name: str | None = None
    id: str | None = None
    type: str | None = None


class Item(msgspec.Struct):
    """One line."""

    h: Mentioned
    t: Mentioned
    token: list[str] | None = None
    text: str | None = None
    relation: str | None = None


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document a line."""
    for record in lines(path):
        item = decode(record, Item, FORM)
        if item.token is not None and all(item.token):
            tokens = item.token
            head, tail = sides(record, item, len(tokens))
            yield record, of_tokens(str(record.number), tokens, head, tail, item.relation)
        elif item.token is None and item.text:
            head, tail = sides(record, item, len(item.text))
            yield record, of_text(str(record.number), item.text, head, tail, item.relation)
        else:
            raise record.error("there is no text, or an empty token", f"A record is {FORM}")


def sides(record: Record, item: Item, size: int) -> tuple[Side, Side]:
    """Return head and tail.

    Args:
        size: Number of tokens, or of code points, that positions may count to.
    """
    head, tail = (
        side(found, token_bounds(record, what, found.pos, size))
        for what, found in (("h", item.h), ("t", item.t))
    )
    return head, tail


def side(found: Mentioned, bounds: Bounds) -> Side:
    """Return the head or the tail."""
    kind = None if found.type == NO_TYPE else found.type
    return Side((bounds,), found.name, kind, qid(found.id))
