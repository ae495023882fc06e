"""Runs and tags: which artifacts belong together, and which of them prune may take."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from storage.aside import as_json, read_json, write_json
from storage.errors import ConfigError, MissingArtifactError
from storage.warehouse import Artifact, Warehouse

Status = Literal["running", "succeeded", "failed", "interrupted"]
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RunRecord(msgspec.Struct):
    """One run: what was asked for, what became of it, and the artifact of each stage.

    `steps` pins the artifact of every stage that the run made or reused, by stage name.
    """

    id: str
    recipe: str
    overrides: list[str]
    target: str
    started: str
    status: Status = "running"
    finished: str = ""
    steps: dict[str, str] = {}
    made: list[str] = []
    config: dict[str, Any] = {}
    error: str = ""


class Tag(msgspec.Struct):
    """A name for the artifacts of one run; they stay until the tag is removed."""

    name: str
    run: str
    recipe: str
    steps: dict[str, str]
    made_at: str


def run_lock(run_id: str) -> str:
    """Return the name of the lock that a run holds while it goes on."""
    return f"run-{run_id}"


def now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Refs:
    """The runs and tags of a warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.runs_folder = warehouse.root / "runs"
        self.tags_folder = warehouse.root / "tags"

    def new_run(self, recipe: str) -> Path:
        """Make the folder of a new run; its name sorts by time."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        for attempt in range(1000):
            folder = self.runs_folder / f"{stamp}-{recipe}{f'-{attempt:03d}' if attempt else ''}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
        raise ConfigError(f"{self.runs_folder} has a thousand runs of this second")

    def save(self, folder: Path, run: RunRecord) -> None:
        """Write the record of a run; one that has ended well is published."""
        write_json(folder / "run.json", run)
        if run.status == "succeeded" and self.warehouse.remote is not None:
            self.warehouse.remote.put("runs", f"{run.id}.json", data=as_json(run))

    def runs(self) -> Iterator[RunRecord]:
        """Yield the runs, the newest first."""
        for path in sorted(self.runs_folder.glob("*/run.json"), reverse=True):
            mend = f"Remove the folder {path.parent}: it only tells what that run did"
            run = read_json(path, RunRecord, mend=mend)
            if run.status == "running" and not self.warehouse.is_locked(run_lock(run.id)):
                run.status = "interrupted"
                run.error = "its process is gone"
            yield run

    def newest(self, recipe: str) -> RunRecord:
        """Return the newest successful run of a recipe.

        Raises:
            MissingArtifactError: If there is none.
        """
        for run in self.runs():
            if run.recipe == recipe and run.status == "succeeded":
                return run
        raise MissingArtifactError(
            f"no successful run of {recipe} in {self.warehouse.place}",
            mend=f"Make its tables: relmill run {recipe} --root {self.warehouse.place}",
        )

    def find_run(self, run_id: str) -> RunRecord:
        """Return a run.

        Raises:
            MissingArtifactError: If there is none of that id.
        """
        for run in self.runs():
            if run.id == run_id:
                return run
        raise MissingArtifactError(f"there is no run {run_id!r}", mend="See `relmill log`")

    def tag(self, name: str, run: RunRecord) -> Tag:
        """Give the artifacts of a run a name.

        Raises:
            ConfigError: If the name is taken by another run or a recipe, or cannot be a name.
        """
        if not TAG.fullmatch(name):
            raise ConfigError(
                f"{name!r} cannot be a tag",
                mend="Use letters, digits, dots, dashes and underscores, a letter or digit first",
            )
        if any(each.recipe == name for each in self.runs()):
            raise ConfigError(
                f"{name} is the name of a recipe, whose tables the catalog shows under it",
                mend="Choose another name",
            )
        path = self.tags_folder / f"{name}.json"
        if path.is_file() and (other := read_json(path, Tag)).run != run.id:
            raise ConfigError(
                f"the tag {name} names the run {other.run}",
                mend=f"Choose another name, or remove it first: relmill tag --remove {name}",
            )
        tag = Tag(name, run.id, run.recipe, run.steps, now())
        write_json(path, tag)
        if self.warehouse.remote is not None:
            self.warehouse.remote.put("tags", f"{name}.json", data=as_json(tag))
        return tag

    def remove_tag(self, name: str) -> None:
        """Forget a tag; its artifacts then go with the next prune that no run holds back."""
        self.find_tag(name)
        if self.warehouse.remote is not None:
            self.warehouse.remote.remove("tags", f"{name}.json")
        (self.tags_folder / f"{name}.json").unlink()

    def find_tag(self, name: str) -> Tag:
        """Return a tag.

        Raises:
            MissingArtifactError: If there is none of that name.
        """
        path = self.tags_folder / f"{name}.json"
        if not path.is_file():
            known = ", ".join(tag.name for tag in self.tags()) or "none"
            raise MissingArtifactError(f"there is no tag {name!r}", mend=f"The tags are: {known}")
        return read_json(path, Tag)

    def tags(self) -> Iterator[Tag]:
        """Yield the tags by name."""
        for path in sorted(self.tags_folder.glob("*.json")):
            yield read_json(path, Tag)

    def prunable(
        self, keep_runs: int, grace: timedelta, recipe: str | None = None
    ) -> list[Artifact]:
        """Return the artifacts that nothing holds back.

        Held back are the artifacts of each tag, of the last `keep_runs` successful runs of each
        recipe, of runs that are under way, whatever changed less than `grace` ago, and whatever is
        being made. With `recipe`, all runs of the others too.
        """
        held = {name for tag in self.tags() for name in tag.steps.values()}
        kept: dict[str, int] = {}
        for run in self.runs():
            if run.status == "succeeded":
                kept[run.recipe] = kept.get(run.recipe, 0) + 1
            other = recipe is not None and run.recipe != recipe
            if other or run.status == "running" or kept.get(run.recipe, 0) <= keep_runs:
                held.update(run.steps.values())
        youngest = time.time() - grace.total_seconds()
        return [
            artifact
            for artifact in self.warehouse.artifacts()
            if artifact.name not in held
            and last_change(artifact.folder) < youngest
            and not self.warehouse.is_locked(artifact.name)
        ]


def last_change(folder: Path) -> float:
    """Return when something directly under an artifact last changed, in seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def remove(artifact: Artifact) -> None:
    """Remove an artifact so that no reader takes it for complete while it goes."""
    # What is not whole here may be what another machine is publishing.
    if artifact.remote is not None and artifact.complete:
        artifact.remote.withdraw(artifact.name)
    (artifact.folder / "manifest.json").unlink(missing_ok=True)
    shutil.rmtree(artifact.folder)


def freed_bytes(artifact: Artifact) -> int:
    """Return the bytes that removing an artifact frees; files that others link to free none."""
    if artifact.remote is not None and artifact.complete:
        return sum(each.bytes for each in artifact.held(artifact.manifest().records))
    files = (path.stat() for path in artifact.folder.rglob("*") if path.is_file())
    return sum(stat.st_size for stat in files if stat.st_nlink == 1)
