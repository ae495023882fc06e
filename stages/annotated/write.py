"""Documents in the formats of released corpora: what `read` takes in, written.

Values that a file does not have are empty strings, never null, so that each column has one type
throughout. Keys beside those of a format say where a document comes from; its readers pass over
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.annotated.document import Document, Entity, Mention
from storage.spans import Span, holder, overlaps

__all__ = ["Layout", "docred", "erica", "opennre"]

Item = dict[str, Any]
NO_TYPE = "None"
"""What ERICA's files say in place of a type."""

NA = "NA"


class Layout:
    """The tokens of a document by sentence, and where its mentions stand among them.

    Every mention must begin and end with a token of one sentence.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._starts = [start for start, _ in document.sentences]
        self._spans: list[list[Span]] = [[] for _ in document.sentences]
        for span in document.tokens:
            self._spans[holder(self._starts, span[0])].append(span)
        self._first = [{s: i for i, (s, _) in enumerate(each)} for each in self._spans]
        self._last = [{e: i + 1 for i, (_, e) in enumerate(each)} for each in self._spans]

    @property
    def sentences(self) -> list[list[str]]:
        """The tokens of each sentence."""
        text = self._document.text
        return [[text[start:end] for start, end in each] for each in self._spans]

    def pos(self, mention: Mention) -> list[int]:
        """Return the bounds [first, end) of a mention in the tokens of its sentence."""
        first = self._first[mention.sentence][mention.span[0]]
        return [first, self._last[mention.sentence][mention.span[1]]]


def docred(document: Document) -> Item:
    """Return a document as DocRED has it; `id` of a mention is the QID of its entity.

    Paper: Yao et al., DocRED (ACL 2019), section 2.
    """
    layout = Layout(document)
    return {
        "title": document.title,
        "sents": layout.sentences,
        "vertexSet": [
            [
                {
                    "name": mention.name,
                    "pos": layout.pos(mention),
                    "sent_id": mention.sentence,
                    "type": mention.type or "",
                    "id": entity.qid or "",
                }
                for mention in entity.mentions
            ]
            for entity in document.entities
        ],
        "labels": [
            {"h": r.head, "t": r.tail, "r": r.name, "evidence": list(r.evidence or ())}
            for r in document.relations
        ],
    }


def erica(document: Document) -> Item:
    """Return a document as ERICA's scripts have it before word pieces are made.

    `pos` lists every token of all mentions that an entity has in a sentence under one name.
    Paper: Qin et al., ERICA (ACL 2021), section 5.1.
    """
    layout = Layout(document)
    return {
        "sents": layout.sentences,
        "vertexSet": [vertex(entity, layout) for entity in document.entities],
        "labels": [{"h": r.head, "t": r.tail, "r": r.name} for r in document.relations],
    }


def vertex(entity: Entity, layout: Layout) -> list[Item]:
    """Return an entity of ERICA's `vertexSet`; neighbouring mentions stay apart."""
    found: list[Item] = []
    for mention in entity.mentions:
        item = {
            "name": mention.name,
            "sent_id": mention.sentence,
            "type": mention.type or NO_TYPE,
            "id": entity.qid or "",
        }
        pos = list(range(*layout.pos(mention)))
        if found and item.items() <= found[-1].items() and found[-1]["pos"][-1] + 1 < pos[0]:
            found[-1]["pos"] += pos
        else:
            found.append({**item, "pos": pos})
    return found


def opennre(document: Document) -> Iterator[Item]:
    """Yield a line for each relation of a pair within one sentence, NA too.

    A pair stands in the sentence that holds its nearest mentions; one that no sentence holds is
    left out.
    Paper: Han et al., OpenNRE (EMNLP 2019, demonstrations).
    """
    layout = Layout(document)
    sentences = layout.sentences
    pairs = [(r.head, r.tail, r.name) for r in document.relations]
    for head, tail, name in sorted([*pairs, *((h, t, NA) for h, t in document.na or ())]):
        nearest = together(document.entities[head], document.entities[tail])
        if nearest is None:
            continue
        ends = [
            {
                "name": mention.name,
                "id": document.entities[ordinal].qid or "",
                "type": mention.type or "UNK",
                "pos": layout.pos(mention),
            }
            for ordinal, mention in zip((head, tail), nearest, strict=True)
        ]
        yield {
            "token": sentences[nearest[0].sentence],
            "h": ends[0],
            "t": ends[1],
            "relation": name,
        }


def together(head: Entity, tail: Entity) -> tuple[Mention, Mention] | None:
    """Return the nearest mentions of two entities in one sentence; None where there are none."""
    pairs = (
        (h, t)
        for h in head.mentions
        for t in tail.mentions
        if h.sentence == t.sentence and not overlaps(h.span, t.span)
    )
    return min(pairs, key=lambda pair: abs(pair[0].span[0] - pair[1].span[0]), default=None)
