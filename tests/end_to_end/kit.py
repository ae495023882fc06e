"""What the end-to-end tests do with a warehouse: run, stop, copy and compare."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.config import load_recipe
from pipeline.dag import wanted
from pipeline.plan import RunPlan, make_plan, preflight
from pipeline.pool import Pool
from pipeline.run import execute
from stages.sample import SampleWorld
from storage.artifact import PartRecord
from storage.fingerprint import file_digest
from storage.refs import Refs, RunRecord
from storage.warehouse import Warehouse

RELMILL = Path(sys.executable).with_name("relmill")
MARK = "RELMILL_TEST_MARK"
NODES = wanted(load_recipe("tiny").nodes)
STAGES = tuple(node.name for node in NODES)
"""The steps that a run of tiny makes."""
MADE = {table.name: table for node in NODES for table in node.stage.writes}
"""The tables that it makes."""
WITHOUT_NER = tuple(stage for stage in STAGES if stage != "train_ner")
"""The stages of a run with `recognize.model=blank`."""


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


def hear_ctrl_c() -> None:
    """Undo what a shell does to the jobs that it starts in the background: they ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Running:
    """A command under way, in a process group of its own, its children known by a mark."""

    def __init__(self, *words: object, **variables: str) -> None:
        self._mark = uuid.uuid4().hex
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [str(RELMILL), *map(str, words)],
            env=environment(**{MARK: self._mark}, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )

    def end(self, timeout: float = 120) -> Ended:
        """Wait for the end, and see to it."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill_group()
            out, err = self.process.communicate()
            raise AssertionError(f"no end within {timeout} s:\n{out}\n{err}") from None
        return Ended(self.process.returncode, out, err, time.monotonic() - self.began)

    def kill_group(self) -> None:
        """Kill the command and all that it started in its group, as `kill -9 -PGID` does."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """Do what Ctrl-C in a terminal does: every process of the group gets SIGINT."""
        os.killpg(self.process.pid, signal.SIGINT)

    def alive(self) -> list[str]:
        """The command lines of this command and of all that it started, in its group or not."""
        wanted = f"{MARK}={self._mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found.append(b" ".join(words).decode())
            except OSError:
                continue
        return found

    def gone_within(self, seconds: float) -> list[str]:
        """What of this command is still alive after so many seconds: nothing, if all is well."""
        wait_for(lambda: not self.alive(), seconds)
        return self.alive()


def wait_for(happened: Callable[[], bool], seconds: float) -> bool:
    """Wait until something happened; return whether it did in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.02)
    return happened()


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: nothing of the tester's own relmill or Prefect."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RELMILL_"))}
    return {**kept, "COLUMNS": "200", **variables}


def relmill(*words: object, timeout: float = 120, **variables: str) -> Ended:
    """Run a command to its end."""
    return Running(*words, **variables).end(timeout)


def done(*words: object, **variables: str) -> str:
    """Run a command that must end well; return what it printed."""
    ended = relmill(*words, **variables)
    assert ended.code == 0, ended.text
    return ended.out


def loaded_by(*words: object) -> set[str]:
    """The modules that a command imports."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", str(RELMILL), *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = (line for line in ended.stderr.splitlines() if line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip() for line in lines}


def sets(*overrides: str) -> list[str]:
    """Overrides as options of a command."""
    return [word for override in overrides for word in ("--set", override)]


def from_files(world: SampleWorld) -> list[str]:
    """Overrides that read the made-up world from files; NER is left out, as that saves seconds."""
    sources = [f"fetch.wikipedia={world.wikipedia}", f"fetch.wikidata={world.wikidata}"]
    return [*sources, "recognize.model=blank"]


class Silent:
    """A watcher that keeps what it is told, and shows nothing."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []

    def step_begins(self, step: Any, todo: int, taken_over: int, *_: object) -> None:
        """Nothing."""

    def shard_done(self, step: Any, record: PartRecord) -> None:
        """Note the shard."""
        self.made.append((step.stage.name, record.shard))

    def step_ends(self, step: Any, artifact: Any, made: bool) -> None:
        """Nothing."""


