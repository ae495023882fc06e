"""The documents of finished tables, one after the other, as files of corpora hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.annotated.document import Document, Entity, Mention, Relation
from stages.base import by_page, span_of
from storage.reading import Tables
from storage.spans import Span

Row = dict[str, Any]
TRAIN = "train"
"""Verdict of hold_out on what may be trained on."""


@dataclass(frozen=True)
class Made:
    """A document that gave tuples, with what its file in another format shall say besides.

    Attributes:
        tuples: Its rows of `tuples` that may be trained on, in their order.
        cut: How many others it has, by verdict of hold_out.
    """

    document: Document
    document_id: str
    page_id: int
    revision_id: int
    tuples: list[Row]
    cut: Counter[str]


class Shard:
    """The rows of one shard of all tables that documents are put together from, by page."""

    def __init__(self, tables: Tables, index: int) -> None:
        names = ("pages", "sentences", "mentions", "documents", "entities", "tuples")
        self.rows = {name: by_page(tables.part(name, index)) for name in names}
        self.verdicts = {
            row[name]: row["verdict"]
            for table, name in (("splits", "tuple_id"), ("document_splits", "document_id"))
            for row in tables.part(table, index).select([name, "verdict"]).to_pylist()
        }
        annotated = "annotations" in tables.stages
        self.annotations = (
            {row["document_id"]: row for row in tables.part("annotations", index).to_pylist()}
            if annotated
            else {}
        )

    def of_page(self, table: str, page_id: int, document_id: str | None = None) -> list[Row]:
        """Return the rows of a page, or of one document of it."""
        found = self.rows[table].get(page_id, [])
        return [r for r in found if document_id is None or r["document_id"] == document_id]


def documents(tables: Tables, told: Callable[[str], None]) -> Iterator[list[Made]]:
    """Yield the documents with entities, the list of one shard after the other.

    A document that is held out for a benchmark is left out: its text would give that away.

    The tokens are those of the file that a document was imported from, or else spaCy's for the
    language of the wiki, cut where mentions begin and end.

    Args:
        told: Is told the id of each document that is left out.
    """
    language = language_of(tables)
    for index in range(len(tables.manifest("tuples").records)):
        shard = Shard(tables, index)
        made = []
        for page_id, rows in shard.rows["documents"].items():
            for row in rows:
                if not shard.of_page("entities", page_id, row["document_id"]):
                    continue
                if shard.verdicts[row["document_id"]] != TRAIN:
                    told(row["document_id"])
                    continue
                made.append(made_of(row, shard.of_page("pages", page_id)[0], shard, language))
        yield made


def language_of(tables: Tables) -> str:
    """Return the language of the wiki, "xx" where several or none are known."""
    if "site" not in tables.stages:
        return "xx"
    known = set(tables.arrow("site")["language"].to_pylist())
    return known.pop() if len(known) == 1 else "xx"


def made_of(row: Row, page: Row, shard: Shard, language: str) -> Made:
    """Return one document with the tuples that may be trained on."""
    page_id, document_id = row["page_id"], row["document_id"]
    start, end = span_of(row)
    text = page["text"][start:end]
    within = [s for s in shard.of_page("sentences", page_id) if start <= s["char_start"] < end]
    sentences = tuple((s["char_start"] - start, min(s["char_end"], end) - start) for s in within)
    annotation = shard.annotations.get(document_id)
    first = within[0]["sentence"] if within else 0
    types = {span_of(m): m["type"] for m in shard.of_page("mentions", page_id)}
    entities = tuple(
        entity_of(each, page["text"], start, first, types, annotation)
        for each in shard.of_page("entities", page_id, document_id)
    )
    verdicts, tuples = shard.verdicts, shard.of_page("tuples", page_id, document_id)
    cut = Counter(verdicts[t["tuple_id"]] for t in tuples if verdicts[t["tuple_id"]] != TRAIN)
    tuples = [t for t in tuples if verdicts[t["tuple_id"]] == TRAIN]
    pairs = [(t["head_entity"], t["tail_entity"]) for t in tuples if not t["pids"]]
    return Made(
        Document(
            annotation["id"] if annotation else document_id,
            page["title"],
            text,
            sentences,
            tokens_of(text, annotation, language, entities),
            entities,
            relations_of(tuples, annotation),
            tuple(pairs),
        ),
        document_id,
        page_id,
        page["revision_id"],
        tuples,
        cut,
    )


def entity_of(
    row: Row,
    text: str,
    start: int,
    first: int,
    types: Mapping[Span, str | None],
    annotation: Row | None,
) -> Entity:
    """Return an entity with spans and sentences counted from the document's own beginning.

    Args:
        text: Text of the page.
        start: Where the document begins in it.
        first: Ordinal of its first sentence.
        types: Entity type of each mention of the page.
        annotation: What an imported file says of names and types; None for a text of our own.
    """
    mentions = []
    for number, mention in enumerate(row["mentions"]):
        span = stripped(text, span_of(mention))
        if annotation is not None:
            name = annotation["names"][row["entity"]][number]
            kind = annotation["types"][row["entity"]][number]
        else:
            # What is known of the item counts more than how NER read one of its names.
            name, kind = text[slice(*span)], row["type"] or types.get(span_of(mention))
        place = (span[0] - start, span[1] - start)
        mentions.append(Mention(place, mention["sentence"] - first, name, kind))
    return Entity(tuple(mentions), row["qid"])


def stripped(text: str, span: Span) -> Span:
    """Return a span without white space at its ends: no token begins or ends there."""
    words = text[slice(*span)]
    return span[0] + len(words) - len(words.lstrip()), span[1] - len(words) + len(words.rstrip())


def tokens_of(
    text: str, annotation: Row | None, language: str, entities: Sequence[Entity]
) -> tuple[Span, ...]:
    """Return the tokens of a document."""
    if annotation is not None and annotation["tokens"] is not None:
        return tuple(span_of(token) for sentence in annotation["tokens"] for token in sentence)
    from stages.ner.tokens import tokens

    spans = [mention.span for entity in entities for mention in entity.mentions]
    return tuple(tokens(text, language, spans))


def relations_of(tuples: Sequence[Row], annotation: Row | None) -> tuple[Relation, ...]:
    """Return the labels: in an imported file's own order, with its evidence, where it had some."""
    labels = {(t["head_entity"], t["tail_entity"], pid): t for t in tuples for pid in t["pids"]}
    if annotation is None or annotation["labels"] is None:
        return tuple(Relation(*label) for label in labels)
    given = (
        Relation(
            each["head_entity"],
            each["tail_entity"],
            each["relation"],
            None if each["evidence"] is None else tuple(each["evidence"]),
            each["noisy"],
        )
        for each in annotation["labels"]
    )
    return tuple(r for r in given if (r.head, r.tail, r.name) in labels)
