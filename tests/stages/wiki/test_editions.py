"""Which edition of a dump is the newest: in a folder, and on a mirror."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stages.wiki.editions import Edition, newest_edition
from storage.errors import PassingError, SourceError


class Quiet(SimpleHTTPRequestHandler):
    """Lists folders as mirrors do."""

    def log_message(self, *values: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def lay(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a dump")


BY_FOLDER = [f"xwiki/{date}/xwiki-{date}-pages.xml.bz2" for date in ("20260901", "20261001")]


@pytest.mark.parametrize("named", ["20260901", "20261001", "20240101"])
def test_the_newest_date_is_found_from_any_other(named: str, tmp_path: Path, mirror: str) -> None:
    lay(tmp_path, *BY_FOLDER, "xwiki/latest/xwiki-latest-pages.xml.bz2", "ywiki/20270101/y.xml")
    place = "{0}/xwiki/{1}/xwiki-{1}-pages.xml.bz2"
    for root in (str(tmp_path), mirror):
        found = newest_edition(place.format(root, named))
        assert found == Edition("20261001", place.format(root, "20261001"))


def test_a_folder_whose_dump_is_not_whole_yet_does_not_count(tmp_path: Path, mirror: str) -> None:
    lay(tmp_path, *BY_FOLDER, "xwiki/20261101/dumpstatus.json")
    for root in (str(tmp_path), mirror):
        found = newest_edition(f"{root}/{BY_FOLDER[0]}")
        assert found is not None
        assert found.date == "20261001"


def test_the_date_may_stand_in_the_name_alone(tmp_path: Path) -> None:
    lay(tmp_path, "all-20260902.json.gz", "all-20260909.json.gz", "all-20260916.json.bz2")
    lay(tmp_path, "all-20269999.json.gz", "other-20261001.json.gz")
    found = newest_edition(f"{tmp_path}/all-20260902.json.gz")
    assert found == Edition("20260909", f"{tmp_path}/all-20260909.json.gz")


@pytest.mark.parametrize("place", ["sample:13", "/dumps/simple.xml.bz2", "https://host/latest/x"])
def test_a_place_without_a_date_has_no_editions(place: str) -> None:
    assert newest_edition(place) is None


def test_no_edition_at_all_is_told_with_its_place(tmp_path: Path, mirror: str) -> None:
    (tmp_path / "xwiki" / "20261001").mkdir(parents=True)
    for root in (str(tmp_path), mirror):
        with pytest.raises(SourceError, match=f"{root}/xwiki/20260901/x.xml.*no edition"):
            newest_edition(f"{root}/xwiki/20260901/x.xml")


def test_a_mirror_that_is_away_is_worth_another_try() -> None:
    with pytest.raises(PassingError, match="cannot be reached"):
        newest_edition("http://127.0.0.1:9/xwiki/20260901/x.xml", timeout=2.0)
