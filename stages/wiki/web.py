"""Web: ask a server for a file, and tell a refusal from a broken connection."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from storage.errors import SourceError

__all__ = ["BrokenConnectionError", "RefusedError", "is_address", "open_url"]

AGENT = "relmill (builds corpora from dumps)"
"""Wikimedia refuses requests that do not say what they come from."""

WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})


class BrokenConnectionError(Exception):
    """The connection broke or the server is busy: worth another try.

    Args:
        why: What happened, as words for a message.
        pause: Seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class RefusedError(Exception):
    """The server answers that it will not give the file.

    Args:
        status: Number of the answer, 400 to 599.
        reason: Its words.
        total: Length of the file in bytes, where an answer to a request for a range says so.
    """

    def __init__(self, status: int, reason: str, total: int | None) -> None:
        super().__init__(status, reason)
        self.status, self.reason, self.total = status, reason, total

    def error(self, url: str) -> SourceError:
        """Return the refusal in words."""
        return SourceError(
            f"the server answers {self.status} {self.reason}".rstrip(),
            where=url,
            mend="Check the address; old dumps are taken away after some months.",
        )


def is_address(location: str) -> bool:
    """Whether something is a web address, as opposed to a path."""
    try:
        return urlsplit(location).scheme in ("http", "https")
    except ValueError:
        return False


def open_url(url: str, headers: Mapping[str, str], timeout: float) -> Any:
    """Ask for an address and return the answer, a file to be read and closed.

    Args:
        url: Address, http or https.
        headers: What is asked beside it.
        timeout: Seconds without a byte after which the connection counts as broken.

    Raises:
        BrokenConnectionError: If there is no connection, or the server is busy.
        RefusedError: If the server answers that it will not.
        SourceError: If the address is none.
    """
    request = urllib.request.Request(
        url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
    )
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in WORTH_RETRYING:
                pause = error.headers.get("Retry-After", "")
                seconds = float(pause) if pause.isdigit() else None
                raise BrokenConnectionError(f"the server answers {error.code}", seconds) from error
            stated = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            total = int(stated[1]) if stated else None
            raise RefusedError(error.code, str(error.reason), total) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise SourceError(
            f"{url!r} is no web address: {error}",
            mend="Give an address that starts with https://.",
        ) from error
    except urllib.error.URLError as error:
        raise BrokenConnectionError(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise BrokenConnectionError(str(error) or type(error).__name__) from error
