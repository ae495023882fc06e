"""A run makes the same bytes however it is carried out, and a second run makes nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stages.sample import SampleWorld
from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import (
    STAGES,
    WITHOUT_NER,
    Parts,
    Running,
    answer,
    artifacts_in,
    catalog_of,
    copied,
    from_files,
    loaded_by,
    make,
    newest,
    parts_of,
    relmill,
    sets,
    strays,
)

HEAVY = {"prefect", "spacy", "torch", "transformers"}


def below_fetch(root: Path) -> Parts:
    """All but the parts and files of fetch, which has two raw files more for a made-up world."""
    return parts_of(root, stages=STAGES[1:])


def prefect_rows(made: Made, query: str) -> list[tuple[Any, ...]]:
    """What the server of a run wrote into its database."""
    path = made.root / ".prefect" / "prefect.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def test_a_run_in_process_and_one_through_prefect_make_the_same_bytes(
    made: Made, through_prefect: Made
) -> None:
    assert made.parts == through_prefect.parts
    assert sum(rows for parts in made.parts.values() for _, rows, _ in parts) > 40_000
    assert catalog_of(made.root) == catalog_of(through_prefect.root)


def test_a_run_leaves_no_process_behind(made: Made, through_prefect: Made) -> None:
    assert made.left_alive == []
    assert through_prefect.left_alive == []


def test_a_run_leaves_nothing_half_made_behind(made: Made, through_prefect: Made) -> None:
    for root in (made.root, through_prefect.root):
        assert strays(root) == []
        assert list(root.rglob(".aside-*")) == []


def test_a_run_through_prefect_touches_only_the_warehouses_own_prefect_home(
    through_prefect: Made,
) -> None:
    assert (through_prefect.root / ".prefect" / "prefect.db").is_file()
    assert list(through_prefect.home.iterdir()) == []


def test_a_run_in_process_knows_nothing_of_prefect(made: Made) -> None:
    assert not (made.root / ".prefect").exists()
    assert list(made.home.iterdir()) == []


def test_prefect_has_a_task_run_for_each_shard_and_each_commit(through_prefect: Made) -> None:
    rows = prefect_rows(through_prefect, "SELECT name, state_name, state_type FROM task_run")
    states = Counter((name.rsplit(" ", 1)[-1] == "commit", state) for name, state, _ in rows)
    whole = ("index_aliases", "train_ner", "count_relations", "protect", "fetch_benchmarks")
    shards = dict.fromkeys(STAGES, 4) | {"parse_wikidata": 2} | dict.fromkeys(whole, 1)
    assert states == {(False, "Built"): sum(shards.values()), (True, "Completed"): len(STAGES)}
    assert {kind for _, _, kind in rows} == {"COMPLETED"}
    built = Counter(name.split()[0] for name, state, _ in rows if state == "Built")
    assert built == shards


def test_a_built_shard_says_how_many_rows_it_has(through_prefect: Made) -> None:
    query = (
        "SELECT r.name, s.message FROM task_run r JOIN task_run_state s ON r.state_id = s.id "
        "WHERE s.name = 'Built'"
    )
    messages = dict(prefect_rows(through_prefect, query))
    assert all(" rows, " in message for message in messages.values())
    warehouse = Warehouse(through_prefect.root)
    step = warehouse.named(newest(through_prefect.root).steps["parse_wikidata"])
    rows = sum(part.rows for part in step.manifest().records[1].parts.values())
    assert [m.split(" rows")[0] for n, m in messages.items() if n == "parse_wikidata 1"] == [
        f"{rows:,}"
    ]


def test_prefect_shows_the_plan_as_a_table_and_each_step_as_progress(
    through_prefect: Made,
) -> None:
    rows = prefect_rows(through_prefect, "SELECT key, type, data FROM artifact")
    tables = [json.loads(data) for key, kind, data in rows if kind == "table"]
    tables = [json.loads(t) if isinstance(t, str) else t for t in tables]
    assert [[row["step"] for row in table] for table in tables] == [list(STAGES)]
    assert tables[0][0]["verdict"] == "NEW"
    recognize = tables[0][STAGES.index("recognize")]
    assert recognize["why"].endswith("waits for fetch, parse_wikipedia, train_ner")
    progress = {key: float(data) for key, kind, data in rows if kind == "progress"}
    assert progress == {f"progress-{stage.replace('_', '-')}": 100.0 for stage in STAGES}


def test_prefect_has_the_flow_run_as_completed(through_prefect: Made) -> None:
    rows = prefect_rows(through_prefect, "SELECT name, state_type FROM flow_run")
    assert rows == [("tiny", "COMPLETED")]


def test_a_run_ends_with_a_page_on_steps_tables_and_examples(through_prefect: Made) -> None:
    out = through_prefect.ended.out
    for stage in STAGES:
        assert f"\n{stage}" in out
    assert re.search(r"tuples 1\d,\d{3}", out)
    assert "few_triples" in out
    assert out.count(" -> {") == 5
    assert f"relmill show tiny --root {through_prefect.root}" in out
    assert through_prefect.ended.err == ""


def test_the_log_of_a_run_lies_in_its_folder(made: Made) -> None:
    assert (made.root / "runs" / newest(made.root).id / "log.txt").is_file()


def test_a_second_run_makes_nothing_and_says_so(made: Made) -> None:
    before = artifacts_in(made.root)
    runs = [run.id for run in Refs(Warehouse(made.root)).runs()]
    again = relmill("run", "tiny", "--root", made.root)
    assert again.code == 0
    assert f"Everything is current: {len(STAGES)} steps, nothing to do." in again.out
    assert artifacts_in(made.root) == before
    assert [run.id for run in Refs(Warehouse(made.root)).runs()] == runs


def test_a_second_run_starts_neither_prefect_nor_spacy(made: Made) -> None:
    loaded = loaded_by("run", "tiny", "--root", made.root)
    assert "flows.runs" in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert not (made.root / ".prefect").exists()


@pytest.mark.parametrize("command", ["plan", "show"])
def test_looking_loads_neither_torch_nor_spacy_nor_prefect(made: Made, command: str) -> None:
    loaded = {name.split(".")[0] for name in loaded_by(command, "tiny", "--root", made.root)}
    assert "pipeline" in loaded
    assert not loaded & HEAVY


def test_one_worker_and_two_make_the_same_bytes(
    made: Made, made_from_files: Path, tmp_path: Path
) -> None:
    root = copied(made.root, tmp_path / "warehouse")
    assert "recognize" in make(root, "recognize.model=blank", workers=2).made
    assert below_fetch(made_from_files) == below_fetch(root)


def test_the_made_up_world_comes_with_ner_that_learns_from_its_hyperlinks(made: Made) -> None:
    (learnt,) = answer(made.root, "SELECT learnt, gold, f1 FROM ner_scores WHERE type = 'all'")
    assert learnt["learnt"] > 1000 < 10 * learnt["gold"]
    assert learnt["f1"] > 0.5
    by_ner = answer(made.root, "SELECT DISTINCT type FROM mentions WHERE source = 'ner'")
    assert {"LOC", "PERSON"} <= {row["type"] for row in by_ner}


@pytest.mark.parametrize("way", ["in process", "through prefect"])
def test_two_runs_at_once_on_one_root_both_end_well(
    way: str, world: SampleWorld, made_from_files: Path, tmp_path: Path
) -> None:
    root = tmp_path / "warehouse"
    words = ["run", "tiny", "--root", root, *sets(*from_files(world))]
    words += ["--in-process"] if way == "in process" else []
    pair = [Running(*words, "--workers", "1"), Running(*words, "--workers", "2")]
    for ended in [each.end() for each in pair]:
        assert ended.code == 0, ended.text
    assert below_fetch(root) == below_fetch(made_from_files)
    assert strays(root) == []
    runs = list(Refs(Warehouse(root)).runs())
    assert [run.status for run in runs] == ["succeeded", "succeeded"]
    assert runs[0].steps == runs[1].steps
    assert sorted(runs[0].made + runs[1].made) == sorted(WITHOUT_NER)
    assert len(artifacts_in(root)) == len(WITHOUT_NER)
