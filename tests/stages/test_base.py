"""base: what a run function may see of the world, and what it may say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.base import (
    DAMAGE_CHECK_RECORDS,
    Inputs,
    InputTable,
    Pending,
    StageConfig,
    by_page,
    is_whole,
    located,
    require_sound,
    span_of,
    table_of,
    whole,
)
from storage.artifact import Damage, Shard, Shards
from storage.errors import PlanError, SourceError
from storage.tables import ITEMS, LINKS, MENTIONS, PAGES, SOURCES, TITLES
from storage.warehouse import Artifact
from tests.conftest import table_rows

Make = Callable[..., Inputs]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def inputs(tables: dict[str, InputTable] | None = None, **values: Any) -> Inputs:
        places = {name: tmp_path / name for name in ("scratch", "files", "downloads")}
        return Inputs(tables or {}, **{"shard": Shard(0, Shards()), **places, **values})

    return inputs


def test_rows_come_from_memory_or_from_parts_in_their_order(make: Make, tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "made")
    for shard, qid in enumerate(("Q2", "Q1")):
        artifact.put_part(TITLES, shard, [TITLES.batch([("a", qid, 0, None)])])
    paths = [artifact.part("titles", shard) for shard in (0, 1)]
    inputs = make({"titles": InputTable(paths), "links": InputTable(rows=table_rows(LINKS, []))})
    assert inputs.rows(TITLES)["qid"].to_pylist() == ["Q2", "Q1"]
    assert inputs.rows(LINKS).num_rows == 0


def test_an_input_without_parts_is_an_empty_table(make: Make) -> None:
    assert make({"titles": InputTable()}).rows(TITLES).schema.equals(TITLES.schema)


def test_a_table_that_was_not_declared_is_refused_with_the_mend(make: Make) -> None:
    inputs = make({"titles": InputTable()})
    for ask in (inputs.rows, inputs.files):
        with pytest.raises(PlanError, match=r"reads pages without saying so\. Add the table"):
            ask(PAGES)


def test_inputs_are_asked_in_sql_beside_rows_of_the_stages_own(make: Make) -> None:
    rows = table_rows(TITLES, [{"title": "a", "qid": "Q1"}, {"title": "b", "qid": "Q2"}])
    inputs = make({"titles": InputTable(rows=rows)})
    (tmp := inputs.scratch).mkdir()
    query = "SELECT title FROM titles JOIN mine USING (qid)"
    batches = list(inputs.sql(query, {"mine": pa.table({"qid": ["Q2"]})}))
    assert [row for b in batches for row in b.to_pylist()] == [{"title": "b"}]
    assert tmp.is_dir()


def test_drops_are_counted_and_the_first_few_keys_kept(make: Make) -> None:
    inputs = make()
    for key in range(9):
        inputs.drop("short", key)
    inputs.drop("long", "x", count=40)
    assert inputs.drops == {"short": 9, "long": 40}
    assert inputs.drop_samples == {"short": ["0", "1", "2", "3", "4"], "long": ["x"]}


def test_what_is_worth_telling_is_counted(make: Make) -> None:
    inputs = make()
    inputs.count("templates")
    inputs.count("templates", 3)
    assert inputs.counts == {"templates": 4}


def test_kept_files_are_named_once_in_a_folder_that_is_there(make: Make) -> None:
    inputs = make()
    for name in ("index.npy", "other.npy", "index.npy"):
        inputs.keep(name).write_bytes(b"x")
    assert inputs.kept == ["index.npy", "other.npy"]


def test_damage_is_counted_by_reason_with_a_few_short_samples(make: Make) -> None:
    inputs = make()
    for line in range(8):
        inputs.seen(0.5)
        inputs.damaged("no json", where=f"line {line}", sample="x" * 300)
    assert inputs.damage.records == 8
    assert inputs.damage.counts == {"no json": 8}
    assert len(inputs.damage.samples) == 5
    assert inputs.damage.samples[0] == {
        "reason": "no json",
        "where": "line 0",
        "sample": "x" * 200,
    }


def test_a_source_that_is_wrong_altogether_stops_early(make: Make) -> None:
    inputs = make()
    inputs.damage.records = DAMAGE_CHECK_RECORDS - 2
    for _ in range(10):
        inputs.damaged("no json", where="line 1", sample="?")
    inputs.seen(0.0001)
    inputs.damaged("no json", where="line 2", sample="?")
    inputs.seen(0.0001)
    with pytest.raises(SourceError, match=r"12 of 10,000 records are damaged \(12 no json\)"):
        inputs.damaged("no json", where="line 3", sample="?")


def test_a_sound_source_is_let_through() -> None:
    require_sound(Damage(100, {"a": 10}, [], 0.0))


def test_too_much_damage_is_told_with_share_first_place_and_mend() -> None:
    samples = [{"reason": "a", "where": "page 7, byte 99", "sample": "<page"}]
    damage = Damage(2000, {"a": 30, "b": 1}, samples, 0.01)
    with pytest.raises(SourceError) as caught:
        require_sound(damage)
    message = str(caught.value)
    assert "31 of 2,000 records are damaged (30 a, 1 b)" in message
    assert "the share of 0.01 that max_damaged_share allows" in message
    assert "page 7, byte 99: '<page'" in message
    assert "raise max_damaged_share" in message


@pytest.mark.parametrize(
    ("read", "axis", "expected"),
    [
        (PAGES, "page", False),
        (PAGES, "item", True),
        (PAGES, "whole", True),
        (whole(PAGES), "page", True),
        (SOURCES["wikipedia"], "source", True),
        (TITLES, "page", True),
        (TITLES, "whole", True),
        (ITEMS, "item", False),
    ],
)
def test_a_table_of_the_own_axis_comes_by_shard_and_any_other_whole(
    read: Any, axis: Any, expected: bool
) -> None:
    assert is_whole(read, axis) == expected
    assert table_of(read).name in ("pages", "sources", "titles", "items")


def test_pending_rows_are_handed_on_by_table_and_then_forgotten() -> None:
    pending = Pending(TITLES, LINKS)
    pending.add(TITLES, ("a", "Q1", 0, None), ("b", "Q2", 1, None))
    flushed = [(table.name, batch.num_rows) for table, batch in pending.flush()]
    assert flushed == [("titles", 2)]
    assert list(pending.flush()) == []


def test_rows_are_grouped_by_page_in_their_order() -> None:
    rows = [{"page_id": 2, "char_start": 5, "char_end": 6}, {"page_id": 1}, {"page_id": 2}]
    pages = by_page(table_rows(MENTIONS, rows))
    assert list(pages) == [2, 1]
    assert [span_of(row) for row in pages[2]] == [(5, 6), (0, 0)]


def test_a_long_shard_reports_at_most_once_a_second(make: Make, tmp_path: Path) -> None:
    inputs = make(doing=tmp_path / "doing" / "fetch-00000")
    inputs.report("1 %")
    inputs.report("2 %")
    assert (tmp_path / "doing" / "fetch-00000").read_text() == "1 %"


def test_without_a_run_there_is_nobody_to_report_to(make: Make, tmp_path: Path) -> None:
    make().report("1 %")
    assert list(tmp_path.iterdir()) == []


class WithModel(StageConfig):
    model: str = located("small", description="a name, or a folder")


def test_a_name_counts_and_the_place_of_a_folder_does_not(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (WithModel(model=str(tmp_path / name)).meaningful() for name in ("one", "two"))
    assert one == two != {}
    assert WithModel(model=str(tmp_path / "three")).meaningful() not in (one, {})
    assert WithModel(model="large").meaningful() == {"model": "large"}
    assert WithModel().meaningful() == {}
