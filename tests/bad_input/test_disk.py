"""A root that cannot be written, and a disk that is full, at the start or on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.warehouse import Warehouse
from tests.bad_input.kit import Desk, dump, page

LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv[:2] = ["relmill"]
from flows.cli import main
main()
"""


def command_line(
    desk: Desk, *arguments: object, code: str = ""
) -> subprocess.CompletedProcess[str]:
    """Give a command in a process of its own."""
    start = ["-c", code] if code else ["-m", "flows.cli"]
    named = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(named, capture_output=True, text=True, cwd=desk.folder, timeout=120)


class TestRoot:
    @pytest.fixture(params=["a file", "below a file"])
    def root(self, request: pytest.FixtureRequest, desk: Desk) -> Path:
        file = desk.write("file", "kept")
        return file if request.param == "a file" else file / "warehouse"

    def test_a_run_is_refused(self, root: Path, desk: Desk) -> None:
        desk.ask("run", desk.recipe, "--in-process", "--root", root).refuses(
            f"ConfigError: the warehouse {root} cannot be written",
            "Name a folder that you may write with --root or RELMILL_ROOT",
        )
        assert (desk.folder / "file").read_text() == "kept"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("show", "RECIPE"),
            ("sql", "RECIPE", "SELECT 1"),
            ("trace", "RECIPE", "Town 1"),
            ("verify", "towns"),
            ("tag", "best", "towns"),
        ],
    )
    def test_looking_for_tables_there_names_the_command_that_makes_them(
        self, arguments: tuple[str, ...], root: Path, desk: Desk
    ) -> None:
        given = [desk.recipe if each == "RECIPE" else each for each in arguments]
        answer = desk.ask(*given, "--root", root)
        answer.refuses("no successful run of towns", "relmill run ", f"--root {root}")

    @pytest.mark.parametrize(
        "arguments",
        [("log",), ("tag",), ("verify",), ("prune",), ("prune", "--yes"), ("plan", "RECIPE")],
        ids=" ".join,
    )
    def test_listing_what_is_there_lists_nothing(
        self, arguments: tuple[str, ...], root: Path, desk: Desk
    ) -> None:
        given = [desk.recipe if each == "RECIPE" else each for each in arguments]
        desk.ask(*given, "--root", root).succeeds()

    def test_the_process_ends_without_a_traceback(self, root: Path, desk: Desk) -> None:
        ended = command_line(desk, "run", desk.recipe, "--in-process", "--root", root)
        assert ended.returncode == 2
        assert ended.stderr.startswith("ConfigError: the warehouse ")
        assert "Traceback" not in ended.stderr + ended.stdout


def test_too_little_free_space_is_refused_before_anything_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Warehouse, "free_bytes", lambda self: 1_000_000)
    desk.run().refuses("StageError: ", "are free under", "the run needs about", "prune", code=1)
    assert not list(desk.root.glob("artifacts/*/*"))
    assert not list(desk.root.glob("runs/*"))


class Filling:
    """A disk that takes so many batches of rows and is full then."""

    def __init__(self, takes: int, refuse: Callable[[], None]) -> None:
        self.left = takes
        self._refuse = refuse
        self._write = pq.ParquetWriter.write_batch

    def write_batch(self, *values: Any, **named: Any) -> None:
        self.left -= 1
        if self.left < 0:
            self._refuse()
        self._write(*values, **named)


def refuse(code: int) -> Callable[[], None]:
    def raising() -> None:
        raise OSError(code, os.strerror(code))

    return raising


@pytest.mark.parametrize("takes", [0, 3, 9, 15, 21])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fills_up_ends_the_run_and_the_next_goes_on(
    takes: int, code: int, desk: Desk, made: Desk
) -> None:
    disk = Filling(takes, refuse(code))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_batch", lambda *a, **k: disk.write_batch(*a, **k))
        desk.run(to="").refuses(
            "PassingError: ",
            f"could not be written: {os.strerror(code)}",
            "Free some space or mend the disk, then run the same command again: "
            "what was finished is kept",
            code=1,
        )
    desk.nothing_half_written()
    assert "failed" in desk.look("log", recipe=False).succeeds().text
    desk.run(to="").succeeds()
    assert desk.digests() == made.digests()


@pytest.mark.parametrize("limit", [500, 3000, 30_000])
def test_a_file_that_may_not_grow_ends_the_run_in_words_and_the_next_goes_on(
    limit: int, desk: Desk
) -> None:
    # So much text that the frames of the dump are the largest file.
    text = " ".join(f"word{n * 7919 % 10007}" for n in range(40_000))
    desk.write("towns.xml", dump([*(page(n) for n in range(1, 20)), page(20, text=text)]))
    run = ["run", desk.recipe, "--in-process", "--workers", "1", "--root", desk.root]
    ended = command_line(desk, limit, *run, "--to", "parse_wikipedia", code=LIMITED)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stderr.startswith("PassingError: ")
    assert os.strerror(errno.EFBIG) in ended.stderr
    assert "Free some space or mend the disk, then run the same command again" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    desk.nothing_half_written()
    desk.run().succeeds()
    assert desk.rows("pages").num_rows == 20


def test_a_catalog_that_cannot_be_written_is_told_and_made_next_time(desk: Desk) -> None:
    run = ["run", desk.recipe, "--in-process", "--workers", "1", "--root", desk.root]
    ended = command_line(desk, 60_000, *run, code=LIMITED)
    assert ended.returncode == 1, ended.stdout
    assert f"PassingError: {desk.root / 'catalog.duckdb'} could not be written" in ended.stderr
    assert "the tables themselves are there" in ended.stderr
    assert not list(desk.root.glob(".aside-*"))
    assert not (desk.root / "catalog.duckdb").exists()
    desk.run(to="").succeeds()
    assert (desk.root / "catalog.duckdb").exists()