def plan_of(root: Path, *overrides: str, to: str | None = None) -> RunPlan:
    """What would run of `tiny`."""
    return make_plan(load_recipe("tiny", overrides), Warehouse(root), to=to)


def make(
    root: Path,
    *overrides: str,
    to: str | None = None,
    workers: int = 1,
    watcher: Silent | None = None,
    force: Sequence[str] = (),
) -> RunRecord:
    """Run `tiny` in this very process."""
    warehouse = Warehouse(root)
    plan = make_plan(load_recipe("tiny", overrides), warehouse, to=to, force=force)
    preflight(plan.steps)
    folder = Refs(warehouse).new_run("tiny")
    with Pool(workers, folder) as pool:
        return execute(plan, warehouse, folder, pool, watcher or Silent())


def copied(root: Path, to: Path) -> Path:
    """A warehouse with the same artifacts and runs, to be changed at will."""
    for name in ("artifacts", "runs", "tags"):
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name)
    return to


def newest(root: Path, recipe: str = "tiny") -> RunRecord:
    """The newest run of a recipe, whatever became of it."""
    return next(run for run in Refs(Warehouse(root)).runs() if run.recipe == recipe)


Parts = dict[str, list[tuple[str, int, str]]]


def parts_of(root: Path, recipe: str = "tiny", stages: Iterable[str] = STAGES) -> Parts:
    """By table and by kept file of the newest successful run: label, rows, and SHA-256 on disk.

    What a manifest says of a file and what lies on the disk are held against each other.
    """
    warehouse = Warehouse(root)
    found: Parts = {}
    for stage, name in Refs(warehouse).newest(recipe).steps.items():
        if stage not in stages:
            continue
        artifact = warehouse.named(name)
        for record in artifact.manifest().records:
            label = record.label or str(record.shard)
            for table, part in record.parts.items():
                digest = file_digest(artifact.part(table, record.shard))
                assert digest == part.digest, f"{name}: {table} {label} is not as its manifest says"
                found.setdefault(table, []).append((label, part.rows, digest))
            for file in record.files:
                # The index of a dump that is read in place says where that dump lies.
                if stage == "fetch" and file.name.endswith(".json"):
                    continue
                digest = file_digest(artifact.file(file.name))
                assert digest == file.digest
                found.setdefault(f"file {file.name}", []).append((label, 0, digest))
    return found


def strays(root: Path) -> list[str]:
    """Half-made files in folders of steps that are complete."""
    folders = [a.folder for a in Warehouse(root).artifacts() if a.complete]
    names = (".aside-*", "scratch")
    return [str(p.relative_to(root)) for f in folders for n in names for p in f.rglob(n)]


def catalog_of(root: Path) -> dict[str, tuple[int, int]]:
    """Rows and a sum over the rows of every view of `tiny` in the catalog."""
    with duckdb.connect(str(root / "catalog.duckdb"), read_only=True) as catalog:
        names = catalog.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tiny'"
        ).fetchall()
        found = {}
        for (name,) in sorted(names):
            query = f"SELECT count(*), bit_xor(hash(t)) FROM tiny.{name} t"
            row = catalog.execute(query).fetchone()
            assert row is not None
            found[name] = (row[0], row[1])
        return found


def artifacts_in(root: Path) -> dict[str, int]:
    """When the manifest of each complete artifact was written, in nanoseconds."""
    return {
        artifact.name: (artifact.folder / "manifest.json").stat().st_mtime_ns
        for artifact in Warehouse(root).artifacts()
        if artifact.complete
    }


def answer(root: Path, query: str, *more: object, recipe: str = "tiny") -> list[dict[str, Any]]:
    """The rows of a query, asked on the command line."""
    out = done("sql", recipe, query, "--format", "json", "--root", root, *more)
    return [json.loads(line) for line in out.splitlines()]


def shards_on_disk(root: Path) -> Iterator[Path]:
    """The records of finished shards, of complete steps and of others."""
    yield from sorted(root.glob("artifacts/*/*/records/[0-9]*.json"))
