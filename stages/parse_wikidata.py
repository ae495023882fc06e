"""parse_wikidata: read items, properties and statements out of a Wikidata dump."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.base import Inputs, Rows, ShardCounts, Share, Stage, StageConfig, runtime
from stages.raw import file_names, is_own, shard_records
from storage.lookup import Array, pair_keys
from storage.runs import SortedRows
from storage.table import Column, Table
from storage.tables import (
    ITEM_REDIRECTS,
    ITEMS,
    LITERALS,
    PROPERTIES,
    QUALIFIERS,
    SITE,
    SOURCES,
    TRIPLES,
)

if TYPE_CHECKING:
    from stages.wiki.wikidata import EntityRows

ROWS_AT_ONCE = 20_000

STATEMENTS_HELD = 16 << 20
"""Bytes of statements for the lookup that are held in memory, beside the rows of the tables."""

STATED = Table(
    "statement_keys",
    "statement between two items",
    "item",
    ("key", "pid", "statement"),
    (
        Column("key", pa.uint64(), "head and tail as `pair_keys` has them"),
        Column("pid", pa.uint32(), "number of the PID"),
        Column("statement", pa.uint32(), "ordinal among all statements of the item"),
        Column("rank", pa.uint8(), "code of the rank"),
        Column("times", pa.string(), "start, end and point in time as JSON; empty without any"),
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
    from stages.own.facts import WIKI
    from stages.wiki.records import DamagedRecord
    from stages.wiki.wikidata import EntityReader

    site = inputs.rows(SITE).to_pylist()[0]
    wiki = WIKI if is_own(inputs, "wikidata") else site["dbname"]
    reader = EntityReader(site["language"], wiki)
    statements = StatementLookup(inputs.scratch)
    cut = config.shards.along("item")
    file_name = file_names(inputs, "wikidata")
    for ordinal, record in shard_records(inputs, "wikidata", cut):
        inputs.seen(config.max_damaged_share)
        try:
            kind, name, unread = reader.read(record.data)
        except DamagedRecord as damage:
            where = f"{file_name(ordinal)}, line {record.where}"
            inputs.damaged(damage.reason, where=where, sample=str(damage.detail))
            continue
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
    from stages.wiki.entity_columns import claim_columns

    if rows.items:
        items = ITEMS.batch(rows.items)
        if nameless := items["label"].null_count:
            inputs.count("item_without_label", nameless)
        yield ITEMS, items
    for table, values in ((ITEM_REDIRECTS, rows.redirects), (PROPERTIES, rows.properties)):
        if values:
            yield table, table.batch(values)
    if rows.claims:
        triples, literals = claim_columns(rows.claims)
        batch = pa.RecordBatch.from_arrays(triples, schema=TRIPLES.schema)
        statements.add(batch)
        yield TRIPLES, batch
        yield LITERALS, pa.RecordBatch.from_arrays(literals, schema=LITERALS.schema)
    if more := sum(rows.claims.further.values()):
        inputs.count("further_time_qualifiers", more)
    rows.clear()


class StatementLookup:
    """Gathers the item-valued statements of a shard, to be kept as a lookup by (head, tail)."""

    def __init__(self, scratch: Path) -> None:
        self._rows = SortedRows(scratch, held=STATEMENTS_HELD)

    def add(self, triples: pa.RecordBatch) -> None:
        """Add the statements of a batch that have an item."""
        from stages.alignment.statements import RANKS

        known = triples.filter(pc.is_valid(triples["tail_qid"]))
        columns = [
            pair_keys(numbers(known["head_qid"]), numbers(known["tail_qid"])),
            numbers(known["pid"]).astype(np.uint32),
            known["statement"].cast(pa.uint32()),
            pc.index_in(known["rank"], pa.array(RANKS)).cast(pa.uint8()),
            times(known),
        ]
        self._rows.add(STATED, pa.RecordBatch.from_arrays(columns, schema=STATED.schema))

    def write(self, inputs: Inputs) -> None:
        """Keep the lookup; the statements of one pair are in the order of PIDs."""
        from stages.alignment.statements import keep_statements, times_name

        shard = inputs.shard.index
        with inputs.keep(times_name(shard)).open("wb") as file:
            keep_statements(inputs.keep, shard, self._stretches(file))

    def _stretches(self, file: BinaryIO) -> Iterator[tuple[Array, dict[str, Array]]]:
        """Yield the rows in order; write the times of each, and note where they stand."""
        for batch in self._rows.take(STATED):
            columns = {
                name: np.asarray(batch[name]) for name in ("key", "pid", "statement", "rank")
            }
            places = np.zeros(batch.num_rows, np.uint64)
            for row in np.flatnonzero(np.asarray(pc.not_equal(batch["times"], ""))):
                places[row] = file.tell() + 1
                file.write(batch["times"][int(row)].as_py().encode() + b"\n")
            yield columns.pop("key"), columns | {"times": places}


def times(statements: pa.RecordBatch) -> pa.Array:
    """Return start, end and point in time of statements as JSON; "" of those without any."""
    names = [column.name for column in QUALIFIERS]
    timed = pc.is_valid(statements[names[0]])
    for name in names[1:]:
        timed = pc.or_(timed, pc.is_valid(statements[name]))
    rows = np.flatnonzero(np.asarray(timed))
    texts = np.full(statements.num_rows, "", dtype=object)
    if len(rows):
        chosen = statements.select(names).take(pa.array(rows)).to_pylist()
        for row, moments in zip(rows, chosen, strict=True):
            texts[row] = json.dumps([moments[name] for name in names], ensure_ascii=False)
    return pa.array(texts, pa.string())


def numbers(ids: pa.Array) -> Array:
    """Return the numbers of QIDs or PIDs: 42 of "Q42"."""
    return np.asarray(pc.utf8_slice_codeunits(ids, 1).cast(pa.uint64()))


PARSE_WIKIDATA = Stage(
    "parse_wikidata",
    version=3,
    config=ParseWikidataConfig,
    reads=(SOURCES["wikidata"], SITE),
    writes=(ITEMS, ITEM_REDIRECTS, PROPERTIES, TRIPLES, LITERALS),
    run=parse_wikidata,
)
