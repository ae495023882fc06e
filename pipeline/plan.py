"""The plan: which steps are stale, and why, before anything runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.carry import Carry, carry_of, to_compute
from pipeline.config import Recipe
from pipeline.dag import Node, ancestry, parents, sources, wanted
from pipeline.processes import require_launchable
from pipeline.why import Verdict, aged, difference
from stages.base import Every, Read, Stage, StageConfig, is_whole, table_of
from storage.artifact import Input, Manifest, Shard, Shards
from storage.errors import PipelineError, PlanError
from storage.fingerprint import fingerprint
from storage.refs import Refs
from storage.table import Selection
from storage.warehouse import Artifact, Warehouse


@dataclass(frozen=True)
class Build:
    """What a step is made from, once its inputs are there.

    Attributes:
        keys: By shard, what that shard alone is made from.
    """

    fingerprint: str
    inputs: dict[str, Input]
    keys: tuple[str, ...]
    facts: dict[str, Any]


@dataclass
class Step:
    """One configured stage in a plan.

    Attributes:
        nodes: All steps of the recipe that it belongs to.
        artifact: The complete artifact that stands for the step; None where it has to be made.
        build: What it is made from; None below the first stale step.
        todo: Shards to make; None where that shows only once the inputs are there.
        pages: For a row-local step, how many pages of these shards are to be computed, and how many
            have rows that are carried over; None where there is nothing to carry over from.
        last_seconds: What the stage took when it was last made, all shards one after another.
    """

    node: Node
    nodes: tuple[Node, ...]
    verdict: Verdict
    reasons: list[str]
    shards: list[Shard]
    artifact: Artifact | None = None
    build: Build | None = None
    todo: list[int] | None = None
    pages: tuple[int, int] | None = None
    last_seconds: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.node.name

    @property
    def stage(self) -> Stage:
        """What it runs."""
        return self.node.stage

    @property
    def config(self) -> StageConfig:
        """With which values."""
        return self.node.config

    @property
    def parents(self) -> tuple[Node, ...]:
        """What it reads from."""
        return parents(self.node, self.nodes)

    @property
    def stale(self) -> bool:
        """Whether the step will run."""
        return self.verdict is not Verdict.CURRENT


@dataclass
class RunPlan:
    """All steps of a run in their order."""

    recipe: Recipe
    target: str
    steps: list[Step]
    to: str | None = None

    @property
    def command(self) -> str:
        """The command line that carries it out."""
        return self.recipe.command("run", *([f"--to {shlex.quote(self.to)}"] if self.to else []))

    @property
    def stale(self) -> list[Step]:
        """The steps that will run."""
        return [step for step in self.steps if step.stale]

    def step(self, name: str) -> Step:
        """Return a step by name.

        Raises:
            PlanError: If the plan does not go there.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise PlanError(
            f"{name} is not part of this plan, which goes to {self.target}",
            mend=f"Leave --to out, or name {name} there",
        )


def make_plan(
    recipe: Recipe,
    warehouse: Warehouse,
    *,
    to: str | None = None,
    only: str | None = None,
    force: Sequence[str] = (),
) -> RunPlan:
    """Compare a recipe with a warehouse; read manifests and the digests of pages, no other data.

    Args:
        to: The last steps that are wanted; what they do not depend on is left out. Named as in
            `Recipe.find`: a stage stands for all its variants, and patterns are welcome.
        only: The steps that may run; what else they depend on must be there.
        force: Steps to be made again even though they are current.

    Raises:
        PlanError: With `only`, if something that the stage depends on is stale; if `force` names a
            stage that is left out.
    """
    if to and only:
        raise PlanError("--to and --only exclude each other", mend="Leave one of them out")
    last = only or to
    chosen = ancestry(recipe.find(last), recipe.nodes) if last else wanted(recipe.nodes)
    target = last or chosen[-1].name
    forced = {node.name for name in force for node in recipe.find(name)}
    for name in sorted(forced - {each.name for each in chosen}):
        raise PlanError(
            f"--force {name} has no effect: a plan to {target} does not go there",
            mend=f"Leave --to out, or name a stage there that depends on {name}",
        )
    previous = previous_steps(recipe.name, warehouse)
    steps: dict[str, Step] = {}
    for node in chosen:
        step = Step(node, recipe.nodes, Verdict.CURRENT, [], shards_of(node, recipe))
        waiting = [p.name for p in step.parents if steps[p.name].stale]
        before = previous_manifest(node, warehouse, previous)
        if waiting:
            judge_waiting(step, before, waiting, node.name in forced)
        else:
            artifacts = {s.name: s.artifact for s in steps.values() if s.artifact}
            judge(step, before, warehouse, artifacts, node.name in forced)
        step.last_seconds = last_seconds(node.stage, before, warehouse)
        note_twin(step, steps.values())
        steps[node.name] = step
    plan = RunPlan(recipe, target, list(steps.values()), to)
    if only:
        require_only(plan, only)
    return plan


