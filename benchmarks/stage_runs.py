"""Run functions of stages called on rows in memory, as tests do, outside of any warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.base import Inputs, InputTable, Stage, StageConfig
from storage.artifact import Shard, Shards
from storage.table import Column, Table

Given = InputTable | Sequence[Mapping[str, Any]]


def run_stage(
    stage: Stage, config: StageConfig, given: Mapping[Table, Given], folder: Path
) -> dict[Table, InputTable]:
    """Run a stage and return its tables, with the files that it keeps, as inputs of another one.

    Args:
        given: Its inputs; a column that a row leaves out is filled.
        folder: Where files and scratch lie; a folder of this run alone.
    """
    tables = {
        table.name: rows if isinstance(rows, InputTable) else InputTable(rows=filled(table, rows))
        for table, rows in given.items()
    }
    inputs = Inputs(
        tables,
        shard=Shard(0, Shards()),
        scratch=folder / "scratch",
        files=folder / "files",
        downloads=folder,
    )
    batches: dict[str, list[pa.RecordBatch]] = {table.name: [] for table in stage.writes}
    for table, batch in stage.run(config, inputs):
        batches[table.name].append(batch)
    files = {name: folder / "files" / name for name in inputs.kept}
    return {
        table: InputTable(
            rows=pa.Table.from_batches(batches[table.name], table.schema), files=files
        )
        for table in stage.writes
    }


def filled(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of a table; a column that a row leaves out is null, empty or zero."""
    whole = [{c.name: row.get(c.name, _filler(c)) for c in table.columns} for row in rows]
    return pa.Table.from_pylist(whole, table.schema)


def _filler(column: Column) -> Any:
    if column.nullable:
        return None
    if pa.types.is_string(column.type):
        return ""
    if pa.types.is_boolean(column.type):
        return False
    return [] if pa.types.is_list(column.type) else 0
