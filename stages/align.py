"""align: label entity pairs with the relations that Wikidata states of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.base import (
    Inputs,
    Pending,
    Rows,
    ShardCounts,
    Share,
    Stage,
    StageConfig,
    by_page,
    runtime,
    span_of,
)
from storage.lookup import Lookup, text_key, text_keys
from storage.tables import (
    DOCUMENTS,
    ENTITIES,
    ITEM_REDIRECTS,
    LINKS,
    MENTIONS,
    PAGES,
    SENTENCES,
    TITLES,
    TRIPLES,
    TUPLE_STATEMENTS,
    TUPLES,
)

if TYPE_CHECKING:
    from stages.alignment.pairs import Labels, Stated
    from stages.alignment.statements import Statements
    from stages.linking.clusters import Entity

PAIR_BYTES = 512
"""Bytes allowed for a pair and its document; the join alone takes 65 (benchmarks/join.py)."""

ROWS_AT_ONCE = 50_000


class AlignConfig(StageConfig):
    """Which pairs are kept."""

    max_sentence_distance: int | None = Field(
        None, ge=0, description="sentences between the nearest mentions, 0 is the same; none: any"
    )
    keep_na: Share = Field(1.0, description="share of the pairs without a label that are kept")
    max_labelled_per_page: int | None = Field(
        None,
        ge=1,
        description="pairs with a label that a page may have, sampled by seed; none: any number. "
        "The bound for a relation over the corpus is count_relations.max_tuples",
    )
    seed: int = Field(13, description="seed of these choices; set by the recipe's own `seed`")
    min_entities: int = Field(
        4, ge=0, description="entities that a document of the unit paragraph must have"
    )
    min_triples: int = Field(
        4, ge=0, description="labels that the pairs of a document of the unit paragraph must have"
    )
    memory_mb: int = runtime(
        256, ge=16, description="memory of the join of pairs with statements, in MiB"
    )
    shards: ShardCounts = runtime(ShardCounts(), description="set by the recipe's own `shards`")


@dataclass(frozen=True)
class Document:
    """A document with its entities."""

    document_id: str
    page_id: int
    unit: str
    entities: tuple[Entity, ...]

    @property
    def linked(self) -> list[int]:
        """Ordinals of the entities that have an item: those that form pairs."""
        return [i for i, entity in enumerate(self.entities) if entity.qid is not None]

    @property
    def items(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Numbers of the items of `linked`."""
        return np.array([number(self.entities[i].qid or "") for i in self.linked], np.uint64)

    def tuple_id(self, head: int, tail: int) -> str:
        """Return the id of the pair of two entities."""
        return f"{self.document_id}/{head}-{tail}"

    def distance(self, head: int, tail: int) -> int:
        """Return the number of sentences between the nearest mentions of two entities."""
        first, second = (set(self.entities[i].sentences) for i in (head, tail))
        return 0 if first & second else min(abs(a - b) for a in first for b in second)


