"""Downstream benchmarks: one file each, found by name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from stages.tasks.base import Task
from storage.errors import ConfigError

__all__ = ["TASKS", "known_task", "task_named"]

TASKS: dict[str, str] = {
    "semeval": "stages.tasks.sentence:SemEval",
    "tacred": "stages.tasks.sentence:Tacred",
    "wiki80": "stages.tasks.sentence:Wiki80",
    "chemprot": "stages.tasks.sentence:ChemProt",
    "sciie": "stages.tasks.sentence:SciIE",
    "relation_file": "stages.tasks.sentence:RelationFile",
    "fewrel": "stages.tasks.fewrel:FewRel",
    "docred": "stages.tasks.docred:DocRed",
    "redocred": "stages.tasks.docred:ReDocRed",
}
"""Every task by name: module and class."""


def task_named(name: str) -> Task:
    """Return a task.

    Raises:
        ConfigError: If there is none of that name; it names the nearest one.
    """
    if name not in TASKS:
        near = get_close_matches(name, TASKS, n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"there is no task {name!r}", mend=f"{guess}There are: {', '.join(TASKS)}"
        )
    module, _, kind = TASKS[name].partition(":")
    task: Task = getattr(import_module(module), kind)()
    return task


def known_task(name: str) -> str:
    """Return the name of a task, for a config that is checked with it.

    Raises:
        ValueError: If there is none of that name, as pydantic expects it.
    """
    try:
        task_named(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name
