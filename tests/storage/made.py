"""Small tables and artifacts, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from storage.artifact import Damage, Input, Manifest, Part, PartRecord, Shards, StoredFile
from storage.fingerprint import file_digest
from storage.refs import Refs, RunRecord, Status
from storage.table import Column, Table
from storage.tables import LINKS, TITLES, TUPLES
from storage.warehouse import Artifact, Warehouse

NAMES = Table(
    "names",
    "name",
    "page",
    ("page_id", "name"),
    (
        Column("page_id", pa.int64(), "page"),
        Column("name", pa.string(), "name"),
        Column("note", pa.string(), "note", nullable=True),
    ),
)
STREAM = Table(
    "stream",
    "name",
    "whole",
    ("name", "page_id"),
    (Column("page_id", pa.int64(), "page"), Column("name", pa.string(), "name")),
)
FILES = Table(
    "files",
    "file",
    "source",
    ("name",),
    (Column("name", pa.string(), "name"), Column("sha256", pa.string(), "checksum")),
    identity=("sha256",),
)


def record(parts: Mapping[str, Part], shard: int = 0, **values: Any) -> PartRecord:
    fields: dict[str, Any] = {"key": f"key{shard}", "label": "", **values}
    return PartRecord(shard=shard, parts=dict(parts), **fields)


def manifest(artifact: Artifact, records: Sequence[PartRecord], **values: Any) -> Manifest:
    fields: dict[str, Any] = {
        "stage": artifact.folder.parent.name,
        "version": 1,
        "fingerprint": artifact.folder.name,
        "config": {"add": 1},
        "facts": {},
        "axis": "page",
        "shards": Shards(len(records), 1),
        "inputs": {"pages": Input("parse/00", "parse", "cc")},
        "tables": {t: [["page_id", "int64", False]] for r in records for t in r.parts},
        "records": list(records),
        "code": "c0de",
        "libraries": {"pyarrow": "1"},
        "made_at": "2026-01-02T03:04:05+00:00",
        "wall_seconds": 1.5,
        **values,
    }
    return Manifest(**fields)


def put(
    artifact: Artifact, table: Table, shards: Sequence[Sequence[tuple[Any, ...]]], **values: Any
) -> Manifest:
    """Make an artifact of one table, complete, with a file beside each part."""
    records = []
    for shard, rows in enumerate(shards):
        part = artifact.put_part(table, shard, [table.batch(rows)])
        file = artifact.file(f"{shard}.bin")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"file %d" % shard)
        kept = [StoredFile(file.name, file.stat().st_size, file_digest(file))]
        drops = {"short": shard + 1}
        records.append(
            record(
                {table.name: part},
                shard,
                files=kept,
                drops=drops,
                drop_samples={"short": [f"sample{shard}"]},
                damage=Damage(records=len(rows)),
            )
        )
        artifact.put_record(records[-1])
    made = manifest(artifact, records, tables={table.name: table.signature}, **values)
    artifact.put_manifest(made)
    return made


LINK_ROWS = [[(1, 0, 4, "Q1", "title", 1.0, None)], [(2, 0, 4, "Q2", "alias", 0.75, "LOC")], []]
TUPLE_ROW = ("1:0-9/0-1", "1:0-9", 1, 0, 1, "Q1", "Q2", ["P1", "P2"], 0, True)


def put_run(
    warehouse: Warehouse, digits: str = "aa", recipe: str = "toy", status: Status = "succeeded"
) -> RunRecord:
    """Make a run with three tables of the real schemas."""
    steps = {}
    for stage, table, rows in (
        ("index_aliases", TITLES, [[("Warsaw", f"Q{int(digits, 16)}", 0, None)]]),
        ("link", LINKS, LINK_ROWS),
        ("align", TUPLES, [[TUPLE_ROW]]),
    ):
        artifact = warehouse.artifact(stage, digits)
        if not artifact.complete:
            put(artifact, table, rows)
        steps[stage] = artifact.name
    refs = Refs(warehouse)
    folder = refs.new_run(recipe)
    run = RunRecord(folder.name, recipe, [], "align", "2026-01-01", status, steps=steps)
    refs.save(folder, run)
    return run
