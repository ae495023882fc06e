"""Rows by the hash of a name: in memory while they are few, in files a bucket each when not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

HELD = 64 << 20
"""Bytes of rows that are held before they are cut into buckets and written."""

KEY = "key"
"""Column of 64-bit keys by which rows are cut."""


class Buckets:
    """Takes rows as they come and gives them back a bucket at a time, by the first bits of a key.

    So all rows of a key come together, and keys of a later bucket are greater than those before.

    Args:
        folder: Where files are written; they are removed as soon as they are read.
        schema: Columns of the rows, `key` among them.
        bits: How many bits of the key make a bucket: `2 ** bits` files at most.
        held: Bytes that are held in memory.
    """

    def __init__(self, folder: Path, schema: pa.Schema, bits: int, held: int = HELD) -> None:
        self._folder = folder
        self._schema = schema
        self._bits = bits
        self._held = held
        self._waiting: list[pa.RecordBatch] = []
        self._size = 0
        self._writers: dict[int, tuple[pa.OSFile, pa.ipc.RecordBatchStreamWriter]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._waiting.append(batch)
        self._size += batch.nbytes
        if self._size >= self._held:
            self._spill()

    def take(self) -> Iterator[pa.Table]:
        """Yield the rows of each bucket that has any, and forget them."""
        if not self._writers:
            if self._waiting:
                yield pa.Table.from_batches(self._waiting, self._schema)
            self._waiting, self._size = [], 0
            return
        self._spill()
        for file, writer in self._writers.values():
            writer.close()
            file.close()
        for bucket in sorted(self._writers):
            path = self._path(bucket)
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
                rows = reader.read_all()
            path.unlink()
            yield rows
        self._writers = {}

    def _spill(self) -> None:
        if not self._waiting:
            return
        rows = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._size = [], 0
        buckets = np.asarray(rows[KEY]) >> np.uint64(64 - self._bits)
        order = np.argsort(buckets, kind="stable")
        bounds = np.searchsorted(buckets[order], np.arange(2**self._bits + 1))
        for bucket in np.flatnonzero(np.diff(bounds)).tolist():
            own = rows.take(order[bounds[bucket] : bounds[bucket + 1]]).combine_chunks()
            self._writer(bucket).write_table(own)

    def _writer(self, bucket: int) -> pa.ipc.RecordBatchStreamWriter:
        if bucket not in self._writers:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = pa.OSFile(str(self._path(bucket)), "wb")
            self._writers[bucket] = file, pa.ipc.new_stream(file, self._schema)
        return self._writers[bucket][1]

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:04d}.arrow"
