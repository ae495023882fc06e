"""Processes here, Dask and Ray, a worker killed in the middle of a stage: the same tables?

    python -m benchmarks.engines                                      the made-up world
    python -m benchmarks.engines RECIPE --set STAGE.FIELD=VALUE --to STAGE --stage STAGE

The recipe is run once in this machine's own processes and left alone. Then each runner makes it in
a fresh folder with two worker processes, through Prefect, and once a third of the shards of a stage
is there, one worker that is at a shard gets SIGKILL. The run has to end well by itself. Tables are
compared by the SHA-256 of their files. Ends with status 1 if one differs, or no worker was met.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kill import RELMILL, digests
from pipeline.config import load_recipe
from storage.refs import Refs
from storage.warehouse import Warehouse

WORKERS = 2
MARKS = {"local": b"multiprocessing.spawn", "dask": b"multiprocessing.spawn", "ray": b"ray::make_s"}
"""What the command line of a worker process has in it that nothing else has."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run one of whose workers was killed."""

    wall: float
    killed: int
    there: int
    total: int
    identical: bool


def main() -> int:
    options = parsed()
    folder = Path(tempfile.mkdtemp(prefix="relmill-engines-", dir=options.folder))
    try:
        return compared(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("recipe", nargs="?", default="tiny")
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="STAGE.FIELD=V")
    parser.add_argument("--to", metavar="STAGE", help="go no further than this stage")
    parser.add_argument("--stage", default="parse_wikipedia", help="in which a worker is killed")
    parser.add_argument("--runners", nargs="+", default=list(MARKS), choices=list(MARKS))
    parser.add_argument("--folder", type=Path, help="where warehouses are made, and removed")
    return parser.parse_args()


def compared(options: argparse.Namespace, folder: Path) -> int:
    words = [RELMILL, "run", options.recipe, "--workers", str(WORKERS)]
    words += [word for each in options.sets for word in ("--set", each)]
    words += ["--to", options.to] if options.to else []
    recipe = load_recipe(options.recipe).name

    began = time.monotonic()
    ended(subprocess.Popen([*words, "--root", str(folder / "alone")], stdout=subprocess.DEVNULL))
    wall = time.monotonic() - began
    expected = digests(folder / "alone", recipe)
    print(f"{recipe}, local, nobody killed: {wall:.1f} s, {len(expected)} files", flush=True)
    wrong = 0
    for runner in options.runners:
        root = folder / runner
        command = [*words, "--set", f"runner={runner}", "--root", str(root)]
        killed = one_killed(command, root, runner, options.stage, recipe, expected)
        wrong += not (killed.identical and killed.killed)
        met = f"worker {killed.killed} killed" if killed.killed else "NO WORKER MET"
        print(
            f"{recipe}, {runner:<5}  {killed.wall:>6.1f} s  {met} in {options.stage} with "
            f"{killed.there} of {killed.total} shards there; tables the same: "
            f"{'yes' if killed.identical else 'NO'}",
            flush=True,
        )
        shutil.rmtree(root)
    return 1 if wrong else 0


def one_killed(
    command: list[str], root: Path, runner: str, stage: str, recipe: str, expected: dict[str, str]
) -> Outcome:
    """Run a command to its end, and kill a worker when a third of a stage's shards are there."""
    began = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    victim, there = 0, 0
    while not victim and run.poll() is None:
        time.sleep(0.002)
        there = len(list(root.glob(f"artifacts/{stage}/*/records/[0-9]*.json")))
        # A shard that is under way has its folder; those of shards that are done stay for a while.
        begun = len(list(root.glob(f"artifacts/{stage}/*/scratch/[0-9]*[0-9]")))
        total = shards_of(root, stage)
        if total and total / 3 <= there < begun:
            victim = busiest(run.pid, MARKS[runner])
            if victim:
                os.kill(victim, signal.SIGKILL)
    ended(run)
    wall = time.monotonic() - began
    artifact = Warehouse(root).named(Refs(Warehouse(root)).newest(recipe).steps[stage])
    total = len(artifact.manifest().records)
    return Outcome(wall, victim, there, total, digests(root, recipe) == expected)


def shards_of(root: Path, stage: str) -> int:
    """Return how many shards a stage has, from what the engine wrote down for workers."""
    for path in root.glob(f"runs/*/steps/{stage}.json"):
        return path.read_text().count('"index"')
    return 0


def busiest(parent: int, mark: bytes) -> int:
    """Return the worker process that has calculated most since a moment ago; 0 if none has."""
    before = {pid: ticks(pid) for pid in descendants(parent) if mark in command_line(pid)}
    time.sleep(0.03)
    spent = {pid: ticks(pid) - was for pid, was in before.items()}
    pid = max(spent, key=lambda each: spent[each], default=0)
    return pid if spent.get(pid, 0) > 0 else 0


def descendants(parent: int) -> Iterator[int]:
    """Yield the processes that a process began, and those that they began."""
    for path in Path("/proc").glob(f"{parent}/task/*/children"):
        try:
            children = [int(word) for word in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from descendants(child)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ticks(pid: int) -> int:
    """Return the CPU time of a process, in hundredths of a second."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def ended(run: subprocess.Popen[bytes]) -> None:
    """Wait for a command, and stop if it did not end well."""
    if run.wait():
        sys.exit(f"{' '.join(map(str, run.args))} ended with {run.returncode}")


if __name__ == "__main__":
    sys.exit(main())
