"""What a run says while it goes."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from flows.progress import Progress, Several
from pipeline.dag import stage
from storage.artifact import Part, PartRecord


def step(name: str) -> Any:
    return SimpleNamespace(stage=stage(name), name=name)


def record(rows: int) -> PartRecord:
    return PartRecord("key", 0, "", {"links": Part(rows, 1, "digest", "content")})


def told(terminal: bool, folder: Path) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, highlight=False)
    with Progress(console) as progress:
        progress.step_begins(step("link"), 2, 1, folder)
        progress.shard_done(step("link"), record(1000))
        progress.shard_done(step("link"), record(234))
        progress.step_ends(step("link"), None, True)  # type: ignore[arg-type]
        progress.step_ends(step("align"), None, False)  # type: ignore[arg-type]
    return out.getvalue()


def test_without_a_terminal_each_step_is_a_line_with_its_rows(tmp_path: Path) -> None:
    lines = told(False, tmp_path).splitlines()
    assert lines[0].split() == ["link", "takes", "over", "1", "unchanged", "shards"]
    assert lines[1].startswith("link ")
    assert "1,234 rows in" in lines[1]
    assert lines[2].split() == ["align", "reused"]
    assert len(lines) == 3


def test_in_a_terminal_the_lines_of_finished_steps_stay(tmp_path: Path) -> None:
    assert "1,234 rows in" in told(True, tmp_path)


def test_several_watchers_are_told_alike(tmp_path: Path) -> None:
    class Log:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def step_begins(self, *_: object) -> None:
            self.calls.append("begins")

        def shard_done(self, *_: object) -> None:
            self.calls.append("done")

        def step_ends(self, *_: object) -> None:
            self.calls.append("ends")

    logs: tuple[Any, ...] = (Log(), Log())
    several = Several(logs)
    several.step_begins(step("link"), 1, 0, tmp_path)
    several.shard_done(step("link"), record(1))
    several.step_ends(step("link"), None, True)  # type: ignore[arg-type]
    assert [log.calls for log in logs] == [["begins", "done", "ends"]] * 2
