"""Deployments on a server of the user's, and a rebuild of the newest dumps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from stages.sample import SampleWorld
from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.conftest import REPOSITORY


@pytest.fixture
def recipe(dumps: SampleWorld, tmp_path: Path) -> Path:
    """A recipe that names the older one of two editions of each dump."""
    for date in ("20260901", "20261001"):
        folder = tmp_path / date
        folder.mkdir()
        shutil.copy(dumps.wikipedia, folder / f"town-{date}.xml.bz2")
        shutil.copy(dumps.wikidata, folder / f"facts-{date}.json.bz2")
    path = tmp_path / "towns.toml"
    old = tmp_path / "20260901"
    path.write_text(
        f'keep_dumps = 1\n[fetch]\nwikipedia = "{old}/town-20260901.xml.bz2"\n'
        f'wikidata = "{old}/facts-20260901.json.bz2"\n'
    )
    return path


def test_a_rebuild_takes_the_newest_dumps_and_names_their_tables(
    server: Path, recipe: Path, tmp_path: Path
) -> None:
    from flows.rebuild import rebuild

    root = tmp_path / "warehouse"
    assert rebuild(str(recipe), str(root), to="fetch", workers=1) == "towns-20261001"
    refs = Refs(Warehouse(root))
    run = refs.find_run(refs.find_tag("towns-20261001").run)
    assert run.made == ["fetch"]
    assert all("20261001" in override for override in run.overrides)
    (tmp_path / "20261101").mkdir()
    for old in (tmp_path / "20261001").iterdir():
        shutil.copy(old, tmp_path / "20261101" / old.name.replace("20261001", "20261101"))
    assert rebuild(str(recipe), str(root), to="fetch", workers=1) == "towns-20261101"
    assert [tag.name for tag in refs.tags()] == ["towns-20261101"]


def deployments() -> dict[str, Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        return {f"{flows[d.flow_id]}/{d.name}": d for d in client.read_deployments()}


def test_deploying_renews_what_is_there(server: Path, recipe: Path, tmp_path: Path) -> None:
    from prefect.automations import Automation
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from flows.serving import DEAD_RUNS, prepare

    command = [str(Path(sys.executable).with_name("relmill")), "deploy", str(recipe)]
    env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    prepare(pools=True)
    done = subprocess.run(
        [*command, "--root", str(tmp_path / "w")],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = deployments()
    assert set(made) == {"rebuild/monthly", "refresh/on-request", "experiments/on-request"}
    for each in made.values():
        assert each.parameters == {"recipe": str(recipe), "root": str(tmp_path / "w")}
        asked = each.parameter_openapi_schema["properties"]
        assert all(field["description"] for field in asked.values())
    monthly = made["rebuild/monthly"]
    assert [schedule.active for schedule in monthly.schedules] == [False]
    assert made["experiments/on-request"].work_pool_name == "gpu"
    assert Automation.read(name=DEAD_RUNS).enabled  # type: ignore[union-attr]
    with get_client(sync_client=True) as client:
        limits = {pool.name: pool.concurrency_limit for pool in client.read_work_pools()}
        assert limits == {"cpu": None, "gpu": 1}
        assert client.read_global_concurrency_limit_by_name("gpu").limit == 1


def test_the_automation_of_the_operators_page_is_one_that_prefect_takes() -> None:
    from prefect.events.schemas.automations import AutomationCore

    page = (REPOSITORY / "docs" / "operation.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    given = told.replace("ID of a notification block", str(uuid4()))
    made = AutomationCore.model_validate(yaml.safe_load(given))
    assert made.trigger.expect == {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}
    assert [action.type for action in made.actions] == ["send-notification"]


def test_deploying_asks_for_a_server(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("relmill")), "deploy", "tiny"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "PREFECT_API_URL names no Prefect server" in done.stderr
    assert "relmill serve" in done.stderr


def test_a_deployments_training_holds_the_only_place_among_gpu_jobs(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client

    from flows import tasks
    from flows.serving import prepare

    def held() -> int:
        with get_client(sync_client=True) as client:
            return client.read_global_concurrency_limit_by_name("gpu").active_slots

    prepare(pools=False)
    with tasks.gpu():  # a run from the command line
        assert held() == 0
    monkeypatch.setattr(tasks.deployment, "id", "a deployment", raising=False)
    with tasks.gpu():
        assert held() == 1
    assert held() == 0
