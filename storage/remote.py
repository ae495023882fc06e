"""A warehouse in an object store: what is finished goes there, what is missing comes from there.

Work goes on in a working folder on a disk, a warehouse like any other. Beside its folders lies
`remote.json` with the address of the store:

    URL/objects/STAGE/FINGERPRINT/TABLE/part-00042.parquet.DIGEST, .../files/NAME.DIGEST
    URL/manifests/STAGE/FINGERPRINT.json    the step is whole; written last
    URL/runs/ID.json, URL/tags/NAME.json    runs that ended well, and tags

A store has neither locks nor renames, so correctness rests on names. An object carries its digest,
so two machines that make one step never overwrite each other's; and readers go by manifests, which
are put in one piece, after all that they name. A manifest here without parts is a step that lies
in the store: a part or file is fetched when a stage first reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from storage.aside import write_json, written_aside
from storage.errors import ConfigError, MissingArtifactError, PassingError, PipelineError

MARK = "remote.json"
SHOWN_DIGITS = 16


class Object(NamedTuple):
    """A file of an artifact: where it lies here, and what is known of it."""

    path: Path
    bytes: int
    digest: str


class Remote:
    """An object store, or any other file system of fsspec's, that holds a warehouse.

    Args:
        url: As in "s3://bucket/prefix".
        root: The working folder.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.url = url.rstrip("/")
        self.root = root

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        options = {"auto_mkdir": True} if self.url.startswith("file:") else {}
        try:
            found: tuple[Any, str] = url_to_fs(self.url, use_listings_cache=False, **options)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"{self.url} cannot be opened: {error}",
                mend='For s3:// install s3fs: pip install -c constraints.txt "relmill[s3]"; for '
                "other stores their package of fsspec's",
            ) from error
        return found

    @property
    def files(self) -> Any:
        """The file system, as fsspec has it."""
        return self._opened[0]

    def key(self, *names: str) -> str:
        """Return the name of an object under this one's prefix, as the file system takes it."""
        return "/".join((self._opened[1].rstrip("/"), *names))

    def place(self, each: Object) -> str:
        """Return the name of the object of a file of an artifact."""
        inside = each.path.relative_to(self.root / "artifacts").as_posix()
        return self.key("objects", f"{inside}.{each.digest[:SHOWN_DIGITS]}")

    def address(self, each: Object) -> str:
        """Return the whole address of the object of a file of an artifact."""
        return str(self.files.unstrip_protocol(self.place(each)))

    def publish(self, name: str, objects: Sequence[Object], manifest: bytes) -> None:
        """Put the files of an artifact, then its manifest; what is there already stays.

        Raises:
            PassingError: If the store refuses.
        """
        with told(self.url):
            there = self._sizes("objects", name)
            new = [each for each in objects if there.get(self.place(each)) != each.bytes]
            if new:
                self.files.put([str(o.path) for o in new], [self.place(o) for o in new])
            self.put("manifests", f"{name}.json", data=manifest)

    def fetch(self, objects: Sequence[Object]) -> None:
        """Bring files here that are not.

        Raises:
            MissingArtifactError: If the store has one no more.
            PassingError: If the store or the disk refuses.
        """
        missing = [each for each in objects if not each.path.is_file()]
        if not missing:
            return
        with ExitStack() as stack:
            asides = [stack.enter_context(written_aside(each.path)) for each in missing]
            with told(self.url):
                self.files.get([self.place(o) for o in missing], [str(path) for path in asides])

    def put(self, *names: str, data: bytes) -> None:
        """Put one small object.

        Raises:
            PassingError: If the store refuses.
        """
        with told(self.url):
            self.files.pipe_file(self.key(*names), data)

    def remove(self, *names: str) -> None:
        """Remove one object, if it is there.

        Raises:
            PassingError: If the store refuses.
        """
        with told(self.url):
            key = self.key(*names)
            if self.files.exists(key):
                self.files.rm(key)

    def withdraw(self, name: str) -> None:
        """Remove an artifact: its manifest first, so that no reader takes it for whole."""
        self.remove("manifests", f"{name}.json")
        with told(self.url):
            objects = list(self._sizes("objects", name))
            if objects:
                self.files.rm(objects)

    def sync(self, making: Callable[[str], bool]) -> None:
        """Let the working folder know all that was published, and forget what was withdrawn.

        Args:
            making: Whether a step of that artifact is being made here.

        Raises:
            PassingError: If the store refuses.
        """
        with told(self.url):
            began = time.time()
            self._mirror("manifests", lambda name: self.root / "artifacts" / name / "manifest.json")
            self._mirror("runs", lambda name: self.root / "runs" / name / "run.json")
            self._mirror("tags", lambda name: self.root / "tags" / f"{name}.json")
            self._forget("tags", self.root.glob("tags/*.json"), began)
            whole = self.root.glob("artifacts/*/*/manifest.json")
            self._forget("manifests", (p for p in whole if not making(named(p))), began)

    def _mirror(self, kind: str, place: Callable[[str], Path]) -> None:
        """Fetch the small objects of a kind that are newer there than here."""
        for key, info in self._listed(kind).items():
            path = place(key)
            changed = moment(info)
            if path.is_file() and path.stat().st_mtime >= changed:
                continue
            data = self.files.cat_file(info["name"])
            if kind == "manifests" and path.is_file() and path.read_bytes() != data:
                shutil.rmtree(path.parent)  # two machines made it at once, and theirs came last
            with written_aside(path) as aside:
                aside.write_bytes(data)
                os.utime(aside, (changed, changed))

    def _forget(self, kind: str, paths: Iterator[Path], began: float) -> None:
        """Remove small files here that the store had no more when it was asked."""
        listed = self._listed(kind)
        for path in list(paths):
            name = path.stem if kind == "tags" else named(path)
            if name not in listed and path.stat().st_mtime < began:
                path.unlink()

    def _listed(self, kind: str) -> dict[str, Any]:
        """Return the small objects of a kind, by their name without the ending."""
        prefix = self.key(kind)
        found = self.files.find(prefix, detail=True)
        return {
            key.removeprefix(f"{prefix}/").removesuffix(".json"): info
            for key, info in sorted(found.items())
        }

    def _sizes(self, *names: str) -> dict[str, int]:
        """Return the bytes of all objects below a name."""
        found = self.files.find(f"{self.key(*names)}/", detail=True)
        return {key: info["size"] for key, info in found.items()}


