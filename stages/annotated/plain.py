"""plain: texts without annotation, one JSON object a line, {"text": "..."}; other keys are left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from stages.annotated.files import Record, decode, lines

FORM = '{"text": ...}, one a line'


class Item(msgspec.Struct):
    """One line."""

    text: str


def read(path: Path) -> Iterator[tuple[Record, str]]:
    """Yield the text of each line.

    Raises:
        SourceError: If the file cannot be read, or a line of it is no such object.
    """
    for record in lines(path):
        text = decode(record, Item, FORM).text
        if not text.strip():
            raise record.error("the text is empty", f"A record is {FORM}")
        yield record, text
