"""runs: rows that went over the disk come back as if they had been sorted in memory."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import runs
from storage.runs import SortedRows, row_groups
from storage.table import Table
from storage.tables import LITERALS, TABLES
from storage.warehouse import Artifact
from tests.storage.made import NAMES, STREAM

ROW = st.tuples(st.integers(0, 5), st.sampled_from(("a", "b", "ä", "\U0001f600", "\uffff")))


def rows_of(sorted_rows: SortedRows, table: Table) -> list[tuple[object, ...]]:
    batches = list(sorted_rows.take(table))
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@given(st.lists(ROW, max_size=60), st.lists(st.integers(0, 60), max_size=20), st.integers(1, 400))
def test_whatever_went_to_disk_rows_are_sorted_and_equal_keys_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[tuple[int, str]],
    cuts: list[int],
    held: int,
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    rows = [(number, name, f"row {n}") for n, (number, name) in enumerate(keys)]
    gathered = SortedRows(folder, held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "STRETCH", 60)
        for a, b in pairwise([0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]):
            gathered.add(NAMES, NAMES.batch(rows[a:b]))
            gathered.add(STREAM, STREAM.batch([row[:2] for row in rows[a:b]]))
        oracle = sorted(rows, key=lambda row: (row[0], row[1].encode()))
        assert rows_of(gathered, NAMES) == oracle
        oracle.sort(key=lambda row: (row[1].encode(), row[0]))
        assert rows_of(gathered, STREAM) == [row[:2] for row in oracle]
    assert list(folder.iterdir()) == []


def test_a_part_has_the_same_bytes_whether_its_rows_went_to_disk_or_not(tmp_path: Path) -> None:
    moment = {"time": "+2001-00-00T00:00:00Z", "precision": 9, "calendar": "Q1985727"}
    rows = [
        (f"Q{n}", k, "P1", "string", *content, "value", "normal", moment, None, None)
        for n in range(3000)
        for k in range(n % 3)
        for content in [(None, "x" * (n % 7), None, None, None, None)]
    ]
    random.Random(1).shuffle(rows)
    batches = [LITERALS.batch(rows[start : start + 100]) for start in range(0, len(rows), 100)]
    plain = Artifact(tmp_path / "plain").put_part(LITERALS, 0, batches)
    gathered = SortedRows(tmp_path / "runs", 50_000)
    for batch in batches:
        gathered.add(LITERALS, batch)
    assert len(list((tmp_path / "runs").iterdir())) > 3
    assert Artifact(tmp_path / "merged").put_sorted(LITERALS, 0, gathered) == plain


@given(st.lists(st.integers(0, 30), max_size=50), st.lists(st.integers(0, 50), max_size=10))
def test_row_groups_are_cut_by_the_rows_alone_and_none_is_too_large(
    lengths: list[int], cuts: list[int]
) -> None:
    rows = pa.table({"text": ["é" * n if n else None for n in lengths]}, pa.schema({"text": "str"}))
    edges = [0, *sorted(min(cut, len(lengths)) for cut in cuts), len(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "GROUP_BYTES", 40)
        patch.setattr(runs, "ROW_GROUP", 8)
        parted = list(row_groups(rows.slice(a, b - a) for a, b in pairwise(edges)))
        groups = list(row_groups([rows]))
    assert parted == groups
    assert [value for group in groups for value in group["text"].to_pylist()] == rows[
        "text"
    ].to_pylist()
    for n, group in enumerate(groups):
        sizes = [len((value or "").encode()) for value in group["text"].to_pylist()]
        assert sum(sizes[:-1]) < 40
        assert len(sizes) <= 8
        assert len(sizes) == 8 or sum(sizes) >= 40 or n == len(groups) - 1


def test_no_key_may_be_null_since_runs_are_merged_by_comparing_keys() -> None:
    for table in TABLES.values():
        nullable = {column.name for column in table.columns if column.nullable}
        assert not nullable & set(table.key)
