"""DuckDB over the tables: queries inside a stage, and `catalog.duckdb` for people."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from storage.errors import PassingError, QueryError
from storage.tables import TABLES

BATCH = 65_536

Place: TypeAlias = Path | str
"""Where a Parquet file lies: on a disk, or, as an address, in a store."""

Paths: TypeAlias = Sequence[Place] | Mapping[str, Sequence[Place]]
"""Parquet files of a table that hold rows; by variant where it has variants."""

Parts: TypeAlias = Path | Sequence[Place]
"""Folder with the parts of a table, or the parts themselves where they lie in a store."""

Folders: TypeAlias = Parts | Mapping[str, Parts]
"""The parts of a table; by variant where it has variants."""


@contextmanager
def session(
    views: Mapping[str, Paths | pa.Table],
    *,
    memory: str = "2GB",
    threads: int = 1,
    scratch: Path | None = None,
    store: Any = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB in which each table is a view.

    Args:
        views: By table name, the Parquet files of it (none: an empty table) or the rows. A table
            that comes by variant gets a first column `variant`.
        memory: How much DuckDB may hold before it spills to `scratch`.
        threads: Threads of one query.
        scratch: Folder to spill to; None keeps DuckDB's own choice.
        store: The file system, as fsspec has it, of Parquet files that are no paths.
    """
    with duckdb.connect(":memory:") as connection:
        if store is not None:
            connection.register_filesystem(store)
        connection.execute(f"SET memory_limit = '{memory}'; SET threads = {threads}")
        connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        if scratch is not None:
            connection.execute(f"SET temp_directory = {quoted(str(scratch))}")
        for name, rows in views.items():
            if isinstance(rows, pa.Table):
                connection.register(name, rows)
                continue
            lists = {
                variant: listed(paths)
                for variant, paths in (rows if isinstance(rows, Mapping) else {"": rows}).items()
                if paths
            }
            if lists:
                connection.execute(f"CREATE VIEW {name} AS {union(lists)}")
            else:
                variant = [pa.field("variant", pa.string())] if isinstance(rows, Mapping) else []
                schema = pa.schema([*variant, *TABLES[name].schema])
                connection.register(name, schema.empty_table())
        yield connection


def listed(paths: Sequence[Place]) -> str:
    """Return Parquet files as `read_parquet` takes them."""
    return f"[{', '.join(quoted(str(path)) for path in paths)}]"


def union(parts: Mapping[str, str]) -> str:
    """Return a query for all variants of a table, from what `read_parquet` takes for each.

    Without variants there is one, named "".
    """
    return " UNION ALL ".join(
        f"SELECT {f'{quoted(variant)} AS variant, ' if variant else ''}* FROM read_parquet({each})"
        for variant, each in parts.items()
    )


def batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    """Run a query and yield its rows in batches."""
    yield from connection.sql(query).to_arrow_reader(BATCH)


def write_catalog(
    path: Path,
    schemas: Mapping[str, Mapping[str, Folders]],
    manifests: Path,
    store: Any = None,
) -> None:
    """Write a DuckDB file with a schema of views for each recipe and tag.

    The file is written aside and renamed, so that a client that has the old one open keeps it. A
    table whose parts were removed or damaged by hand gets no view: `verify` tells of it.

    Args:
        path: The file.
        schemas: By schema name, the folder of parts of each table, or the parts.
        manifests: Folder with `<stage>/<fingerprint>/manifest.json`, shown as the view `manifests`.
        store: The file system, as fsspec has it, of parts that are no paths.

    Raises:
        PassingError: If the disk refuses.
    """
    aside = path.with_name(f".aside-{os.getpid()}-{path.name}")
    aside.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(aside)) as connection:
            if store is not None:
                connection.register_filesystem(store)
            for schema, tables in schemas.items():
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
                for table, folders in tables.items():
                    each = folders if isinstance(folders, Mapping) else {"": folders}
                    parts = {
                        variant: quoted(f"{glob.escape(str(folder))}/part-*.parquet")
                        if isinstance(folder, Path)
                        else listed(folder)
                        for variant, folder in each.items()
                    }
                    readable = {v: p for v, p in parts.items() if _readable(connection, p)}
                    query = union(readable)
                    if query:
                        connection.execute(
                            f"CREATE OR REPLACE VIEW {identifier(schema)}.{table} AS {query}"
                        )
            if any(manifests.glob("*/*/manifest.json")):
                connection.execute(_manifests_view(manifests))
            # On closing, DuckDB keeps quiet about a disk that is full.
            connection.execute("CHECKPOINT")
        aside.replace(path)
    except (OSError, duckdb.IOException, duckdb.FatalException) as error:
        raise PassingError(
            f"{path} could not be written: {error}",
            mend="Free some space or mend the disk, then run the same command again: "
            "the tables themselves are there",
        ) from error
    finally:
        for stray in (aside, aside.with_name(f"{aside.name}.wal")):
            stray.unlink(missing_ok=True)


def _readable(connection: duckdb.DuckDBPyConnection, parts: str) -> bool:
    try:
        connection.execute(f"SELECT * FROM read_parquet({parts}) LIMIT 0")
    except duckdb.Error:
        return False
    return True


def _manifests_view(folder: Path) -> str:
    columns = {
        "stage": "VARCHAR",
        "version": "INTEGER",
        "fingerprint": "VARCHAR",
        "config": "JSON",
        "facts": "JSON",
        "inputs": "JSON",
        "records": "JSON",
        "libraries": "MAP(VARCHAR, VARCHAR)",
        "made_at": "TIMESTAMP WITH TIME ZONE",
        "wall_seconds": "DOUBLE",
    }
    struct = ", ".join(f"{name}: {quoted(kind)}" for name, kind in columns.items())
    return (
        "CREATE VIEW manifests AS SELECT * FROM read_json("
        f"{quoted(f'{glob.escape(str(folder))}/*/*/manifest.json')}, columns = {{{struct}}}, "
        "filename = true)"
    )


def ask(
    tables: Mapping[str, Paths | pa.Table],
    query: str,
    parameters: Mapping[str, object] | None = None,
    store: Any = None,
) -> pa.Table:
    """Run one query of a person over tables and return all rows.

    Args:
        store: The file system, as fsspec has it, of Parquet files that are no paths.

    Raises:
        QueryError: If DuckDB refuses the query; its own words say where.
    """
    mend = f"The tables are {', '.join(sorted(tables))}"
    try:
        threads = os.cpu_count() or 1
        with session(tables, memory="4GB", threads=threads, store=store) as connection:
            connection.execute("SET preserve_insertion_order = true")
            answer = connection.sql(query, params=dict(parameters or {}) or None)
            if answer is None:
                raise QueryError("the query asks for nothing", mend=mend)
            return answer.to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(f"DuckDB refuses the query: {error}", mend=mend) from error


def quoted(text: str) -> str:
    """Return `text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    """Return `text` as an SQL identifier."""
    return '"' + text.replace('"', '""') + '"'
