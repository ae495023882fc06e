"""Documents of a task in pieces: texts with entities and facts become a corpus in memory.

Shapes: D documents, E entities, P pairs, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.annotated.document import Document
from stages.model.batch import NA
from stages.model.corpus import Corpus, Lists
from stages.model.encoder import Encoder
from stages.model.pieces import in_pieces
from stages.model.ragged import Array, Ints, offsets
from stages.tasks.docred import Fact, facts_of
from storage.lookup import text_keys

__all__ = ["DocumentData", "document_data"]

MOST_PIECES = 1 << 20
"""Texts are not cut when they are turned into pieces: later, by what shows them."""


@dataclass(frozen=True)
class DocumentData:
    """Documents of a task: all ordered pairs of their entities, with labels.

    Attributes:
        documents: As they were given.
        head_P, tail_P: Ordinals of head and tail among the entities of the document as given.
        no_pieces: Entities without a piece: no pair has them.
    """

    documents: Sequence[Document]
    corpus: Corpus
    head_P: Ints
    tail_P: Ints
    no_pieces: int

    def fact(self, pair: int, relation: int) -> Fact:
        """Return a relation of a pair, both by number, as a fact of its document."""
        head, tail = int(self.head_P[pair]), int(self.tail_P[pair])
        return Fact(head, tail, self.corpus.relations[relation])


def document_data(
    encoder: Encoder, documents: Sequence[Document], relations: Sequence[str]
) -> DocumentData:
    """Cut documents into pieces and form every ordered pair of two entities.

    Args:
        relations: Names by number; the first is NA. Others are left out.
    """
    mention, entity_bounds = mentions_of(documents)
    found = in_pieces(
        encoder.tokenizer,
        [document.text for document in documents],
        spans([document.sentences for document in documents]),
        mention,
        entity_bounds,
        MOST_PIECES,
    )
    number = {name: i for i, name in enumerate(relations) if i != NA}
    pairs: list[tuple[Array, Array, Array]] = []
    labels: list[tuple[Array, Array]] = []
    heads: list[Array] = []
    tails: list[Array] = []
    for row, document in enumerate(documents):
        place_E = found.place_E[entity_bounds[row] : entity_bounds[row + 1]]
        kept_E = np.flatnonzero(place_E >= 0)
        head, tail = np.divmod(np.arange(len(kept_E) ** 2), max(len(kept_E), 1))
        head, tail = head[head != tail], tail[head != tail]
        pairs.append((head, tail, together(document, kept_E)[head, tail]))
        labels.append(labelled(document, place_E, len(kept_E), number))
        heads.append(kept_E[head])
        tails.append(kept_E[tail])
    lists = {
        "piece": found.piece,
        "sentence": found.sentence,
        "mention": found.mention,
        "entity": unknown_entities(found.entity_bounds),
        "pair": columns(("head", "tail", "intra"), pairs),
        "label": columns(("pair", "relation"), labels),
    }
    lists["label"] = Lists(
        lists["label"].bounds,
        {**lists["label"].columns, "weight": np.ones(lists["label"].bounds[-1], np.float32)},
    )
    names = [document.id for document in documents]
    corpus = Corpus(text_keys(names), names, lists, relations, [], encoder.markers)
    return DocumentData(documents, corpus, flat(heads), flat(tails), int((found.place_E < 0).sum()))


def mentions_of(documents: Sequence[Document]) -> tuple[Lists, Ints]:
    """Return the mentions of documents in code points, and where their entities begin and end."""
    rows = [
        [
            (*mention.span, ordinal, mention.sentence)
            for ordinal, entity in enumerate(document.entities)
            for mention in entity.mentions
        ]
        for document in documents
    ]
    table = np.array([row for own in rows for row in own], dtype=np.int64).reshape(-1, 4)
    names = ("start", "end", "entity", "sentence")
    mention = Lists(
        offsets(np.array([len(own) for own in rows], dtype=np.int64)),
        dict(zip(names, table.T, strict=True)),
    )
    return mention, offsets(np.array([len(d.entities) for d in documents], dtype=np.int64))


def spans(lists: Sequence[Sequence[tuple[int, int]]]) -> Lists:
    """Return lists of spans as columns."""
    table = np.array([span for own in lists for span in own], dtype=np.int64).reshape(-1, 2)
    bounds = offsets(np.array([len(own) for own in lists], dtype=np.int64))
    return Lists(bounds, {"start": table[:, 0], "end": table[:, 1]})


def together(document: Document, kept_E: Ints) -> Array:
    """Return which of the entities that are kept share a sentence, (E, E)."""
    there = np.zeros((len(kept_E), len(document.sentences)), dtype=bool)
    for place, ordinal in enumerate(kept_E.tolist()):
        there[place, [m.sentence for m in document.entities[ordinal].mentions]] = True
    return np.asarray((there[:, None] & there[None]).any(axis=2))


def labelled(
    document: Document, place_E: Ints, entities: int, number: Mapping[str, int]
) -> tuple[Array, Array]:
    """Return pair and relation of each label, sorted; NA of each pair without."""
    count = entities * (entities - 1)
    facts = sorted(
        (pair_number(int(place_E[f.head]), int(place_E[f.tail]), entities), number[f.relation])
        for f in facts_of(document)
        if f.relation in number and f.head != f.tail and min(place_E[f.head], place_E[f.tail]) >= 0
    )
    table = np.array(facts, dtype=np.int64).reshape(-1, 2)
    without = np.ones(count, dtype=bool)
    without[table[:, 0]] = False
    pair = np.concatenate([table[:, 0], np.flatnonzero(without)])
    relation = np.concatenate([table[:, 1], np.full(int(without.sum()), NA)])
    order = np.argsort(pair, kind="stable")
    return pair[order], relation[order]


def pair_number(head: int, tail: int, entities: int) -> int:
    """Return the place of a pair among all ordered pairs of two entities."""
    return head * (entities - 1) + tail - (tail > head)


def unknown_entities(bounds: Ints) -> Lists:
    """Return entities of which neither item nor type is known."""
    nothing = np.full(int(bounds[-1]), -1, dtype=np.int64)
    return Lists(bounds, {"qid": nothing, "type": nothing})


def columns(names: Sequence[str], parts: Sequence[Sequence[Array]]) -> Lists:
    """Return the columns of each document, one behind the other."""
    bounds = offsets(np.array([len(part[0]) for part in parts], dtype=np.int64))
    return Lists(bounds, {n: flat([p[i] for p in parts]) for i, n in enumerate(names)})


def flat(parts: Sequence[Array]) -> Array:
    """Return arrays one behind the other; an empty one of none."""
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
