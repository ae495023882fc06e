"""erica: the pre-training documents that ERICA's preparation scripts write.

As `docred`, without titles, with a QID per mention (`id`), and in one of two states. Before their
last step `sents` holds words, and `pos` lists every token of every occurrence in a sentence one
after the other; behind it `tokenized_sents` holds the word pieces of each word, and `pos` is
[first, end) in words; `na_triple` lists the pairs without a relation, and a pair that stands in a
held-out set is in neither list. Word pieces are put together again; [UNK] stays as it stands.
Paper: Qin et al., ERICA (ACL 2021), section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from stages.annotated.docred import Label, VertexMention, entity, require_words
from stages.annotated.document import Document, Relation, joined
from stages.annotated.files import Record, array, decode

FORM = (
    '{"tokenized_sents" or "sents": ..., "vertexSet": [[{"id": "Q...", "sent_id": ..., "pos": '
    '[...], "name": ..., "type": ...}]], "labels": [{"h": ..., "t": ..., "r": "P..."}]}'
)
NO_TYPE = "None"
BYTE_LEVEL_SPACE = "\u0120"


class Item(msgspec.Struct):
    """One document."""

    vertexSet: list[list[VertexMention]]  # noqa: N815
    labels: list[Label]
    tokenized_sents: list[list[list[str]]] | None = None
    sents: list[list[str]] | None = None
    na_triple: list[tuple[int, int]] | None = None


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield the documents of a file."""
    for record in array(path):
        item = decode(record, Item, FORM)
        text = joined(words(record, item))
        entities = []
        for vertex in item.vertexSet:
            if item.tokenized_sents is None:
                vertex = [one for many in vertex for one in occurrences(many)]
            for mention in vertex:
                mention.type = None if mention.type == NO_TYPE else mention.type
            entities.append(entity(record, text, vertex))
        relations = tuple(Relation(label.h, label.t, label.r) for label in item.labels)
        document = Document(
            str(record.number),
            "",
            text.text,
            text.sentences,
            text.flat(),
            tuple(entities),
            relations,
            na=None if item.na_triple is None else tuple(item.na_triple),
        )
        yield record, document


def words(record: Record, item: Item) -> list[list[str]]:
    """Return the words of each sentence.

    Raises:
        SourceError: If there are none, or they are byte-level pieces, which are not put together.
    """
    if item.tokenized_sents is None:
        sentences = item.sents or []
    else:
        sentences = [[whole_word(pieces) for pieces in each] for each in item.tokenized_sents]
    require_words(record, sentences)
    spaced = [w.startswith(BYTE_LEVEL_SPACE) for sentence in sentences for w in sentence]
    if sum(spaced) > len(spaced) / 2:
        raise record.error(
            "the word pieces are those of a byte-level vocabulary (RoBERTa)",
            "Give the files with the pieces of a BERT vocabulary, or those with `sents`",
        )
    return sentences


def whole_word(pieces: Sequence[str]) -> str:
    """Return the word that pieces are of."""
    return "".join(piece.removeprefix("##") for piece in pieces)


def occurrences(mention: VertexMention) -> list[VertexMention]:
    """Cut a list of token positions wherever it does not go on by one: each run is a mention."""
    pos = mention.pos
    cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(pos)) if b != a + 1), len(pos)]
    return [
        msgspec.structs.replace(mention, pos=[pos[start], pos[end - 1] + 1])
        for start, end in pairwise(cuts)
        if start < end
    ]
