"""docker/: what can be proved of it without a container engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.conftest import REPOSITORY
from tests.docker.stack import COMPOSE, postgres_programs, services, stack

DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
TOOLS = Path(sys.executable).parent
OURS = [name for name, each in services().items() if "build" in each]


def passes(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_keeps_to_its_schema() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    passes(str(TOOLS / "check-jsonschema"), *schema, str(COMPOSE))


def test_the_dockerfile_has_no_known_fault() -> None:
    passes(str(TOOLS / "hadolint"), str(DOCKERFILE))


def test_whatever_is_copied_is_there_and_not_ignored() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    copied = {word for line in lines for word in line.split()[:-1]}
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {"flows", "pipeline", "stages", "storage", "constraints.txt"} <= copied
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert f"!{name}" in kept, name


def test_the_requirements_are_those_of_the_project() -> None:
    done = subprocess.run(
        [sys.executable, "docker/requirements.py", "server", "train"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    named = {re.split(r"[^\w-]", line)[0] for line in done.stdout.splitlines()}
    assert {"prefect", "spacy", "duckdb", "prefect-redis", "torch", "accelerate"} <= named
    assert "pytest" not in named


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_installed_and_every_target_there(name: str) -> None:
    service = services()[name]
    assert (TOOLS / service["command"][0]).exists()
    assert f" AS {service['build']['target']}\n" in DOCKERFILE.read_text()


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_of_prefects(name: str) -> None:
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = set(_get_settings_fields(Settings))
    own = {key for key in services()[name]["environment"] if key.startswith("PREFECT_")}
    of_redis = {key for key in own if key.startswith("PREFECT_REDIS_")}
    assert own
    assert own - of_redis <= known


def test_ports_are_bound_to_loopback_and_passwords_required() -> None:
    text = COMPOSE.read_text()
    ports = [port for each in services().values() for port in each.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "${POSTGRES_PASSWORD:?" in text
    assert "${REDIS_PASSWORD:?" in text


def post(api: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.skipif(
    not (shutil.which("redis-server") and (postgres_programs() / "initdb").exists()),
    reason="PostgreSQL and Redis are not installed",
)
def test_the_services_work_together_and_a_worker_makes_tables(tmp_path: Path) -> None:
    with stack(tmp_path) as made:
        with urllib.request.urlopen(f"{made.api}/deployments/name/refresh/on-request") as answer:
            deployment = json.load(answer)
        asked = {"parameters": {**deployment["parameters"], "to": "parse_wikidata"}}
        run = post(made.api, f"deployments/{deployment['id']}/create_flow_run", asked)
        state, end = "", time.monotonic() + 180
        while state not in ("COMPLETED", "FAILED", "CRASHED") and time.monotonic() < end:
            time.sleep(1)
            with urllib.request.urlopen(f"{made.api}/flow_runs/{run['id']}") as answer:
                state = json.load(answer)["state_type"]
        assert state == "COMPLETED", (tmp_path / "worker-cpu.log").read_text()[-3000:]
        record = Refs(Warehouse(made.root)).newest("tiny")
        assert record.made == ["fetch", "parse_wikidata"]
