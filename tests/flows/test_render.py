"""How durations, sizes, tables and example tuples read."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flows.render import duration, grid, size, table_text
from flows.summary import example_text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (42, "42 s"), (600, "10 min"), (34_200, "9.5 h")],
)
def test_durations_read_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (12_345_678, "12.3 MB"), (2.5e12, "2.5 TB"), (3e15, "3000.0 TB")],
)
def test_sizes_read_as_a_person_says_them(count: float, words: str) -> None:
    assert size(count) == words


def test_a_grid_has_numbers_to_the_right_and_long_texts_cut() -> None:
    lines = grid([("a", 1), ("b" * 99, 12_345)], ["name", "count"], widest=10).splitlines()
    assert lines[0] == "name         count"
    assert lines[2] == "a                1"
    assert lines[3] == "bbbbbbb...  12,345"


def test_a_grid_keeps_a_value_on_its_line() -> None:
    assert "one two" in grid([("one\ntwo",)], ["text"])
    assert len(grid([(None,), (True,)], ["x"]).splitlines()) == 4


def test_a_table_says_how_many_rows_it_does_not_show() -> None:
    rows = pa.table({"n": list(range(50))})
    assert table_text(rows).endswith("... 10 more\n(50 rows)")
    assert table_text(rows.slice(0, 1)).endswith("(1 row)")
    assert table_text(rows.slice(0, 0)).endswith("(0 rows)")


@pytest.mark.parametrize(
    ("head", "tail", "marked"),
    [
        ((0, 3), (12, 15), "[Ada] lived in {Bur}."),
        ((12, 15), (0, 3), "{Ada} lived in [Bur]."),
    ],
)
def test_an_example_marks_head_and_tail_wherever_they_stand(
    head: tuple[int, int], tail: tuple[int, int], marked: str
) -> None:
    row = {
        "sentence": "Ada lived in Bur.",
        "sentence_start": 100,
        "head_start": 100 + head[0] + (head[0] > 0),
        "head_end": 100 + head[1] + (head[0] > 0),
        "tail_start": 100 + tail[0] + (tail[0] > 0),
        "tail_end": 100 + tail[1] + (tail[0] > 0),
        "head_name": "Ada",
        "tail_name": "Bur",
        "relation": "residence",
        "pid": "P551",
    }
    text = example_text(row)
    assert marked in text
    assert "[Ada] -- residence (P551) -> {Bur}" in text