def named(manifest: Path) -> str:
    """Return the name that a run or artifact has by the path of its small file."""
    folder = manifest.parent
    return folder.name if manifest.name == "run.json" else f"{folder.parent.name}/{folder.name}"


def moment(info: dict[str, Any]) -> float:
    """Return when an object was put, in seconds since 1970, from what a file system says of it."""
    found = info.get("LastModified", info.get("mtime", info.get("updated", 0.0)))
    if isinstance(found, str):
        found = datetime.fromisoformat(found)
    return found.timestamp() if isinstance(found, datetime) else float(found)


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what a file system of fsspec's raises into errors of ours.

    Raises:
        MissingArtifactError: If there is no such object.
        PassingError: If the store cannot be reached, or refuses.
    """
    try:
        yield
    except PipelineError:
        raise
    except FileNotFoundError as error:
        raise MissingArtifactError(
            f"{url} has no {error.filename or error}",
            mend="Was it pruned elsewhere, or does the bucket not exist? Make it again with "
            "`relmill run`",
        ) from error
    except Exception as error:  # each store has its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise PassingError(
            f"the store {url} refuses: {reason}",
            mend="Look at its address, the network and the credentials, then run the same command "
            "again: what was finished is kept",
        ) from error


@lru_cache(maxsize=64)
def remote_of(root: Path) -> Remote | None:
    """Return the store behind a working folder; None for a warehouse that is a folder alone."""
    mark = root / MARK
    return Remote(json.loads(mark.read_bytes())["url"], root) if mark.is_file() else None


def working_folder(url: str) -> Path:
    """Return the folder on this machine for what lies in a store, marked as such.

    It lies below RELMILL_CACHE, or else `~/.cache/relmill`.
    """
    url = url.rstrip("/")
    above = Path(os.environ.get("RELMILL_CACHE", "~/.cache/relmill")).expanduser().absolute()
    digits = hashlib.sha256(url.encode()).hexdigest()[:8]
    folder = above / f"{re.sub('[^A-Za-z0-9.]+', '-', url)}-{digits}"
    if not (folder / MARK).is_file():
        write_json(folder / MARK, {"url": url})
        remote_of.cache_clear()
    return folder
