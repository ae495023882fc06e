"""index_aliases: which titles lead to which item, and which words may name which items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.base import Inputs, Rows, Stage, StageConfig, runtime
from storage.lookup import Array, Keys, text_keys, write_lookup, write_sorted_lookup
from storage.runs import SortedRows
from storage.tables import ALIASES, HYPERLINKS, ITEMS, PAGES, REDIRECTS, TITLES, TRIPLES

if TYPE_CHECKING:
    from stages.linking.buckets import Buckets
    from stages.linking.item_types import ItemTypes
    from stages.linking.title_index import TitleIndex

QUERY_MEMORY = "256MB"
SORT_HELD = 64 << 20
ANCHORS_AT_ONCE = 1 << 18
EVIDENCE = pa.schema(
    [
        ("key", pa.uint64()),
        ("surface", pa.string()),
        ("qid", pa.uint32()),
        ("type", pa.uint8()),
        ("known", pa.uint8()),
        ("anchors", pa.int64()),
    ]
)
"""Evidence that a surface names an item; `known` is a place in KNOWN."""

KNOWN = (None, "alias", "stem", "label", "title")
"""By what an item is known, the most telling last."""

CLASSES = """
SELECT head_qid, tail_qid FROM triples
WHERE pid = 'P279' AND tail_qid IS NOT NULL AND rank <> 'deprecated'
"""
SITELINKS = """
SELECT sitelink_title AS title, qid, instance_of FROM items WHERE sitelink_title IS NOT NULL
"""
STEPS = "SELECT title, target_title FROM redirects WHERE fragment = ''"
NAMES = (
    "SELECT qid, label, aliases, instance_of FROM items WHERE label IS NOT NULL OR aliases <> []"
)
ANCHORS = """
SELECT surface, target_title, 1 AS anchors FROM hyperlinks WHERE fragment = '' AND surface <> ''
"""


class IndexAliasesConfig(StageConfig):
    """Nothing to choose but memory: every title, label, alias and anchor is evidence."""

    bucket_bits: int = runtime(
        8, ge=1, le=12, description="evidence that fills memory is cut into 2^this files by hash"
    )
    held_mb: int = runtime(
        64, ge=1, description="megabytes of evidence that are held before they are written to files"
    )


def index_aliases(config: IndexAliasesConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `titles` and `aliases`, and keep both as lookups that workers map into memory.

    The prior of a surface for an item is its share of the evidence: one for each hyperlink that
    has these words and leads to the item, a fixed weight for how the item is known by it
    (`stages/linking/priors.py`), and a share for items that nobody knows by it.

    Titles of disambiguation pages, and of items that are pages of the wiki's own (disambiguation
    pages, categories, templates), lead nowhere. A family or given name is an item only where a
    hyperlink says so.

    The titles of such items are kept too, as the lookup `wiki_pages`: align leaves these pages out.

    Drops: "disambiguation", "wiki_page" (titles).
    """
    from stages.linking.buckets import Buckets
    from stages.linking.item_types import ItemTypes

    types = ItemTypes(*class_edges(inputs))
    index, names, own = index_of_titles(types, inputs)
    write_lookup(inputs.keep, "wiki_pages", own, {})
    write_lookup(inputs.keep, "titles", index.keys, {"qid": index.qids, "type": index.types})
    evidence = Buckets(inputs.scratch, EVIDENCE, config.bucket_bits, config.held_mb << 20)
    for batch in title_rows(index, inputs):
        yield TITLES, batch
        add_titles(batch, names, evidence)
    add_names(types, evidence, inputs)
    add_anchors(index, evidence, inputs)
    rows = SortedRows(inputs.scratch, SORT_HELD)
    columns = {"qid": np.uint32, "type": np.uint8, "prior": np.float32}
    write_sorted_lookup(inputs.keep, "aliases", with_priors(evidence, rows), columns)
    yield from ((ALIASES, batch) for batch in rows.take(ALIASES))


