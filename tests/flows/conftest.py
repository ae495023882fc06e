"""One Prefect server for all tests of the flows, with a home of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server import prefect_server
from stages.sample import SampleWorld, write_world


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server that runs while the session does; the folder that holds its `.prefect`."""
    root = tmp_path_factory.mktemp("server")
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    try:
        with prefect_server(root):
            yield root
    finally:
        os.environ.clear()
        os.environ.update(kept)


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> SampleWorld:
    """The dumps of `tiny` as files."""
    return write_world(13, tmp_path_factory.mktemp("dumps"))
