"""export: rows in formats that other tools read back."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import ConfigError
from storage.export import write_rows

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS = pa.table(
    {
        "number": pa.array([1, None], pa.int64()),
        "text": ['comma, "quote" and\nline', "Zürich"],
        "share": [0.1, 1.0],
        "sure": [True, False],
        "pids": [["P1", "P2"], []],
        "span": [{"start": 1, "end": 2}, None],
        "moment": pa.array([MOMENT, None], pa.timestamp("s", tz="UTC")),
    }
)


def test_parquet_reads_back_the_very_table(tmp_path: Path) -> None:
    write_rows(ROWS, "parquet", tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == ROWS.to_pylist()


def test_json_has_one_object_a_line(tmp_path: Path) -> None:
    write_rows(ROWS, "json", tmp_path / "rows.json")
    lines = (tmp_path / "rows.json").read_text("utf-8").splitlines()
    expected = ROWS.to_pylist()
    expected[0]["moment"] = str(MOMENT)
    assert [json.loads(line) for line in lines] == expected
    assert "Zürich" in lines[1]


def test_csv_reads_back_with_lists_and_structs_as_json(tmp_path: Path) -> None:
    write_rows(ROWS, "csv", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert first["text"] == 'comma, "quote" and\nline'
    assert json.loads(first["pids"]) == ["P1", "P2"]
    assert json.loads(first["span"]) == {"start": 1, "end": 2}
    assert (second["number"], second["span"], second["share"]) == ("", "", "1")


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize(
    "values",
    [
        pa.array([[MOMENT]], pa.list_(pa.timestamp("s", tz="UTC"))),
        pa.array([[Decimal("1.5")]], pa.list_(pa.decimal128(3, 1))),
        pa.array([{"at": MOMENT}]),
        pa.array([Decimal("3")], pa.decimal128(38, 0)),
    ],
)
def test_values_that_json_does_not_know_are_written_as_text(
    tmp_path: Path, format: Any, values: pa.Array
) -> None:
    write_rows(pa.table({"value": values}), format, tmp_path / "rows")
    text = (tmp_path / "rows").read_text("utf-8")
    assert any(shown in text for shown in ("2026-01-02 03:04:05+00:00", "1.5", "3"))


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_no_rows_make_a_file_all_the_same(tmp_path: Path, format: Any) -> None:
    write_rows(ROWS.slice(0, 0), format, tmp_path / "rows")
    assert (tmp_path / "rows").is_file()


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_rows_go_to_standard_output_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", Terminal(raw))
    write_rows(ROWS.select(["number"]), "json", None)
    assert raw.getvalue() == b'{"number": 1}\n{"number": null}\n'


def test_parquet_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal(io.BytesIO()))
    with pytest.raises(ConfigError, match=r"Parquet is binary\. Name a file"):
        write_rows(ROWS, "parquet", None)
