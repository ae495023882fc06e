"""Prefect's settings for a run, and its server: the user's own, or one that ends with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # Errors reach the user as one sentence; Prefect's tracebacks stand in its own logs.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    # The pages ask the server that they come from, whatever its port.
    "PREFECT_SERVER_UI_API_URL": "/api",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}


@contextmanager
def prefect_server(root: Path) -> Iterator[None]:
    """Set Prefect up for a run from this process.

    With PREFECT_API_URL set, that server is used. Otherwise a server is started that ends when
    this process does, however it ends. PREFECT_HOME defaults to `<root>/.prefect`, so that a run
    never touches the user's own.
    """
    for name, value in {**DEFAULTS, "PREFECT_HOME": str(root / ".prefect")}.items():
        os.environ.setdefault(name, value)
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    from prefect.logging.handlers import APILogWorker
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL, temporary_settings

    server = SubprocessASGIServer()
    with output_to(root / ".prefect" / "server.log"), deaf_to_interrupts():
        server.start()
    try:
        with bound_to_this_process(server), temporary_settings({PREFECT_API_URL: server.api_url}):
            yield
    finally:
        # What is still on its way to the server would find it gone.
        APILogWorker.drain_all(timeout=5)
        server.stop()


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile never hear of Ctrl-C, which reaches a whole group.

    The server has to last until the run has told it of its end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Let processes that are started meanwhile write to a file, not between the user's lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        with path.open("ab") as file:
            for handle in (1, 2):
                os.dup2(file.fileno(), handle)
        yield
    finally:
        for handle, before in zip((1, 2), kept, strict=True):
            os.dup2(before, handle)
            os.close(before)


@contextmanager
def bound_to_this_process(server: object) -> Iterator[None]:
    """Have the server killed when this process is gone, even if it was killed itself.

    A shell waits at the end of a pipe that only this process holds open.
    """
    process = getattr(server, "server_process", None)
    if process is None:
        yield
        return
    guard = subprocess.Popen(
        ["sh", "-c", f'read -r done; [ -n "$done" ] || kill -9 {process.pid}'],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.communicate("done\n")
