"""One shard of one step, in a process of its own: `python -m pipeline.worker RUN STEP SHARD`.

The only entry of a child process. It reads the step from `RUN/steps/STEP.json`, so it needs
neither the recipe nor the plan.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import msgspec

from pipeline.carry import Carried
from pipeline.dag import stage as stage_named
from pipeline.run import StepSpec
from stages.base import Inputs, InputTable, Rank, Rows, Stage, StageConfig
from storage.artifact import Manifest, Part, PartRecord, Shard, StoredFile, source_of
from storage.aside import read_json
from storage.errors import PassingError, PipelineError, SchemaError, StageError
from storage.fingerprint import file_digest
from storage.runs import SortedRows
from storage.warehouse import Artifact, Warehouse

WHOLE_MEMORY = "6GB"
SHARD_MEMORY = "1GB"


def run_shard(run_folder: Path, step: str, index: int, rank: Rank | None = None) -> PartRecord:
    """Make one shard of a step: run the stage, write its parts, then its record.

    Raises:
        PipelineError: As the stage has it, with stage and shard in front.
        StageError: If the stage's code breaks; a PassingError where disk or memory gave out.
    """
    spec = load_spec(run_folder / "steps" / f"{step}.json")
    shard = spec.shards[index]
    warehouse = Warehouse(run_folder.parent.parent)
    doing = run_folder / "doing" / f"{step}-{index:05d}"
    with told_where(f"{step}, {shard}", run_folder):
        try:
            return _run_shard(warehouse, spec, shard, doing, rank)
        finally:
            doing.unlink(missing_ok=True)


def take_part(run_folder: Path, step: str, index: int, rank: Rank) -> None:
    """Run a stage as another rank than 0: nothing that it yields is written.

    Raises:
        PipelineError: As for `run_shard`, with the rank in front.
    """
    spec = load_spec(run_folder / "steps" / f"{step}.json")
    stage = stage_named(spec.stage)
    shard = spec.shards[index]
    with told_where(f"{step}, rank {rank.index}", run_folder):
        inputs = make_inputs(Warehouse(run_folder.parent.parent), spec, shard, None, rank)
        for _ in stage.run(config_of(stage, spec), inputs):
            pass


@contextmanager
def told_where(where: str, run_folder: Path) -> Iterator[None]:
    """Turn whatever breaks into an error of ours that says where."""
    try:
        yield
    except PipelineError as error:
        raise error.at(where) from error
    except Exception as error:
        logging.getLogger("relmill").exception("%s failed", where)
        raise broken(error, where, run_folder / "log.txt") from error


def broken(error: Exception, where: str, log: Path) -> StageError:
    """Return the error for a shard that nobody stopped on purpose."""
    if isinstance(error, MemoryError):
        return PassingError(
            "memory gave out",
            where=where,
            mend="Run the same command again with fewer --workers: what was finished is kept",
        )
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return PassingError(
            f"the disk refused: {named}{error.strerror or error}",
            where=where,
            mend="Free some space or mend the disk, then run the same command again: "
            f"what was finished is kept. The traceback stands in {log}",
        )
    return StageError(
        f"{type(error).__name__}: {error}",
        where=where,
        mend=f"This should not happen: please report it. The traceback stands in {log}",
    )


def config_of(stage: Stage, spec: StepSpec) -> StageConfig:
    """Return the config of a step."""
    return stage.config.model_validate(spec.config, strict=False)


def make_inputs(
    warehouse: Warehouse, spec: StepSpec, shard: Shard, doing: Path | None, rank: Rank | None
) -> Inputs:
    """Return what the run function of a step sees."""
    artifact = warehouse.named(spec.artifact)
    scratch = artifact.scratch(shard.index)
    scratch.mkdir(parents=True, exist_ok=True)
    alone = spec.axis in ("whole", "source")
    return Inputs(
        input_tables(warehouse, spec, shard),
        shard=shard,
        scratch=scratch,
        files=artifact.folder / "files",
        downloads=warehouse.root / "downloads",
        doing=doing,
        memory=WHOLE_MEMORY if alone else SHARD_MEMORY,
        threads=min(spec.workers, os.cpu_count() or 1) if alone else 1,
        rank=rank,
    )


def _run_shard(
    warehouse: Warehouse, spec: StepSpec, shard: Shard, doing: Path, rank: Rank | None
) -> PartRecord:
    stage = stage_named(spec.stage)
    artifact = warehouse.named(spec.artifact)
    began = time.monotonic()
    inputs = make_inputs(warehouse, spec, shard, doing, rank)
    carried = Carried(spec.carry, warehouse, shard.index) if spec.carry else None
    config = config_of(stage, spec)
    rows = carried.completed(stage, config, inputs) if carried else stage.run(config, inputs)
    parts = write_parts(stage, rows, inputs, artifact)
    record = PartRecord(
        key=spec.keys[shard.index],
        shard=shard.index,
        label=shard.label,
        parts=parts,
        files=[stored(artifact, name) for name in inputs.kept],
        drops=inputs.drops,
        drop_samples=inputs.drop_samples,
        counts=inputs.counts,
        damage=inputs.damage,
        seconds=round(time.monotonic() - began, 3),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        computed_pages=carried.computed if carried else 0,
        carried_pages=len(carried.pages) if carried else 0,
        carried_rows=carried.rows if carried else 0,
    )
    artifact.put_record(record)
    return record


def write_parts(
    stage: Stage, made: Iterable[Rows], inputs: Inputs, artifact: Artifact
) -> dict[str, Part]:
    """Write what a stage yields, a part a table.

    The rows of a sharded table are gathered until the end, because they are sorted then; those of
    a `whole` table stream to their file.

    Raises:
        SchemaError: If the stage yields rows of a table that it does not write.
    """
    parts: dict[str, Part] = {}
    shard = inputs.shard.index
    written = {table.name: table for table in stage.writes}
    gathered = SortedRows(inputs.scratch)
    for name, rows in groupby(made, key=lambda row: row[0].name):
        if name not in written or name in parts:
            raise SchemaError(
                f"{stage.name} yields rows of {name} "
                + ("in two runs" if name in parts else "and does not write that table"),
                mend="Name the table in `writes`; yield the rows of a whole table in one run",
            )
        batches = (batch for _, batch in rows)
        if stage.axis == "whole":
            parts[name] = artifact.put_part(written[name], shard, batches)
        else:
            for batch in batches:
                gathered.add(written[name], batch)
    for name, table in written.items():
        if name not in parts:
            parts[name] = artifact.put_sorted(table, shard, gathered)
    return parts


def stored(artifact: Artifact, name: str) -> StoredFile:
    """Return the record of a file that the stage kept."""
    path = artifact.file(name)
    return StoredFile(name, path.stat().st_size, file_digest(path))


@lru_cache(maxsize=16)
def load_spec(path: Path) -> StepSpec:
    """Read a step; a process reads each only once."""
    return read_json(path, StepSpec)


@lru_cache(maxsize=32)
def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of an input; a process reads each only once."""
    return Artifact(folder).manifest()


