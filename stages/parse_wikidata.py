"""parse_wikidata: read items, properties and statements out of a Wikidata dump."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.base import Inputs, Pending, Rows, ShardCounts, Share, Stage, StageConfig, runtime
from stages.raw import file_names, shard_records
from storage.lookup import pair_keys, write_lookup
from storage.tables import ITEM_REDIRECTS, ITEMS, LITERALS, PROPERTIES, SITE, SOURCES, TRIPLES

if TYPE_CHECKING:
    from stages.wiki.wikidata import Entity, Literal, Statement

ROWS_AT_ONCE = 4096


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
    from stages.wiki.wikidata import parse_entity

    site = inputs.rows(SITE).to_pylist()[0]
    pending = Pending(ITEMS, ITEM_REDIRECTS, PROPERTIES, TRIPLES, LITERALS)
    statements = StatementLookup()
    cut = config.shards.along("item")
    file_name = file_names(inputs, "wikidata")
    known: set[str] = set()
    for number, (ordinal, record) in enumerate(shard_records(inputs, "wikidata", cut), 1):
        inputs.seen(config.max_damaged_share)
        try:
            entity = parse_entity(record.data, site["language"], site["dbname"])
            if entity.id in known:
                raise DamagedRecord("duplicate_id", entity.id)
        except DamagedRecord as damage:
            where = f"{file_name(ordinal)}, line {record.where}"
            inputs.damaged(damage.reason, where=where, sample=str(damage.detail))
            continue
        known.add(entity.id)
        add_entity(entity, pending, statements, inputs)
        if number % ROWS_AT_ONCE == 0:
            yield from pending.flush()
    yield from pending.flush()
    statements.write(inputs)


class StatementLookup:
    """Gathers the item-valued statements of a shard, to be kept as a lookup by (head, tail)."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, bool]] = []

    def add(self, head_qid: str, pid: str, tail_qid: str, rank: str) -> None:
        """Add one statement."""
        row = (int(head_qid[1:]), int(tail_qid[1:]), int(pid[1:]), rank == "deprecated")
        self._rows.append(row)

    def write(self, inputs: Inputs) -> None:
        """Keep the lookup; values of one pair are in the order of PIDs."""
        rows = np.array(sorted(set(self._rows)), dtype=np.uint32).reshape(-1, 4)
        values = {"pid": rows[:, 2], "deprecated": rows[:, 3].astype(bool)}
        name = f"statements-{inputs.shard.index:05d}"
        write_lookup(inputs.keep, name, pair_keys(rows[:, 0], rows[:, 1]), values)


def add_entity(
    entity: Entity, pending: Pending, statements: StatementLookup, inputs: Inputs
) -> None:
    """Add the rows of one entity to the tables of its kind."""
    for message in entity.unread:
        inputs.drop("unreadable_statement", f"{entity.id}: {message}")
    if entity.kind == "redirect":
        pending.add(ITEM_REDIRECTS, (entity.id, entity.redirect_to))
    elif entity.kind == "property":
        names = (entity.label, entity.description, entity.aliases)
        pending.add(PROPERTIES, (entity.id, *names, entity.datatype))
    elif entity.kind == "item":
        add_item(entity, pending, statements, inputs)
    else:
        inputs.drop("other_kind", entity.id)


def add_item(entity: Entity, pending: Pending, statements: StatementLookup, inputs: Inputs) -> None:
    """Add an item and its statements."""
    if entity.label is None:
        inputs.count("item_without_label")
    names = (entity.label, entity.description, entity.aliases)
    pending.add(ITEMS, (entity.id, *names, entity.sitelink_title, entity.instance_of))
    for s in entity.statements:
        row = (entity.id, s.ordinal, s.pid, s.tail_qid, s.rank, s.snak, *moments(s, inputs))
        pending.add(TRIPLES, row)
        if s.tail_qid is not None:
            statements.add(entity.id, s.pid, s.tail_qid, s.rank)
    for x in entity.literals:
        value = (x.kind, x.datatype, x.value, x.precision, x.calendar, x.unit, x.language)
        pending.add(
            LITERALS, (entity.id, x.ordinal, x.pid, *value, x.snak, x.rank, *moments(x, inputs))
        )


def moments(statement: Statement | Literal, inputs: Inputs) -> Iterator[dict[str, Any] | None]:
    """Yield the columns `start`, `end` and `point` of a statement; count the times beyond them."""
    if statement.more_times:
        inputs.count("further_time_qualifiers", statement.more_times)
    for time in (statement.start, statement.end, statement.point):
        yield (
            None
            if time is None
            else {
                "time": time.time,
                "precision": time.precision,
                "calendar": time.calendar,
            }
        )


PARSE_WIKIDATA = Stage(
    "parse_wikidata",
    version=1,
    config=ParseWikidataConfig,
    reads=(SOURCES["wikidata"], SITE),
    writes=(ITEMS, ITEM_REDIRECTS, PROPERTIES, TRIPLES, LITERALS),
    run=parse_wikidata,
)
