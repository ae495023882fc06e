"""How a run shows itself: bars in a terminal, lines elsewhere, an artifact in Prefect."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from pipeline.plan import Step
from pipeline.run import Watcher
from storage.artifact import PartRecord
from storage.warehouse import Artifact

REFRESH_SECONDS = 2.0


class Doing(ProgressColumn):
    """What long shards are at, as they last wrote it down."""

    max_refresh = 1.0
    folder: Path | None = None

    def render(self, task: Task) -> Text:
        """Return the words of one shard; most shards are too short to have any."""
        for path in sorted(self.folder.glob("*")) if self.folder else ():
            with suppress(OSError):
                return Text(path.read_text(encoding="utf-8"))
        return Text("")


class Progress:
    """Progress on the console: a bar a step in a terminal, a line a step where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = Doing()
        self._bars = Bars(
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("shards"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            self._doing,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._rows = 0
        self._began = 0.0

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def step_begins(self, step: Step, todo: int, taken_over: int, run_folder: Path) -> None:
        """Open the bar of a step."""
        self._doing.folder = run_folder / "doing"
        self._began = time.monotonic()
        self._rows = 0
        self._task = self._bars.add_task(step.name, total=todo)
        if taken_over:
            self._console.print(f"{step.name:<16} takes over {taken_over} unchanged shards")

    def shard_done(self, step: Step, record: PartRecord) -> None:
        """Move the bar of a step on."""
        self._rows += sum(part.rows for part in record.parts.values())
        if self._task is not None:
            self._bars.advance(self._task)

    def step_ends(self, step: Step, artifact: Artifact, made: bool) -> None:
        """Close the bar of a step and leave a line behind."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        if made:
            seconds = time.monotonic() - self._began
            self._console.print(
                f"{step.name:<16} made    {self._rows:>12,} rows in {seconds:,.1f} s"
            )
        else:
            self._console.print(f"{step.name:<16} reused", highlight=False)


class PrefectProgress:
    """What Prefect sees of each step that is made: an artifact with its progress, and an event.

    The artifact is renewed every two seconds at most. A step that is reused is a task whose state
    says so. The event `relmill.artifact.published` tells automations of other people's that a
    step's tables are there.
    """

    def __init__(self) -> None:
        self._done = 0
        self._todo = 0
        self._last = 0.0
        self._artifact: object = None

    def step_begins(self, step: Step, todo: int, taken_over: int, run_folder: Path) -> None:
        """Make the artifact of a step."""
        from prefect.artifacts import create_progress_artifact

        self._done, self._todo, self._last = 0, todo, time.monotonic()
        self._artifact = create_progress_artifact(
            0.0,
            key=f"progress-{artifact_key(step.name)}",
            description=f"{step.name}: {todo} shards to make, {taken_over} taken over",
        )

    def shard_done(self, step: Step, record: PartRecord) -> None:
        """Count a shard, and renew the artifact if that was long ago."""
        self._done += 1
        if time.monotonic() - self._last > REFRESH_SECONDS:
            self._renew(100.0 * self._done / self._todo)

    def step_ends(self, step: Step, artifact: Artifact, made: bool) -> None:
        """Finish the artifact of a step that was made, and tell of its tables."""
        from flows.tasks import reuse

        if not made:
            reuse(step.name, artifact.name)
            return
        self._renew(100.0)
        publish(step, artifact)

    def _renew(self, percent: float) -> None:
        from prefect.artifacts import update_progress_artifact

        self._last = time.monotonic()
        update_progress_artifact(self._artifact, percent)  # type: ignore[arg-type]


def publish(step: Step, artifact: Artifact) -> None:
    """Tell of a step's new tables, with the rows of each."""
    from prefect.events import emit_event

    manifest = artifact.manifest()
    emit_event(
        "relmill.artifact.published",
        resource={
            "prefect.resource.id": f"relmill.step.{step.name}",
            "prefect.resource.name": step.name,
        },
        payload={
            "artifact": artifact.name,
            "folder": str(artifact.folder),
            "rows": {table: manifest.rows(table) for table in manifest.tables},
        },
    )


def artifact_key(name: str) -> str:
    """Return a name as Prefect's artifact keys want it: lower case, dashes."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())


class Several:
    """Tells several watchers."""

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = tuple(watchers)

    def step_begins(self, step: Step, todo: int, taken_over: int, run_folder: Path) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.step_begins(step, todo, taken_over, run_folder)

    def shard_done(self, step: Step, record: PartRecord) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.shard_done(step, record)

    def step_ends(self, step: Step, artifact: Artifact, made: bool) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.step_ends(step, artifact, made)
