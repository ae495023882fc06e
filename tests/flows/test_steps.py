"""What the commands make of steps with variants, and of steps that train."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from storage.warehouse import Warehouse
from tests.pipeline import drill, toy
from tests.pipeline.lab import CELLS, Lab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.path.write_text(lab.study)
    with toy.installed(lab.dag):
        said("run", "--in-process", "--workers", 1, lab=lab)
        yield lab


def said(command: str, *more: object, lab: Lab, code: int = 0) -> str:
    root = [] if command in ("config", "recipes") else ["--root", str(lab.warehouse.root)]
    words = [command, str(lab.path), *map(str, more), *root]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == code, ended.output
    return ended.output


def test_a_plan_has_a_line_a_step_and_its_command_repeats_what_was_asked(lab: Lab) -> None:
    out = said("plan", "--set", "train.cp.add=9", "--to", "tune.*-1", lab=lab)
    assert "train.cp" in out
    assert "add: 1 -> 9" in out
    assert "tune.sum-mtb-1   current" in out
    assert "sum-mtb-2" not in out
    assert "--set train.cp.add=9 --to 'tune.*-1'" in out


def test_show_lists_the_variants_of_a_table_and_one_in_full(lab: Lab) -> None:
    assert said("show", lab=lab).count("\nanswers ") == len(CELLS)
    page = said("show", "answers", lab=lab)
    assert "variant" in page
    assert all(cell in page for cell in CELLS)
    assert "made by  tune version 1" in said("show", "answers", "--variant", CELLS[0], lab=lab)
    refused = said("show", "answers", "--variant", "x", lab=lab, code=2)
    assert "The variants are: sum-cp-1" in refused


def test_sql_names_the_variant_first(lab: Lab) -> None:
    out = said("sql", "FROM models ORDER BY ALL", lab=lab)
    first = [line.split()[0] for line in out.splitlines()]
    assert first == ["variant", "-------", "cp", "mtb", "(2"]


def test_explain_tells_every_step_that_is_named(lab: Lab) -> None:
    out = said("explain", "train", lab=lab)
    assert "train.cp: current" in out
    assert "train.mtb: current" in out
    assert "reads models" in said("explain", "tune.sum-cp-1", lab=lab)


def test_config_prints_what_variants_share_once_and_what_differs_by_variant(lab: Lab) -> None:
    out = said("config", "tune", lab=lab)
    assert "[tune]   # shared by 6 variants" in out
    assert out.count("share = 1.0") == 1
    assert "variant    seed  model  task    note" in out
    assert "mean-cp-2     2  'cp'   'mean'" in out or "'mean of cp'" in out
    assert "[tune.sum-cp-1]" in said("config", "tune.sum-cp-1", lab=lab)


def test_log_tag_verify_and_diff_know_the_steps(lab: Lab) -> None:
    root = str(lab.warehouse.root)
    ended = CliRunner().invoke(app, ["tag", "first", lab.path.stem, "--root", root])
    assert ended.exit_code == 0, ended.output
    said("run", "--in-process", "--workers", 1, "--set", "train.cp.add=9", lab=lab)
    log = CliRunner().invoke(app, ["log", "--root", root]).output
    assert "train.cp, tune.sum-cp-1" in log
    newest = log.splitlines()[2].split()[0]
    words = ["diff", "first", newest, "--table", "models", "--root", root]
    differs = CliRunner().invoke(app, words).output
    assert "models of train.cp: train/" in differs
    assert "config add: 1 -> 9" in differs
    assert "models of train.mtb: the same artifact" in differs
    assert said("verify", lab=lab).endswith("are as they were made\n")
    pruned = CliRunner().invoke(app, ["prune", "--keep", "0", "--grace", "0", "--root", root])
    assert "train/" in pruned.output
    tagged = {a.name for a in Warehouse(lab.warehouse.root).artifacts()}
    assert len(pruned.output.splitlines()) - 1 < len(tagged), "what the tag names stays"


def test_the_printed_command_makes_the_step_and_a_run_takes_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("accelerate")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lab = Lab(tmp_path, drill.DAG, "[drill.x]\nupdates = 2\n")
    lab.path.write_text(lab.study)
    with toy.installed(lab.dag):
        sets = ["--set", "launch.config=cpu2", "--set", "launch.processes=1"]
        words = shlex.split(said("launch", "drill.x", "--print", *sets, lab=lab).splitlines()[0])
        assert words[:3] == ["ACCELERATE_USE_CPU=true", "accelerate", "launch"]
        *_, module, run_folder, step, shard = words
        assert (module, step, shard) == ("pipeline.worker", "drill.x", "0")
        rank = [sys.executable, "-m", "tests.pipeline.drill", run_folder, step, shard]
        subprocess.run(rank, check=True, capture_output=True)
        assert "all shards are there, yet to be committed" in said("plan", *sets, lab=lab)
        said("run", "--only", "drill.x", "--in-process", *sets, lab=lab)
        assert "drill.x is current" in said("launch", "drill.x", *sets, lab=lab, code=2)


def test_launch_refuses_what_trains_nothing_and_more_than_one(lab: Lab) -> None:
    refused = said("launch", "board", "--print", "--set", "score.scale=5", lab=lab, code=2)
    assert "board depends on score" in refused
    changed = ["--print", "--set", "train.cp.add=3", "--set", "train.mtb.add=4"]
    assert "train stands for train.cp, train.mtb" in said(
        "launch", "train", *changed, lab=lab, code=2
    )
    assert "train.cp trains nothing" in said("launch", "train.cp", *changed[:3], lab=lab, code=2)
