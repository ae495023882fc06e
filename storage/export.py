"""Rows to a file or to the terminal, in the formats that other tools read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.csv

from storage.aside import written_aside
from storage.errors import ConfigError
from storage.warehouse import write_parquet


def write_rows(
    rows: pa.Table, format: Literal["csv", "json", "parquet"], output: Path | None
) -> None:
    """Write rows; None writes them to standard output.

    Args:
        format: `csv` (lists and structs as JSON), `json` (one object a line) or `parquet`.

    Raises:
        ConfigError: If Parquet, which is binary, would go to a terminal.
    """
    if output is not None:
        with written_aside(output) as aside, aside.open("wb") as file:
            _write(rows, format, file)
        return
    if format == "parquet" and sys.stdout.isatty():
        raise ConfigError("Parquet is binary", mend="Name a file: --output rows.parquet")
    _write(rows, format, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _write(rows: pa.Table, format: str, file: BinaryIO) -> None:
    if format == "parquet":
        write_parquet(rows, file)
    elif format == "csv":
        pyarrow.csv.write_csv(_flat(rows), file)
    else:
        for batch in rows.to_batches():
            lines = (json.dumps(row, ensure_ascii=False, default=str) for row in batch.to_pylist())
            file.writelines(f"{line}\n".encode() for line in lines)


def _flat(rows: pa.Table) -> pa.Table:
    columns = [
        pa.array(
            [
                None if v is None else json.dumps(v, ensure_ascii=False, default=str)
                for v in column.to_pylist()
            ],
            pa.string(),
        )
        if pa.types.is_nested(column.type)
        else column
        for column in rows.columns
    ]
    return pa.table(columns, rows.column_names)
