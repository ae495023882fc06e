"""fewrel: FewRel files.

One JSON object from relations to lists of examples; an example holds `tokens`, and `h` and `t` as
[name, id, [[token, ...], ...]] with the tokens of each mention. A file without labels is one array.
Paper: Han et al., FewRel (EMNLP 2018), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from stages.annotated.check import Bounds, token_bounds
from stages.annotated.document import Document
from stages.annotated.files import Record, array, decode, whole
from stages.annotated.pair import Side, of_tokens, qid
from storage.errors import SourceError

FORM = '{"tokens": [...], "h": [name, id, [[token, ...]]], "t": [name, id, [[token, ...]]]}'

Mentioned = tuple[str, str, list[list[int]]]


class Item(msgspec.Struct):
    """One example."""

    tokens: list[str]
    h: Mentioned
    t: Mentioned


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document an example."""
    for record, relation in records(path):
        item = decode(record, Item, FORM)
        if not all(item.tokens):
            raise record.error("there is an empty token", "Take it out, and count the others anew")
        head, tail = (
            Side(
                tuple(run(record, what, tokens, len(item.tokens)) for tokens in found[2]),
                found[0],
                qid=qid(found[1]),
            )
            for what, found in (("h", item.h), ("t", item.t))
        )
        if not head.bounds or not tail.bounds:
            raise record.error("head or tail has no mention", f"A record is {FORM}")
        yield record, of_tokens(str(record.number), item.tokens, head, tail, relation)


def records(path: Path) -> Iterator[tuple[Record, str | None]]:
    """Yield the examples with their relation, numbered through the file."""
    data = whole(path)
    if data.lstrip().startswith(b"["):
        yield from ((record, None) for record in array(path))
        return
    try:
        relations: Mapping[str, list[msgspec.Raw]] = msgspec.json.decode(
            data, type=dict[str, list[msgspec.Raw]]
        )
    except msgspec.DecodeError as error:
        raise SourceError(
            f"this is no JSON object of lists: {error}",
            where=str(path),
            mend='A file is {"relation": [example, ...], ...}',
        ) from error
    number = 0
    for relation, examples in relations.items():
        for raw in examples:
            number += 1
            yield Record(path, number, bytes(raw), f"{relation}, example"), relation


def run(record: Record, what: str, tokens: list[int], size: int) -> Bounds:
    """Return the bounds of tokens that follow one another.

    Raises:
        SourceError: If they do not.
    """
    if not tokens or tokens != list(range(tokens[0], tokens[0] + len(tokens))):
        raise record.error(f"{what} has the tokens {tokens}, not one run", f"A record is {FORM}")
    return token_bounds(record, what, (tokens[0], tokens[-1]), size, inclusive=True)
