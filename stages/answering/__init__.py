"""Answering a benchmark: a file for each kind of head, and what a cell is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from stages.answering.cell import CellConfig, Told
from stages.tasks.base import Head

__all__ = ["CellConfig", "head_named"]

HEADS: dict[Head, str] = {
    "linear": "stages.answering.linear:classification",
    "prototype": "stages.answering.prototype:nearest_prototype",
    "document": "stages.answering.document:document_relations",
}
"""What answers a task, by its head: module and function."""


def head_named(name: Head) -> Callable[..., Iterator[Told]]:
    """Return what trains and answers with a head."""
    module, _, function = HEADS[name].partition(":")
    found: Callable[..., Iterator[Told]] = getattr(import_module(module), function)
    return found
