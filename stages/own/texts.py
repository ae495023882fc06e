"""Texts of one's own, one JSON object a line.

    {"id": "a1", "title": "Ada Lovelace", "text": "Ada was born in London.", "entity": "ada",
     "mentions": [{"start": 16, "end": 22, "entity": "london"}]}

Needed are `id` and `text`. A whole number is the page id as it stands, a string becomes one. Each
line of the text is a block. `mentions` are spans whose entity is known, offsets count code points,
[start, one behind the end); `entity` is what the text is about. Entities are ids of one's own
facts, or titles of articles where the facts are Wikidata's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from stages.own.numbers import PAGE_BITS
from stages.wiki.compression import open_dump
from stages.wiki.records import Record
from storage.errors import SourceError
from storage.lookup import text_key
from storage.spans import Span

FORM = (
    '{"id": ..., "text": ..., "title": ..., "entity": ..., '
    '"mentions": [{"start": 0, "end": 1, "entity": ...}]}'
)
Name = Annotated[str, msgspec.Meta(min_length=1)]
PageId = Annotated[int, msgspec.Meta(ge=1, lt=1 << PAGE_BITS)]


class Mention(msgspec.Struct, forbid_unknown_fields=True):
    """A span whose entity is known."""

    start: int
    end: int
    entity: Name


class Text(msgspec.Struct, forbid_unknown_fields=True):
    """One line."""

    id: PageId | Name
    text: Name
    title: str = ""
    entity: str = ""
    mentions: list[Mention] = []

    @property
    def page_id(self) -> int:
        """Page id: the number itself, or one made of the string."""
        return self.id if isinstance(self.id, int) else text_key(self.id) >> (64 - PAGE_BITS)

    @property
    def name(self) -> str:
        """Title, or the id where it has none."""
        return self.title or str(self.id)

    def blocks(self) -> list[Span]:
        """Return the spans of the lines, without white space around them."""
        found, at = [], 0
        for line in self.text.split("\n"):
            inner = line.strip()
            if inner:
                start = at + line.index(inner)
                found.append((start, start + len(inner)))
            at += len(line) + 1
        return found


_TEXT = msgspec.json.Decoder(Text)


def decoded(data: bytes) -> Text:
    """Return the text of a line that `texts` has checked."""
    return _TEXT.decode(data)


def texts(path: Path) -> Iterator[tuple[Record, Text]]:
    """Yield the texts of a file, each checked, as records to be packed.

    Raises:
        SourceError: If a line is wrong, or two have one id: its number, the value and the mend.
    """
    seen: dict[int, int] = {}
    with open_dump(path) as stream:
        for number, line in enumerate(stream, 1):
            data = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if not data:
                continue
            where = f"{path}, line {number}"
            try:
                text = decoded(data)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise SourceError(
                    f"{data[:60].decode('utf-8', 'replace')!r}: {error}",
                    where=where,
                    mend=f"Write {FORM}, one a line",
                ) from error
            _require_sound(text, where)
            if seen.setdefault(text.page_id, number) != number:
                raise SourceError(
                    f"the id {text.id!r} stands in line {seen[text.page_id]} already",
                    where=where,
                    mend="Give each text an id of its own",
                )
            yield Record(text.page_id, number, data), text


def _require_sound(text: Text, where: str) -> None:
    """Check that there are blocks, and that each mention lies in one and none overlaps another."""
    blocks, end = text.blocks(), 0
    if not blocks:
        raise SourceError(
            f"the text of {text.id!r} is white space", where=where, mend="Leave the line out"
        )
    for mention in sorted(text.mentions, key=lambda m: m.start):
        inside = any(a <= mention.start < mention.end <= b for a, b in blocks)
        if not inside or mention.start < end:
            what = "overlaps another mention" if inside else "is no span of one line of the text"
            raise SourceError(
                f"[{mention.start}, {mention.end}) of {text.id!r} {what}",
                where=where,
                mend="Offsets count code points of the text from 0, the end is one behind",
            )
        end = mention.end
