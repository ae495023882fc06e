"""Download: bring a dump here over HTTP, resumed where it broke off, and check that it is whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.wiki.web import BrokenConnectionError, RefusedError, is_address, open_url
from storage.errors import SourceError

__all__ = ["download", "dump_checksum"]

CHUNK = 1 << 20
"""Bytes taken from the connection at once."""

LONGEST_LIST = 1 << 24
"""Bytes of a list of checksums that are read; those of dumps have some 100 kB."""

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Algorithm by the number of hex digits."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the second try, doubled with each further one up to a minute."""

Progress = Callable[[int, "int | None"], None]
"""Takes the number of bytes that are here, and of bytes in all where the server says so."""


def download(
    url: str,
    target: Path,
    *,
    checksum: str | None = None,
    progress: Progress | None = None,
    timeout: float = 60.0,
    retries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download a file, unless it is here already.

    What has come so far lies in `TARGET.part` and is gone on with, in this call or a later one, as
    long as the server's file is the same. The target appears only when it is whole.

    Args:
        url: Address, http or https.
        target: File to be made.
        checksum: md5, sha1 or sha256 of the file in hex, told apart by length; None for unknown.
            Then length alone is checked.
        progress: Called for each megabyte.
        timeout: Seconds without a byte after which a connection counts as broken.
        retries: Further tries after one that brought nothing new.
        sleep: Waits for so many seconds.

    Raises:
        SourceError: If the address is none, the server refuses, the connection stays broken, or
            the file has another length or checksum than it should.
    """
    algorithm = _algorithm(checksum)
    if not is_address(url):
        raise SourceError(
            f"{url!r} is no web address",
            mend="Give an address that starts with https://, or the path of a file.",
        )
    if target.exists() and (
        algorithm is None or _digest(target, algorithm) == (checksum or "").lower()
    ):
        return target
    part = _Part(target)
    left = retries
    while True:
        before = part.size
        try:
            _fetch(url, part, progress, timeout)
            break
        except BrokenConnectionError as broken:
            left = retries if part.size > before else left - 1
            if left < 0:
                raise SourceError(
                    f"the download broke off: {broken}",
                    where=f"{url}, byte {part.size}",
                    mend="Start again later; it goes on where it stopped.",
                ) from broken
            pause = min(FIRST_PAUSE * 2.0 ** max(retries - left - 1, 0), LONGEST_PAUSE)
            sleep(broken.pause or pause)
    if algorithm is not None and checksum is not None:
        part.check(url, algorithm, checksum.lower())
    part.finish()
    return target


def dump_checksum(url: str, *, timeout: float = 60.0) -> str | None:
    """Return the checksum that the publisher of a dump states, None where there is none.

    Wikimedia lays lists of checksums beside its dumps: beside `.../enwiki-20260901-x.xml.bz2` lies
    `enwiki-20260901-sha1sums.txt`, else `...-md5sums.txt`. Lists in a folder `latest` name the
    files by date.

    Args:
        url: Address of the dump.
        timeout: Seconds without a byte after which a connection counts as broken.

    Raises:
        SourceError: If the server cannot be reached or fails.
    """
    folder, _, name = url.partition("?")[0].rpartition("/")
    dated = re.match(r"(.+?-(?:\d{8}|latest))-", name)
    if not dated or not is_address(url):
        return None
    wanted = re.compile(re.escape(name).replace("latest", r"(?:latest|\d{8})"))
    for algorithm in ("sha1", "md5"):
        listed = _list(f"{folder}/{dated[1]}-{algorithm}sums.txt", timeout)
        for line in listed.splitlines():
            digest, _, listed_name = line.strip().partition(" ")
            if len(digest) in ALGORITHMS and wanted.fullmatch(listed_name.lstrip(" *")):
                return digest.lower()
    return None


def _list(url: str, timeout: float) -> str:
    try:
        with open_url(url, {}, timeout) as answer:
            return str(answer.read(LONGEST_LIST).decode(errors="replace"))
    except RefusedError as refused:
        if refused.status in (403, 404, 410):
            return ""
        raise refused.error(url) from refused
    except (BrokenConnectionError, OSError, http.client.HTTPException) as broken:
        raise SourceError(
            f"the list of checksums cannot be read: {broken}",
            where=url,
            mend="Try again later, or state the checksum in the recipe.",
        ) from broken


class _Part:
    """What is here of a file, and which version of the server's file it belongs to."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(target.name + ".part")
        self._version = target.with_name(target.name + ".part.version")
        target.parent.mkdir(parents=True, exist_ok=True)

    @property
    def size(self) -> int:
        """Number of bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Return what asks the server for the rest, or for all if it has another version now."""
        version = self._version.read_text().strip() if self._version.exists() else ""
        if not self.size or not version:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": version}

    def begin(self, version: str) -> None:
        """Start anew with a version of the server's file."""
        self.path.unlink(missing_ok=True)
        self._version.write_text(version)

    def forget(self) -> None:
        """Throw away what is here."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def check(self, url: str, algorithm: str, checksum: str) -> None:
        """Compare the checksum; what has the wrong one is thrown away.

        Raises:
            SourceError: If it differs.
        """
        digest = _digest(self.path, algorithm)
        if digest != checksum:
            self.forget()
            raise SourceError(
                f"the file that came has the {algorithm} {digest}, it should have {checksum}",
                where=url,
                mend="Start again: it was thrown away. If that recurs, compare the checksum.",
            )

    def finish(self) -> None:
        """Put the whole file in its place."""
        with self.path.open("ab") as file:
            os.fsync(file.fileno())
        self.path.replace(self._target)
        self._version.unlink(missing_ok=True)


def _fetch(url: str, part: _Part, progress: Progress | None, timeout: float) -> None:
    """Bring the rest of a file.

    Raises:
        BrokenConnectionError: If the connection breaks before the end.
        SourceError: If the server refuses.
    """
    try:
        answer = open_url(url, part.headers(), timeout)
    except RefusedError as refused:
        if refused.status != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise refused.error(url) from refused
        if refused.total == part.size:
            return
        part.forget()
        raise BrokenConnectionError("what was here is longer than the server's file") from refused
    with answer:
        total = _place(answer, part)
        _take(answer, part, total, progress)
    if total is not None and part.size != total:
        raise BrokenConnectionError(f"{part.size} of {total} bytes came")


def _place(answer: Any, part: _Part) -> int | None:
    """Make the part ready for what comes and return the length of the whole file."""
    if answer.status == http.client.PARTIAL_CONTENT:
        stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        if stated is None or int(stated[1]) != part.size:
            part.forget()
            raise BrokenConnectionError("the server sent another range than was asked for")
        return int(stated[2])
    tag = answer.headers.get("ETag", "")
    weak = not tag or tag.startswith("W/")
    part.begin(answer.headers.get("Last-Modified", "") if weak else tag)
    length = answer.headers.get("Content-Length")
    return int(length) if length is not None else None


def _take(answer: Any, part: _Part, total: int | None, progress: Progress | None) -> None:
    with part.path.open("ab") as file:
        size = file.tell()
        while True:
            try:
                chunk = answer.read(CHUNK)
            except http.client.IncompleteRead as cut:
                file.write(cut.partial)
                raise BrokenConnectionError("the connection was closed") from cut
            except (OSError, http.client.HTTPException) as broken:
                raise BrokenConnectionError(str(broken) or type(broken).__name__) from broken
            if not chunk:
                return
            file.write(chunk)
            size += len(chunk)
            if progress is not None:
                progress(size, total)


def _algorithm(checksum: str | None) -> str | None:
    if checksum is None:
        return None
    algorithm = ALGORITHMS.get(len(checksum))
    if algorithm is None or not re.fullmatch("[0-9a-fA-F]+", checksum):
        raise SourceError(
            f"{checksum!r} is no checksum",
            mend="Give an md5, sha1 or sha256: 32, 40 or 64 hex digits.",
        )
    return algorithm


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
