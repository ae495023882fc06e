"""Rows of unchanged pages, carried over from an earlier version of a row-local step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from stages.base import SAMPLES, Inputs, InputTable, Rows, Stage, StageConfig
from storage.artifact import Input, Shards
from storage.errors import PlanError
from storage.fingerprint import canonical_json
from storage.tables import PAGES, TABLES
from storage.warehouse import Artifact, Warehouse, read_columns, read_part


class Carry(msgspec.Struct, frozen=True):
    """What a worker carries rows over from, by names of artifacts.

    Attributes:
        pages: The pages that the step is made from now.
        before: The earlier version of the step; empty where there is none.
        pages_before: The pages that that one was made from.
    """

    pages: str
    before: str = ""
    pages_before: str = ""


def carry_of(
    stage: Stage,
    config: StageConfig,
    cut: Shards,
    inputs: Mapping[str, Input],
    facts: Mapping[str, Any],
    warehouse: Warehouse,
) -> Carry | None:
    """Return what a step may carry rows over from: its newest version that differs in pages alone.

    Args:
        cut: How its axis is cut into shards.
        inputs: What the step is made from.

    Returns:
        None if the step is not row-local; without `before` if there is no such version.
    """
    if stage.row_local is None or not stage.row_local(config):
        return None
    pages = inputs[PAGES.name].artifact
    signatures = {table.name: table.signature for table in stage.writes}
    wanted = essence(stage.version, config.meaningful(), facts, cut, inputs, signatures)
    for artifact in warehouse.complete(stage.name):
        old = artifact.manifest()
        if wanted == essence(
            old.version, old.config, old.facts, old.shards, old.inputs, old.tables
        ):
            source = warehouse.named(old.inputs[PAGES.name].artifact)
            if source.complete and source.manifest().tables[PAGES.name] == PAGES.signature:
                return Carry(pages, artifact.name, source.name)
    return Carry(pages)


def essence(
    version: int,
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
    cut: Shards,
    inputs: Mapping[str, Input],
    tables: Mapping[str, Any],
) -> str:
    """Return all that a version of a step is made from but what comes shard by shard."""
    whole = {name: each.content for name, each in inputs.items() if not by_page(name)}
    return canonical_json([version, config, facts, cut.count, cut.block, whole, tables])


def by_page(name: str) -> bool:
    """Whether an input, by its name in a fingerprint, is a table that comes by shards of pages."""
    return name in TABLES and TABLES[name].axis == PAGES.axis


def digests(pages: Artifact, shard: int) -> dict[int, str]:
    """Return the digest of each page of a shard, by page id."""
    if pages.complete:
        pages.require_whole([pages.manifest().records[shard]], PAGES.name)
    rows = read_columns(pages.part(PAGES.name, shard), ("page_id", "digest"))
    return dict(zip(rows["page_id"].to_pylist(), rows["digest"].to_pylist(), strict=True))


def split(carry: Carry, warehouse: Warehouse, shard: int) -> tuple[set[int], int]:
    """Return the pages of a shard whose rows may be carried over, and how many are to be made."""
    now = digests(warehouse.named(carry.pages), shard)
    before = digests(warehouse.named(carry.pages_before), shard) if carry.before else {}
    same = {page for page, digest in now.items() if before.get(page) == digest}
    return same, len(now) - len(same)


def to_compute(carry: Carry, warehouse: Warehouse, shards: Iterable[int]) -> tuple[int, int]:
    """Return how many pages of some shards are to be computed, and how many are carried over."""
    found = [split(carry, warehouse, shard) for shard in shards]
    return sum(new for _, new in found), sum(len(same) for same, _ in found)


class Carried:
    """One shard of a row-local step: rows that are carried over, beside those that are made.

    Attributes:
        pages: Pages whose rows are carried over.
        computed: Number of the other pages.
        rows: Number of rows that were carried over.
    """

    def __init__(self, carry: Carry, warehouse: Warehouse, shard: int) -> None:
        self._before = warehouse.named(carry.before) if carry.before else None
        self._shard = shard
        self.pages, self.computed = split(carry, warehouse, shard)
        self._ids = pa.array(sorted(self.pages), pa.int64())
        self.rows = 0

    def completed(self, stage: Stage, config: StageConfig, inputs: Inputs) -> Iterator[Rows]:
        """Yield all rows of the shard, and count drops as if all pages had been computed.

        Raises:
            PlanError: If the stage does what no row-local one may.
        """
        inputs.dropped_keys = {}
        if self.computed:
            inputs.narrow(self._left)
            yield from stage.run(config, inputs)
        if inputs.counts or inputs.kept or inputs.damage.records:
            raise PlanError(
                f"{stage.name} is row-local, but keeps files or counts more than drops",
                mend="Take `row_local` from its Stage",
            )
        if self._before is not None and self.pages:
            self._before.require_whole(
                [self._before.manifest().records[self._shard]], stage.writes[0].name, files=True
            )
            for table in stage.writes:
                rows = read_part(self._before.part(table.name, self._shard), table)
                kept = rows.filter(pc.is_in(rows["page_id"], self._ids))
                self.rows += kept.num_rows
                yield from ((table, batch) for batch in kept.to_batches())
        self._drops(inputs)

    def _left(self, name: str, given: InputTable) -> InputTable:
        """Return an input without the pages whose rows are carried over."""
        if not self.pages or not by_page(name):
            return given
        parts = [read_part(path, TABLES[name]) for path in given.paths]
        rows = pa.concat_tables(parts) if parts else TABLES[name].schema.empty_table()
        changed = pc.invert(pc.is_in(rows["page_id"], self._ids))
        return InputTable(rows=rows.filter(changed), files=given.files)

    def _drops(self, inputs: Inputs) -> None:
        """Count in what was dropped of the pages that were not computed, and write it all down."""
        dropped = inputs.dropped_keys or {}
        if self._before is not None and self.pages:
            held = msgspec.json.decode(self._before.file(ledger(self._shard)).read_bytes())
            for reason, keys in held.items():
                same = {key: n for key, n in keys.items() if int(key) in self.pages}
                dropped[reason] = {**dropped.get(reason, {}), **same}
        ordered = {
            reason: dict(sorted(keys.items(), key=lambda item: int(item[0])))
            for reason, keys in sorted(dropped.items())
            if keys
        }
        inputs.drops = {reason: sum(keys.values()) for reason, keys in ordered.items()}
        inputs.drop_samples = {reason: list(keys)[:SAMPLES] for reason, keys in ordered.items()}
        inputs.keep(ledger(self._shard)).write_bytes(msgspec.json.encode(ordered))


def ledger(shard: int) -> str:
    """Return the name of the file that says what was dropped of each page of a shard."""
    return f"dropped-{shard:05d}.json"
