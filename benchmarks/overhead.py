"""What planning and executors cost with many shards, and what Prefect costs on a small run.

    python -m benchmarks.overhead plan      plans of a recipe with 1,300 shards by page
    python -m benchmarks.overhead shards    its step `segment` in every executor
    python -m benchmarks.overhead tiny      `relmill run tiny` in process and through Prefect

The articles of the made-up world are cut into 1,300 shards, so nearly all are empty, and what a
shard takes is what every shard takes whatever its rows. For each executor two worker processes are
begun and make 40 shards unmeasured. Of the others wall time is measured, and CPU time of this
process and all that descend from it, a Prefect server among them. prefect-dask and prefect-ray are
measured where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

from benchmarks.engines import descendants
from benchmarks.kill import RELMILL
from flows.server import prefect_server
from pipeline.config import Recipe, RecipeWide, load_recipe
from pipeline.engines import make_shard, open_pool, require_runner
from pipeline.plan import make_plan
from pipeline.pool import Pool, log_to
from pipeline.run import StepSpec, execute, prepare
from storage.artifact import PartRecord
from storage.errors import ConfigError, PipelineError
from storage.refs import Refs
from storage.warehouse import Warehouse

SHARDS, WARM, WORKERS = 1300, 40, 2
STEP = "segment"
RECIPE = [f"shards.page={SHARDS}", "shards.item=4", "recognize.model=blank"]
TICK = os.sysconf("SC_CLK_TCK")


class Watcher:
    """Prints which steps are made."""

    def step_begins(self, step: Any, todo: int, taken_over: int, run_folder: Path) -> None:
        """Print the step."""
        print(f"  {step.name}: {todo} shards", flush=True)

    def shard_done(self, step: Any, record: PartRecord) -> None:
        """Nothing."""

    def step_ends(self, step: Any, artifact: Any, made: bool) -> None:
        """Nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=["plan", "shards", "tiny"])
    parser.add_argument("--root", type=Path, help="a warehouse to keep; else one that is removed")
    parser.add_argument("--rounds", type=int, default=2, help="of tiny, each way")
    options = parser.parse_args()
    root = options.root or Path(tempfile.mkdtemp(prefix="relmill-overhead-"))
    try:
        if options.what == "tiny":
            tiny(root, options.rounds)
        else:
            warehouse = made(root)
            (plans if options.what == "plan" else executors)(warehouse)
    finally:
        if options.root is None:
            shutil.rmtree(root)
    return 0


def recipe(*more: str) -> Recipe:
    return load_recipe("tiny", [*RECIPE, *more])


def made(root: Path) -> Warehouse:
    """Make all tables above the step that is measured, and the step."""
    warehouse = Warehouse(root)
    plan = make_plan(recipe(), warehouse, to=STEP)
    if plan.stale:
        folder = Refs(warehouse).new_run("tiny")
        with Pool(WORKERS, folder) as pool:
            execute(plan, warehouse, folder, pool, Watcher())
    return warehouse


def plans(warehouse: Warehouse) -> None:
    """Time plans, each the best of five."""
    empty = Warehouse(warehouse.root / "empty")
    cases: dict[str, Callable[[], Any]] = {
        "nothing is there yet": lambda: make_plan(recipe(), empty, to=STEP),
        "all is current": lambda: make_plan(recipe(), warehouse, to=STEP),
        "a value of segment differs": lambda: make_plan(
            recipe("segment.unit=sentence"), warehouse, to=STEP
        ),
    }
    for name, make in cases.items():
        seconds = []
        for _ in range(5):
            began = time.process_time()
            plan = make()
            seconds.append(time.process_time() - began)
        stale = [step.name for step in plan.stale]
        print(f"{name:<38} {min(seconds):6.3f} CPU s  {len(plan.steps)} steps, stale: {stale}")


def executors(warehouse: Warehouse) -> None:
    """Measure every executor, and what it costs more than this process alone."""
    print(f"{'':<34} wall ms  CPU ms   over this process: wall, CPU ms a shard")
    alone = measured(warehouse, "local", 1, in_process)
    told("this process", alone, alone)
    for runner in runners():
        told(f"{runner}, 2 processes", measured(warehouse, runner, WORKERS, in_process), alone)
    with prefect_server(warehouse.root):
        for runner in runners():
            found = measured(warehouse, runner, WORKERS, through_prefect)
            told(f"Prefect; {runner}, 2 processes", found, alone)
        for name in ("dask", "ray"):
            if importlib.util.find_spec(f"prefect_{name}"):
                found = measured(warehouse, name, WORKERS, task_runner)
                told(f"Prefect's task runner of {name}", found, alone)


