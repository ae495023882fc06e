"""The flow `refresh` against a server that the user runs: states, artifacts, and failures."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_recipe
from pipeline.plan import make_plan
from stages.sample import SampleWorld
from storage.errors import PassingError
from storage.refs import Refs
from storage.warehouse import Warehouse


class Watcher:
    """Sees nothing."""

    def step_begins(self, *_: object) -> None: ...

    def shard_done(self, *_: object) -> None: ...

    def step_ends(self, *_: object) -> None: ...


def overrides(dumps: SampleWorld, *more: str) -> list[str]:
    return [f"fetch.wikipedia={dumps.wikipedia}", f"fetch.wikidata={dumps.wikidata}", *more]


def refreshed(root: Path, dumps: SampleWorld, *more: str, to: str) -> str:
    from flows.refresh import run_refresh

    return run_refresh(
        Watcher(),  # type: ignore[arg-type]
        1,
        recipe="tiny",
        root=str(root),
        overrides=overrides(dumps, *more),
        to=to,
    )


def flow_run_of(run_name: str) -> Any:
    """The newest flow run of that name."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[run_name])),
            sort=FlowRunSort.START_TIME_DESC,
        )
    return runs[0]


def task_runs(flow_run: Any) -> list[Any]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        return client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
        )


def test_a_refresh_gives_back_the_id_of_its_run_and_is_seen_by_the_server(
    server: Path, dumps: SampleWorld, tmp_path: Path
) -> None:
    run_id = refreshed(tmp_path, dumps, to="parse_wikidata")
    record = Refs(Warehouse(tmp_path)).find_run(run_id)
    assert (record.status, record.made) == ("succeeded", ["fetch", "parse_wikidata"])
    run = flow_run_of("tiny")
    assert run.state_name == "Completed"
    assert run.parameters["root"] == str(tmp_path)
    states = Counter((t.name.split()[0], t.state_name) for t in task_runs(run))
    assert states == {
        ("fetch", "Built"): 2,
        ("fetch", "Completed"): 1,
        ("parse_wikidata", "Built"): 2,
        ("parse_wikidata", "Completed"): 1,
    }


def test_a_second_refresh_reuses_every_step(
    server: Path, dumps: SampleWorld, tmp_path: Path
) -> None:
    refreshed(tmp_path, dumps, to="fetch")
    run_id = refreshed(tmp_path, dumps, to="fetch")
    assert Refs(Warehouse(tmp_path)).find_run(run_id).made == []
    assert [(t.name, t.state_name) for t in task_runs(flow_run_of("tiny"))] == [("fetch", "Reused")]


def test_a_failing_shard_fails_the_flow_and_keeps_what_was_finished(
    server: Path, dumps: SampleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import tasks

    quick = tasks.run_shard.with_options(retry_delay_seconds=[0.1, 0.1])
    monkeypatch.setattr(tasks, "run_shard", quick)
    refreshed(tmp_path, dumps, to="fetch")
    # A folder stands where the second shard of parse_wikidata will want to write a part.
    warehouse = Warehouse(tmp_path)
    plan = make_plan(load_recipe("tiny", overrides(dumps)), warehouse, to="parse_wikidata")
    build = plan.step("parse_wikidata").build
    assert build is not None
    step = warehouse.artifact("parse_wikidata", build.fingerprint)
    obstacle = step.part("triples", 1) / "inside"
    obstacle.mkdir(parents=True)
    with pytest.raises(PassingError, match=r"part-00001\.parquet could not be written"):
        refreshed(tmp_path, dumps, to="parse_wikidata")
    newest = next(Refs(warehouse).runs())
    assert newest.status == "failed"
    assert "part-00001.parquet could not be written" in newest.error
    assert step.record(0) is not None
    run = flow_run_of("tiny")
    assert run.state_name == "Failed"
    tries = {t.name: (t.state_name, t.run_count) for t in task_runs(run)}
    assert tries["parse_wikidata 0"] == ("Built", 1)
    assert tries["parse_wikidata 1"] == ("Failed", 3)
    obstacle.rmdir()
    obstacle.parent.rmdir()
    refreshed(tmp_path, dumps, to="parse_wikidata")
    again = {t.name for t in task_runs(flow_run_of("tiny"))}
    assert again == {"fetch", "parse_wikidata 1", "parse_wikidata commit"}


def test_a_run_uses_the_users_server_and_neither_starts_nor_stops_one(
    server: Path, dumps: SampleWorld, tmp_path: Path
) -> None:
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    assert url is not None
    words = [str(Path(sys.executable).with_name("relmill")), "run", "tiny", "--to", "fetch"]
    sets = [word for each in overrides(dumps) for word in ("--set", each)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    ended = subprocess.run(
        [*words, *sets, "--root", str(tmp_path)],
        env={**kept, "PREFECT_API_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / ".prefect" / "prefect.db").exists()
    assert flow_run_of("tiny").parameters["root"] == str(tmp_path)
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    socket.create_connection((host, int(port)), timeout=5).close()
