"""Raw files as a recipe names them: where they lie, and whether they can be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from storage.errors import SourceError

__all__ = ["Kind", "Raw", "absolute", "name_of", "require_readable", "stated"]

Kind = Literal["wikipedia", "wikidata", "truth", "gold"]

SAMPLE = re.compile(r"sample:(\d+)")


@dataclass(frozen=True)
class Raw:
    """One raw file that a recipe names.

    Attributes:
        own: Whether it is no dump, but texts or facts of one's own in the place of one.
        labels: The file with names for facts.
    """

    kind: Kind
    ordinal: int
    location: str
    own: bool = False
    labels: str | None = None

    @property
    def field(self) -> str:
        """Field of the config that names it."""
        return {"wikipedia": "text", "wikidata": "facts"}[self.kind] if self.own else self.kind

    @property
    def label(self) -> str:
        """Name of the file in the pipeline: "wikipedia-0"."""
        return f"{self.kind}-{self.ordinal}"

    @property
    def seed(self) -> int | None:
        """Seed of the made-up world that the file is of; None for a real file."""
        match = SAMPLE.fullmatch(self.location)
        return int(match[1]) if match else None

    @property
    def is_url(self) -> bool:
        """Whether the file has to be downloaded."""
        return self.location.startswith(("http://", "https://"))

    @property
    def path(self) -> Path:
        """Path of a local file."""
        return absolute(self.location)


def absolute(location: str) -> Path:
    """Return a local path, which counts from the folder where relmill starts."""
    return Path(location).expanduser().absolute()


def stated(path: Path) -> dict[str, Any]:
    """Return what a local file is known by before it is read."""
    if not path.is_file():
        return {"location": str(path)}
    stat = path.stat()
    return {"location": str(path), "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


def require_readable(raw: Raw, field: str) -> None:
    """Check that a local file is there and can be read.

    Raises:
        SourceError: If it is not.
    """
    mend = (
        "Give the path of a file, an address that starts with http:// or https://, or sample:SEED: "
        f"--set fetch.{field}=PATH"
    )
    if raw.path.is_dir():
        raise SourceError(f"{field} is {raw.location!r}, which is a folder", mend=mend)
    if not raw.path.is_file():
        raise SourceError(
            f"{field} is {raw.location!r}, and there is no file {raw.path}", mend=mend
        )
    try:
        raw.path.open("rb").close()
    except OSError as error:
        raise SourceError(
            f"{raw.path} cannot be read ({error.strerror})",
            mend="Let yourself read it, or name another file",
        ) from error


def name_of(url: str) -> str:
    """Return the name of the file that a URL leads to; "" where it names none."""
    try:
        return Path(urlsplit(url).path).name if urlsplit(url).hostname else ""
    except ValueError:
        return ""
