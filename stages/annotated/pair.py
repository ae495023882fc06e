"""Sentence-level records: one sentence, a head, a tail and the relation between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.annotated.check import Bounds
from stages.annotated.document import Document, Entity, Mention, Relation, joined
from storage.spans import Span

__all__ = ["Side", "of_text", "of_tokens", "qid"]


@dataclass(frozen=True, slots=True)
class Side:
    """The head or the tail: its mentions as bounds, in tokens or in code points."""

    bounds: tuple[Bounds, ...]
    name: str | None = None
    type: str | None = None
    qid: str | None = None


def of_tokens(
    id: str,
    tokens: Sequence[str],
    head: Side,
    tail: Side,
    relation: str | None,
    noisy: bool | None = None,
) -> Document:
    """Return the document of one tokenised sentence; without a relation it is unlabelled."""
    text = joined([tokens])
    entities = tuple(
        side_entity(text.text, side, [text.span(0, *bounds) for bounds in side.bounds])
        for side in (head, tail)
    )
    return Document(
        id,
        "",
        text.text,
        text.sentences,
        text.flat(),
        entities,
        () if relation is None else (Relation(0, 1, relation, (0,), noisy),),
    )


def of_text(id: str, text: str, head: Side, tail: Side, relation: str | None) -> Document:
    """Return the document of one sentence of plain text; bounds count its code points."""
    entities = tuple(side_entity(text, side, side.bounds) for side in (head, tail))
    return Document(
        id,
        "",
        text,
        ((0, len(text)),),
        (),
        entities,
        () if relation is None else (Relation(0, 1, relation, (0,)),),
    )


def side_entity(text: str, side: Side, spans: Sequence[Span]) -> Entity:
    """Return the entity of a side."""
    return Entity(
        tuple(Mention(span, 0, side.name or text[slice(*span)], side.type) for span in spans),
        side.qid,
    )


def qid(name: str | None) -> str | None:
    """Return an id if it is one of Wikidata; benchmarks also use those of Freebase and UMLS."""
    number = (name or "").removeprefix("Q")
    return name if name != number and number.isascii() and number.isdigit() else None
