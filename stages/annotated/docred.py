"""docred: DocRED and its kin (Re-DocRED, the unlabelled test part).

One JSON array of documents: `title`, `sents` (tokens of each sentence), `vertexSet` (entities, each
a list of mentions with `sent_id`, `pos` [first, end), `name`, `type`) and, where it is labelled,
`labels` (`h`, `t`, `r`, `evidence`); then every other pair is NA. Released files hold mentions that
overlap, and mentions twice: they are kept as they are. Further keys, as `global_pos`, say nothing
new and are not read.
Paper: Yao et al., DocRED (ACL 2019), section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stages.annotated.check import token_bounds
from stages.annotated.document import Document, Entity, Joined, Mention, Relation, joined
from stages.annotated.files import Record, array, decode

__all__ = ["FORM", "entity", "read", "require_words"]

FORM = (
    '{"title": ..., "sents": [[token, ...], ...], "vertexSet": [[{"sent_id": ..., "pos": '
    '[first, end], "name": ..., "type": ...}]], "labels": [{"h": ..., "t": ..., "r": ..., '
    '"evidence": [...]}]}'
)


class VertexMention(msgspec.Struct):
    """One mention of `vertexSet`."""

    pos: list[int]
    sent_id: int
    name: str
    type: str | None = None
    id: str | None = None


class Label(msgspec.Struct):
    """One entry of `labels`."""

    h: int
    t: int
    r: str
    evidence: list[int] | None = None


class Item(msgspec.Struct):
    """One document."""

    title: str
    sents: list[list[str]]
    vertexSet: list[list[VertexMention]]  # noqa: N815
    labels: list[Label] | None = None


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield the documents of a file."""
    for record in array(path):
        item = decode(record, Item, FORM)
        require_words(record, item.sents)
        text = joined(item.sents)
        entities = tuple(entity(record, text, vertex) for vertex in item.vertexSet)
        relations = tuple(
            Relation(
                label.h,
                label.t,
                label.r,
                None if label.evidence is None else tuple(label.evidence),
            )
            for label in item.labels or ()
        )
        yield (
            record,
            Document(
                item.title,
                item.title,
                text.text,
                text.sentences,
                text.flat(),
                entities,
                relations,
                na=() if item.labels is None else None,
            ),
        )


def require_words(record: Record, sentences: Sequence[Sequence[str]]) -> None:
    """Check that there are sentences, that each has tokens, and each token a character.

    Raises:
        SourceError: If not.
    """
    for number, tokens in enumerate(sentences or [[]]):
        if not tokens or not all(tokens):
            what = "an empty token" if tokens else "no tokens"
            raise record.error(f"sentence {number} has {what}", "Take it out, or mend it")


def entity(record: Record, text: Joined, vertex: Sequence[VertexMention]) -> Entity:
    """Return an entity of `vertexSet`.

    Raises:
        SourceError: If it has no mention, or one lies outside its sentence.
    """
    if not vertex:
        raise record.error("an entity has no mention", "Take it out, and count the others anew")
    mentions = []
    for mention in vertex:
        if not 0 <= mention.sent_id < len(text.sentences):
            raise record.error(
                f"{mention.name!r} stands in sentence {mention.sent_id}, but there are "
                f"{len(text.sentences)}",
                "Sentences count from 0",
            )
        tokens = len(text.tokens[mention.sent_id])
        bounds = token_bounds(record, repr(mention.name), mention.pos, tokens)
        span = text.span(mention.sent_id, *bounds)
        mentions.append(Mention(span, mention.sent_id, mention.name, mention.type or None))
    return Entity(tuple(mentions), vertex[0].id or None)
