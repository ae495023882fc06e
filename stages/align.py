"""align: label entity pairs with the relations that Wikidata states of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from stages.base import (
    Inputs,
    Rows,
    ShardCounts,
    Share,
    Stage,
    StageConfig,
    by_page,
    runtime,
    span_of,
)
from storage.lookup import Lookup, pair_keys, text_key
from storage.tables import (
    DOCUMENTS,
    ENTITIES,
    ITEM_REDIRECTS,
    LINKS,
    MENTIONS,
    SENTENCES,
    TRIPLES,
    TUPLES,
)

if TYPE_CHECKING:
    from stages.linking.clusters import Entity

PAIRS_AT_ONCE = 200_000


class AlignConfig(StageConfig):
    """Which pairs are kept."""

    max_sentence_distance: int | None = Field(
        None, ge=0, description="sentences between the nearest mentions, 0 is the same; none: any"
    )
    keep_na: Share = Field(1.0, description="share of the pairs without a label that are kept")
    seed: int = Field(13, description="seed of that choice; set by the recipe's own `seed`")
    min_entities: int = Field(
        4, ge=0, description="entities that a document of the unit paragraph must have"
    )
    min_triples: int = Field(
        4, ge=0, description="labels that the pairs of a document of the unit paragraph must have"
    )
    shards: ShardCounts = runtime(ShardCounts(), description="set by the recipe's own `shards`")


@dataclass(frozen=True)
class Document:
    """A document with its entities."""

    document_id: str
    page_id: int
    unit: str
    entities: tuple[Entity, ...]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the ordered pairs of linked entities, as ordinals."""
        linked = [i for i, entity in enumerate(self.entities) if entity.qid is not None]
        return ((head, tail) for head in linked for tail in linked if head != tail)


