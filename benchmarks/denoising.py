"""The evidence that denoising helps: carries out benchmarks/protocol-denoising.md, part by part.

    python -m benchmarks.denoising [PART ...] --data FOLDER [--root WAREHOUSE] [--minutes N]

A part is one of: suite, pretraining, trimming. What was made is not made again; after N minutes
nothing is begun. benchmarks/denoising.json and denoising.md are written from what there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.articles import data_folder
from benchmarks.cells import (
    asked,
    deadline,
    encoder_folder,
    made_cell,
    recipe_of,
    released,
    use_bf16,
)
from benchmarks.denoising_page import Pretraining, Trimmed, write_figures
from pipeline.bench import observed, set_names, try_methods
from pipeline.config import Recipe
from stages.annotated import read
from stages.denoising.judged import SETS, JudgedSentences, Left, file_of
from stages.denoising.noise import NO_RELATION, Planting, planted
from stages.denoising.ranking import auc
from stages.model.observing import Observed
from stages.tasks.base import Example, pair_examples
from storage.aside import write_json
from storage.tables import WEIGHTS
from storage.warehouse import Warehouse

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
SUITE = {"epochs": 8, "learning_rate": 3e-4}
TRAINED_LAYERS = 2
NOISE = Planting(relations=64, each=80, wrong=0.5, swapped=1.0, na=0, na_wrong=0.0)
"""Half of the labels are another relation that fits the entity types."""
WEIGHED = ("e", "e-mean", "e3", "e3-mean", "first")
CONTROLS = ("shuffled", "within", "random")
TRIM = 0.53
"""Share of wrong labels where training sets are trimmed."""
UPDATES, BATCH = 350, 32
"""Updates of every training on a trimmed set, and its batch."""
Floats = npt.NDArray[np.float64]
Out = Callable[[], bool]


def main() -> None:
    parser = asked(__doc__, "warehouse/denoising", HERE / "denoising.json")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    arguments = parser.parse_args()
    use_bf16()
    data, root = (arguments.data or data_folder()).absolute(), arguments.root.absolute()
    out = deadline(arguments.minutes)
    for part in arguments.parts or PARTS:
        PARTS[part](data, root, out)
    write_figures(arguments.figures, root)


def suite(data: Path, root: Path, out: Out) -> None:
    """Try every method on every set of judged labels, as `relmill bench denoise` does."""
    for name in set_names():
        for seed in SEEDS:
            path = root / "suite" / f"{name}-{seed}.json"
            if path.exists() or out():
                continue
            start = (data, encoder_folder(), root / "work", SUITE, TRAINED_LAYERS)
            for trial in try_methods([name], [seed], *start, print):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, asdict(trial))


def pretraining(data: Path, root: Path, out: Out) -> None:
    """Pre-train on noisy labels in every way, and answer FewRel without training."""
    warehouse = Warehouse(root)
    for seed in SEEDS:
        noisy, clean = write_corpora(data, root / "corpora", seed)
        values = {
            "seed": seed,
            "encoder": encoder_folder(),
            "fewrel": data / "fewrel/val_wiki.json.gz",
            "controls": root / f"controls-{seed}",
        }
        template = HERE / "denoising.toml"
        clean_recipe = recipe_of(root / f"clean-{seed}.toml", template, corpus=clean, **values)
        recipe = recipe_of(root / f"noisy-{seed}.toml", template, corpus=noisy, **values)
        for name in ("none", "noisy", *WEIGHED):
            if not out():
                made_cell(recipe, warehouse, f"evaluate.{name}")
        if not out():
            made_cell(clean_recipe, warehouse, "evaluate.noisy")
        if out():
            return
        write_controls(recipe, warehouse, root / f"controls-{seed}", seed)
        templates = (template, HERE / "denoising_controls.toml")
        recipe = recipe_of(root / f"controls-{seed}.toml", *templates, corpus=noisy, **values)
        for name in CONTROLS:
            if not out():
                made_cell(recipe, warehouse, f"evaluate.control-{name}")
        if out():
            return
        note(recipe, clean_recipe, warehouse, root, seed)


def without_fewrel(data: Path) -> list[Example]:
    """Return Wiki80 without the relations of FewRel's val_wiki."""
    benchmark, called = (released(data, f"fewrel/{name}.json") for name in ("val_wiki", "pid2name"))
    names = {called[pid][0] for pid in benchmark}
    return [e for e in wiki80(data) if e.relation not in names]


