"""table: schemas and what of them counts."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pytest

from storage.tables import LINKS, SOURCES, TABLES
from tests.storage.made import NAMES


def test_a_batch_takes_rows_in_the_order_of_the_columns() -> None:
    batch = NAMES.batch([(1, "a", None), (2, "b", "x")])
    assert batch.schema.equals(NAMES.schema)
    assert batch.to_pylist()[1] == {"page_id": 2, "name": "b", "note": "x"}


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        NAMES.batch([(1, "a", None), (2, "b")])


def test_types_nullability_and_key_count_but_no_meaning() -> None:
    columns = list(NAMES.columns)
    columns[1] = dataclasses.replace(columns[1], meaning="other words")
    assert dataclasses.replace(NAMES, columns=tuple(columns)).signature == NAMES.signature
    for change in ({"nullable": True}, {"type": pa.large_string()}, {"name": "title"}):
        columns[1] = dataclasses.replace(NAMES.columns[1], **change)
        assert dataclasses.replace(NAMES, columns=tuple(columns)).signature != NAMES.signature
    assert dataclasses.replace(NAMES, key=("page_id",)).signature != NAMES.signature


def test_a_source_is_chosen_by_name() -> None:
    chosen = SOURCES["wikipedia"]
    assert (chosen.table, chosen.source) == (SOURCES, "wikipedia")


def test_tables_are_listed_under_their_own_names() -> None:
    assert TABLES["links"] is LINKS
    assert all(name == table.name for name, table in TABLES.items())
