"""A small made-up pipeline with a stage on every axis, to test the engine with.

    gather (source) -> read (page)  -> mark (page) -> join (page)
                    -> tally (item) -> index (whole) ----^

A raw file has one `number word` a line. `mark` can be told to fail or to die.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from pydantic import Field

import pipeline.engines
import pipeline.pool
from pipeline.config import Recipe, RecipeWide
from pipeline.dag import Node
from pipeline.plan import RunPlan, Step, make_plan
from pipeline.run import StepSpec, execute
from pipeline.worker import run_shard
from stages.base import Inputs, Rows, ShardCounts, Stage, StageConfig, runtime, whole
from storage.artifact import PartRecord
from storage.errors import SourceError
from storage.fingerprint import file_digest
from storage.refs import Refs, RunRecord
from storage.table import Axis, Column, Table
from storage.tables import TABLES
from storage.warehouse import Artifact, Warehouse, read_part

TEXT, NUMBER = pa.string(), pa.int64()


def table(name: str, axis: Axis, *columns: tuple[str, pa.DataType], **more: Any) -> Table:
    """A table whose first column is its key."""
    made = tuple(Column(column, kind, f"{column} of {name}") for column, kind in columns)
    return Table(name, "row", axis, (columns[0][0],), made, **more)


RAW = table(
    "raw",
    "source",
    ("name", TEXT),
    ("path", TEXT),
    ("sha256", TEXT),
    identity=("sha256",),
)
WORDS = table("words", "page", ("page_id", NUMBER), ("word", TEXT))
TALLIES = table("tallies", "item", ("item", NUMBER), ("word", TEXT))
MARKS = table("marks", "page", ("page_id", NUMBER), ("mark", TEXT))
INDEX = table("index", "whole", ("word", TEXT), ("count", NUMBER))
JOINED = table("joined", "page", ("page_id", NUMBER), ("text", TEXT), ("count", NUMBER))
TOY_TABLES = (RAW, WORDS, TALLIES, MARKS, INDEX, JOINED)


class GatherConfig(StageConfig):
    letters: list[str] = Field(default=[], description="files of pages")
    numbers: list[str] = Field(default=[], description="files of items")


class ReadConfig(StageConfig):
    max_damaged_share: float = runtime(0.5, ge=0, le=1)


class PlainConfig(StageConfig):
    pass


class MarkConfig(StageConfig):
    style: str = Field("!", description="what is put behind a word")
    longest: int = Field(20, ge=1, le=99, description="characters that a mark may have")
    fail_at: int | None = runtime(None)
    die_at: int | None = runtime(None)
    died: str | None = runtime(None, description="file that a death leaves: it dies but once")


class IndexConfig(StageConfig):
    least: int = Field(1, ge=1, description="how often a word must occur")


class JoinConfig(StageConfig):
    glue: str = Field("=", description="what stands between mark and word")
    shards: ShardCounts = Field(ShardCounts(), description="set by the recipe's own `shards`")


def files_of(config: GatherConfig) -> dict[str, Path]:
    named = {f"letters-{i}": Path(p) for i, p in enumerate(config.letters)}
    return named | {f"numbers-{i}": Path(p) for i, p in enumerate(config.numbers)}


def pieces(config: GatherConfig) -> dict[str, dict[str, Any]]:
    return {
        label: {"location": str(path), "modified_ns": path.stat().st_mtime_ns}
        for label, path in files_of(config).items()
    }


def gather(config: GatherConfig, inputs: Inputs) -> Iterator[Rows]:
    path = files_of(config)[inputs.shard.label]
    inputs.keep(inputs.shard.label).write_bytes(path.read_bytes())
    yield RAW, RAW.batch([(inputs.shard.label, str(path), file_digest(path))])


def lines(inputs: Inputs, source: str) -> Iterator[tuple[int, str]]:
    for label, path in sorted(inputs.files(RAW).items()):
        if label.startswith(source):
            for line in path.read_text().splitlines():
                number, _, word = line.partition(" ")
                if inputs.shard.shards.of(int(number)) == inputs.shard.index:
                    yield int(number), word


def read(config: ReadConfig, inputs: Inputs) -> Iterator[Rows]:
    rows = []
    for number, word in lines(inputs, "letters"):
        inputs.seen(config.max_damaged_share)
        if word.startswith("?"):
            inputs.damaged("question", where=f"page {number}", sample=word)
        elif not word:
            inputs.drop("empty", number)
        else:
            rows.append((number, word))
    yield WORDS, WORDS.batch(rows)


def tally(config: PlainConfig, inputs: Inputs) -> Iterator[Rows]:
    yield TALLIES, TALLIES.batch(list(lines(inputs, "numbers")))


def mark(config: MarkConfig, inputs: Inputs) -> Iterator[Rows]:
    rows = inputs.rows(WORDS).to_pylist()
    yield (
        MARKS,
        MARKS.batch([(r["page_id"], (r["word"] + config.style)[: config.longest]) for r in rows]),
    )
    if inputs.shard.index == config.fail_at:
        raise SourceError("the toy was told to fail")
    if inputs.shard.index == config.die_at and not (config.died and Path(config.died).exists()):
        if config.died:
            Path(config.died).touch()
        os._exit(9)


def index(config: IndexConfig, inputs: Inputs) -> Iterator[Rows]:
    query = f"""
        SELECT word, count(*) AS count
        FROM (SELECT word FROM words UNION ALL SELECT word FROM tallies)
        GROUP BY word HAVING count(*) >= {config.least} ORDER BY word
    """
    inputs.keep("index.txt").write_text(f"{config.least}\n")
    yield from ((INDEX, batch.cast(INDEX.schema)) for batch in inputs.sql(query))


def join(config: JoinConfig, inputs: Inputs) -> Iterator[Rows]:
    counts = {r["word"]: r["count"] for r in inputs.rows(INDEX).to_pylist()}
    words = {r["page_id"]: r["word"] for r in inputs.rows(WORDS).to_pylist()}
    rows = []
    for marked in inputs.rows(MARKS).to_pylist():
        word = words[marked["page_id"]]
        text = f"{marked['mark']}{config.glue}{word}"
        rows.append((marked["page_id"], text, counts.get(word, 0)))
    yield JOINED, JOINED.batch(rows)


GATHER = Stage("gather", 1, GatherConfig, (), (RAW,), gather, pieces=pieces)
READ = Stage("read", 1, ReadConfig, (RAW["letters"],), (WORDS,), read)
TALLY = Stage("tally", 1, PlainConfig, (RAW["numbers"],), (TALLIES,), tally)
MARK = Stage("mark", 1, MarkConfig, (WORDS,), (MARKS,), mark)
INDEX_STAGE = Stage("index", 1, IndexConfig, (WORDS, TALLIES), (INDEX,), index)
JOIN = Stage("join", 1, JoinConfig, (MARKS, INDEX, WORDS), (JOINED,), join)
DAG = (GATHER, READ, TALLY, MARK, INDEX_STAGE, JOIN)

TWIN_WORDS = table("twins", "page", ("page_id", NUMBER), ("total", NUMBER))


def twin(config: PlainConfig, inputs: Inputs) -> Iterator[Rows]:
    total = inputs.rows(WORDS).num_rows
    yield TWIN_WORDS, TWIN_WORDS.batch([(inputs.shard.index, total)])


TWIN = Stage("twin", 1, PlainConfig, (whole(WORDS),), (TWIN_WORDS,), twin)
"""Reads the whole of a table that is of its own axis."""


@contextmanager
def installed(dag: Sequence[Stage] = DAG) -> Iterator[None]:
    """Put a DAG in the place of the real one, in this process."""
    tables = {each.name: each for stage in dag for each in stage.writes}
    with (
        patch("pipeline.dag.DAG", tuple(dag)),
        patch("pipeline.config.DAG", tuple(dag)),
        patch("pipeline.draw.DAG", tuple(dag)),
        patch("pipeline.why.stage_digest", lambda stage: f"code of {stage.name}"),
        patch("pipeline.run.stage_digest", lambda stage: f"code of {stage.name}"),
        patch("pipeline.engines.stage_digest", lambda stage: f"code of {stage.name}"),
        patch.dict(TABLES, tables),
    ):
        yield


_begin_process = pipeline.pool.begin_process
_make_shard = pipeline.engines.make_shard
_for_good = ExitStack()


def begin_process_with_toy(run_folder: Path) -> None:
    """Set a worker process up that knows the toy pipeline in place of the real one."""
    _for_good.enter_context(installed(DAG))
    _begin_process(run_folder)


def make_shard_of_toy(run_folder: Path, step: str, shard: int) -> Any:
    """Make a shard in a process of a cluster that knows the toy pipeline."""
    with installed(DAG):
        return _make_shard(run_folder, step, shard)


def changed(dag: Sequence[Stage], name: str, **values: Any) -> tuple[Stage, ...]:
    """The DAG with one stage changed: its version, its run function."""
    return tuple(dataclasses.replace(s, **values) if s.name == name else s for s in dag)


class Serial:
    """Makes shards one after the other in this process; may be stopped after a few."""

    workers = 1

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.made: list[tuple[str, int]] = []

    def shards(self, run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        for shard in spec.todo:
            if self.stop_after is not None and len(self.made) >= self.stop_after:
                raise KeyboardInterrupt
            yield run_shard(run_folder, spec.step, shard)
            self.made.append((spec.step, shard))

    def commit(self, job: Any, stage: str) -> Artifact:
        return job()


class Log:
    """Writes down what a run says of itself."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.records: list[PartRecord] = []
        self.ended: list[tuple[str, bool]] = []

    def step_begins(self, step: Step, todo: int, taken_over: int, run_folder: Path) -> None:
        self.begun.append((step.name, todo, taken_over))

    def shard_done(self, step: Step, record: PartRecord) -> None:
        self.records.append(record)

    def step_ends(self, step: Step, artifact: Artifact, made: bool) -> None:
        self.ended.append((step.name, made))


