"""A desk for each test; one more, with all tables made, that tests copy or only look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bad_input.kit import Desk, new_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Sound dumps and an empty warehouse."""
    return new_desk(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with all tables made; to be looked at, never to be changed."""
    desk = new_desk(tmp_path_factory.mktemp("made") / "desk")
    desk.run(to="").succeeds()
    return desk


@pytest.fixture
def made_desk(made: Desk, tmp_path: Path) -> Desk:
    """A copy of the desk with all tables made, to be harmed."""
    desk = Desk(tmp_path / "desk")
    shutil.copytree(made.folder, desk.folder)
    return desk
