"""What a stage is: a pure function, its config, and a declaration of what it reads and writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args, get_origin

import pyarrow as pa
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from storage import catalog
from storage.artifact import Damage, Shard, Shards
from storage.errors import PlanError, SourceError, StageError
from storage.spans import Span
from storage.status import Status, status_path, write_status
from storage.table import Axis, Selection, Table
from storage.warehouse import below_each_other, read_part

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share in [0, 1]."""

Rows: TypeAlias = tuple[Table, pa.RecordBatch]
HERE = "a local path"
"""Stands in a fingerprint where a path would."""
DAMAGE_CHECK_RECORDS = 10_000
SAMPLES = 5


class StageConfig(BaseModel):
    """Base of every stage's config: frozen, and strict about names and types."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)

    def meaningful(self) -> dict[str, Any]:
        """Return what counts in a fingerprint: no `runtime` fields, no values that are defaults.

        Nor does the name of a selected variant count: the content of its table does. Nor where a
        local file or folder lies: its stage tells what is in it by its `facts`.
        """
        fields = type(self).model_fields.items()
        left_out = {name for name, f in fields if is_runtime(f) or selected(f)}
        found = self.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
        for name, info in fields:
            if name in found and is_located(info) and is_path(found[name]):
                found[name] = HERE
        return found

    @model_serializer(mode="wrap")
    def _with_kind(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep a field that has one value alone: it says of which class a part is."""
        dumped: dict[str, Any] = dump(self)
        for name, info in type(self).model_fields.items():
            if get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1:
                dumped[name] = getattr(self, name)
        return dumped


def runtime(default: Any, **constraints: Any) -> Any:
    """Declare a field that changes how fast or how guarded a stage runs, never its rows."""
    return Field(default, json_schema_extra={"runtime": True}, **constraints)


def is_runtime(info: Any) -> bool:
    """Whether a field was declared with `runtime`."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("runtime"))


def located(default: Any, **constraints: Any) -> Any:
    """Declare a field that names a local file or folder, or else what is known by its name.

    A file or a folder may move: what counts is what the stage's `facts` say of its content.
    """
    return Field(default, json_schema_extra={"located": True}, **constraints)


def is_path(value: str) -> bool:
    """Whether a value is the path of a file or folder on this machine, not just a name."""
    return "/" in value and Path(value).expanduser().exists()


def is_located(info: Any) -> bool:
    """Whether a field was declared with `located`."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("located"))


def select(table: Table, description: str) -> Any:
    """Declare a field that names the variant whose `table` the stage reads.

    Left out, it stands for the variant of the stage's own name, or else for the only one.
    """
    return Field(None, description=description, json_schema_extra={"select": table.name})


def selected(info: Any) -> str | None:
    """Return the name of the table that a field declared with `select` chooses from."""
    extra = info.json_schema_extra
    return str(extra["select"]) if isinstance(extra, dict) and "select" in extra else None


class ShardCounts(StageConfig):
    """Into how many shards each axis is cut: `shards` of a recipe.

    A row lies in shard `(id // block) % count`: `block` neighbouring ids stay together, which
    matters where a dump is read in place. Changing any of these makes every stage of that axis
    anew.
    """

    page: int = Field(64, ge=1, description="shards of the tables by page")
    item: int = Field(64, ge=1, description="shards of the tables by item")
    page_block: int = Field(1000, ge=1, description="page ids in a row that share a shard")
    item_block: int = Field(1000, ge=1, description="QIDs in a row that share a shard")

    def along(self, axis: Axis) -> Shards:
        """Return the shards of an axis."""
        if axis == "page":
            return Shards(self.page, self.page_block)
        if axis == "item":
            return Shards(self.item, self.item_block)
        return Shards()


@dataclass(frozen=True)
class Whole:
    """A table of the stage's own axis that every shard reads in full."""

    table: Table


def whole(table: Table) -> Whole:
    """Say that every shard reads all parts of `table`, and not only its own."""
    return Whole(table)


@dataclass(frozen=True)
class Every:
    """A table of which all variants are read, one below the other."""

    table: Table
    if_written: bool = False