def class_edges(inputs: Inputs) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the numbers of both ends of each P279 statement."""
    edges = [
        (item_numbers(batch["head_qid"]), item_numbers(batch["tail_qid"]))
        for batch in inputs.sql(CLASSES, memory=QUERY_MEMORY)
    ]
    none = np.empty(0, np.uint32)
    return (
        np.concatenate([none, *(child for child, _ in edges)]),
        np.concatenate([none, *(parent for _, parent in edges)]),
    )


def index_of_titles(types: ItemTypes, inputs: Inputs) -> tuple[TitleIndex, Array, Keys]:
    """Return the index of all titles that lead to items, and what else the items say.

    Returns:
        The index; numbers of items that are names as names; keys of the titles of items that are
        pages of the wiki's own.
    """
    from stages.linking.title_index import title_index

    flagged = inputs.sql("SELECT title FROM pages WHERE disambiguation", memory=QUERY_MEMORY)
    names: list[int] = []
    wiki_pages: list[Keys] = []
    apart = np.unique(joined([keys_of(batch["title"]) for batch in flagged], np.uint64))

    def sitelinks() -> Iterator[tuple[Keys, Array, Array]]:
        for batch in inputs.sql(SITELINKS, memory=QUERY_MEMORY):
            keys = keys_of(batch["title"])
            found = [types.of(classes) for classes in batch["instance_of"].to_pylist()]
            own = np.array([kind == "page" for _, kind in found], np.bool_)
            told_apart = np.isin(keys, apart) & ~own
            for reason, left_out in (("wiki_page", own), ("disambiguation", told_apart)):
                for title in batch["title"].filter(pa.array(left_out)).to_pylist():
                    inputs.drop(reason, title)
            wiki_pages.append(keys[own])
            kept = ~(own | told_apart)
            codes = np.array([code for code, _ in found], np.uint8)
            numbers = item_numbers(batch["qid"])
            names.extend(numbers[[kind == "name" for _, kind in found]].tolist())
            yield keys[kept], numbers[kept], codes[kept]

    steps = [
        (keys_of(batch["title"]), keys_of(batch["target_title"]))
        for batch in inputs.sql(STEPS, memory=QUERY_MEMORY)
    ]
    sources = joined([source for source, _ in steps], np.uint64)
    targets = joined([target for _, target in steps], np.uint64)
    index = title_index(sitelinks()).with_redirects(sources, targets)
    return index, np.unique(np.array(names, np.uint32)), joined(wiki_pages, np.uint64)


def title_rows(index: TitleIndex, inputs: Inputs) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `titles` in order, each title once."""
    rows = SortedRows(inputs.scratch, SORT_HELD)
    for query in (SITELINKS, STEPS):
        for batch in inputs.sql(query, memory=QUERY_MEMORY):
            places, known = index.places(keys_of(batch["title"]))
            places = places[known]
            columns = [
                batch["title"].filter(pa.array(known)),
                item_names(index.qids[places]),
                pa.array(index.hops[places].astype(np.int32)),
                type_names(index.types[places]),
            ]
            rows.add(TITLES, pa.RecordBatch.from_arrays(columns, schema=TITLES.schema))
    last = None
    for batch in rows.take(TITLES):
        titles = batch["title"]
        before = pa.concat_arrays([pa.array([last], pa.string()), titles[:-1]])
        yield batch.filter(pc.fill_null(pc.not_equal(titles, before), True))
        last = titles[-1].as_py()


def add_titles(titles: pa.RecordBatch, names: Array, evidence: Buckets) -> None:
    """Add the names that titles give: whole ones, and without what stands in brackets.

    Args:
        names: Numbers of items that are names as names; their titles are no evidence.
    """
    from stages.linking.item_types import TYPES
    from stages.linking.names import stem

    titles = titles.filter(pa.array(~np.isin(item_numbers(titles["qid"]), names)))
    whole = titles["title"].to_pylist()
    stems = [stem(title) for title in whole]
    known = [
        KNOWN.index("title" if name == title else "stem")
        for name, title in zip(stems, whole, strict=True)
    ]
    codes = [TYPES.index(kind) for kind in titles["type"].to_pylist()]
    add(evidence, stems, item_numbers(titles["qid"]), codes, known, [0] * len(stems))


def add_names(types: ItemTypes, evidence: Buckets, inputs: Inputs) -> None:
    """Add the labels and aliases of items."""
    label, alias = KNOWN.index("label"), KNOWN.index("alias")
    for batch in inputs.sql(NAMES, memory=QUERY_MEMORY):
        rows: list[tuple[str, int, int, int]] = []
        numbers = item_numbers(batch["qid"]).tolist()
        others = (batch["label"], batch["aliases"], batch["instance_of"])
        for number, name, aliases, classes in zip(
            numbers, *(column.to_pylist() for column in others), strict=True
        ):
            code, kind = types.of(classes)
            if kind is None:
                rows += [(name, number, code, label)] if name else []
                rows += [(other, number, code, alias) for other in aliases if other]
        if rows:
            surfaces, qids, codes, known = zip(*rows, strict=True)
            add(evidence, list(surfaces), qids, codes, known, [0] * len(rows))