def wiki80(data: Path) -> list[Example]:
    """Return all sentences of Wiki80 that there are."""
    found: list[Example] = []
    for name in ("dev", "train_0.1", "train_0.01"):
        path = file_of(data, f"wiki80-part/{name}.txt")
        found += pair_examples(read("opennre", path, Left(), split=name))
    return found


def write_corpora(data: Path, folder: Path, seed: int) -> tuple[Path, Path]:
    """Write the same sentences with noisy and with true labels; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"noisy-{seed}.jsonl", folder / f"clean-{seed}.jsonl"
    examples = [e for e in without_fewrel(data) if apart(e)]
    true = {e.id: e.relation for e in examples}
    found = planted(examples, NOISE, seed)
    for path, label in zip(paths, (lambda e: e.relation, lambda e: true[e.id]), strict=True):
        lines = [json.dumps(line(each.example, str(label(each.example)))) for each in found]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(folder / f"truth-{seed}.json", {e.example.id: e.right for e in found})
    return paths


def apart(example: Example) -> bool:
    """Return whether head and tail do not overlap."""
    first, second = sorted((example.head, example.tail))
    return first[1] <= second[0]


def line(example: Example, relation: str) -> dict[str, object]:
    """Return a sentence in relmill's own format of annotated text."""
    label = {"head": 0, "tail": 1, "relation": relation}
    sides = ((example.head, example.head_type), (example.tail, example.tail_type))
    return {
        "id": example.id,
        "title": example.id,
        "text": example.text,
        "entities": [{"mentions": [list(span)], "type": kind} for span, kind in sides],
        "relations": [] if relation == NO_RELATION else [label],
        "complete": relation == NO_RELATION,
    }