@lru_cache(maxsize=32)
def whole_input(folder: Path, table: str, source: str | None) -> InputTable:
    """Return an input of which every shard reads all; with many parts, it is told only once."""
    records = load_manifest(folder).records
    if source is not None:
        records = [r for r in records if source_of(r.label) == source]
    return input_of(Artifact(folder), table, records)


def every_input(folders: Mapping[str, Path], table: str) -> InputTable:
    """Return all variants of an input; its files are named after them, too."""
    inputs = {name: whole_input(folder, table, None) for name, folder in folders.items()}
    files = {f"{name}/{f}": path for name, i in inputs.items() for f, path in i.files.items()}
    return InputTable(variants={name: i.paths for name, i in inputs.items()}, files=files)


def input_of(artifact: Artifact, table: str, records: Sequence[PartRecord]) -> InputTable:
    """Return paths of the parts that hold rows, and the files beside them.

    Raises:
        MissingArtifactError: If one of them is gone or was cut.
    """
    artifact.require_whole(records, table, files=True)
    return InputTable(
        paths=[artifact.part(table, r.shard) for r in records if r.parts[table].rows],
        files={f.name: artifact.file(f.name) for r in records for f in r.files},
    )


def input_tables(warehouse: Warehouse, spec: StepSpec, shard: Shard) -> dict[str, InputTable]:
    """Return the inputs of a shard."""
    tables = {}
    for name, given in spec.inputs.items():
        artifact = warehouse.named(given.artifact)
        if given.variants:
            folders = {v: warehouse.named(each).folder for v, each in given.variants.items()}
            tables[name] = every_input(folders, name)
        elif given.whole:
            tables[name] = whole_input(artifact.folder, name, given.source)
        else:
            record = load_manifest(artifact.folder).records[shard.index]
            tables[name] = input_of(artifact, name, [record])
    return tables


def main(arguments: list[str]) -> int:
    """Make one shard and print its record as JSON; return the exit status."""
    run_folder, step, index = arguments
    spec = load_spec(Path(run_folder) / "steps" / f"{step}.json")
    if spec.launch is not None:
        from pipeline.rank import run_rank

        return run_rank(Path(run_folder), spec, int(index))
    try:
        record = run_shard(Path(run_folder), step, int(index))
    except PipelineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(msgspec.json.encode(record).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
