"""Launched steps: the command, the ranks, what ends them, and that none is ever left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline.launch
import pipeline.pool
import pipeline.processes
from pipeline.config import load_recipe
from pipeline.plan import preflight
from pipeline.pool import Pool
from pipeline.processes import Launch, command_text, require_launchable, shipped, world_size
from pipeline.run import execute
from storage.errors import ConfigError, PassingError, SourceError, StageError
from storage.refs import Refs, RunRecord
from tests.pipeline import drill as made
from tests.pipeline import toy
from tests.pipeline.lab import Lab

ROOT = Path(__file__).parents[2]
PLAIN = "[drill]\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(pipeline.processes, "WORKER", "tests.pipeline.drill")
    return Lab(tmp_path, made.DAG, PLAIN)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the one rank directly: accelerate takes seconds to begin."""

    def command(launch: Launch, run_folder: Path, step: str, shard: int) -> list[str]:
        return [sys.executable, "-m", "tests.pipeline.drill", str(run_folder), step, str(shard)]

    monkeypatch.setattr(pipeline.launch, "command", command)


def trained(lab: Lab, *sets: str, study: str = PLAIN) -> RunRecord:
    """Run the drill through a pool, as the command line does."""
    plan = lab.plan(study=study, sets=list(sets))
    folder = Refs(lab.warehouse).new_run("study")
    with toy.installed(lab.dag), Pool(1, folder) as pool:
        return execute(plan, lab.warehouse, folder, pool, toy.Log())


def row(lab: Lab, run: RunRecord) -> dict[str, Any]:
    from storage.reading import tables_of

    with toy.installed(lab.dag):
        (only,) = tables_of(lab.warehouse, run.steps, "study").arrow("counts").to_pylist()
    return only


