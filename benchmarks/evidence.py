"""The evidence that pre-training helps: carries out benchmarks/protocol.md, cell by cell.

    python -m benchmarks.evidence --data FOLDER [--root WAREHOUSE] [--minutes N]

It puts the paths into benchmarks/evidence.toml, asserts that training and FewRel share no relation
and no sentence, runs the cells in the protocol's order, and writes what came of them to
benchmarks/evidence.json and evidence.md. A cell that was run is not run again; after N minutes
none is begun.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from benchmarks.articles import data_folder
from benchmarks.cells import (
    asked,
    costs,
    deadline,
    encoder_folder,
    made_cell,
    recipe_of,
    released,
    use_bf16,
)
from benchmarks.evidence_page import write_figures
from pipeline.config import Recipe
from stages.holding.shingles import letters
from storage.reading import Tables
from storage.warehouse import Warehouse

HERE = Path(__file__).parent
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
    arguments = asked(__doc__, "warehouse/evidence", HERE / "evidence.json").parse_args()
    use_bf16()
    data = arguments.data or data_folder()
    warehouse = Warehouse(arguments.root)
    recipe = recipe_in(warehouse.root, data)
    made = made_cell(recipe, warehouse, "hold_out")
    overlap = require_apart(made, data)
    print(overlap)
    out = deadline(arguments.minutes)
    for name in cells(recipe):
        if out():
            break
        made_cell(recipe, warehouse, f"evaluate.{name}")
    write_figures(arguments.figures, recipe, warehouse, overlap, costs(warehouse))


def recipe_in(root: Path, data: Path) -> Recipe:
    """Write the recipe with its paths into the warehouse, and load it."""
    values = {"data": data.absolute(), "encoder": encoder_folder()}
    return recipe_of(root / "evidence.toml", HERE / "evidence.toml", **values)


def cells(recipe: Recipe) -> list[str]:
    """Return the variants of finetune that the protocol plans, in its order."""
    names = [node.variant for node in recipe.nodes if node.stage.name == "finetune"]
    chosen = [name for form in ORDER for name in names if fnmatch(name, form)]
    return list(dict.fromkeys(chosen))


def require_apart(made: Tables, data: Path) -> str:
    """Assert that training and FewRel share no relation and no sentence, and say of how many."""
    benchmark, names = (released(data, f"fewrel/{name}.json") for name in ("val_wiki", "pid2name"))
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
