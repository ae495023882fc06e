"""The mentions of a document put together into its entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.spans import Span, holder


@dataclass(frozen=True)
class Entity:
    """One entity of a document.

    Attributes:
        qid: Its item; None where no mention was linked.
        name: Surface of the first mention.
        type: Entity type of the item; where that is not known the commonest of its mentions; None
            without one.
        mentions: Spans in code points of the page's text, in the order of the text.
        sentences: For each mention the ordinal of the sentence that it starts in.
    """

    qid: str | None
    name: str
    type: str | None
    mentions: tuple[Span, ...]
    sentences: tuple[int, ...]


def clusters(
    mentions: Sequence[Mapping[str, Any]],
    qids: Mapping[Span, str],
    sentence_starts: Sequence[int],
    item_types: Mapping[str, str],
) -> tuple[Entity, ...]:
    """Put mentions of one item together, and unlinked ones of the very same words.

    An unlinked mention never joins a linked one, even where the words are the same: the linker
    left it open for a reason.

    Args:
        mentions: Rows with `char_start`, `char_end`, `surface` and `type`, sorted by span.
        qids: Items of the linked mentions by span.
        sentence_starts: Where the sentences of the page begin, ascending.
        item_types: Entity types of items by their classes, where they are known: what an item is
            does not hang on how NER read its names.

    Returns:
        Entities in the order of their first mentions.
    """
    together: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for mention in mentions:
        qid = qids.get(_span(mention))
        key = ("qid", qid) if qid is not None else ("surface", mention["surface"])
        together.setdefault(key, []).append(mention)
    entities = []
    for (kind, name), same in together.items():
        types = Counter(m["type"] for m in same if m["type"] is not None)
        own = item_types.get(name) if kind == "qid" else None
        spans = tuple(_span(m) for m in same)
        entities.append(
            Entity(
                qid=name if kind == "qid" else None,
                name=same[0]["surface"],
                type=own or (types.most_common(1)[0][0] if types else None),
                mentions=spans,
                sentences=tuple(holder(sentence_starts, start) for start, _ in spans),
            )
        )
    return tuple(entities)


def _span(mention: Mapping[str, Any]) -> Span:
    return mention["char_start"], mention["char_end"]