def align(config: AlignConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the entities of each document, and one `tuples` row per ordered pair of linked ones.

    A pair gets the PID of every statement (head, PID, tail) that is not deprecated, and no PID (NA)
    where there is none. A pair that only deprecated statements relate is neither: it is left out.

    Drops: "few_entities", "few_triples" (documents of the unit paragraph), "too_far",
    "deprecated_only", "na_sampled_out" (pairs).
    Paper: Mintz et al. (ACL 2009), the distant supervision assumption (no equation); the two
    bounds: Qin et al., ERICA (ACL 2021), section 5.1.
    """
    statements = Statements(inputs, config.shards)
    waiting: list[Document] = []
    pairs = 0
    for document in documents(inputs):
        if document.unit == "paragraph" and len(document.entities) < config.min_entities:
            inputs.drop("few_entities", document.document_id)
            continue
        waiting.append(document)
        pairs += len(document.entities) ** 2
        if pairs >= PAIRS_AT_ONCE:
            yield from labelled(waiting, statements, config, inputs)
            waiting, pairs = [], 0
    yield from labelled(waiting, statements, config, inputs)


def documents(inputs: Inputs) -> Iterator[Document]:
    """Yield the documents of the shard with their entities."""
    from stages.linking.clusters import clusters

    mentions = by_page(inputs.rows(MENTIONS))
    links = by_page(inputs.rows(LINKS))
    sentences = by_page(inputs.rows(SENTENCES))
    for page_id, found in by_page(inputs.rows(DOCUMENTS)).items():
        starts = [sentence["char_start"] for sentence in sentences.get(page_id, [])]
        qids = {span_of(row): row["qid"] for row in links.get(page_id, [])}
        for row in found:
            start, end = span_of(row)
            inside = [
                mention
                for mention in mentions.get(page_id, [])
                if start <= mention["char_start"] and mention["char_end"] <= end
            ]
            entities = clusters(inside, qids, starts)
            yield Document(row["document_id"], page_id, row["unit"], entities)


class Statements:
    """The lookup from pairs of items to the relations that statements give them."""

    def __init__(self, inputs: Inputs, shards: ShardCounts) -> None:
        self._files = inputs.files(TRIPLES)
        self._shards = shards.along("item")
        self._open: dict[int, Lookup] = {}
        self._merged: dict[int, list[int]] = {}
        leads = {
            number(row["qid"]): number(row["target_qid"])
            for row in inputs.rows(ITEM_REDIRECTS).to_pylist()
        }
        for item in leads:
            self._merged.setdefault(final_item(item, leads), []).append(item)

    def of(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[str], bool]]:
        """Return for each pair the PIDs, and whether a deprecated statement relates it.

        Items that were merged into one of a pair count as that one.
        """
        origin, heads, tails = [], [], []
        for index, (head, tail) in enumerate(pairs):
            for h in self._same(number(head)):
                for t in self._same(number(tail)):
                    origin.append(index)
                    heads.append(h)
                    tails.append(t)
        pids: list[set[int]] = [set() for _ in pairs]
        deprecated = [False] * len(pairs)
        owners, keys = np.array(origin, dtype=np.int64), pair_keys(heads, tails)
        places = (np.array(heads, dtype=np.int64) // self._shards.block) % self._shards.count
        for place in np.unique(places):
            lookup = self._lookup(int(place))
            chosen = places == place
            starts, ends = lookup.ranges(keys[chosen])
            hit = starts < ends
            for owner, start, end in zip(
                owners[chosen][hit].tolist(), starts[hit].tolist(), ends[hit].tolist(), strict=True
            ):
                for at in range(start, end):
                    if lookup.values("deprecated")[at]:
                        deprecated[owner] = True
                    else:
                        pids[owner].add(int(lookup.values("pid")[at]))
        return [
            ([f"P{pid}" for pid in sorted(found)], old)
            for found, old in zip(pids, deprecated, strict=True)
        ]

    def _same(self, item: int) -> list[int]:
        return [item, *self._merged.get(item, ())]

    def _lookup(self, place: int) -> Lookup:
        if place not in self._open:
            name = f"statements-{place:05d}"
            self._open[place] = Lookup(self._files, name, ["pid", "deprecated"])
        return self._open[place]


def final_item(item: int, leads: Mapping[int, int]) -> int:
    """Return the item that a merged one leads to in the end; a loop ends where it began."""
    seen = {item}
    while (following := leads.get(item)) is not None and following not in seen:
        item = following
        seen.add(item)
    return item


def labelled(
    found: Sequence[Document], statements: Statements, config: AlignConfig, inputs: Inputs
) -> Iterator[Rows]:
    """Yield the rows of documents: their entities, and their pairs with labels."""
    pairs = [list(document.pairs()) for document in found]
    labels = iter(
        statements.of(
            [
                (d.entities[head].qid or "", d.entities[tail].qid or "")
                for d, own in zip(found, pairs, strict=True)
                for head, tail in own
            ]
        )
    )
    entities: list[tuple[Any, ...]] = []
    tuples: list[tuple[Any, ...]] = []
    for document, own in zip(found, pairs, strict=True):
        own_labels = [next(labels) for _ in own]
        triples = sum(len(pids) for pids, _ in own_labels)
        if document.unit == "paragraph" and triples < config.min_triples:
            inputs.drop("few_triples", document.document_id)
            continue
        entities += entity_rows(document)
        for pair, (pids, deprecated) in zip(own, own_labels, strict=True):
            row = tuple_row(document, pair, pids, deprecated, config, inputs)
            tuples += [row] if row is not None else []
    yield ENTITIES, ENTITIES.batch(entities)
    yield TUPLES, TUPLES.batch(tuples)


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


def tuple_row(
    document: Document,
    pair: tuple[int, int],
    pids: list[str],
    deprecated: bool,
    config: AlignConfig,
    inputs: Inputs,
) -> tuple[Any, ...] | None:
    """Return the `tuples` row of a pair, or None where it is left out and counted."""
    head, tail = (document.entities[index] for index in pair)
    name = f"{document.document_id}/{pair[0]}-{pair[1]}"
    distance = min(abs(a - b) for a in head.sentences for b in tail.sentences)
    if config.max_sentence_distance is not None and distance > config.max_sentence_distance:
        inputs.drop("too_far", name)
        return None
    if not pids and deprecated:
        inputs.drop("deprecated_only", name)
        return None
    if not pids and not sampled(name, config.keep_na, config.seed):
        inputs.drop("na_sampled_out", name)
        return None
    return (
        name,
        document.document_id,
        document.page_id,
        *pair,
        head.qid,
        tail.qid,
        pids,
        distance,
        distance == 0,
    )


def sampled(name: str, share: float, seed: int) -> bool:
    """Whether a name falls into a sample; it depends on nothing else, so not on shards either."""
    return text_key(f"{seed}/{name}") < share * 2**64


def number(qid: str) -> int:
    """Return the number of a QID or PID."""
    return int(qid[1:])


ALIGN = Stage(
    "align",
    version=1,
    config=AlignConfig,
    reads=(DOCUMENTS, SENTENCES, MENTIONS, LINKS, TRIPLES, ITEM_REDIRECTS),
    writes=(ENTITIES, TUPLES),
    run=align,
)
