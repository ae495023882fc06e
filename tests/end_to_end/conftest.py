"""Runs that many tests look at: made once for the whole session, and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.sample import SampleWorld, write_world
from tests.end_to_end.kit import Ended, Parts, Running, copied, from_files, make, parts_of


@dataclass(frozen=True)
class Made:
    """A finished run, what it printed, and what it left behind."""

    root: Path
    ended: Ended
    parts: Parts
    left_alive: list[str]
    home: Path


def finished(folder: Path, *words: str) -> Made:
    root, home = folder / "warehouse", folder / "home"
    home.mkdir()
    run = Running("run", "tiny", "--root", root, *words, HOME=str(home))
    ended = run.end()
    left = run.alive()
    assert ended.code == 0, ended.text
    return Made(root, ended, parts_of(root), left, home)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SampleWorld:
    """The dumps of `tiny` as files."""
    return write_world(13, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`relmill run tiny --in-process`, undisturbed."""
    return finished(tmp_path_factory.mktemp("made"), "--in-process", "--workers", "2")


@pytest.fixture(scope="session")
def through_prefect(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`relmill run tiny` through Prefect and a server of its own, undisturbed."""
    return finished(tmp_path_factory.mktemp("prefect"), "--workers", "2")


@pytest.fixture(scope="session")
def made_from_files(world: SampleWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of `tiny` made from dumps that lie in files, by a single worker."""
    root = tmp_path_factory.mktemp("files") / "warehouse"
    make(root, *from_files(world))
    return root


@pytest.fixture
def mine(made_from_files: Path, tmp_path: Path) -> Path:
    """A copy of that warehouse, which the test may change."""
    return copied(made_from_files, tmp_path / "warehouse")
