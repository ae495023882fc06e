"""run: what the engine makes, reuses, takes over, and leaves behind when it is stopped."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import storage.refs
import storage.warehouse
from pipeline.plan import RunPlan
from pipeline.run import execute
from pipeline.space import require_space
from stages.base import Inputs
from storage.errors import MissingArtifactError, PlanError, SchemaError, SourceError, StageError
from storage.refs import Refs, RunRecord
from tests.pipeline import toy
from tests.pipeline.toy import Log, Mill, Serial, changed

COUNTER = itertools.count()


def no_strays(mill: Mill) -> bool:
    return not list(mill.warehouse.root.rglob(".aside-*"))


def test_the_rows_are_those_that_the_stages_make(mill: Mill) -> None:
    run = mill.run()
    assert mill.rows(run, toy.JOINED)[:2] == [
        {"page_id": 0, "text": "word0!=word0", "count": 5},
        {"page_id": 1, "text": "word1!=word1", "count": 5},
    ]
    assert len(mill.rows(run, toy.JOINED)) == 12
    assert run.status == "succeeded"


def test_a_second_run_makes_nothing_and_pins_the_same_artifacts(mill: Mill) -> None:
    first = mill.run()
    serial = Serial()
    second = mill.run(serial)
    assert (second.made, second.steps, serial.made) == ([], first.steps, [])


def test_a_bumped_stage_with_equal_bytes_runs_alone(mill: Mill) -> None:
    mill.run()
    mill.dag = changed(mill.dag, "read", version=2)
    assert mill.stale() == {"read", "mark", "index", "join"}
    assert mill.run().made == ["read"]
    assert mill.stale() == set()


def test_a_bumped_stage_with_other_bytes_reruns_what_reads_it(mill: Mill) -> None:
    def shouting(config: Any, inputs: Inputs) -> Any:
        rows = [(r["page_id"], "MARK") for r in inputs.rows(toy.WORDS).to_pylist()]
        yield toy.MARKS, toy.MARKS.batch(rows)

    mill.run()
    mill.dag = changed(mill.dag, "mark", version=2, run=shouting)
    assert mill.run().made == ["mark", "join"]


def test_going_back_to_an_earlier_config_finds_the_earlier_tables(mill: Mill) -> None:
    first = mill.run()
    assert mill.run(mark={"style": "?"}).made == ["mark", "join"]
    again = mill.run()
    assert again.made == []
    assert again.steps == first.steps


def test_shards_whose_input_did_not_change_are_taken_over(mill: Mill) -> None:
    first = mill.run()
    mill.letters.write_text(mill.letters.read_text().replace("5 word0", "5 word1"))
    serial, log = Serial(), Log()
    second = mill.run(serial, log)
    assert [made for made in serial.made if made[0] == "mark"] == [("mark", 1)]
    assert ("mark", 1, 3) in log.begun
    before, after = (mill.warehouse.named(run.steps["mark"]) for run in (first, second))
    assert after.part("marks", 0).samefile(before.part("marks", 0))
    assert not after.part("marks", 1).samefile(before.part("marks", 1))


def test_tables_taken_over_equal_tables_made_from_nothing(mill: Mill, tmp_path: Path) -> None:
    mill.run()
    mill.letters.write_text(mill.letters.read_text().replace("5 word0", "5 word1"))
    patched = mill.run()
    fresh_root = tmp_path / "fresh"
    fresh_root.mkdir()
    fresh = Mill(fresh_root)
    fresh.letters, fresh.numbers = mill.letters, mill.numbers
    assert mill.bytes(patched) == fresh.bytes(fresh.run())


def test_a_stage_that_reads_its_own_axis_whole_is_remade_in_every_shard(mill: Mill) -> None:
    mill.dag = (*mill.dag, toy.TWIN)
    run = mill.run()
    assert [row["total"] for row in mill.rows(run, toy.TWIN_WORDS)] == [12] * 4
    mill.letters.write_text(mill.letters.read_text() + "12 word9\n")
    serial = Serial()
    mill.run(serial)
    assert [shard for stage, shard in serial.made if stage == "twin"] == [0, 1, 2, 3]


@pytest.mark.parametrize("stop_after", [0, 1, 3, 7, 9, 12, 16])
def test_a_run_stopped_between_shards_goes_on_and_ends_byte_identical(
    mill: Mill, tmp_path: Path, stop_after: int
) -> None:
    interrupted = Serial(stop_after)
    with pytest.raises(KeyboardInterrupt):
        mill.run(interrupted)
    assert next(Refs(mill.warehouse).runs()).status == "interrupted"
    resumed = Serial()
    run = mill.run(resumed)
    assert not set(interrupted.made) & set(resumed.made)
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    other = Mill(undisturbed)
    other.letters, other.numbers = mill.letters, mill.numbers
    assert mill.bytes(run) == other.bytes(other.run())
    assert no_strays(mill)


def test_a_part_without_its_record_is_made_again(mill: Mill) -> None:
    with pytest.raises(KeyboardInterrupt):
        mill.run(Serial(stop_after=9))
    artifact = next(a for a in mill.warehouse.artifacts() if a.name.startswith("mark"))
    artifact.part("marks", 1).write_bytes(b"half a pa")
    (artifact.folder / "marks" / ".aside-1-part-00002.parquet").write_bytes(b"ha")
    run = mill.run()
    assert list(mill.warehouse.named(run.steps["mark"]).faults()) == []
    assert no_strays(mill)


def test_a_step_without_a_manifest_is_never_read(mill: Mill) -> None:
    with pytest.raises(KeyboardInterrupt):
        mill.run(Serial(stop_after=9))
    run = next(Refs(mill.warehouse).runs())
    assert "mark" not in run.steps
    assert mill.warehouse.complete("mark") == []


def test_scratch_is_swept_when_a_step_is_complete(mill: Mill) -> None:
    run = mill.run()
    folders = [mill.warehouse.named(name).folder for name in run.steps.values()]
    assert not [f for f in folders if (f / "scratch").exists()]


def test_a_forced_rebuild_with_equal_bytes_keeps_the_old_artifact(mill: Mill) -> None:
    first = mill.run()
    serial = Serial()
    second = mill.run(serial, force=["mark"])
    assert [stage for stage, _ in serial.made] == ["mark"] * 4
    assert second.steps == first.steps
    assert second.made == []
    assert len([a for a in mill.warehouse.artifacts() if a.name.startswith("mark")]) == 1


def random_marks(config: Any, inputs: Inputs) -> Any:
    turn = next(COUNTER)
    rows = [(r["page_id"], f"{turn}") for r in inputs.rows(toy.WORDS).to_pylist()]
    yield toy.MARKS, toy.MARKS.batch(rows)


def test_a_forced_rebuild_with_other_bytes_becomes_the_second_attempt(mill: Mill) -> None:
    mill.dag = changed(mill.dag, "mark", run=random_marks)
    first = mill.run()
    second = mill.run(force=["mark"])
    assert second.steps["mark"] == f"{first.steps['mark']}.2"
    assert second.made == ["mark", "join"]
    assert mill.stale() == set()
    third = mill.run(force=["mark"])
    assert third.steps["mark"] == f"{first.steps['mark']}.3"
    assert mill.rows(first, toy.MARKS) != mill.rows(second, toy.MARKS)


def test_a_later_attempt_is_found_though_the_first_was_pruned(mill: Mill) -> None:
    mill.dag = changed(mill.dag, "mark", run=random_marks)
    first = mill.run()
    second = mill.run(force=["mark"])
    storage.refs.remove(mill.warehouse.named(first.steps["mark"]))
    assert mill.stale() == set()
    third = mill.run(force=["mark"])
    assert third.steps["mark"] == f"{first.steps['mark']}.3"
    assert mill.warehouse.named(second.steps["mark"]).complete


def test_a_forced_rebuild_mends_a_damaged_part_and_reruns_nothing_below(mill: Mill) -> None:
    first = mill.run()
    path = mill.warehouse.named(first.steps["mark"]).part("marks", 1)
    path.write_bytes(path.read_bytes()[:-1])
    second = mill.run(force=["mark"])
    assert second.made == ["mark"]
    assert list(mill.warehouse.named(second.steps["mark"]).faults()) == []
    assert second.steps["join"] == first.steps["join"]


def test_an_input_that_was_removed_by_hand_is_told_with_the_command_that_mends_it(
    mill: Mill,
) -> None:
    first = mill.run()
    mill.warehouse.named(first.steps["mark"]).part("marks", 0).unlink()
    with pytest.raises(MissingArtifactError, match=r"part-00000\.parquet is gone") as caught:
        mill.run(join={"glue": "-"})
    assert "--force mark" in str(caught.value)


def test_an_interrupted_forced_rebuild_leaves_the_old_artifact_in_force(mill: Mill) -> None:
    mill.dag = changed(mill.dag, "mark", run=random_marks)
    first = mill.run()
    with pytest.raises(KeyboardInterrupt):
        mill.run(Serial(stop_after=2), force=["mark"])
    assert mill.stale() == set()
    assert mill.run().steps == first.steps


def test_a_stage_forced_below_a_forced_one_is_made_again(mill: Mill) -> None:
    mill.run()
    serial = Serial()
    mill.run(serial, force=["read", "mark"])
    assert {stage for stage, _ in serial.made} == {"read", "mark"}


def test_the_number_of_shards_changes_no_rows(mill: Mill) -> None:
    first = mill.run()
    mill.shards = {"page": 3, "item": 5, "page_block": 2, "item_block": 1}
    second = mill.run()
    for which in (toy.WORDS, toy.TALLIES, toy.MARKS, toy.INDEX, toy.JOINED):
        assert mill.rows(first, which) == mill.rows(second, which)
    assert first.steps["join"] != second.steps["join"]


def test_two_runs_at_once_on_one_root_both_end_well(mill: Mill) -> None:
    together = threading.Barrier(2)
    ended: list[RunRecord] = []
    made: list[tuple[str, int]] = []

    def run(plan: RunPlan) -> None:
        serial = Serial()
        folder = Refs(mill.warehouse).new_run("toy")
        together.wait()
        ended.append(execute(plan, mill.warehouse, folder, serial, Log()))
        made.extend(serial.made)

    threads = [threading.Thread(target=run, args=[mill.plan()]) for _ in range(2)]
    with toy.installed(mill.dag):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [run.status for run in ended] == ["succeeded", "succeeded"]
    assert ended[0].steps == ended[1].steps
    assert len(made) == len(set(made)), "a shard was made twice"
    assert [f for a in mill.warehouse.artifacts() for f in a.faults()] == []


def test_a_failing_stage_is_recorded_as_a_failed_run_with_its_error(mill: Mill) -> None:
    with pytest.raises(SourceError, match="mark, shard 2/4: the toy was told to fail"):
        mill.run(mark={"fail_at": 2})
    run = next(Refs(mill.warehouse).runs())
    assert run.status == "failed"
    assert "mark, shard 2/4: the toy was told to fail" in run.error
    assert run.finished
    assert set(run.steps) == {"gather", "read", "tally"}


def test_after_a_failure_only_the_missing_shards_are_made(mill: Mill) -> None:
    with pytest.raises(SourceError):
        mill.run(mark={"fail_at": 2})
    serial = Serial()
    mill.run(serial)
    assert [m for m in serial.made if m[0] == "mark"] == [("mark", 2), ("mark", 3)]


def test_a_break_in_a_stages_code_says_stage_shard_and_where_the_traceback_is(mill: Mill) -> None:
    def broken(config: Any, inputs: Inputs) -> Any:
        yield toy.MARKS, 1 // 0

    mill.dag = changed(mill.dag, "mark", run=broken)
    with pytest.raises(StageError, match="mark, shard 0/4: ZeroDivisionError") as caught:
        mill.run()
    assert "log.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lambda: (toy.WORDS, toy.WORDS.batch([(1, "a")])), "does not write that table"),
        (lambda: (toy.MARKS, toy.WORDS.batch([(1, "a")])), "has the columns page_id, mark"),
    ],
)
def test_rows_that_the_stage_did_not_declare_are_refused(
    mill: Mill, rows: Callable[[], Any], words: str
) -> None:
    mill.dag = changed(mill.dag, "mark", run=lambda config, inputs: iter([rows()]))
    with pytest.raises(SchemaError, match=words):
        mill.run()
    assert no_strays(mill)


def test_a_whole_table_must_come_in_the_order_of_its_key(mill: Mill) -> None:
    def unsorted(config: Any, inputs: Inputs) -> Any:
        yield toy.INDEX, toy.INDEX.batch([("b", 1), ("a", 1)])

    mill.dag = changed(mill.dag, "index", run=unsorted)
    with pytest.raises(SchemaError, match=r"index has the key \('a',\) behind \('b',\)"):
        mill.run()
    assert no_strays(mill)


def test_reading_a_table_without_saying_so_is_an_error(mill: Mill) -> None:
    def sneaky(config: Any, inputs: Inputs) -> Any:
        yield toy.MARKS, inputs.rows(toy.TALLIES)

    mill.dag = changed(mill.dag, "mark", run=sneaky)
    with pytest.raises(PlanError, match="mark, shard 0/4: the stage reads tallies without"):
        mill.run()


def damaged_letters(mill: Mill, damaged: int, whole: int) -> None:
    lines = [f"{i} ?" for i in range(damaged)] + [f"{damaged + i} ok" for i in range(whole)]
    mill.letters.write_text("\n".join(lines) + "\n")


def test_ten_damaged_records_never_stop_a_run(mill: Mill) -> None:
    damaged_letters(mill, damaged=10, whole=1)
    run = mill.run(read={"max_damaged_share": 0.0})
    damage = mill.warehouse.named(run.steps["read"]).manifest().damage()
    assert (damage.damaged, damage.records, damage.counts) == (10, 11, {"question": 10})


def test_eleven_damaged_records_within_the_share_do_not_stop_a_run(mill: Mill) -> None:
    damaged_letters(mill, damaged=11, whole=11)
    assert mill.run(read={"max_damaged_share": 0.5}).status == "succeeded"


def test_more_damage_than_the_share_stops_at_commit_and_says_where(mill: Mill) -> None:
    damaged_letters(mill, damaged=11, whole=10)
    with pytest.raises(SourceError) as caught:
        mill.run(read={"max_damaged_share": 0.5})
    message = str(caught.value)
    assert message.startswith("read: 11 of 21 records are damaged (11 question)")
    assert "0.5" in message
    assert "page 0: '?'" in message
    assert caught.value.exit_code == 2
    assert mill.warehouse.complete("read") == []


def test_an_empty_shard_does_not_hide_the_damage_of_the_others(mill: Mill) -> None:
    mill.shards = {"page": 2, "page_block": 1000}
    damaged_letters(mill, damaged=30, whole=1)
    with pytest.raises(SourceError, match="30 of 31 records are damaged"):
        mill.run(read={"max_damaged_share": 0.1})


def test_raising_the_share_as_the_message_says_lets_the_run_go_on(mill: Mill) -> None:
    damaged_letters(mill, damaged=11, whole=10)
    with pytest.raises(SourceError):
        mill.run(read={"max_damaged_share": 0.5})
    serial = Serial()
    run = mill.run(serial, read={"max_damaged_share": 0.6})
    assert run.status == "succeeded"
    assert "read" not in {stage for stage, _ in serial.made}


def test_a_source_that_is_wrong_altogether_stops_after_ten_thousand_records(mill: Mill) -> None:
    mill.letters.write_text("".join(f"{i} {'?' if i % 8 < 4 else 'ok'}\n" for i in range(24_000)))
    serial = Serial()
    with pytest.raises(SourceError, match="12,000 records are damaged"):
        mill.run(serial, read={"max_damaged_share": 0.1})
    half = next(a for a in mill.warehouse.artifacts() if a.name.startswith("read/"))
    assert [half.record(shard) is not None for shard in range(4)] == [True, True, False, False]


def test_drops_are_counted_with_samples_in_the_manifest(mill: Mill) -> None:
    mill.letters.write_text("".join(f"{i} \n" for i in range(40)) + "41 word\n")
    run = mill.run()
    manifest = mill.warehouse.named(run.steps["read"]).manifest()
    assert manifest.drops() == {"empty": 40}
    assert manifest.records[0].drop_samples == {"empty": ["0", "4", "8", "12", "16"]}


def test_a_lost_shard_is_named_and_no_manifest_written(mill: Mill) -> None:
    class Forgetful(Serial):
        def shards(self, run_folder: Any, spec: Any) -> Any:
            for record in super().shards(run_folder, spec):
                artifact = mill.warehouse.named(spec.artifact)
                if (spec.stage, record.shard) == ("mark", 1):
                    artifact.record_path(1).unlink()
                yield record

    with pytest.raises(StageError, match="mark: shard 1/4 has no record"):
        mill.run(Forgetful())
    assert mill.warehouse.complete("mark") == []


def test_too_little_space_is_told_before_the_run(
    mill: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.warehouse.Warehouse, "free_bytes", lambda self: 1_000_000)
    with pytest.raises(StageError, match=r"0\.0 GB are free .* needs about 0\.3 GB"):
        require_space(mill.plan(), mill.warehouse)


def test_a_record_holds_what_a_shard_made(mill: Mill) -> None:
    run = mill.run()
    manifest = mill.warehouse.named(run.steps["index"]).manifest()
    record = manifest.records[0]
    assert [f.name for f in record.files] == ["index.txt"]
    assert record.parts["index"].rows == manifest.rows("index") == 7
    assert manifest.bytes("index") == record.parts["index"].bytes
    assert manifest.inputs["words"].stage == "read"
    assert manifest.seconds >= 0


def test_the_watcher_is_told_of_every_step_and_shard(mill: Mill) -> None:
    log = Log()
    mill.run(log=log)
    assert log.begun == [
        ("gather", 2, 0),
        ("read", 4, 0),
        ("tally", 2, 0),
        ("mark", 4, 0),
        ("index", 1, 0),
        ("join", 4, 0),
    ]
    assert len(log.records) == 17
    assert log.ended == [(s.name, True) for s in mill.dag]