def every(table: Table, *, if_written: bool = False) -> Every:
    """Say that the stage reads `table` of all variants: its rows begin with a column `variant`.

    Args:
        if_written: Whether it does without the table where nothing writes it.
    """
    return Every(table, if_written)


@dataclass(frozen=True)
class WhereWritten:
    """A table that is read in full in recipes that have a stage that writes it."""

    table: Table


def where_written(table: Table) -> WhereWritten:
    """Say that the stage reads all of `table`, and does without it where nothing writes it."""
    return WhereWritten(table)


Read: TypeAlias = Table | Selection | Whole | Every | WhereWritten


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline, as a value.

    Attributes:
        name: A verb; the recipe's section has the same name.
        version: Raised when the same config and inputs give other rows.
        config: Class of its config.
        reads: Tables that it reads. A table of its own axis comes one shard at a time unless
            wrapped in `whole`; a table of another axis always comes in full. Where they depend on
            the config, a function of it that returns them.
        writes: Tables that it writes, all of one axis.
        run: Yields pairs of a table and rows of it.
        facts: What counts beside config and inputs: the version of a model, say.
        pieces: For the axis `source`: the raw files by label, each with what it is made from.
        check: Raises an error before anything runs if the config cannot be met on this machine.
        optional: Part of a plan only where another step reads its tables, or by name.
        variants: Whether a recipe may hold several of it, each with values of its own. Such a stage
            is part of a recipe only where that has a section for it.
        launched: Whether it trains: `accelerate launch` starts its processes, see `Rank`.
        replaces: Stages in whose place it stands in a recipe that has a section for it. Without
            that section it is no part of the recipe.
        row_local: Whether, with a config, its rows of a page hang on that page alone, as
            `pages.digest` has it. Then the rows of pages with an equal digest are carried over from
            an earlier version. Such a stage reads, of its own axis, tables of the stage that writes
            `pages` alone; it drops under page ids, counts nothing else and keeps no files.
    """

    name: str
    version: int
    config: type[StageConfig]
    reads: tuple[Read, ...] | Callable[[Any], tuple[Read, ...]]
    writes: tuple[Table, ...]
    run: Callable[[Any, Inputs], Iterable[Rows]]
    facts: Callable[[Any], Mapping[str, Any]] | None = None
    pieces: Callable[[Any], Mapping[str, Mapping[str, Any]]] | None = None
    check: Callable[[Any], None] | None = None
    optional: bool = False
    variants: bool = False
    launched: bool = False
    replaces: tuple[str, ...] = ()
    row_local: Callable[[Any], bool] | None = None

    def reads_with(self, config: StageConfig) -> tuple[Read, ...]:
        """Return what the stage reads with a config."""
        return self.reads(config) if callable(self.reads) else self.reads

    @property
    def axis(self) -> Axis:
        """Axis of the tables that the stage writes."""
        return self.writes[0].axis


def table_of(read: Read) -> Table:
    """Return the table that a read names."""
    return read if isinstance(read, Table) else read.table


def is_whole(read: Read, axis: Axis) -> bool:
    """Whether a stage of this axis reads all parts of a table, and not only its own shard's."""
    return not (isinstance(read, Table) and read.axis == axis and axis != "whole")


def by_page(rows: pa.Table) -> dict[int, list[dict[str, Any]]]:
    """Return the rows of a table by page id, in their order."""
    pages: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        pages.setdefault(row["page_id"], []).append(row)
    return pages


def span_of(row: Mapping[str, int]) -> Span:
    """Return the span of a row that has `char_start` and `char_end`."""
    return row["char_start"], row["char_end"]


@dataclass(frozen=True)
class InputTable:
    """A table as a run function gets it: Parquet parts, or rows in memory, and files beside.

    Attributes:
        variants: Parquet parts by variant, of a table of which all variants are read.
    """

    paths: Sequence[Path] = ()
    rows: pa.Table | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    variants: Mapping[str, Sequence[Path]] | None = None

    def held(self) -> pa.Table | catalog.Paths:
        """Return the rows, or where they lie."""
        if self.rows is not None:
            return self.rows
        return self.paths if self.variants is None else self.variants