def log_of(lab: Lab) -> str:
    return "".join(p.read_text() for p in sorted(lab.warehouse.root.glob("runs/*/log.txt")))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def within(seconds: float, what: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it took too long")


def when_begun(lab: Lab, ranks: int, then: Callable[[dict[int, int]], None]) -> threading.Thread:
    """Do something once so many ranks are at work."""

    def watch() -> None:
        found = lambda: (f := made.pids(lab.warehouse.root)) and len(f) == ranks and f  # noqa: E731
        then(within(60, found))

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def ctrl_c(_pids: object = None) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("by_hand")
def test_a_launched_step_is_made_by_a_process_of_its_own_and_its_words_reach_the_log(
    lab: Lab,
) -> None:
    run = trained(lab)
    assert row(lab, run) == {"variant": "default", "count": 3, "world": 1, "began_at": 0}
    assert "drill.default: INFO update 3" in log_of(lab)
    artifact = lab.warehouse.named(run.steps["drill.default"])
    assert artifact.file("weights.txt").read_text() == "3\n"
    assert artifact.manifest().records[0].files[0].name == "weights.txt"


@pytest.mark.usefixtures("by_hand")
def test_the_error_of_a_rank_comes_back_in_its_own_words(lab: Lab) -> None:
    with pytest.raises(SourceError) as caught:
        trained(lab, "drill.fail_at=1")
    assert (
        str(caught.value) == "drill.default, shard 0/1: the drill was told to fail. Tell it not to."
    )


@pytest.mark.usefixtures("by_hand")
def test_a_rank_that_dies_without_a_word_may_pass_and_says_how_far_it_was(lab: Lab) -> None:
    with pytest.raises(PassingError, match=r"died \(exit code 9\) after 2 updates"):
        trained(lab, "drill.die_at=2")
    assert trained(lab).status == "succeeded"


@pytest.mark.usefixtures("by_hand")
def test_training_in_another_number_of_processes_is_refused(lab: Lab) -> None:
    with pytest.raises(StageError, match="launched in 2 processes, and training sees 1"):
        trained(lab, "launch.processes=2")


@pytest.mark.usefixtures("by_hand")
def test_ctrl_c_lets_the_trainer_write_a_checkpoint_and_the_next_run_goes_on_there(
    lab: Lab,
) -> None:
    seen: dict[int, int] = {}
    watch = when_begun(lab, 1, lambda pids: (seen.update(pids), time.sleep(0.5), ctrl_c())[0])
    with pytest.raises(KeyboardInterrupt):
        trained(lab, "drill.updates=300", "drill.pause=0.05")
    watch.join()
    assert not alive(seen[0])
    (status,) = lab.warehouse.root.glob("artifacts/drill/*/scratch/00000/status.json")
    told = json.loads(status.read_text())
    assert told["state"] == "stopped"
    assert told["step"] == int(status.with_name("checkpoint").read_text()) > 0
    assert row(lab, trained(lab, "drill.updates=300"))["began_at"] == told["step"]


@pytest.mark.usefixtures("by_hand")
def test_a_rank_that_does_not_listen_is_killed_after_the_grace(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.launch, "GRACE_SECONDS", 0.5)
    seen: dict[int, int] = {}
    watch = when_begun(lab, 1, lambda pids: (seen.update(pids), ctrl_c())[0])
    with pytest.raises(KeyboardInterrupt):
        trained(lab, "drill.updates=3000", "drill.pause=0.05", "drill.deaf=true")
    watch.join()
    assert not alive(seen[0])


@pytest.mark.usefixtures("by_hand")
def test_sigterm_from_outside_leaves_a_checkpoint_and_may_pass(lab: Lab) -> None:
    watch = when_begun(lab, 1, lambda pids: os.kill(pids[0], signal.SIGTERM))
    with pytest.raises(PassingError, match=r"were stopped after .* updates"):
        trained(lab, "drill.updates=300", "drill.pause=0.05")
    watch.join()
    assert row(lab, trained(lab, "drill.updates=300"))["count"] == 300


def test_when_the_engine_is_killed_no_process_is_left_behind(lab: Lab) -> None:
    code = """
import sys
from pathlib import Path
import pipeline.launch, tests.pipeline.test_launch as t
from tests.pipeline import drill
from tests.pipeline.lab import Lab
pipeline.launch.command = lambda launch, run, step, shard: [
    sys.executable, "-m", "tests.pipeline.drill", str(run), step, str(shard)]
t.trained(Lab(Path(sys.argv[1]), drill.DAG, t.PLAIN), "drill.updates=3000", "drill.pause=0.05")
"""
    engine = subprocess.Popen([sys.executable, "-c", code, str(lab.path.parent)])
    pids = within(30, lambda: made.pids(lab.warehouse.root))
    engine.kill()
    engine.wait()
    within(20, lambda: not alive(pids[0]))


@pytest.fixture
def gloo(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return ["launch.config=cpu2", "drill.gloo=true", "drill.updates=400", "drill.pause=0.05"]


def test_two_ranks_stop_together_go_on_together_and_one_writes(lab: Lab, gloo: list[str]) -> None:
    seen: dict[int, int] = {}
    watch = when_begun(lab, 2, lambda pids: (seen.update(pids), time.sleep(1), ctrl_c())[0])
    with pytest.raises(KeyboardInterrupt):
        trained(lab, *gloo)
    watch.join()
    assert not [pid for pid in seen.values() if alive(pid)]
    run = trained(lab, *gloo[:3], "drill.pause=0.0")
    found = row(lab, run)
    assert (found["count"], found["world"]) == (400, 2)
    assert found["began_at"] > 0
    assert "rank 1: update 400" in log_of(lab)


def test_when_the_launcher_is_killed_its_ranks_end_and_the_next_run_goes_on(
    lab: Lab, gloo: list[str]
) -> None:
    seen: dict[int, int] = {}

    def kill_launcher(pids: dict[int, int]) -> None:
        seen.update(pids)
        stat = Path(f"/proc/{pids[0]}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)

    watch = when_begun(lab, 2, kill_launcher)
    with pytest.raises(PassingError, match="were stopped after"):
        trained(lab, *gloo)
    watch.join()
    within(10, lambda: not [pid for pid in seen.values() if alive(pid)])


def test_another_rank_that_fails_is_told_as_the_cause(lab: Lab, gloo: list[str]) -> None:
    with pytest.raises(SourceError, match=r"drill\.default, rank 1: the drill was told to fail"):
        trained(lab, *gloo, "drill.fail_at=2", "drill.fail_rank=1")


@pytest.mark.parametrize("name", shipped())
def test_accelerate_reads_the_configs_that_come_with_us(name: str) -> None:
    config_args = pytest.importorskip("accelerate.commands.config.config_args")
    config = config_args.load_config_from_file(str(shipped()[name]))
    assert config.num_processes == world_size(Launch(config=name))
    assert config.use_cpu is False, "with use_cpu accelerate launches one process"
    assert (config.distributed_type.value != "NO") == (name != "single")


def test_all_the_configs_that_the_docs_name_are_there() -> None:
    assert set(shipped()) == {"single", "ddp", "fsdp", "cpu2"}


def test_the_command_for_a_scheduler_says_everything(tmp_path: Path) -> None:
    launch = Launch(config="cpu2", processes=4, mixed_precision="bf16")
    text = command_text(launch, tmp_path / "a b", "drill.x", 0)
    assert text == (
        f"ACCELERATE_USE_CPU=true accelerate launch --config_file {shipped()['cpu2']} "
        "--num_processes 4 --mixed_precision bf16 --main_process_port 0 "
        f"--module pipeline.worker '{tmp_path}/a b' drill.x 0"
    )


def test_several_machines_agree_on_a_port_of_their_config(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("num_machines: 2\nnum_processes: 16\nmain_process_port: 29500\n")
    text = command_text(Launch(config=str(path)), tmp_path, "drill.x", 0)
    assert "--main_process_port" not in text
    assert "--num_processes 16" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, r"launch\.config is .*It is one of cpu2, ddp, fsdp, single"),
        ("a: [", "no YAML"),
        ("3", "has no settings"),
        ("num_machines: 1", "does not say num_processes"),
    ],
)
def test_a_wrong_config_is_told(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        world_size(Launch(config=str(path)))


def test_without_the_extra_it_is_told_before_anything_runs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="training needs accelerate and torch") as caught:
        require_launchable(Launch())
    assert 'pip install "relmill[train]"' in str(caught.value)
    with pytest.raises(ConfigError, match=r"drill\.default: training needs"):
        preflight(lab.plan().steps)


def test_a_launch_of_the_recipe_reaches_every_step_that_does_not_say_its_own(lab: Lab) -> None:
    study = "launch = { config = 'ddp', processes = 8 }\n[drill.a]\n[drill.b]\n[drill.b.launch]\n"
    with toy.installed(lab.dag):
        recipe = lab.recipe(study=study + "processes = 1\n", sets=["drill.a.launch.processes=4"])
    launches = [node.launch for node in recipe.nodes]
    assert launches == [Launch(config="ddp", processes=4), Launch(config="ddp", processes=1)]


@pytest.mark.usefixtures("by_hand")
def test_how_processes_are_launched_makes_nothing_stale_but_the_precision_does(lab: Lab) -> None:
    trained(lab)
    assert lab.stale(study=PLAIN, sets=["launch.config=ddp", "launch.processes=8"]) == set()
    plan = lab.plan(study=PLAIN, sets=["launch.mixed_precision=bf16"])
    assert plan.step("drill.default").reasons == ['mixed_precision: (none) -> "bf16"']


def test_recipes_say_how_they_launch() -> None:
    assert load_recipe("tiny").wide.launch == Launch()
