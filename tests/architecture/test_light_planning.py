"""Planning loads nothing heavy, whatever the recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.config import builtin_recipes

HEAVY = ("torch", "transformers", "spacy", "prefect", "mwparserfromhell", "lxml")
PLAN = """
import json, sys
from pathlib import Path
from pipeline.code import stage_digest
from pipeline.config import load_recipe
from pipeline.dag import DAG, wanted
from pipeline.plan import make_plan
from storage.warehouse import Warehouse

root, *names = sys.argv[1:]
for recipe in map(load_recipe, names):
    plan = make_plan(recipe, Warehouse(Path(root)))
    assert len(plan.stale) == len(wanted(recipe.nodes)), recipe.name
for stage in DAG:
    stage_digest(stage)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_planning_the_shipped_recipes_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAN, str(tmp_path), *sorted(builtin_recipes())],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "pydantic" in loaded
    assert not loaded & set(HEAVY)
    assert list(tmp_path.iterdir()) == []
