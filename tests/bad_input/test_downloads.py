"""Dumps that come over the network, from a server on this machine that misbehaves."""

from __future__ import annotations

import bz2
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.wiki import download
from tests.bad_input.kit import Desk, dump

NAME = "towns-20260101-pages-articles.xml.bz2"
SUMS = "towns-20260101-sha1sums.txt"


class Server:
    """A server of a few files; one whose value is a number is answered with that status."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | int] = {}
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stored = files.get(self.path.strip("/"), 404)
                if isinstance(stored, int):
                    self.send_error(stored)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(stored)))
                self.end_headers()
                self.wfile.write(stored)

            def log_message(self, *values: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.0)


@pytest.mark.parametrize("status", [404, 403, 410])
def test_an_address_that_the_server_refuses_is_told_with_its_answer(
    status: int, desk: Desk, server: Server
) -> None:
    server.files[NAME] = status
    url = f"{server.address}/{NAME}"
    desk.run(wikipedia=url).refuses(
        f"SourceError: fetch, wikipedia-0, {url}: the server answers {status}", "Check the address"
    )
    desk.was_not_made("fetch")


def test_a_file_of_another_checksum_is_thrown_away_and_fetched_anew(
    desk: Desk, made: Desk, server: Server
) -> None:
    packed = bz2.compress(dump().encode())
    right = hashlib.sha1(packed).hexdigest()
    server.files |= {NAME: packed[:-1] + b"x", SUMS: f"{right}  {NAME}\n".encode()}
    url = f"{server.address}/{NAME}"
    desk.run(wikipedia=url).refuses(url, "has the sha1 ", f"should have {right}", "thrown away")
    desk.was_not_made("fetch")
    assert not [path for path in desk.root.rglob(f"{NAME}*") if path.is_file()]
    server.files[NAME] = packed
    desk.run(wikipedia=url).succeeds()
    assert desk.rows("pages") == made.rows("pages")


def test_an_error_page_in_place_of_a_dump_is_refused(desk: Desk, server: Server) -> None:
    server.files[NAME] = b"<html>Please log in</html>"
    answer = desk.run(wikipedia=f"{server.address}/{NAME}")
    answer.refuses(NAME, "this is no MediaWiki XML export, it starts with b'<html>Please log in")
    desk.was_not_made("fetch")


def test_nobody_at_the_address_is_told(desk: Desk, server: Server) -> None:
    server.stop()
    url = f"{server.address}/{NAME}"
    desk.run(wikipedia=url).refuses("SourceError: fetch, wikipedia-0, ", server.address, "refused")
    desk.was_not_made("fetch")


def test_an_address_with_a_space_is_refused(desk: Desk) -> None:
    answer = desk.run(wikipedia="http://127.0.0.1:1/a dump.xml")
    answer.refuses("'http://127.0.0.1:1/a dump.xml' is no web address")
