"""Where artifacts lie, how a part gets there whole, and how a reader finds only what is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import filelock
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storage.artifact import Manifest, Part, PartRecord
from storage.aside import as_json, link_or_copy, read_json, write_json, written_aside
from storage.errors import ConfigError, MissingArtifactError, SchemaError, SourceError
from storage.fingerprint import file_digest, fingerprint
from storage.remote import Object, Remote, remote_of, working_folder
from storage.runs import ROW_GROUP, SortedRows, fitted
from storage.table import FORMAT, Table


class Warehouse:
    """A folder with all artifacts and runs.

    Args:
        root: The folder; made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @property
    def remote(self) -> Remote | None:
        """The store that the folder works for, if it does."""
        return remote_of(self.root)

    @property
    def place(self) -> str:
        """Where the warehouse lies, as --root takes it: an address, or a folder."""
        return self.remote.url if self.remote else str(self.root)

    def require_writable(self) -> None:
        """Make the folder if it is missing.

        Raises:
            ConfigError: If the folder cannot be made or written.
            PassingError: If the store that it works for refuses.
        """
        if self.remote is not None:
            self.remote.put(".probe", data=b"")
            self.remote.remove(".probe")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"the warehouse {self.root} cannot be written ({error.strerror})",
                mend="Name a folder that you may write with --root or RELMILL_ROOT",
            ) from error

    def artifact(self, stage: str, digits: str, attempt: int = 1) -> Artifact:
        """Return the artifact of a stage and fingerprint, made or not."""
        name = digits if attempt == 1 else f"{digits}.{attempt}"
        return Artifact(self.root / "artifacts" / stage / name)

    def named(self, name: str) -> Artifact:
        """Return the artifact with a name as `Artifact.name` gives it."""
        return Artifact(self.root / "artifacts" / name)

    def newest(self, stage: str, digits: str) -> Artifact | None:
        """Return the last complete attempt at a fingerprint, or None."""
        complete = [a for a in self.attempts(stage, digits) if a.complete]
        return complete[-1] if complete else None

    def attempts(self, stage: str, digits: str) -> list[Artifact]:
        """Return every attempt at a fingerprint that has a folder, oldest first."""
        folder = self.root / "artifacts" / stage
        found = [Artifact(path) for path in [folder / digits, *folder.glob(f"{digits}.*")]]
        return sorted((a for a in found if a.folder.is_dir()), key=lambda a: a.attempt)

    def complete(self, stage: str) -> list[Artifact]:
        """Return the complete artifacts of a stage, the newest manifest first."""
        folder = self.root / "artifacts" / stage
        manifests = sorted(
            folder.glob("*/manifest.json"), key=lambda p: p.stat().st_mtime_ns, reverse=True
        )
        return [Artifact(path.parent) for path in manifests]

    def artifacts(self) -> Iterator[Artifact]:
        """Yield every artifact, complete or not."""
        for folder in sorted((self.root / "artifacts").glob("*/*")):
            if folder.is_dir():
                yield Artifact(folder)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name` so that two runs do not do the same work.

        It only saves work: parts are idempotent and the manifest comes last. The kernel frees the
        lock of a process that died.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{name.replace('/', '-')}.lock"):
            yield

    def is_locked(self, name: str) -> bool:
        """Whether some process holds the lock `name`."""
        path = self.root / "locks" / f"{name.replace('/', '-')}.lock"
        if not path.is_file():
            return False
        try:
            with filelock.FileLock(path, timeout=0):
                return False
        except filelock.Timeout:
            return True

    def free_bytes(self) -> int:
        """Free space where the warehouse lies, in bytes."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free


def open_root(root: str | os.PathLike[str]) -> Warehouse:
    """Return the warehouse at a folder, or at an address as in "s3://bucket/prefix".

    Of a store, all that was published until now is known then.

    Raises:
        ConfigError: If the package for such a store is missing.
        PassingError: If the store refuses.
    """
    given = os.fspath(root)
    warehouse = Warehouse(working_folder(given) if "://" in given else Path(given))
    if warehouse.remote is not None:
        with warehouse.lock("sync"):
            warehouse.remote.sync(warehouse.is_locked)
    return warehouse


class Artifact:
    """The folder of one made step: a folder a table, `records/`, `files/` and the manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """Stage and fingerprint, as in "align/0123456789abcdef"; an attempt adds ".2"."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return self.folder.parent.name

    @property
    def attempt(self) -> int:
        """Which attempt at its fingerprint it is, from 1."""
        return int(self.folder.suffix[1:] or 1)

    @property
    def remote(self) -> Remote | None:
        """The store that the warehouse works for, if it does."""
        return remote_of(self.folder.parents[2])

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return (self.folder / "manifest.json").is_file()

    def part(self, table: str, shard: int) -> Path:
        """Return the path of one part."""
        return self.folder / table / f"part-{shard:05d}.parquet"

    def record_path(self, shard: int) -> Path:
        """Return the path of the record that completes a shard."""
        return self.folder / "records" / f"{shard:05d}.json"

    def file(self, name: str) -> Path:
        """Return the path of a file that the stage keeps beside its parts."""
        return self.folder / "files" / name

    def scratch(self, shard: int) -> Path:
        """Return the folder of a shard's half-made files; it survives a crash until the commit."""
        return self.folder / "scratch" / f"{shard:05d}"

    @contextmanager
    def making(self, shard: int) -> Iterator[None]:
        """Hold a shard that another machine may be making too; the kernel frees it of the dead."""
        self.scratch(shard).mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.folder / "scratch" / f"{shard:05d}.lock"):
            yield

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            MissingArtifactError: If the artifact is not complete.
            ConfigError: If a newer relmill wrote it.
            SchemaError: If it is damaged.
        """
        path = self.folder / "manifest.json"
        if not path.is_file():
            raise MissingArtifactError(f"{self.name} is not complete", mend="Run its step again")
        data = path.read_bytes()
        _require_known_format(path, data)
        return read_json(path, Manifest, data)

    def record(self, shard: int) -> PartRecord | None:
        """Read the record of a shard, or None where the shard is not complete."""
        path = self.record_path(shard)
        mend = "Remove this file and run again: its shard is then made anew"
        return read_json(path, PartRecord, mend=mend) if path.is_file() else None

    def put_part(self, table: Table, shard: int, batches: Iterable[pa.RecordBatch]) -> Part:
        """Write the rows of one shard, whole or not at all.

        Rows are sorted by the table's key, except those of a `whole` table: they are written as
        they come and must come in order.

        Raises:
            SchemaError: If rows do not fit the schema, or come out of order.
            PassingError: If the file cannot be written.
        """
        if table.axis == "whole":
            return self._put(table, shard, in_order(table, batches))
        rows = SortedRows(self.scratch(shard))
        for batch in batches:
            rows.add(table, batch)
        return self.put_sorted(table, shard, rows)

    def put_sorted(self, table: Table, shard: int, rows: SortedRows) -> Part:
        """Write the rows of one shard that were gathered beside those of other tables.

        Raises:
            PassingError: If the file cannot be written.
        """
        return self._put(table, shard, rows.take(table))

    def _put(self, table: Table, shard: int, batches: Iterable[pa.RecordBatch]) -> Part:
        path = self.part(table.name, shard)
        with (
            written_aside(path) as aside,
            pq.ParquetWriter(
                aside, table.schema, compression="zstd", write_statistics=True
            ) as writer,
        ):
            rows = 0
            for batch in batches:
                writer.write_batch(batch, row_group_size=ROW_GROUP)
                rows += batch.num_rows
        digest = file_digest(path)
        return Part(rows, path.stat().st_size, digest, self._content(table, path, digest))

    def _content(self, table: Table, path: Path, digest: str) -> str:
        if not table.identity:
            return digest
        return fingerprint(pq.read_table(path, columns=list(table.identity)).to_pylist())

    def take_over(self, shard: int, other: Artifact, record: PartRecord) -> None:
        """Give a shard the parts and files of an equal shard of another artifact, by hard link."""
        other.bring(other.held([record]))
        pairs = [(self.part(t, shard), other.part(t, record.shard)) for t in record.parts]
        pairs += [(self.file(f.name), other.file(f.name)) for f in record.files]
        for mine, theirs in pairs:
            mine.parent.mkdir(parents=True, exist_ok=True)
            with written_aside(mine) as aside:
                link_or_copy(theirs, aside)
        pages = record.computed_pages + record.carried_pages
        rows = sum(part.rows for part in record.parts.values()) if pages else 0
        self.put_record(
            msgspec.structs.replace(
                record, shard=shard, computed_pages=0, carried_pages=pages, carried_rows=rows
            )
        )

    def put_record(self, record: PartRecord) -> None:
        """Complete a shard."""
        write_json(self.record_path(record.shard), record)

    def put_manifest(self, manifest: Manifest) -> None:
        """Complete the artifact, and sweep what was half made.

        Raises:
            PassingError: If the disk refuses, or the store.
        """
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        self.sweep("*")
        if self.remote is not None:
            self.remote.publish(self.name, self.held(manifest.records), as_json(manifest))
        write_json(self.folder / "manifest.json", manifest)

    def sweep(self, process: int | str) -> None:
        """Remove what a process left half written; "*" stands for every process."""
        pattern = f".aside-{process}-*"
        for stray in (*self.folder.glob(pattern), *self.folder.glob(f"*/{pattern}")):
            stray.unlink(missing_ok=True)

    def require_whole(self, records: Iterable[PartRecord], table: str, files: bool = False) -> None:
        """Check that the parts of a table are there in their size, without reading them.

        What lies in the store alone is fetched.

        Args:
            records: The shards that count.
            files: Whether the files beside the parts count too.

        Raises:
            MissingArtifactError: For the first that is not: it was removed or changed by hand.
        """
        held = self.held(records, [table], files)
        self.bring(held)
        for path, size, _ in held:
            here = path.stat().st_size if path.is_file() else None
            if here != size:
                raise MissingArtifactError(
                    f"{path} {'is gone' if here is None else f'has {here:,} bytes'}, though "
                    f"{self.name} was made with {size:,} bytes there",
                    mend="See with `relmill verify` what else is damaged; make it again with "
                    f"`relmill run RECIPE --force {self.folder.parent.name}`",
                )

    def held(
        self,
        records: Iterable[PartRecord],
        tables: Collection[str] | None = None,
        files: bool = True,
    ) -> list[Object]:
        """Return what shards left: parts of these tables, or of all, and files beside them."""
        found = []
        for record in records:
            found += [
                Object(self.part(table, record.shard), part.bytes, part.digest)
                for table, part in record.parts.items()
                if tables is None or table in tables
            ]
            found += [Object(self.file(f.name), f.bytes, f.digest) for f in record.files if files]
        return found

    def bring(self, objects: Sequence[Object]) -> None:
        """Fetch what lies in the store alone; another process that wants it too waits.

        Raises:
            MissingArtifactError: If the store has it no more.
            PassingError: If the store or the disk refuses.
        """
        if self.remote is not None and not all(each.path.is_file() for each in objects):
            with Warehouse(self.remote.root).lock(f"fetch-{self.name}"):
                self.remote.fetch(objects)

    def faults(self) -> Iterator[str]:
        """Read every part and file again and yield a sentence for each that has changed."""
        held = self.held(self.manifest().records)
        self.bring(held)
        for path, _, digest in held:
            shown = path.relative_to(self.folder.parent.parent)
            if not path.is_file():
                yield f"{shown} is missing"
            elif file_digest(path) != digest:
                yield f"{shown} is damaged: its SHA-256 is not the recorded {digest[:16]}..."


def read_part(path: Path, table: Table) -> pa.Table:
    """Return the rows of one part."""
    return pq.read_table(path, schema=table.schema)


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return some columns of one part."""
    return pq.read_table(path, columns=list(columns))


def below_each_other(table: Table, rows: Mapping[str, Sequence[pa.Table]]) -> pa.Table:
    """Return the rows of all variants of a table; their first column names the variant."""
    column = pa.field("variant", pa.string(), nullable=False)
    empty = pa.schema([column, *table.schema]).empty_table()
    named = [
        part.add_column(0, column, pa.array([variant] * part.num_rows, pa.string()))
        for variant, parts in rows.items()
        for part in parts
    ]
    return pa.concat_tables([empty, *named])


def write_parquet(rows: pa.Table, file: BinaryIO) -> None:
    """Write rows that are no table of ours, the answer to a query say."""
    pq.write_table(rows, file, compression="zstd")


def read_parquet(path: Path, columns: pa.Schema) -> pa.Table:
    """Return the columns of a file that somebody else wrote, in the types of a schema.

    Raises:
        SourceError: If the file is not there or no Parquet, lacks a column, or holds a value that
            does not fit; null fits nowhere.
    """
    mend = f"It needs the columns {', '.join(f'{f.name} ({f.type})' for f in columns)}, none null"
    try:
        found = pq.read_table(path, columns=columns.names).select(columns.names)
        loose = pa.schema([field.with_nullable(True) for field in columns])
        found = found.replace_schema_metadata().cast(loose)
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"cannot be read: {reason}", where=str(path), mend=mend) from error
    for name in columns.names:
        if found[name].null_count:
            where = found[name].is_null().index(True).as_py()
            raise SourceError(f"row {where:,} has no {name}", where=str(path), mend=mend)
    return found.cast(columns)


def in_order(table: Table, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a whole table in its very schema.

    Raises:
        SchemaError: If they do not fit it, or come out of order.
    """
    last: tuple[object, ...] | None = None
    for batch in batches:
        fit = fitted(table, batch)
        last = require_ascending(table, fit, last)
        yield fit


def require_ascending(
    table: Table, batch: pa.RecordBatch, last: tuple[object, ...] | None
) -> tuple[object, ...] | None:
    """Check that rows come in the order of the key; return the key of the last row.

    Raises:
        SchemaError: If a row's key is not above that of the row before it.
    """
    columns = [batch.column(name).to_pylist() for name in table.key]
    for key in zip(*columns, strict=True):
        if last is not None and not last < key:
            raise SchemaError(
                f"{table.name} has the key {key} behind {last}",
                mend=f"Yield the rows of a whole table sorted by {', '.join(table.key)}, each once",
            )
        last = key
    return last


class _Versioned(msgspec.Struct):
    format: int = 1


def _require_known_format(path: Path, data: bytes) -> None:
    known = read_json(path, _Versioned, data).format
    if known > FORMAT:
        raise ConfigError(
            f"{path} has format {known}, this relmill reads up to {FORMAT}",
            mend="Install the newer relmill that wrote it, or name another --root",
        )
