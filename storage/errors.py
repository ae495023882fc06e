"""What can go wrong, in the words that a user reads: what, where, the offending value, the mend."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ConfigError",
    "MissingArtifactError",
    "PassingError",
    "PipelineError",
    "PlanError",
    "QueryError",
    "SchemaError",
    "SourceError",
    "StageError",
    "StoppedError",
]


class PipelineError(Exception):
    """Base of every error that relmill raises on purpose.

    Args:
        what: One sentence that says what is wrong, with the offending value in it.
        where: Stage, shard, file, byte, line or page at which it is wrong.
        mend: What the user does about it, as an instruction.

    `exit_code` is the status that the command line ends with: 2 where the user can mend it by
    changing a recipe, an option or an input; 1 where the run itself failed.
    """

    exit_code = 1
    retryable = False

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        located = f"{self.where}: {self.what}" if self.where else self.what
        parts = [part for part in (located, self.mend) if part]
        return " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; the default pickling would drop the keyword arguments.
        return (_rebuild, (type(self), self.what, self.where, self.mend))

    def at(self, where: str) -> PipelineError:
        """Return the same error with `where` put in front of the place it already names."""
        return type(self)(
            self.what, where=", ".join(p for p in (where, self.where) if p), mend=self.mend
        )


def _rebuild(kind: type[PipelineError], what: str, where: str, mend: str) -> PipelineError:
    return kind(what, where=where, mend=mend)


class ConfigError(PipelineError):
    """A recipe, an override or an option is wrong."""

    exit_code = 2


class SourceError(PipelineError):
    """A raw file is missing, damaged or not what it should be."""

    exit_code = 2


class SchemaError(PipelineError):
    """Rows do not fit the schema of their table, or a table has a schema that is not known here."""


class MissingArtifactError(PipelineError):
    """A table that was asked for has not been made."""

    exit_code = 2


class PlanError(PipelineError):
    """What was asked of a plan cannot be done."""

    exit_code = 2


class QueryError(PipelineError):
    """A query that a person wrote is not SQL, or asks for what is not there."""

    exit_code = 2


class StageError(PipelineError):
    """A stage failed while it ran."""


class StoppedError(StageError):
    """A stage was told to stop, and left a checkpoint that it goes on from."""


class PassingError(StageError):
    """A stage failed for want of disk, memory or a process: it may pass, so it is tried again."""

    retryable = True
