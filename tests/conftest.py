"""What all tests share: run functions called with in-memory inputs, and golden files."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

from stages.base import Inputs, InputTable, Stage, StageConfig
from storage.artifact import Damage, Shard, Shards
from storage.table import Column, Table
from storage.warehouse import fitted

settings.register_profile(
    "relmill",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("relmill")

Given = pa.Table | Sequence[Mapping[str, Any]] | InputTable
ONE_SHARD = Shard(0, Shards())
REPOSITORY = Path(__file__).parents[1]
# Threads of tiny models wait for each other longer than they calculate. Processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Hear Ctrl-C where a shell started the suite in the background and had it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew from the code"
    )


def filler(column: Column) -> Any:
    """A value for a column that a test does not care for."""
    if column.nullable:
        return None
    if pa.types.is_string(column.type):
        return ""
    if pa.types.is_boolean(column.type):
        return False
    return [] if pa.types.is_list(column.type) else 0


def table_rows(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a table; a column that a row leaves out is filled."""
    unknown = {name for row in rows for name in row} - {c.name for c in table.columns}
    assert not unknown, f"{table.name} has no {unknown}"
    filled = [{c.name: row.get(c.name, filler(c)) for c in table.columns} for row in rows]
    return pa.Table.from_pylist(filled, table.schema)


@dataclass
class Outcome:
    """What one call of a run function left behind."""

    batches: dict[str, list[pa.RecordBatch]]
    inputs: Inputs
    files: dict[str, Path]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """The rows of a table that was written, in the order in which they came."""
        return [row for batch in self.batches[table.name] for row in batch.to_pylist()]

    def given(self, table: Table) -> InputTable:
        """A written table as the input of another stage."""
        rows = pa.Table.from_batches(self.batches[table.name], table.schema)
        return InputTable(rows=rows, files=self.files)

    @property
    def drops(self) -> dict[str, int]:
        return self.inputs.drops

    @property
    def counts(self) -> dict[str, int]:
        return self.inputs.counts

    @property
    def damage(self) -> Damage:
        return self.inputs.damage


RunStage = Callable[..., Outcome]


@pytest.fixture
def run_stage(tmp_path_factory: pytest.TempPathFactory) -> RunStage:
    """Call a stage's run function with rows in memory; every batch is held against its schema."""

    def run(
        stage: Stage,
        config: StageConfig,
        given: Mapping[Table, Given],
        *,
        shard: Shard = ONE_SHARD,
    ) -> Outcome:
        folder = tmp_path_factory.mktemp("stage")
        tables = {
            table.name: rows
            if isinstance(rows, InputTable)
            else InputTable(rows=rows if isinstance(rows, pa.Table) else table_rows(table, rows))
            for table, rows in given.items()
        }
        inputs = Inputs(
            tables,
            shard=shard,
            scratch=folder,
            files=folder / "files",
            downloads=folder / "downloads",
        )
        batches: dict[str, list[pa.RecordBatch]] = {table.name: [] for table in stage.writes}
        for table, batch in stage.run(config, inputs):
            batches[table.name].append(fitted(table, batch))
        return Outcome(batches, inputs, {name: folder / "files" / name for name in inputs.kept})

    return run


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Hold a value against tests/golden/NAME.json, or write it there with --update-golden."""

    def compare(name: str, value: Any) -> None:
        path = REPOSITORY / "tests" / "golden" / f"{name}.json"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
        assert path.is_file(), f"{path.name} is missing: run `pytest --update-golden`"
        assert value == json.loads(path.read_text("utf-8")), (
            f"{path.name} differs from the code: run `pytest --update-golden` if that is meant"
        )

    return compare
