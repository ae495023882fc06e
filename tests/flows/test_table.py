"""relmill table: a paper's figures, cells by name, and the commands of a recipe's cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from pipeline.papers import paper_table, paper_tables

RECIPE = """
corpus = { format = "jsonl", path = "corpus.jsonl" }
[fetch_benchmarks.benchmarks.semeval]
[pretrain.bert]
[finetune."semeval-{encoder}-{seed}"]
task = "semeval"
fraction = 0.1
matrix = { encoder = ["bert"], seed = [1, 2] }
[evaluate]
"""


def told(*words: object) -> str:
    return CliRunner().invoke(app, ["table", *map(str, words)]).output


@pytest.mark.parametrize("name", paper_tables())
def test_every_figure_has_its_place(name: str) -> None:
    table = paper_table(name)
    places = [
        (f.benchmark, f.encoder, f.setting, f.input_format, f.fraction) for f in table.figures
    ]
    assert len(set(places)) == len(places) > 0
    assert all(0 < figure.value < 1 for figure in table.figures)
    assert table.source
    assert table.says


def test_a_cell_is_found_by_its_names() -> None:
    out = told("cp.5", "--cell", "semeval/10/cp/C+M")
    (line,) = [line for line in out.splitlines() if line.startswith("semeval")]
    assert line.split() == ["semeval", "10", "%", "C+M", "cp", "82.2", "not", "run"]


def test_the_commands_are_those_of_the_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(RECIPE, "utf-8")
    root = tmp_path / "root"
    out = told("cp.5", "--cell", "semeval/10/bert", "--recipe", recipe, "--root", root)
    assert "Ours: own, whose encoders begin from scratch." in out
    assert out.endswith(f"Run with:\n  relmill run {recipe} --to 'evaluate.semeval-bert-*'\n")
    recipe.write_text(f'{RECIPE}[finetune.semeval-bert-10]\ntask = "wiki80"\n', "utf-8")
    out = told("cp.5", "--cell", "semeval/10/bert", "--recipe", recipe, "--root", root)
    assert f"relmill run {recipe} --to evaluate.semeval-bert-1\n" in out
    assert f"relmill run {recipe} --to evaluate.semeval-bert-2\n" in out
    out = told("cp.5", "--cell", "tacred/10/bert", "--recipe", recipe, "--root", root)
    assert "own has no such cell" in out