def add_anchors(index: TitleIndex, evidence: Buckets, inputs: Inputs) -> None:
    """Add the words of hyperlinks."""
    for batch in inputs.sql(ANCHORS, memory=QUERY_MEMORY):
        pairs = pa.Table.from_batches([batch]).group_by(["surface", "target_title"])
        counted = pairs.aggregate([("anchors", "sum")])
        places, known = index.places(keys_of(counted["target_title"]))
        places, counted = places[known], counted.filter(pa.array(known))
        add(
            evidence,
            counted["surface"].to_pylist(),
            index.qids[places],
            index.types[places],
            np.zeros(len(places), np.uint8),
            counted["anchors_sum"],
        )


def add(
    evidence: Buckets, surfaces: list[str], qids: Any, types: Any, known: Any, anchors: Any
) -> None:
    """Add rows of evidence, column by column."""
    columns = [text_keys(surfaces), surfaces, qids, types, known, anchors]
    table = pa.table(
        [
            pa.array(column, field.type) if not isinstance(column, pa.ChunkedArray) else column
            for column, field in zip(columns, EVIDENCE, strict=True)
        ],
        schema=EVIDENCE,
    )
    for batch in table.combine_chunks().to_batches():
        evidence.add(batch)


def with_priors(evidence: Buckets, rows: SortedRows) -> Iterator[tuple[Keys, dict[str, Array]]]:
    """Yield the keys of surfaces with items and priors, and put the rows of `aliases` aside."""
    from stages.linking.priors import KNOWN_AS, unknown_weights

    weights = np.array([KNOWN_AS.get(name or "", 0.0) for name in KNOWN])
    for bucket in evidence.take():
        pooled = bucket.group_by(["surface", "qid"]).aggregate(
            [("key", "min"), ("type", "max"), ("known", "max"), ("anchors", "sum")]
        )
        pooled = pooled.sort_by(
            [("key_min", "ascending"), ("surface", "ascending"), ("qid", "ascending")]
        ).combine_chunks()
        surfaces, known = pooled["surface"], np.asarray(pooled["known_max"])
        weight = np.asarray(pooled["anchors_sum"]) + weights[known]
        first = np.r_[True, np.asarray(pc.not_equal(surfaces[1:], surfaces[:-1]))]
        group = np.cumsum(first) - 1
        totals = np.add.reduceat(weight, np.flatnonzero(first))[group] + unknown_weights(surfaces)
        prior = weight / totals
        qids, codes = np.asarray(pooled["qid"]), np.asarray(pooled["type_max"])
        columns = [
            surfaces.combine_chunks(),
            item_names(qids),
            pooled["anchors_sum"].combine_chunks(),
            pa.array(KNOWN, pa.string()).take(pa.array(known)),
            type_names(codes),
            pa.array(prior),
        ]
        table = pa.table(columns, schema=ALIASES.schema)
        for batch in table.to_batches(max_chunksize=ANCHORS_AT_ONCE):
            rows.add(ALIASES, batch)
        yield np.asarray(pooled["key_min"]), {"qid": qids, "type": codes, "prior": prior}


def joined(arrays: list[Array], kind: type[np.generic]) -> Array:
    """Return arrays one behind the other; an empty one where there is none."""
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def keys_of(texts: pa.Array | pa.ChunkedArray) -> Keys:
    """Return the keys of a column of texts."""
    return text_keys(texts.to_pylist())


def item_numbers(qids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint32]:
    """Return the numbers of QIDs: 42 of "Q42"."""
    return np.asarray(pc.cast(pc.utf8_slice_codeunits(qids, 1), pa.uint32()))


def item_names(numbers: npt.NDArray[np.uint32]) -> pa.Array:
    """Return the QIDs of numbers: "Q42" of 42."""
    return pc.binary_join_element_wise("Q", pc.cast(pa.array(numbers), pa.string()), "")


def type_names(codes: npt.NDArray[np.uint8]) -> pa.Array:
    """Return the entity types of codes."""
    from stages.linking.item_types import TYPES

    return pa.array(TYPES, pa.string()).take(pa.array(codes))


INDEX_ALIASES = Stage(
    "index_aliases",
    version=3,
    config=IndexAliasesConfig,
    reads=(PAGES, HYPERLINKS, REDIRECTS, ITEMS, TRIPLES),
    writes=(TITLES, ALIASES),
    run=index_aliases,
)