def align(config: AlignConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the entities of each document, and one `tuples` row per ordered pair of linked ones.

    A pair gets the PID of every statement (head, PID, tail) that is not deprecated, and no PID (NA)
    where there is none; `tuple_statements` says which statements these are, and of what time: one
    that has ended gives its label all the same. A pair that only deprecated statements relate is
    neither: it is left out.

    Drops: "disambiguation_item" (pages whose item is one by its P31), "few_entities",
    "few_triples" (documents of the unit paragraph), "too_far", "deprecated_only",
    "na_sampled_out", "page_sampled_out" (pairs).
    Paper: Mintz et al. (ACL 2009), the distant supervision assumption (no equation); the two
    bounds: Qin et al., ERICA (ACL 2021), section 5.1.
    """
    statements = all_statements(config, inputs)
    capacity = config.memory_mb * 2**20 // PAIR_BYTES
    pending = Pending(ENTITIES, TUPLES, TUPLE_STATEMENTS)
    waiting: list[Document] = []
    pairs = 0
    for page in pages(config, inputs):
        waiting += page
        pairs += sum(len(document.linked) ** 2 for document in page)
        if pairs >= capacity:
            yield from labelled(waiting, statements, capacity, config, inputs, pending)
            waiting, pairs = [], 0
    yield from labelled(waiting, statements, capacity, config, inputs, pending)
    yield from pending.flush()


def all_statements(config: AlignConfig, inputs: Inputs) -> Statements:
    """Return the statements of the knowledge graph, and of which item each merged one is."""
    from stages.alignment.merged import Merged
    from stages.alignment.statements import Statements

    merges = inputs.rows(ITEM_REDIRECTS)
    gone, kept = (
        pc.utf8_slice_codeunits(merges[name], 1).cast("uint64") for name in ("qid", "target_qid")
    )
    cut = config.shards.along("item")
    return Statements(inputs.files(TRIPLES), cut, Merged(np.asarray(gone), np.asarray(kept)))


def pages(config: AlignConfig, inputs: Inputs) -> Iterator[Sequence[Document]]:
    """Yield the documents of each page of the shard with their entities."""
    from stages.linking.clusters import clusters
    from stages.ner.classes import NO_ENTITY

    mentions = by_page(inputs.rows(MENTIONS))
    links = by_page(inputs.rows(LINKS))
    sentences = by_page(inputs.rows(SENTENCES))
    barred = disambiguations(inputs)
    for page_id, found in by_page(inputs.rows(DOCUMENTS)).items():
        if page_id in barred:
            inputs.drop("disambiguation_item", page_id)
            continue
        starts = [sentence["char_start"] for sentence in sentences.get(page_id, [])]
        linked = links.get(page_id, [])
        qids = {span_of(row): row["qid"] for row in linked}
        types = {r["qid"]: r["type"] for r in linked if r["type"] not in (None, NO_ENTITY)}
        documents = []
        for row in found:
            start, end = span_of(row)
            inside = [
                mention
                for mention in mentions.get(page_id, [])
                if start <= mention["char_start"] and mention["char_end"] <= end
            ]
            entities = clusters(inside, qids, starts, types)
            if row["unit"] == "paragraph" and len(entities) < config.min_entities:
                inputs.drop("few_entities", row["document_id"])
                continue
            documents.append(Document(row["document_id"], page_id, row["unit"], entities))
        yield documents


def disambiguations(inputs: Inputs) -> set[int]:
    """Return the pages whose item is a disambiguation page, or another page of the wiki's own."""
    own = Lookup(inputs.files(TITLES), "wiki_pages", [])
    barred: set[int] = set()
    for batch in inputs.sql("SELECT page_id, title FROM pages"):
        starts, ends = own.ranges(text_keys(batch["title"].to_pylist()))
        barred.update(batch["page_id"].filter(pa.array(starts < ends)).to_pylist())
    return barred


def labelled(
    found: Sequence[Document],
    statements: Statements,
    capacity: int,
    config: AlignConfig,
    inputs: Inputs,
    pending: Pending,
) -> Iterator[Rows]:
    """Yield the rows of documents: their entities, their pairs with labels, the statements."""
    from stages.alignment.pairs import labels_of

    kept: list[tuple[Document, Labels]] = []
    for document, labels in zip(
        found, labels_of(statements, [d.items for d in found], capacity), strict=True
    ):
        if document.unit == "paragraph" and labels.triples < config.min_triples:
            inputs.drop("few_triples", document.document_id)
            continue
        kept.append((document, labels))
    sampled_out = page_samples(kept, config)
    waiting = 0
    for document, labels in kept:
        pending.add(ENTITIES, *entity_rows(document))
        for row, stated in tuple_rows(document, labels, sampled_out, config, inputs):
            pending.add(TUPLES, row)
            pending.add(TUPLE_STATEMENTS, *statement_rows(row, stated, statements))
            waiting += 1
            if waiting >= ROWS_AT_ONCE:
                yield from pending.flush()
                waiting = 0
    yield from pending.flush()


def page_samples(kept: Sequence[tuple[Document, Labels]], config: AlignConfig) -> set[str]:
    """Return the labelled pairs that are too many for their page: those of the largest hashes."""
    if config.max_labelled_per_page is None:
        return set()
    names: dict[int, list[str]] = {}
    for document, labels in kept:
        for head, tail in ((document.linked[i], document.linked[j]) for i, j in labels.positive):
            if not too_far(document.distance(head, tail), config):
                names.setdefault(document.page_id, []).append(document.tuple_id(head, tail))
    return {
        name
        for own in names.values()
        for name in sorted(own, key=lambda n: (drawn(n, config.seed), n))[
            config.max_labelled_per_page :
        ]
    }


def entity_rows(document: Document) -> Iterator[tuple[Any, ...]]:
    """Yield the `entities` rows of a document."""
    for index, entity in enumerate(document.entities):
        mentions = [
            {"char_start": start, "char_end": end, "sentence": sentence}
            for (start, end), sentence in zip(entity.mentions, entity.sentences, strict=True)
        ]
        yield (
            document.document_id,
            document.page_id,
            index,
            entity.qid,
            entity.name,
            entity.type,
            mentions,
        )


def tuple_rows(
    document: Document,
    labels: Labels,
    sampled_out: set[str],
    config: AlignConfig,
    inputs: Inputs,
) -> Iterator[tuple[tuple[Any, ...], list[Stated]]]:
    """Yield the `tuples` rows of a document, each with its statements; count what is left out."""
    linked = list(enumerate(document.linked))
    for (i, head), (j, tail) in product(linked, linked):
        if i == j:
            continue
        name = document.tuple_id(head, tail)
        stated = labels.of(i, j)
        pids = sorted({s.pid for s in stated if not s.deprecated})
        distance = document.distance(head, tail)
        reason = left_out(name, stated, pids, distance, sampled_out, config)
        if reason is not None:
            inputs.drop(reason, name)
            continue
        place = (name, document.document_id, document.page_id, head, tail)
        qids = (document.entities[head].qid, document.entities[tail].qid)
        yield (*place, *qids, [f"P{pid}" for pid in pids], distance, distance == 0), stated


def left_out(
    name: str,
    stated: Sequence[Stated],
    pids: Sequence[int],
    distance: int,
    sampled_out: set[str],
    config: AlignConfig,
) -> str | None:
    """Return why a pair is no tuple, or None."""
    if too_far(distance, config):
        return "too_far"
    if stated and not pids:
        return "deprecated_only"
    if not pids and drawn(name, config.seed) >= config.keep_na * 2**64:
        return "na_sampled_out"
    return "page_sampled_out" if name in sampled_out else None


def too_far(distance: int, config: AlignConfig) -> bool:
    """Whether a pair is further apart than the recipe takes."""
    return config.max_sentence_distance is not None and distance > config.max_sentence_distance


def statement_rows(
    row: tuple[Any, ...], stated: Sequence[Stated], statements: Statements
) -> Iterator[tuple[Any, ...]]:
    """Yield the `tuple_statements` rows of a tuple."""
    tuple_id, document_id, page_id, head, tail, *_ = row
    for s in stated:
        if not s.deprecated:
            place = (tuple_id, page_id, document_id, head, tail)
            times = statements.times(s.head, s.times)
            yield (*place, f"P{s.pid}", f"Q{s.head}", s.statement, s.rank, *times)


def drawn(name: str, seed: int) -> int:
    """Return the number below 2^64 that is drawn for a name; on nothing else does it hang."""
    return text_key(f"{seed}/{name}")


def number(qid: str) -> int:
    """Return the number of a QID or PID."""
    return int(qid[1:])


ALIGN = Stage(
    "align",
    version=3,
    config=AlignConfig,
    reads=(PAGES, TITLES, DOCUMENTS, SENTENCES, MENTIONS, LINKS, TRIPLES, ITEM_REDIRECTS),
    writes=(ENTITIES, TUPLES, TUPLE_STATEMENTS),
    run=align,
)