def require_only(plan: RunPlan, only: str) -> None:
    """Check that nothing but the steps that may run is stale."""
    mine = {node.name for node in plan.recipe.find(only)}
    others = [step.name for step in plan.stale if step.name not in mine]
    if others:
        raise PlanError(
            f"{only} depends on {', '.join(others)}, which {'is' if len(others) == 1 else 'are'} "
            "stale",
            mend=f"Run them too: {plan.recipe.command('run', f'--to {only}')}",
        )


def note_twin(step: Step, earlier: Iterable[Step]) -> None:
    """Say of a step that an earlier one makes the very same: it is made once."""
    for twin in earlier:
        if step.build is None or twin.build is None or twin.stage is not step.stage:
            continue
        if step.stale and twin.build.fingerprint == step.build.fingerprint:
            step.reasons, step.todo = [f"the same as {twin.name}, made once"], []
            return


def shards_of(node: Node, recipe: Recipe) -> list[Shard]:
    """Return the shards that a step is cut into."""
    if node.stage.pieces is not None:
        labels = list(node.stage.pieces(node.config))
        return [Shard(i, Shards(len(labels)), label) for i, label in enumerate(labels)]
    cut = recipe.wide.shards.along(node.stage.axis)
    return [Shard(index, cut) for index in range(cut.count)]


def previous_steps(recipe: str, warehouse: Warehouse) -> dict[str, str]:
    """Return the artifact that each stage last had in a run of the recipe."""
    steps: dict[str, str] = {}
    for run in Refs(warehouse).runs():
        if run.recipe == recipe:
            steps = {**run.steps, **steps}
    return steps


def previous_manifest(
    node: Node, warehouse: Warehouse, previous: Mapping[str, str]
) -> Manifest | None:
    """Return how the step was last made for a recipe; None where it never was, or was pruned."""
    if node.name not in previous:
        return None
    artifact = warehouse.named(previous[node.name])
    return artifact.manifest() if artifact.complete else None


def last_seconds(each: Stage, before: Manifest | None, warehouse: Warehouse) -> float | None:
    """Return how long a stage took when it was last made, for this recipe or else for any."""
    if before is None and (complete := warehouse.complete(each.name)):
        before = complete[0].manifest()
    return before.seconds if before else None


def read_name(read: Read, source: Node | None = None) -> str:
    """Return the name of a read in a fingerprint: "pages", "sources[wikipedia]", "metrics[cp]".

    A variant's name counts only where all are read, because the rows then say which they are of.
    """
    if isinstance(read, Every) and source is not None:
        return f"{read.table.name}[{source.variant}]"
    return f"sources[{read.source}]" if isinstance(read, Selection) else table_of(read).name


def build_of(step: Step, artifacts: Mapping[str, Artifact]) -> Build:
    """Return what a step is made from.

    Args:
        artifacts: The complete artifact of each stage that the step reads from.
    """
    each = step.stage
    inputs: dict[str, Input] = {}
    manifests = {name: artifact.manifest() for name, artifact in artifacts.items()}
    given = sources(step.node, step.nodes)
    for read, source in given:
        selected = read.source if isinstance(read, Selection) else None
        content = manifests[source.name].content(table_of(read).name, selected)
        inputs[read_name(read, source)] = Input(artifacts[source.name].name, source.name, content)
    facts = step.node.facts
    pieces = each.pieces(step.config) if each.pieces else {}
    made_from = {
        "stage": each.name,
        "version": each.version,
        "config": {} if pieces else step.config.meaningful(),
        "facts": facts,
        "tables": {table.name: table.signature for table in each.writes},
        "shards": [step.shards[0].shards.count, step.shards[0].shards.block],
    }
    contents = {name: each.content for name, each in inputs.items()}
    digits = fingerprint({**made_from, "inputs": contents, "pieces": pieces})
    own = [(read, source) for read, source in given if not is_whole(read, each.axis)]
    keys = []
    for shard in step.shards:
        parts = {
            table_of(read).name: manifests[source.name]
            .records[shard.index]
            .parts[table_of(read).name]
            .content
            for read, source in own
        }
        place = {"piece": pieces[shard.label]} if pieces else {"shard": shard.index}
        alone = {**made_from, "inputs": {**contents, **parts}, **place}
        if pieces:
            del alone["shards"]
        keys.append(fingerprint(alone))
    return Build(digits, inputs, tuple(keys), {**facts, **pieces})