class Mill:
    """The toy pipeline on one warehouse: what a person does with it, in one line each."""

    def __init__(self, root: Path, dag: Sequence[Stage] = DAG) -> None:
        self.warehouse = Warehouse(root / "warehouse")
        self.dag: tuple[Stage, ...] = tuple(dag)
        self.letters = root / "letters.txt"
        self.numbers = root / "numbers.txt"
        self.shards: dict[str, int] = {"page": 4, "item": 2, "page_block": 1, "item_block": 1}
        if not self.letters.exists():
            self.letters.write_text("".join(f"{i} word{i % 5}\n" for i in range(12)))
            self.numbers.write_text("".join(f"{i} word{i % 7}\n" for i in range(9)))

    def recipe(self, **sections: dict[str, Any]) -> Recipe:
        wide = RecipeWide(shards=ShardCounts(**self.shards))
        files = {"letters": [str(self.letters)], "numbers": [str(self.numbers)]}
        nodes = []
        for stage in self.dag:
            values = sections.get(stage.name, {})
            if stage.name == "gather":
                values = {**files, **values}
            if "shards" in stage.config.model_fields:
                values = {"shards": wide.shards, **values}
            nodes.append(Node(stage, stage.config(**values)))
        return Recipe("toy", (), wide, tuple(nodes))

    def plan(
        self,
        *,
        to: str | None = None,
        only: str | None = None,
        force: Sequence[str] = (),
        **sections: dict[str, Any],
    ) -> RunPlan:
        with installed(self.dag):
            return make_plan(self.recipe(**sections), self.warehouse, to=to, only=only, force=force)

    def run(self, executor: Any = None, log: Log | None = None, **options: Any) -> RunRecord:
        plan = self.plan(**options)
        folder = Refs(self.warehouse).new_run("toy")
        with installed(self.dag):
            return execute(plan, self.warehouse, folder, executor or Serial(), log or Log())

    def verdicts(self, **options: Any) -> dict[str, str]:
        return {step.name: str(step.verdict) for step in self.plan(**options).steps}

    def stale(self, **options: Any) -> set[str]:
        return {step.name for step in self.plan(**options).stale}

    def reasons(self, name: str, **options: Any) -> str:
        return "; ".join(self.plan(**options).step(name).reasons)

    def rows(self, run: RunRecord, which: Table) -> list[dict[str, Any]]:
        """All rows of a table, sorted by its key."""
        stage = next(s.name for s in self.dag if which in s.writes)
        artifact = self.warehouse.named(run.steps[stage])
        rows = [
            row
            for record in artifact.manifest().records
            for row in read_part(artifact.part(which.name, record.shard), which).to_pylist()
        ]
        return sorted(rows, key=lambda row: [row[k] for k in which.key])

    def bytes(self, run: RunRecord) -> dict[str, bytes]:
        """The bytes of every part and kept file of a run, by path within its stage."""
        found = {}
        for stage, name in run.steps.items():
            folder = self.warehouse.named(name).folder
            for path in sorted(folder.rglob("*")):
                inside = path.relative_to(folder)
                if path.is_file() and inside.parts[0] not in ("records", "manifest.json"):
                    found[f"{stage}/{inside}"] = path.read_bytes()
        return found