def write_controls(recipe: Recipe, warehouse: Warehouse, folder: Path, seed: int) -> None:
    """Write weights that have the values of the learnt ones, but not their order."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng([seed, 1])
    learnt = weights_of(recipe, warehouse, "e-mean")
    kept = np.asarray(weights_of(recipe, warehouse, "first")["weight"]) > 0
    weight = np.asarray(learnt["weight"])
    within = weight.copy()
    names = np.asarray(learnt["pid"])
    for name in np.unique(names):
        own = np.flatnonzero(names == name)
        within[own] = dice.permutation(weight[own])
    chosen = {
        "shuffled": dice.permutation(weight),
        "within": within,
        "random": dice.permutation(kept).astype(float),
    }
    for name, values in chosen.items():
        columns = [learnt["tuple_id"], learnt["pid"], pa.array(values)]
        pq.write_table(pa.table(columns, schema=WEIGHTS.schema), folder / f"{name}.parquet")


def weights_of(recipe: Recipe, warehouse: Warehouse, name: str) -> pa.Table:
    """Return the weights that a variant of denoise gave, in the order of their keys."""
    return (
        made_cell(recipe, warehouse, f"denoise.{name}")
        .arrow("weights")
        .sort_by([("tuple_id", "ascending"), ("pid", "ascending")])
    )


def note(recipe: Recipe, clean: Recipe, warehouse: Warehouse, root: Path, seed: int) -> None:
    """Write down the scores of a seed, and how good its learning order was."""
    scores = {}
    cells = [(n, recipe, n) for n in ("none", "noisy", *WEIGHED)]
    cells += [(n, recipe, f"control-{n}") for n in CONTROLS] + [("clean", clean, "noisy")]
    for name, own, variant in cells:
        rows = made_cell(own, warehouse, f"evaluate.{variant}").arrow("metrics").to_pylist()
        scores[name] = {
            row["setting"].removesuffix(" cosine"): row["value"]
            for row in rows
            if row["metric"] == "accuracy" and row["encoder"] == variant
        }
    tables = made_cell(recipe, warehouse, "denoise.first")
    ids = {r["page_id"]: r["title"] for r in tables.arrow("pages").to_pylist()}
    truth = json.loads((root / "corpora" / f"truth-{seed}.json").read_text(encoding="utf-8"))
    pages = {r["tuple_id"]: r["page_id"] for r in tables.arrow("tuples").to_pylist()}
    orders = tables.arrow("learning_orders").to_pylist()
    right = np.array([truth[ids[pages[r["tuple_id"]]]] for r in orders])
    order = np.array([r["batch_order"] for r in orders])
    kept = {r["tuple_id"] for r in tables.arrow("weights").to_pylist() if r["weight"] > 0}
    first = np.array([r["tuple_id"] in kept for r in orders])
    found = Pretraining(
        seed,
        scores,
        labels=len(orders),
        right=float(right.mean()),
        auc=auc(-order.astype(float), right),
        first=int(first.sum()),
        first_right=float(right[first].mean()),
    )
    write_json(root / f"pretraining-{seed}.json", asdict(found))


def trimming(data: Path, root: Path, out: Out) -> None:
    """Train on parts of a noisy set, each for as many updates, and test on sentences apart."""
    for seed in SEEDS:
        judged = SETS[f"wiki80-{TRIM * 100:.0f}"](data, seed, Left())
        assert isinstance(judged, JudgedSentences)
        if out():
            return
        start = (encoder_folder(), TRAINED_LAYERS, {**SUITE, "seed": seed})
        folder = root / "work" / f"wiki80-{TRIM * 100:.0f}-{seed}"
        seen, _ = observed(judged, start, folder, lambda *_: None)
        examples = [judged.examples[place] for place in seen.place_N.tolist()]
        right = np.array([judged.right_N[place] is not False for place in seen.place_N.tolist()])
        sets = trimmed_sets(seen, right, np.random.default_rng([seed, 2]))
        test = held_out(data, judged)
        found = {}
        for name, kept in sets.items():
            if out():
                break
            own = [e for e, keep in zip(examples, kept.tolist(), strict=True) if keep]
            found[name] = trimmed(own, test, root, f"{name}-{seed}", seed), len(own), right[kept]
        rows = [
            asdict(Trimmed(seed, name, accuracy, size, float(good.mean()), len(test)))
            for name, (accuracy, size, good) in found.items()
        ]
        write_json(root / f"trimming-{seed}.json", rows)


def trimmed_sets(
    seen: Observed, right: npt.NDArray[np.bool_], dice: np.random.Generator
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which labels each training set keeps; NA is in all of them."""
    is_na = seen.records.relation_N == 0
    batch, epoch = (seen.records.seen(by).order_N() for by in ("batch", "epoch"))
    positives = np.flatnonzero(~is_na)
    chosen = {
        "all": np.ones(len(batch), dtype=bool),
        "first, by batch": batch == 0,
        "first, by epoch": epoch == 0,
        "first two, by batch": batch < 2,
        "only right ones": right,
    }
    for name in ("first, by batch", "first two, by batch"):
        drawn = np.zeros(len(batch), dtype=bool)
        count = int(chosen[name][positives].sum())
        drawn[dice.choice(positives, size=count, replace=False)] = True
        chosen[f"random, as many as {name}"] = drawn
    return {name: own | is_na for name, own in chosen.items()}


def held_out(data: Path, judged: JudgedSentences) -> list[Example]:
    """Return sentences of the labelled relations that are not among the judged ones."""
    used = {e.text for e in judged.examples}
    relations = {e.relation for e in judged.examples} - {NO_RELATION}
    return [e for e in wiki80(data) if e.relation in relations and e.text not in used]


def trimmed(
    train: Sequence[Example], test: Sequence[Example], root: Path, name: str, seed: int
) -> float:
    """Return the accuracy on the test of a training on some sentences."""
    folder = root / "trimmed" / name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    for split, examples in (("train", train), ("test", test)):
        lines = [json.dumps(line(e, str(e.relation))) for e in examples if apart(e)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = recipe_of(
        folder / "recipe.toml",
        HERE / "trimming.toml",
        seed=seed,
        encoder=encoder_folder(),
        train=folder / "train.jsonl",
        test=folder / "test.jsonl",
        epochs=max(1, round(UPDATES / -(-len(train) // BATCH))),
    )
    rows = made_cell(recipe, Warehouse(root), "evaluate").arrow("metrics").to_pylist()
    return float(next(row["value"] for row in rows if row["metric"] == "accuracy"))


PARTS: dict[str, Callable[[Path, Path, Out], None]] = {
    "suite": suite,
    "pretraining": pretraining,
    "trimming": trimming,
}
"""Parts of the protocol, by name."""


if __name__ == "__main__":
    main()