@dataclass(frozen=True)
class Rank:
    """Which of the processes of a launched stage this is.

    Every rank runs the stage; only rank 0 yields rows and keeps files, the others take part in the
    training. A stage that runs by itself is rank 0 of 1.

    Attributes:
        index: From 0.
        world: How many ranks there are.
        stop: Set once the stage is told to stop.
    """

    index: int = 0
    world: int = 1
    stop: Event = field(default_factory=Event)


class Inputs:
    """All that a run function may see of the world.

    Attributes:
        rank: Which of several processes this is, for a launched stage.
        shard: Which part of the axis this call makes.
        scratch: A folder that survives a crash, for what takes long to get.
        downloads: A folder that outlives the artifact, for raw files from elsewhere.
        log: Logger of the stage.
        dropped_keys: How many rows were dropped by reason and key; None where nobody asks.
    """

    def __init__(
        self,
        tables: Mapping[str, InputTable],
        *,
        shard: Shard,
        scratch: Path,
        files: Path,
        downloads: Path,
        memory: str = "2GB",
        threads: int = 1,
        doing: Path | None = None,
        rank: Rank | None = None,
    ) -> None:
        self._doing = doing
        self.rank = rank or Rank()
        self._reported = 0.0
        self._tables = tables
        self._files = files
        self._memory = memory
        self._threads = threads
        self.shard = shard
        self.scratch = scratch
        self.downloads = downloads
        self.log = logging.getLogger("relmill")
        self.kept: list[str] = []
        self.drops: dict[str, int] = {}
        self.drop_samples: dict[str, list[str]] = {}
        self.dropped_keys: dict[str, dict[str, int]] | None = None
        self.counts: dict[str, int] = {}
        self.damage = Damage()

    def narrow(self, left: Callable[[str, InputTable], InputTable]) -> None:
        """Put something else in the place of each input: what the engine leaves of it."""
        self._tables = {name: left(name, given) for name, given in self._tables.items()}

    def has(self, table: Table) -> bool:
        """Whether there is an input that the stage can do without."""
        return table.name in self._tables

    def rows(self, table: Table) -> pa.Table:
        """Return the rows of an input: of this shard, or all of a table that is read whole."""
        found = self._input(table)
        if found.rows is not None:
            return found.rows
        if found.variants is not None:
            below = {v: [read_part(p, table) for p in ps] for v, ps in found.variants.items()}
            return below_each_other(table, below)
        parts = [read_part(path, table) for path in found.paths]
        return pa.concat_tables(parts) if parts else table.schema.empty_table()

    def files(self, table: Table) -> Mapping[str, Path]:
        """Return the files that the writer of a table keeps beside its parts, by name."""
        return self._input(table).files

    def sql(
        self,
        query: str,
        given: Mapping[str, pa.Table] | None = None,
        memory: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query over the inputs, each a view of its table's name.

        Memory is capped; what is larger spills to `scratch`.

        Args:
            given: Further tables that the query names, with rows that the stage made itself.
            memory: A lower cap than the worker's own, "256MB" say.
        """
        views = {name: table.held() for name, table in self._tables.items()} | dict(given or {})
        with catalog.session(
            views, memory=memory or self._memory, threads=self._threads, scratch=self.scratch
        ) as connection:
            yield from catalog.batches(connection, query)

    def keep(self, name: str) -> Path:
        """Return the path of a file to be kept beside the parts; give it a name of its own.

        Raises:
            PlanError: If this is not rank 0.
        """
        if self.rank.index:
            raise PlanError(
                f"rank {self.rank.index} keeps {name}", mend="Only rank 0 yields rows and files"
            )
        self._files.mkdir(parents=True, exist_ok=True)
        path = self._files / name
        if name not in self.kept:
            self.kept.append(name)
            # What an interrupted run left may be a link into another artifact: never write into it.
            path.unlink(missing_ok=True)
        return path

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Count `count` rows that are left out under a reason; a few keys are kept as samples."""
        self.drops[reason] = self.drops.get(reason, 0) + count
        samples = self.drop_samples.setdefault(reason, [])
        if len(samples) < SAMPLES:
            samples.append(str(key))
        if self.dropped_keys is not None:
            keys = self.dropped_keys.setdefault(reason, {})
            keys[str(key)] = keys.get(str(key), 0) + count

    def report(self, doing: str) -> None:
        """Say what a long shard is at, for progress bars; written down once a second at most."""
        if self._doing is not None and time.monotonic() - self._reported > 1.0:
            self._reported = time.monotonic()
            self._doing.parent.mkdir(exist_ok=True)
            self._doing.write_text(doing, encoding="utf-8")

    @property
    def stopping(self) -> bool:
        """Whether a launched stage is told to stop: write a checkpoint, then raise StoppedError."""
        return self.rank.stop.is_set()

    def require_world(self, processes: int) -> None:
        """Check that the trainer runs in as many processes as it was launched in.

        Raises:
            StageError: If not; each would train by itself.
        """
        if processes != self.rank.world:
            raise StageError(
                f"it was launched in {self.rank.world} processes, and training sees {processes}",
                mend="Look at launch.config of the recipe: on a machine without GPUs take single "
                "or cpu2; with GPUs, at most as many processes as there are",
            )

    def tell(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Write down how far a launched stage is; only rank 0's word counts.

        Args:
            step: Updates that were done.
            metrics: The last figures, by name.
        """
        if self.rank.index == 0:
            write_status(status_path(self.scratch), Status("running", step, dict(metrics or {})))

    def count(self, name: str, count: int = 1) -> None:
        """Count something worth telling that is not a dropped row."""
        self.counts[name] = self.counts.get(name, 0) + count

    def seen(self, max_share: float) -> None:
        """Count one record of a source, of which at most `max_share` may be damaged."""
        self.damage.records += 1
        self.damage.max_share = max_share

    def damaged(self, reason: str, *, where: str, sample: str) -> None:
        """Count one damaged record and keep a sample of it.

        Raises:
            SourceError: If over 10,000 records show that too many are damaged.
        """
        self.damage.counts[reason] = self.damage.counts.get(reason, 0) + 1
        if len(self.damage.samples) < SAMPLES or self.damage.counts[reason] == 1:
            self.damage.samples.append({"reason": reason, "where": where, "sample": sample[:200]})
        if self.damage.records >= DAMAGE_CHECK_RECORDS:
            require_sound(self.damage)

    @property
    def made_from(self) -> dict[str, str]:
        """Return the artifact that each table is read from: stage and fingerprint."""
        folders = {name: t.paths[0].parent.parent for name, t in self._tables.items() if t.paths}
        return {name: f"{f.parent.name}/{f.name}" for name, f in folders.items()}

    def _input(self, table: Table) -> InputTable:
        if table.name not in self._tables:
            raise PlanError(
                f"the stage reads {table.name} without saying so",
                mend="Add the table to `reads` of its Stage",
            )
        return self._tables[table.name]


class Pending:
    """Rows of several tables, handed on a few pages at a time."""

    def __init__(self, *tables: Table) -> None:
        self._rows: dict[str, tuple[Table, list[tuple[Any, ...]]]] = {
            table.name: (table, []) for table in tables
        }

    def add(self, table: Table, *rows: tuple[Any, ...]) -> None:
        """Hold rows of a table."""
        self._rows[table.name][1].extend(rows)

    def flush(self) -> Iterator[Rows]:
        """Yield what is held, and forget it."""
        for table, rows in self._rows.values():
            if rows:
                yield table, table.batch(rows)
                rows.clear()


def require_sound(damage: Damage) -> None:
    """Check that a source is not damaged beyond what the config allows.

    Raises:
        SourceError: If more than 10 records and more than the allowed share are damaged.
    """
    if not damage.excessive:
        return
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in damage.counts.items())
    first = damage.samples[0]
    raise SourceError(
        f"{damage.damaged:,} of {damage.records:,} records are damaged ({reasons}), more than "
        f"the share of {damage.max_share:g} that max_damaged_share allows; "
        f"the first: {first['where']}: {first['sample']!r}",
        mend="Get the dump again and compare its checksum, or raise max_damaged_share",
    )
