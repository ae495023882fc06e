"""jsonl: relmill's own simple format for annotated text, one JSON object a line.

    {"id": "a1", "title": "Ada Lovelace", "text": "Ada was born in London.",
     "entities": [{"mentions": [[0, 3]], "type": "PERSON", "id": "Q7259"},
                  {"mentions": [[16, 22]]}],
     "relations": [{"head": 0, "tail": 1, "relation": "P19"}]}

Offsets count code points from 0, [start, one behind the end]. Needed are `text` and `entities`. An
entity may have a `type`, a `name` and a Wikidata `id`, a relation `evidence` (ordinals of
sentences). `sentences` and `tokens` are lists of offsets; without `sentences` the text is one. No
two mentions may overlap, and `id` may not repeat. Where there are `relations`, every other pair of
entities counts as NA, unless the line says `"complete": false`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stages.annotated.document import Document, Entity, Mention, Relation
from stages.annotated.files import Record, decode, lines
from storage.spans import Span, holder

FORM = (
    '{"text": ..., "entities": [{"mentions": [[start, end], ...]}, ...], "relations": [{"head": 0, '
    '"tail": 1, "relation": ...}]}, one a line'
)

Offsets = tuple[int, int]


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """One entity."""

    mentions: list[Offsets]
    type: str | None = None
    name: str | None = None
    id: str | None = None


class Label(msgspec.Struct, forbid_unknown_fields=True):
    """One relation."""

    head: int
    tail: int
    relation: str
    evidence: list[int] | None = None


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One line."""

    text: str
    entities: list[Named]
    relations: list[Label] | None = None
    complete: bool = True
    id: str | None = None
    title: str = ""
    sentences: list[Offsets] | None = None
    tokens: list[Offsets] = []


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document a line."""
    for record in lines(path):
        item = decode(record, Item, FORM)
        if not item.text.strip():
            raise record.error("the text is empty", f"A record is {FORM}")
        sentences = ordered(record, "sentences", item.sentences or [(0, len(item.text))], item)
        starts = [start for start, _ in sentences]
        yield (
            record,
            Document(
                str(record.number) if item.id is None else item.id,
                item.title,
                item.text,
                sentences,
                ordered(record, "tokens", item.tokens, item),
                tuple(entity(record, named, item.text, starts) for named in item.entities),
                tuple(
                    Relation(
                        label.head,
                        label.tail,
                        label.relation,
                        None if label.evidence is None else tuple(label.evidence),
                    )
                    for label in item.relations or ()
                ),
                na=None if item.complete and item.relations is not None else (),
            ),
        )


def ordered(record: Record, what: str, spans: Sequence[Span], item: Item) -> tuple[Span, ...]:
    """Return spans that lie behind one another within the text.

    Raises:
        SourceError: If they do not.
    """
    at = 0
    for start, end in spans:
        if not at <= start < end <= len(item.text):
            raise record.error(
                f"{what} holds [{start}, {end}], which is out of order or behind the "
                f"{len(item.text)} characters of the text",
                "Give offsets [start, one behind the end] in the order of the text",
            )
        at = end
    return tuple(spans)


def entity(record: Record, named: Named, text: str, starts: Sequence[int]) -> Entity:
    """Return one entity.

    Raises:
        SourceError: If it has no mention.
    """
    if not named.mentions:
        raise record.error("an entity has no mentions", f"A record is {FORM}")
    return Entity(
        tuple(
            Mention(span, holder(starts, span[0]), named.name or text[slice(*span)], named.type)
            for span in named.mentions
        ),
        named.id,
    )
