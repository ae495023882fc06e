"""aside: a file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from storage.artifact import Part
from storage.aside import link_or_copy, read_json, write_json, written_aside
from storage.errors import PassingError, SchemaError


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_what_was_written_is_there_under_its_name_alone(tmp_path: Path) -> None:
    with written_aside(tmp_path / "deep" / "file") as aside:
        aside.write_text("whole")
        assert not (tmp_path / "deep" / "file").exists()
    assert (tmp_path / "deep" / "file").read_text() == "whole"
    assert files(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write() -> None:
        with written_aside(path) as aside:
            aside.write_text("ha")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert files(tmp_path) == ["file"]


def test_a_half_file_of_a_dead_process_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with written_aside(path) as aside:
        name = aside.name
        aside.write_text("x")
    (tmp_path / name).write_text("half of an earlier process with this id")
    with written_aside(path) as aside:
        assert not aside.exists()
        aside.write_text("whole")
    assert path.read_text() == "whole"


def test_a_disk_that_refuses_is_told_with_file_reason_and_mend(tmp_path: Path) -> None:
    (tmp_path / "blocker").touch()
    path = tmp_path / "blocker" / "file"
    with pytest.raises(PassingError, match="could not be written: File exists") as caught:
        write_json(path, {"a": 1})
    assert str(path) in str(caught.value)
    assert "Free some space" in str(caught.value)


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from storage.warehouse import Warehouse
    from storage.errors import PassingError
    from tests.storage.made import NAMES

    artifact = Warehouse(Path(sys.argv[1])).artifact("redo", "00")
    artifact.put_part(NAMES, 0, [NAMES.batch([(1, "first", None)])])
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    rows = [(i, f"{i * 7919 % 1_000_003:x}", None) for i in range(50_000)]
    try:
        artifact.put_part(NAMES, int(sys.argv[2]), [NAMES.batch(rows)])
    except PassingError as error:
        print(error)
"""


@pytest.mark.parametrize("shard", [0, 1])
def test_a_full_disk_leaves_no_half_part_and_keeps_the_part_that_was_there(
    tmp_path: Path, shard: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path), str(shard)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert f"part-0000{shard}.parquet could not be written: " in done.stdout
    assert files(tmp_path) == ["part-00000.parquet"]


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    part = Part(3, 40, "d", "c")
    write_json(tmp_path / "part.json", part)
    assert read_json(tmp_path / "part.json", Part) == part


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"rows": "many"}', b"\xff"])
def test_a_damaged_record_is_told_with_its_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "part.json"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match="is damaged or of another version") as caught:
        read_json(path, Part)
    assert str(path) in str(caught.value)


def test_a_link_shares_the_bytes_where_the_file_system_can(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").samefile(tmp_path / "one")


def test_without_links_a_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "one").write_text("x")
    link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_text() == "x"
    assert not (tmp_path / "two").samefile(tmp_path / "one")
