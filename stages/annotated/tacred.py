"""tacred: TACRED and its kin (TACREV, Re-TACRED).

One JSON array: `id`, `token`, `subj_start`, `subj_end`, `obj_start`, `obj_end` (the ends are the
last token), `subj_type`, `obj_type`, `relation`.
Paper: Zhang et al., TACRED (EMNLP 2017), section 4.
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
    '{"id": ..., "token": [...], "subj_start": ..., "subj_end": ..., "obj_start": ..., "obj_end": '
    '..., "subj_type": ..., "obj_type": ..., "relation": ...}'
)


class Item(msgspec.Struct):
    """One example."""

    id: str
    token: list[str]
    subj_start: int
    subj_end: int
    obj_start: int
    obj_end: int
    subj_type: str
    obj_type: str
    relation: str | None = None


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document an example."""
    for record in array(path):
        item = decode(record, Item, FORM)
        if not all(item.token):
            raise record.error("there is an empty token", "Take it out, and count the others anew")
        head, tail = (
            Side((token_bounds(record, what, bounds, len(item.token), inclusive=True),), type=kind)
            for what, bounds, kind in (
                ("subj", (item.subj_start, item.subj_end), item.subj_type),
                ("obj", (item.obj_start, item.obj_end), item.obj_type),
            )
        )
        yield record, of_tokens(item.id, item.token, head, tail, item.relation)
