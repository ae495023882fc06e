"""parse_wikidata: read items, properties and statements out of a Wikidata dump."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.base import Inputs, Rows, ShardCounts, Share, Stage, StageConfig, runtime
from stages.raw import file_names, shard_records
from storage.lookup import Array, pair_keys, write_sorted_lookup
from storage.runs import SortedRows
from storage.table import Column, Table
from storage.tables import ITEM_REDIRECTS, ITEMS, LITERALS, PROPERTIES, SITE, SOURCES, TRIPLES

if TYPE_CHECKING:
    from stages.wiki.wikidata import EntityRows

ROWS_AT_ONCE = 20_000

STATEMENTS_HELD = 16 << 20
"""Bytes of statements for the lookup that are held in memory, beside the rows of the tables."""

STATED = Table(
    "statement_keys",
    "statement between two items",
    "item",
    ("key", "value"),
    (
        Column("key", pa.uint64(), "head and tail as `pair_keys` has them"),
        Column("value", pa.uint64(), "number of the PID times two, plus one where deprecated"),
    ),
)
"""What the lookup is made of; never stored as a table."""


class ParseWikidataConfig(StageConfig):
    """How much damage a dump may have."""

    max_damaged_share: Share = runtime(
        0.001, description="share of entities that may be damaged; more, and more than 10, stop"
    )
    shards: ShardCounts = runtime(ShardCounts(), description="set by the recipe's own `shards`")


def parse_wikidata(config: ParseWikidataConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield items, properties and statements, and keep the statements as a lookup by pair.

    Labels are those of the wiki's language, sitelinks those to the wiki itself. Deprecated
    statements are kept with their rank: a pair that only they relate is no negative.

    Damaged lines are counted under their reason with a sample; of lines with the same id, all but
    the first are "duplicate_id".

    Drops: "other_kind" (lexemes and other entities), "unreadable_statement".
    Counts: "item_without_label", "further_time_qualifiers" (second values and unknown ones).
    """
    from stages.wiki.records import DamagedRecord
    from stages.wiki.wikidata import EntityReader

    site = inputs.rows(SITE).to_pylist()[0]
    reader = EntityReader(site["language"], site["dbname"])
    statements = StatementLookup(inputs.scratch)
    cut = config.shards.along("item")
    file_name = file_names(inputs, "wikidata")
    known: set[str] = set()
    for ordinal, record in shard_records(inputs, "wikidata", cut):
        inputs.seen(config.max_damaged_share)
        ends = reader.rows.ends()
        try:
            kind, name, unread = reader.read(record.data)
            if name in known:
                reader.rows.cut(ends)
                raise DamagedRecord("duplicate_id", name)
        except DamagedRecord as damage:
            where = f"{file_name(ordinal)}, line {record.where}"
            inputs.damaged(damage.reason, where=where, sample=str(damage.detail))
            continue
        known.add(name)
        for message in unread:
            inputs.drop("unreadable_statement", f"{name}: {message}")
        if kind == "other":
            inputs.drop("other_kind", name)
        if len(reader.rows) >= ROWS_AT_ONCE:
            yield from flushed(reader.rows, statements, inputs)
    yield from flushed(reader.rows, statements, inputs)
    statements.write(inputs)


def flushed(rows: EntityRows, statements: StatementLookup, inputs: Inputs) -> Iterator[Rows]:
    """Yield the rows that were read as batches, and forget them."""
    held = (
        (ITEMS, rows.items),
        (ITEM_REDIRECTS, rows.redirects),
        (PROPERTIES, rows.properties),
        (TRIPLES, rows.statements),
        (LITERALS, rows.literals),
    )
    for table, values in held:
        if not values:
            continue
        batch = table.batch(values)
        if table is ITEMS and (nameless := batch["label"].null_count):
            inputs.count("item_without_label", nameless)
        if table is TRIPLES:
            statements.add(batch)
        yield table, batch
    if rows.further:
        inputs.count("further_time_qualifiers", sum(more for _, _, more in rows.further))
    rows.clear()


class StatementLookup:
    """Gathers the item-valued statements of a shard, to be kept as a lookup by (head, tail)."""

    def __init__(self, scratch: Path) -> None:
        self._rows = SortedRows(scratch, held=STATEMENTS_HELD)

    def add(self, triples: pa.RecordBatch) -> None:
        """Add the statements of a batch that have an item."""
        known = triples.filter(pc.is_valid(triples["tail_qid"]))
        deprecated = np.asarray(pc.equal(known["rank"], "deprecated").cast(pa.uint64()))
        keys = pair_keys(numbers(known["head_qid"]), numbers(known["tail_qid"]))
        values = numbers(known["pid"]) << np.uint64(1) | deprecated
        self._rows.add(STATED, pa.RecordBatch.from_arrays([keys, values], schema=STATED.schema))

    def write(self, inputs: Inputs) -> None:
        """Keep the lookup, each statement once; values of one pair are in the order of PIDs."""
        name = f"statements-{inputs.shard.index:05d}"
        columns = {"pid": np.uint32, "deprecated": np.bool_}
        write_sorted_lookup(inputs.keep, name, self._stretches(), columns)

    def _stretches(self) -> Iterator[tuple[Array, dict[str, Array]]]:
        last: Array = np.empty((2, 0), np.uint64)
        for batch in self._rows.take(STATED):
            rows = np.stack([np.asarray(column) for column in batch.columns])
            seen = np.concatenate([last, rows], axis=1)
            new = np.ones(seen.shape[1], dtype=bool)
            new[1:] = (seen[:, 1:] != seen[:, :-1]).any(axis=0)
            keys, values = rows[:, new[last.shape[1] :]]
            last = rows[:, -1:]
            yield (
                keys,
                {"pid": values >> np.uint64(1), "deprecated": values & np.uint64(1)},
            )


def numbers(ids: pa.Array) -> Array:
    """Return the numbers of QIDs or PIDs: 42 of "Q42"."""
    return np.asarray(pc.utf8_slice_codeunits(ids, 1).cast(pa.uint64()))


PARSE_WIKIDATA = Stage(
    "parse_wikidata",
    version=1,
    config=ParseWikidataConfig,
    reads=(SOURCES["wikidata"], SITE),
    writes=(ITEMS, ITEM_REDIRECTS, PROPERTIES, TRIPLES, LITERALS),
    run=parse_wikidata,
)