def judge(
    step: Step,
    before: Manifest | None,
    warehouse: Warehouse,
    artifacts: Mapping[str, Artifact],
    forced: bool,
) -> None:
    """Say whether a step is current whose inputs are all there, and if not, why."""
    build = step.build = build_of(step, artifacts)
    done = warehouse.newest(step.stage.name, build.fingerprint)
    if done and not forced:
        step.artifact, step.todo = done, []
        step.notes = aged(step.stage, done.manifest())
        return
    if forced and done:
        step.verdict, step.todo = Verdict.FORCED, list(range(len(step.shards)))
        step.reasons = ["made again because of --force"]
        return
    begun = warehouse.artifact(step.stage.name, build.fingerprint)
    mine = {s.index for s in step.shards if has_shard(begun, s.index, build)}
    others = {k for k in range(len(step.shards)) if k not in mine} & reusable(step, warehouse)
    step.todo = [s.index for s in step.shards if s.index not in mine | others]
    if mine:
        step.verdict = Verdict.PARTIAL
        missing = f"{len(step.todo)} of {len(step.shards)} shards missing"
        step.reasons = [missing if step.todo else "all shards are there, yet to be committed"]
    else:
        step.verdict, step.reasons = difference(
            step.node, step.shards[0].shards, before, build.inputs
        )
    carry = carry_to(step, build, warehouse)
    if carry is not None and carry.before and step.todo:
        step.pages = to_compute(carry, warehouse, step.todo)
        computed, carried = step.pages
        step.reasons.append(
            f"{computed:,} of {computed + carried:,} pages to compute, the others carried over"
        )
    if others:
        step.reasons.append(f"{len(others)} of {len(step.shards)} shards unchanged, taken over")


def carry_to(step: Step, build: Build, warehouse: Warehouse) -> Carry | None:
    """Return what rows of unchanged pages may be carried over from to a row-local step."""
    cut = step.shards[0].shards
    return carry_of(step.stage, step.config, cut, build.inputs, build.facts, warehouse)


def has_shard(artifact: Artifact, shard: int, build: Build) -> bool:
    """Whether a shard is complete in an artifact, made from just this."""
    record = artifact.record(shard)
    return record is not None and record.key == build.keys[shard]


def reusable(step: Step, warehouse: Warehouse) -> set[int]:
    """Return the shards that another version of the step holds, made from just the same."""
    if step.build is None:
        return set()
    held = {r.key for a in warehouse.complete(step.stage.name) for r in a.manifest().records}
    return {index for index, key in enumerate(step.build.keys) if key in held}


def judge_waiting(
    step: Step, before: Manifest | None, waiting: Sequence[str], forced: bool
) -> None:
    """Say why a step may run whose inputs are yet to be made."""
    step.verdict, own = difference(step.node, step.shards[0].shards, before, None)
    if forced:
        step.verdict, own = Verdict.FORCED, [*own, "made again because of --force"]
    elif step.verdict is Verdict.CURRENT:
        step.verdict = Verdict.UPSTREAM
    again = "" if own or before is None else "; reused if their output is unchanged"
    if len(waiting) == 1:
        again = again.replace("their output is", "its output is")
    step.reasons = [*own, f"waits for {', '.join(waiting)}{again}"]


def preflight(steps: Iterable[Step]) -> None:
    """Check before anything runs that the stale steps can be met on this machine.

    Raises:
        PipelineError: The first thing that cannot, with its mend.
    """
    for step in steps:
        if step.stale:
            try:
                if step.node.launch is not None:
                    require_launchable(step.node.launch)
                if step.stage.check is not None:
                    step.stage.check(step.config)
            except PipelineError as error:
                raise error.at(step.name) from error
