"""The services of compose.yaml as processes of this machine: their very commands and settings."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY

COMPOSE = REPOSITORY / "docker" / "compose.yaml"
GIVEN = {"POSTGRES_PASSWORD": "elm", "REDIS_PASSWORD": "oak", "RELMILL_RECIPE": "tiny"}
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
WAIT_SECONDS = 90.0


def services() -> dict[str, Any]:
    """The services of compose.yaml, with variables put in."""
    found: dict[str, Any] = put_in(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))["services"]
    return found


def put_in(value: Any) -> Any:
    """Put the variables into what compose.yaml says, as Compose does."""
    if isinstance(value, dict):
        return {key: put_in(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [put_in(inner) for inner in value]
    if not isinstance(value, str):
        return value

    def known(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        assert name in GIVEN or kind == "-", f"compose.yaml wants {name}"
        return GIVEN.get(name, rest or "")

    return VARIABLE.sub(known, value)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Processes of services; hosts and ports of the containers stand for free ones of loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services = services()
        self.root = folder / "warehouse"
        self.ports = {"postgres:5432": free_port(), "redis:6379": free_port()}
        self.ports |= {"server:4200": free_port()}
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['server:4200']}/api"

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service, and nothing of Prefect's from ours."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RELMILL_"))}
        own = {k: self.local(str(v)) for k, v in self.services[name]["environment"].items()}
        if own.get("PREFECT_REDIS_MESSAGING_HOST") == "redis":
            own["PREFECT_REDIS_MESSAGING_HOST"] = "127.0.0.1"
            own["PREFECT_REDIS_MESSAGING_PORT"] = str(self.ports["redis:6379"])
        tools = str(Path(sys.executable).parent)
        home = {"PREFECT_HOME": str(self.folder / name), "PATH": f"{tools}:{os.environ['PATH']}"}
        return {**clean, **own, **home}

    def local(self, text: str) -> str:
        """An address or path within the containers, as it is here."""
        for place, port in self.ports.items():
            text = text.replace(place, f"127.0.0.1:{port}")
        return text.replace("/warehouse", str(self.root))

    def command(self, name: str) -> list[str]:
        words = [str(word) for word in self.services[name]["command"]]
        port = str(self.ports["server:4200"])
        return [{"4200": port, "0.0.0.0": "127.0.0.1"}.get(word, word) for word in words]

    def start(self, name: str) -> None:
        """Start a service that stays."""
        words = self.command(name)
        if name == "redis":
            words += ["--port", str(self.ports["redis:6379"]), "--dir", str(self.folder)]
        self._popen(name, words, self.environment(name))

    def _popen(self, name: str, words: list[str], env: Mapping[str, str], **more: Any) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                words, env=env, stdout=log, stderr=log, start_new_session=True, **more
            )

    def run(self, name: str) -> None:
        """Run a service that ends, and check that it ends well."""
        done = subprocess.run(
            self.command(name),
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"

    def start_postgres(self) -> None:
        """Start PostgreSQL as its image does: a new cluster with the user and database named."""
        own = self.services["postgres"]["environment"]
        data, port = self.folder / "postgres", str(self.ports["postgres:5432"])
        user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        data.mkdir()
        secret = self.folder / "secret"
        secret.write_text(own["POSTGRES_PASSWORD"])
        if user:
            for path in (self.folder, data, secret):
                shutil.chown(path, "postgres")
            for parent in self.folder.parents:
                if parent.owner() == "root" and parent.stat().st_mode & 0o077 == 0:
                    parent.chmod(0o711)
        programs = postgres_programs()
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", own["POSTGRES_USER"]]
        subprocess.run(
            [*initdb, "--pwfile", str(secret), "--auth", "scram-sha-256"],
            check=True,
            capture_output=True,
            cwd="/",
            **user,
        )
        words = [str(programs / "postgres"), "-D", str(data), "-p", port, "-h", "127.0.0.1"]
        self._popen("postgres", [*words, "-k", str(data)], os.environ, cwd="/", **user)
        create = f"CREATE DATABASE {own['POSTGRES_DB']} OWNER {own['POSTGRES_USER']}"
        psql = [str(programs / "psql"), "-h", "127.0.0.1", "-p", port, "-U", own["POSTGRES_USER"]]
        env = {**os.environ, "PGPASSWORD": own["POSTGRES_PASSWORD"]}
        self.until(
            "postgres",
            lambda: (
                subprocess.run(
                    [*psql, "-d", "postgres", "-c", create],
                    env=env,
                    capture_output=True,
                    check=False,
                ).returncode
                == 0
            ),
        )

    def until(self, name: str, ready: Any) -> None:
        """Wait until a service is ready; tell its last words if that takes too long."""
        end = time.monotonic() + WAIT_SECONDS
        while not ready():
            log = self.folder / f"{name}.log"
            words = log.read_text(errors="replace")[-3000:] if log.exists() else ""
            assert self._started[name].poll() is None, f"{name} ended: {words}"
            assert time.monotonic() < end, f"{name} is not ready: {words}"
            time.sleep(0.3)

    def healthy(self) -> bool:
        """Whether the server answers its health check."""
        try:
            with urllib.request.urlopen(f"{self.api}/ready", timeout=4):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        for name in reversed(list(self._started)):
            process = self._started[name]
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def postgres_programs() -> Path:
    """The folder of Debian's newest PostgreSQL, else the one that the shell finds."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else Path(shutil.which("postgres") or "").parent


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """The whole stack up to the workers, deployed."""
    made = Stack(folder)
    made.root.mkdir()
    try:
        made.start_postgres()
        made.start("redis")
        made.run("migrate")
        made.start("server")
        made.until("server", made.healthy)
        made.start("services")
        made.run("deploy")
        made.start("worker-cpu")
        yield made
    finally:
        made.stop()
