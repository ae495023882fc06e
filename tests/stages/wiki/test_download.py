from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stages.wiki.download import download, dump_checksum
from storage.errors import SourceError

CONTENT = bytes(range(256)) * 400


@dataclass
class Server:
    """A web server whose files and faults a test sets."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    cut: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    refuse: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    ranges: bool = True
    lengths: bool = True
    wrong_range: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.asked.append((self.path, asked))
            if server.refuse:
                self.send_response(server.refuse.pop(0))
                self.send_header("Retry-After", "7")
                self.end_headers()
                return
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send(content, asked)

        def send(self, content: bytes, asked: str | None) -> None:
            start = 0
            if asked and server.ranges and self.headers.get("If-Range") == server.etag:
                found = re.fullmatch(r"bytes=(\d+)-", asked)
                assert found
                start = int(found[1])
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.end_headers()
                    return
                self.send_response(206)
                first = start + server.wrong_range
                stated = f"bytes {first}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", stated)
            else:
                self.send_response(200)
            if server.etag:
                self.send_header("ETag", server.etag)
            if server.lengths:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            self.wfile.write(body[: server.cut.pop(0)] if server.cut else body)

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.files["/dump"] = CONTENT
    try:
        yield state
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "dump.bz2"


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_a_file_comes_whole(server: Server, target: Path, algorithm: str) -> None:
    told: list[tuple[int, int | None]] = []
    checksum = hashlib.new(algorithm, CONTENT).hexdigest().upper()
    found = download(
        f"{server.url}/dump", target, checksum=checksum, progress=lambda *now: told.append(now)
    )
    assert found == target
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["dump.bz2"]
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_what_is_here_is_not_downloaded_again(server: Server, target: Path) -> None:
    checksum = hashlib.sha1(CONTENT).hexdigest()
    for _ in range(2):
        download(f"{server.url}/dump", target, checksum=checksum)
    assert len(server.asked) == 1
    target.write_bytes(b"other")
    download(f"{server.url}/dump", target, checksum=checksum)
    assert target.read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(server: Server, target: Path) -> None:
    server.cut = [30_000, 1000]
    pauses: list[float] = []
    download(f"{server.url}/dump", target, sleep=pauses.append)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/dump", None), ("/dump", "bytes=30000-"), ("/dump", "bytes=31000-")]
    assert pauses == [1.0, 1.0]


def test_a_later_call_goes_on_too(server: Server, target: Path) -> None:
    server.cut = [50_000, 0]
    with pytest.raises(SourceError, match="broke off: 50000 of 102400 bytes came") as error:
        download(f"{server.url}/dump", target, retries=0, sleep=lambda _: None)
    assert f"{server.url}/dump, byte 50000" in str(error.value)
    assert not target.exists()
    download(f"{server.url}/dump", target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == ("/dump", "bytes=50000-")


def test_a_file_that_changed_meanwhile_starts_anew(server: Server, target: Path) -> None:
    server.cut = [50_000, 0]
    with pytest.raises(SourceError):
        download(f"{server.url}/dump", target, retries=0, sleep=lambda _: None)
    server.etag, server.files["/dump"] = '"two"', CONTENT[::-1]
    download(f"{server.url}/dump", target)
    assert target.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    "fault", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}, {"wrong_range": True}]
)
def test_servers_that_cannot_go_on_start_anew(
    server: Server, target: Path, fault: dict[str, Any]
) -> None:
    for name, value in fault.items():
        setattr(server, name, value)
    server.cut = [50_000]
    download(f"{server.url}/dump", target, sleep=lambda _: None)
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_whole_already(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("dump.bz2.part").write_bytes(CONTENT)
    target.with_name("dump.bz2.part.version").write_text(server.etag)
    download(f"{server.url}/dump", target, checksum=hashlib.sha1(CONTENT).hexdigest())
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["dump.bz2"]


def test_a_part_that_is_too_long_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("dump.bz2.part").write_bytes(CONTENT + b"more")
    target.with_name("dump.bz2.part.version").write_text(server.etag)
    download(f"{server.url}/dump", target, sleep=lambda _: None)
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum(server: Server, target: Path) -> None:
    with pytest.raises(SourceError, match=r"has the md5 \w{32}, it should have 0{32}") as error:
        download(f"{server.url}/dump", target, checksum="0" * 32)
    assert "thrown away" in str(error.value)
    assert left_over(target) == []


def test_a_file_of_unknown_length_and_an_empty_one(server: Server, target: Path) -> None:
    server.lengths = False
    assert download(f"{server.url}/dump", target).read_bytes() == CONTENT
    server.lengths, server.files["/empty"] = True, b""
    assert download(f"{server.url}/empty", target.with_name("e")).read_bytes() == b""


def test_a_refusal_is_told_at_once(server: Server, target: Path) -> None:
    with pytest.raises(SourceError, match=r"/none: the server answers 404 .*Check the address"):
        download(f"{server.url}/none", target)
    assert not target.exists()


def test_a_busy_server_is_asked_again(server: Server, target: Path) -> None:
    server.refuse = [503, 429]
    pauses: list[float] = []
    download(f"{server.url}/dump", target, sleep=pauses.append)
    assert target.read_bytes() == CONTENT
    assert pauses == [7.0, 7.0]


def test_a_server_that_is_not_there(target: Path) -> None:
    pauses: list[float] = []
    with pytest.raises(SourceError, match=r"broke off: .*refused"):
        download("http://127.0.0.1:9/dump", target, retries=3, sleep=pauses.append)
    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("url", ["dump.xml", "ftp://a.example/b", "file:///dump", "http://[x/dump"])
def test_what_is_no_address(target: Path, url: str) -> None:
    with pytest.raises(SourceError, match="no web address"):
        download(url, target)


@pytest.mark.parametrize("checksum", ["", "12", "g" * 32])
def test_what_is_no_checksum(server: Server, target: Path, checksum: str) -> None:
    with pytest.raises(SourceError, match="is no checksum"):
        download(f"{server.url}/dump", target, checksum=checksum)


DUMP = "/nelbywiki/20260901/nelbywiki-20260901-pages-articles.xml.bz2"
SHA1, MD5 = "a" * 40, "b" * 32


def test_the_checksum_beside_a_dump(server: Server) -> None:
    folder, _, name = DUMP.rpartition("/")
    server.files[f"{folder}/nelbywiki-20260901-md5sums.txt"] = f"{MD5}  {name}\n".encode()
    assert dump_checksum(server.url + DUMP) == MD5
    sha1 = f"{'c' * 40}  other.bz2\n{SHA1.upper()} *{name}\n"
    server.files[f"{folder}/nelbywiki-20260901-sha1sums.txt"] = sha1.encode()
    assert dump_checksum(server.url + DUMP) == SHA1


def test_the_checksum_of_the_latest_dump(server: Server) -> None:
    listed = f"{SHA1}  nelbywiki-20260901-pages-articles.xml.bz2\n"
    server.files["/nelbywiki/latest/nelbywiki-latest-sha1sums.txt"] = listed.encode()
    url = f"{server.url}/nelbywiki/latest/nelbywiki-latest-pages-articles.xml.bz2"
    assert dump_checksum(url) == SHA1


def test_no_checksum(server: Server) -> None:
    assert dump_checksum(server.url + DUMP) is None
    assert dump_checksum(server.url + "/dump") is None
    assert dump_checksum("dump.xml.bz2") is None
    assert [path.rpartition("-")[2] for path, _ in server.asked] == ["sha1sums.txt", "md5sums.txt"]


def test_a_list_of_checksums_that_cannot_be_read(server: Server) -> None:
    server.refuse = [500]
    with pytest.raises(SourceError, match="list of checksums cannot be read"):
        dump_checksum(server.url + DUMP)
