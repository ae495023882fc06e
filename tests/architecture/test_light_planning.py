"""Planning loads nothing heavy, whatever the recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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

recipe = load_recipe(sys.argv[1])
plan = make_plan(recipe, Warehouse(Path(sys.argv[2])))
assert len(plan.stale) == len(wanted(recipe.nodes))
for stage in DAG:
    stage_digest(stage)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("recipe", sorted(builtin_recipes()))
def test_planning_a_shipped_recipe_loads_nothing_heavy(recipe: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAN, recipe, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "pydantic" in loaded
    assert not loaded & set(HEAVY)
    assert list(tmp_path.iterdir()) == []
