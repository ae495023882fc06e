"""The engine: makes the stale steps of a plan, one after the other, shards side by side.

It knows nothing of where a shard is computed: an `Executor` does that, in this process, in a pool
of processes, or through Prefect. Only names travel there and back; rows stay in the warehouse.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pipeline.carry import Carry
from pipeline.code import stage_digest
from pipeline.dag import sources
from pipeline.plan import Build, RunPlan, Step, build_of, carry_to, has_shard, read_name
from pipeline.why import Verdict, libraries
from stages.base import DAMAGE_CHECK_RECORDS, Every, is_whole, require_sound, table_of
from storage.artifact import Damage, Manifest, PartRecord, Shard
from storage.aside import write_json
from storage.errors import PipelineError, StageError
from storage.refs import Refs, RunRecord, now, run_lock
from storage.table import Axis, Selection
from storage.warehouse import Artifact, Warehouse

LOG = logging.getLogger("relmill")


class Given(msgspec.Struct, frozen=True):
    """An input of a step: the artifact that holds it, and which of its parts a shard reads.

    Where the step reads all variants of a table, `variants` has the artifact of each instead.
    """

    artifact: str
    whole: bool
    source: str | None = None
    variants: dict[str, str] = {}


class StepSpec(msgspec.Struct):
    """All that a worker knows of a step; lies in `runs/ID/steps/STEP.json`."""

    step: str
    stage: str
    version: int
    fingerprint: str
    artifact: str
    config: dict[str, Any]
    axis: Axis
    shards: list[Shard]
    keys: list[str]
    inputs: dict[str, Given]
    todo: list[int]
    workers: int
    launch: dict[str, Any] | None = None
    carry: Carry | None = None
    code: str = ""


class Executor(Protocol):
    """Where the shards of a step are computed."""

    workers: int

    def shards(self, run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        """Make the shards of `spec.todo` and yield the record of each as it is done."""

    def commit(self, job: Callable[[], Artifact], step: str) -> Artifact:
        """Run the commit of a step and return its artifact."""


class Watcher(Protocol):
    """Who is told how a run goes."""

    def step_begins(self, step: Step, todo: int, taken_over: int, run_folder: Path) -> None:
        """A step has `todo` shards to make; `run_folder/doing` tells what shards are at."""

    def shard_done(self, step: Step, record: PartRecord) -> None:
        """One shard of a step was made."""

    def step_ends(self, step: Step, artifact: Artifact, made: bool) -> None:
        """A step has its artifact: made now, or reused."""


def execute(
    plan: RunPlan, warehouse: Warehouse, run_folder: Path, executor: Executor, watcher: Watcher
) -> RunRecord:
    """Make what a plan says is stale, and record the run.

    A step whose inputs turn out to be as before is reused. Whatever stops the run, finished shards
    stay, and the same call goes on from there.

    Raises:
        PipelineError: As a stage or the disk has it; the run is then recorded as failed.
    """
    refs = Refs(warehouse)
    run = RunRecord(
        run_folder.name,
        plan.recipe.name,
        list(plan.recipe.overrides),
        plan.target,
        now(),
        config={s.name: s.config.model_dump(mode="json") for s in plan.steps},
    )
    with warehouse.lock(run_lock(run.id)):
        refs.save(run_folder, run)
        carry_out(plan, run, warehouse, run_folder, executor, watcher)
    return run


def carry_out(
    plan: RunPlan,
    run: RunRecord,
    warehouse: Warehouse,
    run_folder: Path,
    executor: Executor,
    watcher: Watcher,
) -> None:
    """Finish the steps one after the other, and keep the record of the run up to date."""
    refs = Refs(warehouse)
    try:
        for step in plan.steps:
            artifact, made = finish_step(step, plan, warehouse, run_folder, executor, watcher)
            step.artifact = artifact
            run.steps[step.name] = artifact.name
            run.made += [step.name] if made else []
            refs.save(run_folder, run)
            LOG.info("%s %s as %s", step.name, "made" if made else "reused", artifact.name)
            watcher.step_ends(step, artifact, made)
        run.status = "succeeded"
    except BaseException as error:
        failed = isinstance(error, Exception)
        run.status = "failed" if failed else "interrupted"
        run.error = str(error) if failed else type(error).__name__
        raise
    finally:
        run.finished = now()
        refs.save(run_folder, run)


def finish_step(
    step: Step,
    plan: RunPlan,
    warehouse: Warehouse,
    run_folder: Path,
    executor: Executor,
    watcher: Watcher,
) -> tuple[Artifact, bool]:
    """Return the artifact of a step, and whether it was made now."""
    if step.artifact is not None:
        return step.artifact, False
    build = step.build = build_of(step, artifacts_above(step, plan))
    name = f"{step.stage.name}/{build.fingerprint}"
    with warehouse.lock(name):
        done = warehouse.newest(step.stage.name, build.fingerprint)
        forced = step.verdict is Verdict.FORCED
        made_now = {s.artifact.name for s in plan.steps if s.artifact and s.stale}
        if done and (not forced or done.name in made_now):
            return done, False
        artifact, spec, taken = prepare(step, plan, warehouse, run_folder, executor.workers)
        LOG.info("%s: %d shards to make, %d taken over", name, len(spec.todo), taken)
        watcher.step_begins(step, len(spec.todo), taken, run_folder)
        began = time.monotonic()
        damage = Damage()
        for record in executor.shards(run_folder, spec):
            damage.add(record.damage)
            if damage.records >= DAMAGE_CHECK_RECORDS:
                require_sound(damage)
            watcher.shard_done(step, record)
        wall = time.monotonic() - began
        made = executor.commit(lambda: commit(step, build, spec, artifact, done, wall), step.name)
    return made, made is artifact


def artifacts_above(step: Step, plan: RunPlan) -> dict[str, Artifact]:
    """Return the artifacts that a step reads from, by step."""
    above = {s.name: s.artifact for s in plan.steps if s.artifact}
    return {p.name: above[p.name] for p in step.parents}


def prepare(
    step: Step, plan: RunPlan, warehouse: Warehouse, run_folder: Path, workers: int
) -> tuple[Artifact, StepSpec, int]:
    """Write down what workers need to make a step whose inputs are there.

    Returns:
        The artifact that is to be made, what was written down, and how many shards were taken over
        from another version of the step.
    """
    build = step.build or build_of(step, artifacts_above(step, plan))
    artifact = unfinished(warehouse, step.stage.name, build.fingerprint)
    spec = make_spec(step, build, artifact, workers)
    forced = step.verdict is Verdict.FORCED
    taken = take_over(step, spec, artifact, warehouse, forced)
    carry = carry_to(step, build, warehouse)
    spec.carry = Carry(carry.pages) if carry and forced else carry
    write_json(run_folder / "steps" / f"{step.name}.json", spec)
    return artifact, spec, taken


def unfinished(warehouse: Warehouse, stage: str, digits: str) -> Artifact:
    """Return the attempt at a fingerprint that is not complete: the one begun, or a new one."""
    attempts = warehouse.attempts(stage, digits)
    if attempts and not attempts[-1].complete:
        return attempts[-1]
    following = attempts[-1].attempt + 1 if attempts else 1
    return warehouse.artifact(stage, digits, following)


def make_spec(step: Step, build: Build, begun: Artifact, workers: int) -> StepSpec:
    """Write down what workers need to know of a step."""
    each = step.stage
    inputs: dict[str, Given] = {}
    for read, source in sources(step.node, step.nodes):
        table = table_of(read).name
        artifact = build.inputs[read_name(read, source)].artifact
        if isinstance(read, Every):
            before = inputs[table].variants if table in inputs else {}
            inputs[table] = Given("", True, variants={**before, source.variant: artifact})
        else:
            chosen = read.source if isinstance(read, Selection) else None
            inputs[table] = Given(artifact, is_whole(read, each.axis), chosen)
    todo = [s.index for s in step.shards if not has_shard(begun, s.index, build)]
    return StepSpec(
        step=step.name,
        stage=each.name,
        version=each.version,
        fingerprint=build.fingerprint,
        artifact=begun.name,
        config=step.config.model_dump(mode="json"),
        axis=each.axis,
        shards=step.shards,
        keys=list(build.keys),
        inputs=inputs,
        todo=todo,
        workers=workers,
        launch=step.node.launch.model_dump(mode="json") if step.node.launch else None,
        code=stage_digest(each),
    )


def take_over(
    step: Step, spec: StepSpec, artifact: Artifact, warehouse: Warehouse, forced: bool
) -> int:
    """Link the shards that another version of the step holds; return how many."""
    if forced or not spec.todo:
        return 0
    held = {
        record.key: (other, record)
        for other in reversed(warehouse.complete(step.stage.name))
        for record in other.manifest().records
    }
    taken = [shard for shard in spec.todo if spec.keys[shard] in held]
    for shard in taken:
        other, record = held[spec.keys[shard]]
        artifact.take_over(shard, other, record)
    spec.todo = [shard for shard in spec.todo if shard not in set(taken)]
    return len(taken)


def commit(
    step: Step,
    build: Build,
    spec: StepSpec,
    artifact: Artifact,
    before: Artifact | None,
    wall_seconds: float,
) -> Artifact:
    """Check that every shard is there, and write the manifest.

    Where an earlier attempt at the same fingerprint holds the same bytes, it stays and the new one
    goes.

    Raises:
        StageError: If a shard is missing.
        SourceError: If too many records of a source are damaged.
    """
    records = [artifact.record(shard.index) for shard in spec.shards]
    missing = [s for s, r in zip(spec.shards, records, strict=True) if r is None]
    if missing:
        raise StageError(f"{missing[0]} has no record", where=spec.step, mend="Run it again")
    manifest = Manifest(
        stage=spec.stage,
        version=spec.version,
        fingerprint=build.fingerprint,
        config={} if step.stage.pieces else step.config.meaningful(),
        facts=build.facts,
        axis=spec.axis,
        shards=spec.shards[0].shards,
        inputs=build.inputs,
        tables={table.name: table.signature for table in step.stage.writes},
        records=[record for record in records if record is not None],
        code=stage_digest(step.stage),
        libraries=libraries(),
        made_at=now(),
        wall_seconds=round(wall_seconds, 3),
    )
    damage = manifest.damage()
    # Shards that were finished earlier may have been made under another share.
    damage.max_share = getattr(step.config, "max_damaged_share", damage.max_share)
    try:
        require_sound(damage)
    except PipelineError as error:
        raise error.at(spec.step) from error
    unharmed = before is not None and not any(before.faults())
    if before is not None and unharmed and same_content(before.manifest(), manifest):
        shutil.rmtree(artifact.folder)
        return before
    artifact.put_manifest(manifest)
    return artifact


def same_content(a: Manifest, b: Manifest) -> bool:
    """Whether two attempts hold the same rows and files."""
    return all(a.content(t) == b.content(t) for t in b.tables) and [r.files for r in a.records] == [
        r.files for r in b.records
    ]
