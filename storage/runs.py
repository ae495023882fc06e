"""Runs: the rows of a shard in the order of their keys, in little memory however many they are.

Rows are held until they are too many. Then those of the largest table are sorted and written to
disk: a run. In the end the runs of a table are merged, a stretch of each in memory at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import SchemaError
from storage.table import Table

HELD = 24 << 20
"""Bytes of rows, all tables together, that are held before some are written to disk."""

STRETCH = 1 << 19
"""Bytes of a run that are read at once while runs are merged."""

ROW_GROUP = 64 * 1024
"""Rows of a row group at most; one with much text has fewer."""

GROUP_BYTES = 8 << 20
"""Bytes of strings from which on a row group is full: it is written from memory."""


class SortedRows:
    """Takes rows of several tables as they come and gives them back sorted by their keys.

    Rows with equal keys keep the order in which they came.

    Args:
        folder: Where runs are written; they are removed as soon as they are merged.
        held: Bytes of rows that are held in memory.
    """

    def __init__(self, folder: Path, held: int = HELD) -> None:
        self._folder = folder
        self._held = held
        self._piles: dict[str, _Pile] = {}

    def add(self, table: Table, batch: pa.RecordBatch) -> None:
        """Take rows.

        Raises:
            SchemaError: If they do not fit the schema of their table.
        """
        pile = self._piles.setdefault(table.name, _Pile(table))
        pile.batches.append(fitted(table, batch))
        pile.size += batch.nbytes
        while sum(pile.size for pile in self._piles.values()) > self._held:
            self._write_run(max(self._piles.values(), key=lambda pile: pile.size))

    def take(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Yield all rows of a table in order, one row group at a time, and forget them."""
        pile = self._piles.pop(table.name, _Pile(table))
        if not pile.runs:
            yield from row_groups([_sorted(table, pile.batches)])
            return
        if pile.batches:
            self._write_run(pile)
        try:
            with _opened(pile.runs) as runs:
                yield from row_groups(_merged(table, runs))
        finally:
            for path in pile.runs:
                path.unlink(missing_ok=True)

    def _write_run(self, pile: _Pile) -> None:
        rows = _sorted(pile.table, pile.batches)
        path = self._folder / f"{pile.table.name}-{len(pile.runs)}.run"
        self._folder.mkdir(parents=True, exist_ok=True)
        stretch = max(rows.num_rows * STRETCH // max(rows.nbytes, 1), 1)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=stretch)
        pile.runs.append(path)
        pile.batches, pile.size = [], 0


@dataclass
class _Pile:
    """Rows of one table: runs, and batches in memory that came behind them."""

    table: Table
    batches: list[pa.RecordBatch] = field(default_factory=list)
    size: int = 0
    runs: list[Path] = field(default_factory=list)


@contextmanager
def _opened(paths: Sequence[Path]) -> Iterator[list[_Run]]:
    with ExitStack() as stack:
        files = [stack.enter_context(pa.OSFile(str(path))) for path in paths]
        yield [_Run(pa.ipc.open_stream(file)) for file in files]


class _Run:
    """A run that is being read: the rows read and not taken yet, and whether there are more."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.rows: pa.Table = reader.schema.empty_table()
        self.ended = False
        self.read_on()

    def read_on(self) -> None:
        try:
            batch = self._reader.read_next_batch()
        except StopIteration:
            self.ended = True
        else:
            self.rows = pa.concat_tables([self.rows, pa.Table.from_batches([batch])])

    def key(self, index: int, columns: Sequence[str]) -> tuple[Any, ...]:
        return tuple(self.rows[name][index].as_py() for name in columns)

    def last(self, columns: Sequence[str]) -> tuple[Any, ...]:
        return self.key(self.rows.num_rows - 1, columns)

    def take_below(self, bound: tuple[Any, ...] | None, columns: Sequence[str]) -> pa.Table:
        end = self.rows.num_rows
        if bound is not None:
            end = bisect_left(range(end), bound, key=lambda index: self.key(index, columns))
        taken, self.rows = self.rows.slice(0, end), self.rows.slice(end)
        return taken


def _merged(table: Table, runs: list[_Run]) -> Iterator[pa.Table]:
    """Yield the rows of sorted runs in order; of equal keys those of the earlier run first."""
    while runs:
        # What lies below the last key that every unfinished run has shown is complete.
        unfinished = [run for run in runs if not run.ended]
        bound = min((run.last(table.key) for run in unfinished), default=None)
        taken = [run.take_below(bound, table.key) for run in runs]
        for run in unfinished:
            if run.last(table.key) == bound:
                run.read_on()
        runs = [run for run in runs if run.rows.num_rows or not run.ended]
        yield _in_order(table, pa.concat_tables(taken))


def _sorted(table: Table, batches: Sequence[pa.RecordBatch]) -> pa.Table:
    return _in_order(table, pa.Table.from_batches(batches, table.schema))


def _in_order(table: Table, rows: pa.Table) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in table.key])


def row_groups(stretches: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Yield rows in the batches that become row groups; where they are cut depends on rows alone.

    Args:
        stretches: Rows behind one another, however they are cut.
    """
    waiting: list[pa.Table] = []
    count = size = 0
    for stretch in stretches:
        sizes = np.cumsum(string_bytes(stretch))
        done = taken = 0
        while done < stretch.num_rows:
            full = int(np.searchsorted(sizes, GROUP_BYTES - size + taken)) + 1
            end = min(full, done + ROW_GROUP - count, stretch.num_rows)
            waiting.append(stretch.slice(done, end - done))
            count += end - done
            size += int(sizes[end - 1]) - taken
            done, taken = end, int(sizes[end - 1])
            if count == ROW_GROUP or size >= GROUP_BYTES:
                yield _one_batch(waiting)
                waiting, count, size = [], 0, 0
    if waiting:
        yield _one_batch(waiting)


def _one_batch(stretches: list[pa.Table]) -> pa.RecordBatch:
    (batch,) = pa.concat_tables(stretches).combine_chunks().to_batches()
    return batch


def string_bytes(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return how many bytes the strings of each row have; those within lists do not count."""
    sizes = np.zeros(rows.num_rows, np.int64)
    for column in rows.columns:
        if pa.types.is_string(column.type):
            sizes += np.asarray(pc.fill_null(pc.binary_length(column), 0))
    return sizes


def fitted(table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch in the very schema of its table.

    Raises:
        SchemaError: If a column is missing, unknown, of another type, or null where it may not be.
    """
    if batch.schema.names != table.schema.names:
        raise SchemaError(
            f"{table.name} has the columns {', '.join(table.schema.names)}, but the rows have "
            f"{', '.join(batch.schema.names)}",
            mend="Yield the columns of storage/tables.py in their order",
        )
    try:
        fit = batch if batch.schema.equals(table.schema) else batch.cast(table.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise SchemaError(
            f"rows do not fit {table.name}: {error}", mend="See the types in storage/tables.py"
        ) from error
    for column in table.columns:
        if not column.nullable and fit.column(column.name).null_count:
            raise SchemaError(
                f"{table.name}.{column.name} is null in {fit.column(column.name).null_count} rows",
                mend="Drop such rows under a reason, or make the column nullable",
            )
    return fit
