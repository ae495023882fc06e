"""warehouse: parts whole, sorted and deterministic; a record completes a shard, a manifest all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.aside import read_json
from storage.errors import ConfigError, MissingArtifactError, SchemaError
from storage.fingerprint import file_digest
from storage.runs import fitted
from storage.table import FORMAT
from storage.tables import PAGES, TABLES
from storage.warehouse import Artifact, Warehouse, read_part
from tests.storage import made
from tests.storage.made import FILES, NAMES, STREAM

ROWS = [(2, "b", None), (1, "b", "x"), (1, "a", "y"), (10, "Ä", None)]


def strays(folder: Path) -> list[Path]:
    return list(folder.rglob(".aside-*"))


def test_rows_are_sorted_by_the_key_whatever_order_they_come_in(artifact: Artifact) -> None:
    batches = [NAMES.batch([row]) for row in ROWS]
    part = artifact.put_part(NAMES, 0, batches)
    rows = read_part(artifact.part("names", 0), NAMES).to_pylist()
    assert [(r["page_id"], r["name"]) for r in rows] == [(1, "a"), (1, "b"), (2, "b"), (10, "Ä")]
    assert part.rows == 4


def test_a_part_knows_its_size_and_checksum(artifact: Artifact) -> None:
    part = artifact.put_part(NAMES, 3, [NAMES.batch(ROWS)])
    path = artifact.part("names", 3)
    assert path.name == "part-00003.parquet"
    assert (part.bytes, part.digest) == (path.stat().st_size, file_digest(path))
    assert part.content == part.digest


@given(st.permutations(ROWS), st.lists(st.integers(0, 4), max_size=3))
def test_the_bytes_depend_on_the_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    edges = [0, *sorted(cuts), len(rows)]
    batches = [NAMES.batch(rows[a:b]) for a, b in pairwise(edges)]
    whole = Artifact(folder / "one").put_part(NAMES, 0, [NAMES.batch(ROWS)])
    assert Artifact(folder / "two").put_part(NAMES, 0, batches) == whole


def test_a_part_without_rows_is_a_part(artifact: Artifact) -> None:
    assert artifact.put_part(NAMES, 0, []).rows == 0
    assert read_part(artifact.part("names", 0), NAMES).schema.equals(NAMES.schema)


def test_a_part_is_zstd_parquet_that_any_reader_understands(artifact: Artifact) -> None:
    artifact.put_part(NAMES, 0, [NAMES.batch(ROWS)])
    column = pq.ParquetFile(artifact.part("names", 0)).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.statistics.max == 10


def test_where_a_table_has_an_identity_only_those_columns_are_its_content(
    artifact: Artifact,
) -> None:
    one = artifact.put_part(FILES, 0, [FILES.batch([("old name", "ff")])])
    two = artifact.put_part(FILES, 1, [FILES.batch([("new name", "ff")])])
    three = artifact.put_part(FILES, 2, [FILES.batch([("new name", "ee")])])
    assert one.digest != two.digest
    assert one.content == two.content != three.content


def batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lambda: batch(page_id=[1], name=["a"]), "names has the columns page_id, name, note, but"),
        (lambda: batch(name=["a"], page_id=[1], note=["x"]), "but the rows have name, page_id"),
        (lambda: batch(page_id=["one"], name=["a"], note=["x"]), "rows do not fit names: .*one"),
        (lambda: batch(page_id=[1.5], name=["a"], note=["x"]), "rows do not fit names: .*1.5"),
        (lambda: batch(page_id=[1], name=[[1]], note=["x"]), "rows do not fit names: "),
        (lambda: batch(page_id=[1, 2], name=["a", None], note=["x", "y"]), "null"),
        (lambda: NAMES.batch([(1, None, None), (2, None, None)]), "names.name is null in 2 rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_words_and_leave_nothing(
    artifact: Artifact, rows: Callable[[], pa.RecordBatch], words: str
) -> None:
    with pytest.raises(SchemaError, match=words):
        artifact.put_part(NAMES, 0, [NAMES.batch(ROWS), rows()])
    assert not artifact.part("names", 0).exists()
    assert strays(artifact.folder.parents[2]) == []


def test_rows_of_a_narrower_type_are_cast() -> None:
    narrow = batch(page_id=pa.array([1], pa.int8()), name=["a"], note=[None])
    assert fitted(NAMES, narrow).schema.equals(NAMES.schema)


def test_a_null_is_welcome_where_the_table_allows_it(artifact: Artifact) -> None:
    artifact.put_part(NAMES, 0, [NAMES.batch([(1, "a", None)])])
    assert read_part(artifact.part("names", 0), NAMES)["note"].to_pylist() == [None]


def test_a_whole_table_is_written_as_it_comes(artifact: Artifact) -> None:
    batches = [STREAM.batch([(2, "a"), (1, "b")]), STREAM.batch([(2, "b")])]
    assert artifact.put_part(STREAM, 0, iter(batches)).rows == 3
    assert read_part(artifact.part("stream", 0), STREAM)["page_id"].to_pylist() == [2, 1, 2]


@pytest.mark.parametrize(
    "batches",
    [
        [[(1, "b"), (1, "a")]],
        [[(1, "b")], [(1, "a")]],
        [[(2, "a"), (1, "a")]],
        [[(1, "a")], [], [(1, "a")]],
    ],
)
def test_a_whole_table_out_of_order_is_refused_within_and_across_batches(
    artifact: Artifact, batches: list[list[tuple[int, str]]]
) -> None:
    with pytest.raises(SchemaError, match=r"stream has the key .* behind .* sorted by name, page"):
        artifact.put_part(STREAM, 0, [STREAM.batch(rows) for rows in batches])
    assert not artifact.part("stream", 0).exists()
    assert strays(artifact.folder) == []


def test_an_exception_while_rows_come_leaves_no_part(artifact: Artifact) -> None:
    def rows() -> Any:
        yield STREAM.batch([(1, "a")])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifact.put_part(STREAM, 0, rows())
    assert [p for p in artifact.folder.rglob("*") if p.is_file()] == []


def test_a_shard_is_complete_with_its_record_and_a_step_with_its_manifest(
    artifact: Artifact,
) -> None:
    part = artifact.put_part(NAMES, 0, [NAMES.batch(ROWS)])
    assert artifact.record(0) is None
    artifact.put_record(made.record({"names": part}))
    assert artifact.record(0) == made.record({"names": part})
    assert not artifact.complete
    with pytest.raises(MissingArtifactError, match="redo/0123456789abcdef is not complete"):
        artifact.manifest()
    written = made.manifest(artifact, [made.record({"names": part})])
    artifact.put_manifest(written)
    assert artifact.complete
    assert artifact.manifest() == written


def test_the_manifest_is_the_last_thing_that_is_written(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        order.append(target.relative_to(artifact.folder).as_posix())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    made.put(artifact, NAMES, [ROWS[:2], ROWS[2:]])
    assert order == [
        "names/part-00000.parquet",
        "records/00000.json",
        "names/part-00001.parquet",
        "records/00001.json",
        "manifest.json",
    ]


def test_the_manifest_sweeps_what_was_half_made(artifact: Artifact) -> None:
    part = artifact.put_part(NAMES, 0, [NAMES.batch(ROWS)])
    (artifact.folder / "names" / ".aside-1-part-00000.parquet").touch()
    artifact.scratch(0).mkdir(parents=True)
    artifact.put_manifest(made.manifest(artifact, [made.record({"names": part})]))
    assert strays(artifact.folder) == []
    assert not (artifact.folder / "scratch").exists()


def test_taking_over_links_parts_and_files_under_the_new_shard(
    warehouse: Warehouse, artifact: Artifact
) -> None:
    before = made.put(artifact, NAMES, [ROWS[:2], ROWS[2:]])
    new = warehouse.artifact("redo", "ff")
    new.take_over(5, artifact, before.records[1])
    assert new.part("names", 5).samefile(artifact.part("names", 1))
    assert new.file("1.bin").samefile(artifact.file("1.bin"))
    assert new.record(5) == msgspec.structs.replace(before.records[1], shard=5)


def test_an_undamaged_artifact_has_no_faults(artifact: Artifact) -> None:
    made.put(artifact, NAMES, [ROWS])
    assert list(artifact.faults()) == []


@pytest.mark.parametrize("name", ["names/part-00001.parquet", "files/1.bin"])
def test_a_flipped_byte_is_found_and_named(artifact: Artifact, name: str) -> None:
    made.put(artifact, NAMES, [ROWS[:2], ROWS[2:]])
    path = artifact.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (fault,) = artifact.faults()
    assert fault.startswith(f"redo/0123456789abcdef/{name} is damaged: its SHA-256 is not ")


@pytest.mark.parametrize("name", ["names/part-00001.parquet", "files/1.bin"])
def test_a_file_that_is_gone_is_found_and_named(artifact: Artifact, name: str) -> None:
    made.put(artifact, NAMES, [ROWS[:2], ROWS[2:]])
    (artifact.folder / name).unlink()
    assert list(artifact.faults()) == [f"redo/0123456789abcdef/{name} is missing"]


def test_a_manifest_of_a_newer_format_is_refused_with_the_mend(artifact: Artifact) -> None:
    made.put(artifact, NAMES, [ROWS], format=FORMAT + 1)
    with pytest.raises(ConfigError, match=f"has format {FORMAT + 1}, this relmill reads up to"):
        artifact.manifest()


def test_a_newer_format_is_refused_though_everything_else_looks_different(
    artifact: Artifact,
) -> None:
    artifact.folder.mkdir(parents=True)
    (artifact.folder / "manifest.json").write_text('{"format": 99, "stages": {}}')
    with pytest.raises(ConfigError, match="Install the newer relmill"):
        artifact.manifest()


@pytest.mark.parametrize("data", ["", "{", '{"format": 1}', "[]"])
def test_a_damaged_manifest_is_told_with_its_file(artifact: Artifact, data: str) -> None:
    artifact.folder.mkdir(parents=True)
    (artifact.folder / "manifest.json").write_text(data)
    with pytest.raises(SchemaError, match=r"manifest\.json is damaged or of another version"):
        artifact.manifest()


def test_a_root_under_a_regular_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        Warehouse(tmp_path / "file" / "root").require_writable()
    assert caught.value.exit_code == 2
    assert "--root" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_without_permission_is_the_users_mistake(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        Warehouse(tmp_path / "root").require_writable()


def test_a_writable_root_is_made_and_left_empty(tmp_path: Path) -> None:
    Warehouse(tmp_path / "deep" / "root").require_writable()
    assert list((tmp_path / "deep" / "root").iterdir()) == []


def test_attempts_come_oldest_first_and_the_newest_complete_one_counts(
    warehouse: Warehouse,
) -> None:
    for attempt in (1, 2, 10):
        made.put(warehouse.artifact("redo", "aa", attempt), NAMES, [ROWS])
    warehouse.artifact("redo", "aa", 11).folder.mkdir()
    names = [a.name for a in warehouse.attempts("redo", "aa")]
    assert names == ["redo/aa", "redo/aa.2", "redo/aa.10", "redo/aa.11"]
    newest = warehouse.newest("redo", "aa")
    assert newest is not None
    assert newest.name == "redo/aa.10"


def test_other_fingerprints_are_no_attempts(warehouse: Warehouse) -> None:
    made.put(warehouse.artifact("redo", "aab"), NAMES, [ROWS])
    assert warehouse.attempts("redo", "aa") == []
    assert warehouse.newest("redo", "aa") is None


def test_only_complete_artifacts_are_listed_the_newest_first(warehouse: Warehouse) -> None:
    for age, digits in enumerate(("aa", "cc", "bb")):
        made.put(warehouse.artifact("redo", digits), NAMES, [ROWS])
        path = warehouse.artifact("redo", digits).folder / "manifest.json"
        os.utime(path, (1000 - age, 1000 - age))
    warehouse.artifact("redo", "dd").put_part(NAMES, 0, [])
    assert [a.name for a in warehouse.complete("redo")] == ["redo/aa", "redo/cc", "redo/bb"]
    assert [a.name for a in warehouse.artifacts()][-1] == "redo/dd"


def test_a_lock_keeps_a_second_holder_waiting(warehouse: Warehouse) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with warehouse.lock("redo/aa"):
            order.append("second")

    thread = threading.Thread(target=second)
    with warehouse.lock("redo/aa"):
        thread.start()
        waiting.wait()
        thread.join(timeout=0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_that_is_held_shows(warehouse: Warehouse) -> None:
    assert not warehouse.is_locked("redo/aa")
    with warehouse.lock("redo/aa"):
        assert warehouse.is_locked("redo/aa")
        assert not warehouse.is_locked("redo/bb")
    assert not warehouse.is_locked("redo/aa")


def test_free_space_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert Warehouse(tmp_path / "not" / "yet").free_bytes() > 0


def test_a_timestamp_and_spans_read_back_as_they_were(artifact: Artifact) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    row = (7, "Zürich", "text", 1, moment, False, [{"char_start": 0, "char_end": 4}], "0f")
    artifact.put_part(PAGES, 0, [PAGES.batch([row])])
    (read,) = read_part(artifact.part("pages", 0), PAGES).to_pylist()
    assert tuple(read.values()) == row


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_can_be_written_and_read_without_rows(artifact: Artifact, name: str) -> None:
    table = TABLES[name]
    artifact.put_part(table, 0, [table.batch([])])
    assert read_part(artifact.part(name, 0), table).schema.equals(table.schema)


def test_a_manifest_sums_over_its_shards(artifact: Artifact) -> None:
    manifest = made.put(artifact, NAMES, [ROWS[:1], ROWS[1:], []])
    assert manifest.rows("names") == 4
    assert manifest.drops() == {"short": 6}
    assert manifest.damage().records == 4
    assert read_json(artifact.folder / "manifest.json", type(manifest)) == manifest


def test_the_content_of_a_table_ignores_empty_parts_and_follows_the_rows(
    warehouse: Warehouse,
) -> None:
    contents = [
        made.put(warehouse.artifact("redo", f"{i}"), NAMES, shards).content("names")
        for i, shards in enumerate([[ROWS[:1], []], [[], ROWS[:1]], [ROWS[:2]], [ROWS[:1]]])
    ]
    assert contents[0] == contents[1] == contents[3] != contents[2]


def test_the_content_of_one_source_ignores_the_others(warehouse: Warehouse) -> None:
    def content(digits: str, checksum: str, source: str) -> str:
        artifact = warehouse.artifact("fetch", digits)
        records = []
        for shard, (label, sha) in enumerate([("wikipedia-0", "aa"), ("wikidata-0", checksum)]):
            part = artifact.put_part(FILES, shard, [FILES.batch([(label, sha)])])
            records.append(made.record({"files": part}, shard, label=label))
        return made.manifest(artifact, records).content("files", source)

    assert content("1", "bb", "wikipedia") == content("2", "cc", "wikipedia")
    assert content("1", "bb", "wikidata") != content("2", "cc", "wikidata")