def runners() -> Iterator[str]:
    """Yield the runners whose library is here."""
    for runner in ("local", "dask", "ray"):
        try:
            require_runner(RecipeWide(runner=runner))
        except ConfigError as error:
            print(f"{runner}: not run. {error}")
        else:
            yield runner


def told(name: str, found: tuple[float, float], alone: tuple[float, float]) -> None:
    over = "".join(f"{f - a:8.1f}" for f, a in zip(found, alone, strict=True))
    print(f"{name:<34} {found[0]:7.1f} {found[1]:7.1f}            {over}", flush=True)


Shards = Callable[[Path, StepSpec], Iterator[PartRecord]]
Way = Callable[..., Any]


def measured(warehouse: Warehouse, runner: str, workers: int, way: Way) -> tuple[float, float]:
    """Return wall and CPU milliseconds a shard of the step takes in one executor."""
    plan = make_plan(recipe(f"runner={runner}"), warehouse, only=STEP, force=[STEP])
    folder = Refs(warehouse).new_run("tiny")
    artifact, spec, _ = prepare(plan.step(STEP), plan, warehouse, folder, workers)
    todo, found = spec.todo, (0.0, 0.0)

    def both_rounds(shards: Shards) -> None:
        nonlocal found
        spec.todo = todo[:WARM]
        list(shards(folder, spec))
        spec.todo = todo[WARM:]
        began, spent = time.monotonic(), cpu_seconds()
        count = len(list(shards(folder, spec)))
        per_shard = [time.monotonic() - began, cpu_seconds() - spent]
        found = (1000 * per_shard[0] / count, 1000 * per_shard[1] / count)

    try:
        way(plan.recipe.wide, workers, folder, both_rounds)
    finally:
        shutil.rmtree(artifact.folder, ignore_errors=True)
        shutil.rmtree(folder)
    return found


def in_process(
    wide: RecipeWide, workers: int, folder: Path, measure: Callable[[Shards], None]
) -> None:
    """Without Prefect."""
    with open_pool(wide, workers, folder) as pool:
        measure(pool.shards)


def through_prefect(
    wide: RecipeWide, workers: int, folder: Path, measure: Callable[[Shards], None]
) -> None:
    """As tasks of Prefect, as `relmill run` has it."""
    from prefect import flow

    from flows import tasks

    @flow(name="overhead")
    def whole() -> None:
        with open_pool(wide, workers, folder) as pool:
            tasks.pool.set(pool)
            tasks.stopped.set(Event())
            measure(tasks.PrefectExecutor(workers).shards)

    whole()


def task_runner(
    wide: RecipeWide, workers: int, folder: Path, measure: Callable[[Shards], None]
) -> None:
    """With the task runner that Prefect has for an engine: each task enters Prefect in a worker."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.futures import as_completed

    runner: Any
    if wide.runner == "dask":
        from prefect_dask import DaskTaskRunner

        kwargs = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        runner = DaskTaskRunner(cluster_kwargs=kwargs)
    else:
        from prefect_ray import RayTaskRunner

        runner = RayTaskRunner(init_kwargs={"num_cpus": workers, "log_to_driver": False})
    made_there = task(make_shard, cache_policy=NO_CACHE, persist_result=False)

    def shards(run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        futures = [made_there.submit(run_folder, spec.step, shard) for shard in spec.todo]
        for future in as_completed(futures):
            record: Any = future.result()
            if isinstance(record, PipelineError):
                raise record
            yield record

    @flow(name="overhead", task_runner=runner)
    def whole() -> None:
        log_to(folder)
        measure(shards)

    whole()


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all that descend from it, ended ones included."""
    total = 0
    for pid in (os.getpid(), *descendants(os.getpid())):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICK


def tiny(root: Path, rounds: int) -> None:
    """Run `tiny` both ways in turn, in fresh folders."""
    for number in range(rounds):
        for name, words in {"in process": ["--in-process"], "through Prefect": []}.items():
            folder = root / f"{number}-{len(words)}"
            command = [RELMILL, "run", "tiny", "--workers", str(WORKERS), "--root", str(folder)]
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            spent = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
            wall = time.monotonic() - began
            steps = Refs(Warehouse(folder)).newest("tiny").steps
            records = [
                len(Warehouse(folder).named(each).manifest().records) for each in steps.values()
            ]
            print(
                f"{name:<16} {wall:6.1f} s  {cpu:6.1f} CPU s  {len(records)} steps, "
                f"{sum(records)} shards",
                flush=True,
            )
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
