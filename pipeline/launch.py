"""A launched step: its processes as children of ours, their output in the log, gone when we go.

What became of them is read from the status that the trainer wrote, never from the exit code: that
of a rank does not survive accelerate's launcher.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pipeline.processes import Launch, command, environment
from pipeline.run import StepSpec
from storage.artifact import PartRecord
from storage.errors import PassingError, StageError
from storage.status import Status, error_of, read_status, status_path
from storage.warehouse import Warehouse

GRACE_SECONDS = 30.0
"""How long processes that were told to stop may take to write their checkpoint."""

ENGINE = "RELMILL_ENGINE"
"""Set in the environment of processes whose standard input ends when the engine does."""

LOG = logging.getLogger("relmill")


class Crew:
    """The processes of a launched step: a group of their own, ended with the block.

    Args:
        command: The launcher and its arguments.
        extra: What stands in their environment beside ours.
        say: Called with every line of their output, in a thread.
    """

    def __init__(
        self, command: Sequence[str], extra: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **extra, ENGINE: str(os.getpid())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        # A pipe that nobody reads would block a process that is writing its checkpoint.
        # Its end is an event, because a join that Ctrl-C interrupts takes the thread for ended.
        self._silent = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                if line.strip():
                    self._say(line.rstrip())
        finally:
            self._silent.set()

    def wait(self) -> int:
        """Wait until all processes are gone; return the launcher's exit code.

        The end of the output is the end of the last of them.
        """
        self._silent.wait()
        return self._process.wait()

    def stop(self) -> None:
        """End what still runs: tell it to, give it time for a checkpoint, then kill it."""
        if not self._silent.is_set() or self._process.poll() is None:
            self._signal(signal.SIGTERM)
            # Ranks that are no longer in the group see the end of their standard input.
            self._close()
            try:
                self._silent.wait(GRACE_SECONDS)
            finally:  # a second Ctrl-C does not wait
                self._signal(signal.SIGKILL)
            self._silent.wait(GRACE_SECONDS)
            self._process.wait()
        self._close()

    def _close(self) -> None:
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def launch_shard(
    run_folder: Path, spec: StepSpec, shard: int, begun: Callable[[Crew], None]
) -> PartRecord:
    """Launch the processes that make one shard of a step, and wait for them.

    Args:
        begun: Given the crew as soon as it is at work, so that another thread can stop it.

    Raises:
        PipelineError: As the trainer has it.
        PassingError: If the processes were stopped or died; the next call goes on from the last
            checkpoint.
    """
    launch = Launch.model_validate(spec.launch)
    artifact = Warehouse(run_folder.parent.parent).named(spec.artifact)
    scratch = artifact.scratch(shard)
    scratch.mkdir(parents=True, exist_ok=True)
    for old in scratch.glob("status*.json"):
        old.unlink()
    line = command(launch, run_folder, spec.step, shard)
    LOG.info("%s: %s", spec.step, " ".join(line))
    with Crew(line, environment(launch), lambda text: LOG.info("%s: %s", spec.step, text)) as crew:
        begun(crew)
        code = crew.wait()
    require_completed(scratch, spec.step, code, run_folder / "log.txt")
    record = artifact.record(shard)
    if record is None:
        raise StageError(
            "the trainer ended well, but its rows are not there",
            where=spec.step,
            mend=f"This should not happen: please report it with {run_folder / 'log.txt'}",
        )
    return record


def require_completed(scratch: Path, step: str, code: int, log: Path) -> None:
    """Check in what a trainer wrote of itself that it ended well.

    Raises:
        PipelineError: As the process that failed first has it.
        PassingError: If they were stopped, or died without a word.
    """
    paths = sorted(scratch.glob("status*.json"), key=lambda path: path.stat().st_mtime_ns)
    for status in (read_status(path) for path in paths):
        if status is not None and status.state == "failed":
            raise error_of(status)
    status = read_status(status_path(scratch)) or Status()
    if status.state == "completed":
        return
    how = "were stopped" if status.state == "stopped" else f"died (exit code {code})"
    raise PassingError(
        f"its processes {how} after {status.step:,} updates",
        where=step,
        mend="Run the same command again: it goes on from the last checkpoint. What they said "
        f"stands in {log}",
    )
