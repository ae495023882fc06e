"""plan: which steps are stale, and why, in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.plan import preflight
from storage.errors import ConfigError, PlanError
from tests.pipeline import toy
from tests.pipeline.toy import Mill, Serial, changed

EVERYTHING = {"gather", "read", "tally", "mark", "index", "join"}


def test_a_fresh_warehouse_makes_the_first_step_new_and_the_others_wait(mill: Mill) -> None:
    plan = mill.plan()
    assert {str(step.verdict) for step in plan.steps} == {"NEW"}
    assert plan.step("gather").reasons == ["never made"]
    assert plan.step("join").reasons == ["waits for read, mark, index"]
    assert plan.step("gather").todo == [0, 1]
    assert plan.step("join").todo is None


def test_after_a_run_everything_is_current_and_nothing_to_do(mill: Mill) -> None:
    mill.run()
    plan = mill.plan()
    assert plan.stale == []
    assert all(step.todo == [] and step.reasons == [] for step in plan.steps)
    assert all(step.last_seconds is not None for step in plan.steps)


def test_a_changed_value_is_told_with_from_and_to(mill: Mill) -> None:
    mill.run()
    plan = mill.plan(mark={"style": "?"})
    assert str(plan.step("mark").verdict) == "CONFIG"
    assert plan.step("mark").reasons == ['style: "!" -> "?"']
    assert plan.step("mark").todo == [0, 1, 2, 3]


def test_every_changed_value_is_told(mill: Mill) -> None:
    mill.run(mark={"longest": 30})
    reasons = mill.plan(mark={"style": "?"}).step("mark").reasons
    assert reasons == ["longest: 30 -> 20", 'style: "!" -> "?"']


def test_a_nested_value_is_told_by_its_dotted_name_and_its_default(mill: Mill) -> None:
    mill.shards = {"page": 64}
    mill.run()
    mill.shards = {"page": 2}
    reasons = mill.plan().step("join").reasons
    assert reasons[0] == "shards.page: 64 -> 2"
    assert not any("none" in reason for reason in reasons)


def test_what_stands_below_a_stale_step_waits_for_it(mill: Mill) -> None:
    mill.run()
    plan = mill.plan(mark={"style": "?"})
    assert str(plan.step("join").verdict) == "UPSTREAM"
    assert plan.step("join").reasons == ["waits for mark; reused if its output is unchanged"]
    assert {s.stage.name for s in plan.stale} == {"mark", "join"}


def test_a_step_that_waits_and_changed_itself_says_both(mill: Mill) -> None:
    mill.run()
    step = mill.plan(mark={"style": "?"}, join={"glue": "-"}).step("join")
    assert str(step.verdict) == "CONFIG"
    assert step.reasons == ['glue: "=" -> "-"', "waits for mark"]


def test_a_higher_version_is_told(mill: Mill) -> None:
    mill.run()
    mill.dag = changed(mill.dag, "index", version=2)
    assert mill.verdicts()["index"] == "VERSION"
    assert mill.reasons("index") == "version: 1 -> 2"


def test_other_columns_are_told(mill: Mill) -> None:
    mill.run()
    column = dataclasses.replace(toy.INDEX.columns[1], nullable=True)
    other = dataclasses.replace(toy.INDEX, columns=(toy.INDEX.columns[0], column))
    mill.dag = changed(mill.dag, "index", writes=(other,))
    mill.dag = changed(mill.dag, "join", reads=(toy.MARKS, other, toy.WORDS))
    assert mill.verdicts()["index"] == "VERSION"
    assert mill.reasons("index") == "columns of its tables changed"


def test_another_meaning_of_a_column_makes_nothing_stale(mill: Mill) -> None:
    mill.run()
    column = dataclasses.replace(toy.INDEX.columns[1], meaning="said better")
    other = dataclasses.replace(toy.INDEX, columns=(toy.INDEX.columns[0], column))
    mill.dag = changed(mill.dag, "index", writes=(other,))
    mill.dag = changed(mill.dag, "join", reads=(toy.MARKS, other, toy.WORDS))
    assert mill.stale() == set()


def test_facts_from_outside_the_recipe_count_and_are_told(mill: Mill) -> None:
    mill.dag = changed(mill.dag, "mark", facts=lambda config: {"model": "1.0"})
    mill.run()
    mill.dag = changed(mill.dag, "mark", facts=lambda config: {"model": "1.1"})
    assert mill.stale() == {"mark", "join"}
    assert mill.reasons("mark") == 'model: "1.0" -> "1.1"'


def test_runtime_fields_make_nothing_stale(mill: Mill) -> None:
    mill.run()
    assert mill.stale(read={"max_damaged_share": 0.9}, mark={"fail_at": 3}) == set()


def test_a_value_equal_to_its_default_makes_nothing_stale(mill: Mill) -> None:
    mill.run()
    assert mill.stale(mark={"style": "!", "longest": 20}) == set()


def test_another_number_of_shards_is_told_once_per_axis(mill: Mill) -> None:
    mill.run()
    mill.shards["item"] = 3
    plan = mill.plan()
    assert plan.step("tally").reasons == ["shards (count x block): 2x1 -> 3x1"]
    assert not plan.step("read").stale
    assert not plan.step("mark").stale


def test_a_partial_step_says_how_many_shards_are_missing(mill: Mill) -> None:
    with pytest.raises(KeyboardInterrupt):
        mill.run(Serial(stop_after=2 + 4 + 2 + 1))
    step = mill.plan().step("mark")
    assert str(step.verdict) == "PARTIAL"
    assert step.reasons == ["3 of 4 shards missing"]
    assert step.todo == [1, 2, 3]


def test_a_forced_step_says_so_and_what_is_below_waits(mill: Mill) -> None:
    mill.run()
    plan = mill.plan(force=["mark"])
    assert str(plan.step("mark").verdict) == "FORCED"
    assert plan.step("mark").reasons == ["made again because of --force"]
    assert {s.stage.name for s in plan.stale} == {"mark", "join"}


def test_a_forced_step_below_a_stale_one_is_forced_all_the_same(mill: Mill) -> None:
    mill.run()
    plan = mill.plan(force=["read", "mark"])
    assert str(plan.step("mark").verdict) == "FORCED"
    assert plan.step("mark").reasons == ["made again because of --force", "waits for read"]


def test_forcing_a_stage_that_is_not_there_names_the_nearest(mill: Mill) -> None:
    with pytest.raises(ConfigError, match=r"no stage 'marc'\. Did you mean mark"):
        mill.plan(force=["marc"])


def test_only_is_refused_when_something_it_depends_on_is_stale(mill: Mill) -> None:
    mill.run()
    with pytest.raises(PlanError, match="join depends on mark, which is stale") as caught:
        mill.plan(only="join", mark={"style": "?"})
    assert "--to join" in str(caught.value)
    assert caught.value.exit_code == 2


def test_only_leaves_out_what_the_stage_does_not_need(mill: Mill) -> None:
    mill.run()
    plan = mill.plan(only="index", index={"least": 2}, mark={"style": "?"})
    assert [s.stage.name for s in plan.steps] == ["gather", "read", "tally", "index"]
    assert [s.stage.name for s in plan.stale] == ["index"]


def test_to_leaves_out_what_the_target_does_not_need(mill: Mill) -> None:
    assert [s.stage.name for s in mill.plan(to="mark").steps] == ["gather", "read", "mark"]


def test_asking_a_plan_for_a_step_beyond_its_target_is_an_error(mill: Mill) -> None:
    with pytest.raises(PlanError, match="join is not part of this plan, which goes to mark"):
        mill.plan(to="mark").step("join")


def test_a_step_that_was_stopped_before_its_commit_has_no_shard_to_make(mill: Mill) -> None:
    run = mill.run()
    (mill.warehouse.named(run.steps["mark"]).folder / "manifest.json").unlink()
    assert mill.verdicts()["mark"] == "PARTIAL"
    assert mill.reasons("mark") == "all shards are there, yet to be committed"


def test_changed_content_above_is_told_where_the_writer_is_current(mill: Mill) -> None:
    mill.run()
    mill.letters.write_text(mill.letters.read_text().replace("3 word3", "3 other"))
    mill.run(to="read")
    step = mill.plan().step("mark")
    assert str(step.verdict) == "UPSTREAM"
    assert step.reasons == ["words of read changed", "3 of 4 shards unchanged, taken over"]
    assert step.todo == [3]


def test_a_moved_source_file_makes_only_the_source_stage_stale_in_earnest(mill: Mill) -> None:
    first = mill.run()
    moved = mill.letters.with_name("moved.txt")
    mill.letters.rename(moved)
    mill.letters = moved
    assert 'letters-0.location: "' in mill.reasons("gather")
    run = mill.run()
    assert run.made == ["gather"]
    assert {k: v for k, v in run.steps.items() if k != "gather"} == {
        k: v for k, v in first.steps.items() if k != "gather"
    }


def test_replacing_one_source_never_reruns_the_reader_of_another(mill: Mill) -> None:
    mill.run()
    mill.numbers.write_text(mill.numbers.read_text() + "9 word9\n")
    run = mill.run()
    assert set(run.made) == {"gather", "tally", "index", "join"}


def test_code_and_libraries_that_moved_on_are_noted_and_make_nothing_stale(mill: Mill) -> None:
    run = mill.run()
    path = mill.warehouse.named(run.steps["mark"]).folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["code"] = "older"
    manifest["libraries"]["pyarrow"] = "0.1"
    manifest["made_at"] = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(manifest))
    step = mill.plan().step("mark")
    assert not step.stale
    assert step.notes[0] == "code differs from the artifact's, version still 1"
    assert step.notes[1].startswith("made with pyarrow 0.1, here is ")


def test_preflight_says_which_stage_cannot_run_here(mill: Mill) -> None:
    def check(config: Any) -> None:
        raise ConfigError("the model is missing", mend="Install it")

    mill.dag = changed(mill.dag, "mark", check=check)
    with pytest.raises(ConfigError) as caught:
        preflight(mill.plan().steps)
    assert str(caught.value) == "mark: the model is missing. Install it."


def test_preflight_does_not_ask_steps_that_are_current(mill: Mill) -> None:
    mill.run()
    asked = []
    mill.dag = changed(mill.dag, "mark", check=asked.append)
    preflight(mill.plan().steps)
    assert asked == []
    preflight(mill.plan(mark={"style": "?"}).steps)
    assert len(asked) == 1


def test_planning_writes_nothing(mill: Mill, tmp_path: Path) -> None:
    mill.run()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    mill.plan(mark={"style": "?"}, force=["read"])
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_step_made_for_another_recipe_is_reused(mill: Mill) -> None:
    mill.run()
    plan = mill.plan()
    assert plan.recipe.name == "toy"
    other = dataclasses.replace(mill.recipe(), name="other")
    with toy.installed(mill.dag):
        assert toy.make_plan(other, mill.warehouse).stale == []
