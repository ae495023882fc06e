"""How well methods of denoising find the labels that the text states, where that is known.

    python -m benchmarks.truth [--root WAREHOUSE] [--recipe demo]

The made-up world says of every sentence which facts it states, so a distant label is right for
certain: where a sentence of its document states it. Each method ranks the labels by what the
recipe's `learn_order` recorded of them. Run the recipe before: `relmill run demo`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.bench import methods
from pipeline.config import load_recipe
from pipeline.plan import make_plan
from stages.denoising.ranking import auc, auc_within, precision_by_order
from stages.denoising.records import Records, pass_of
from storage.reading import Tables
from storage.warehouse import Warehouse

LABELS = """
SELECT o.*, d.text, t.page_id, t.head_qid, t.tail_qid
FROM learning_orders o
JOIN tuples t USING (tuple_id)
JOIN (
    SELECT d.document_id, substr(p.text, d.char_start + 1, d.char_end - d.char_start) AS text
    FROM documents d JOIN pages p USING (page_id)
) d USING (document_id)
WHERE o.pid <> 'NA'
ORDER BY o.tuple_id, o.pid
"""


def main() -> None:
    """Print how well each method ranks, and how many labels are right by when they were learnt."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path("warehouse"))
    parser.add_argument("--recipe", default="demo")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, [])
    steps = make_plan(recipe, Warehouse(arguments.root)).steps
    made = {step.name: step.artifact for step in steps if step.artifact is not None}
    if "learn_order" not in {step.stage.name for step in steps if step.artifact is not None}:
        raise SystemExit(f"learn_order is not made: relmill run {arguments.recipe}")
    tables = Tables(made, recipe.name)
    labels = tables.sql(LABELS).combine_chunks()
    right = stated(labels, truth_of(tables.files("sources")["truth.jsonl"]))
    names = np.unique(np.asarray(labels["pid"]), return_inverse=True)[1] + 1
    records = Records(names, pass_of(labels, "batch"), pass_of(labels, "epoch"))
    print(f"{len(right):,} labels, {right.mean():.1%} of them stated by their document\n")
    print("| method | by | AUC | within a relation |\n| --- | --- | --- | --- |")
    for method in methods():
        trust = method.trust(records, np.random.default_rng(0))
        by = getattr(method, "by", "")
        within = auc_within(trust, right, names)
        print(f"| {method.name} | {by} | {auc(trust, right):.3f} | {within:.3f} |")
    print("\n| by | learnt in epoch | labels | stated |\n| --- | --- | --- | --- |")
    for by in ("batch", "epoch"):
        for order, count, share in precision_by_order(records.seen(by).order_N(), right):
            print(f"| {by} | {order} | {count} | {share:.1%} |")


def truth_of(path: Path) -> dict[int, list[tuple[str, set[tuple[str, str, str]]]]]:
    """Return by page its sentences, each with the facts that it states."""
    found = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        facts = {(fact[0], fact[1], fact[2]) for fact in row["states"]}
        found[row["page_id"]].append((folded(row["sentence"]), facts))
    return found


def stated(
    labels: pa.Table, truth: dict[int, list[tuple[str, set[tuple[str, str, str]]]]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return whether the document of each label states it."""
    found = []
    for row in labels.select(["page_id", "text", "head_qid", "pid", "tail_qid"]).to_pylist():
        text, fact = folded(row["text"]), (row["head_qid"], row["pid"], row["tail_qid"])
        found.append(any(fact in facts and s in text for s, facts in truth[row["page_id"]]))
    return np.array(found)


def folded(text: str) -> str:
    """Return a text with each stretch of white space as one space."""
    return " ".join(text.split())


if __name__ == "__main__":
    main()
