"""Values of a recipe against the config that owns them; what is wrong, in our words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.dag import unknown
from pipeline.overrides import parse_override
from stages.base import StageConfig
from storage.errors import ConfigError, PipelineError

Config = TypeVar("Config", bound=StageConfig)


@dataclass(frozen=True)
class Origin:
    """Where the values of a recipe come from: its file, and what was put over it."""

    path: Path
    overrides: tuple[str, ...]

    def of(self, dotted: str) -> str:
        """Return where a value was set: in the file, or by the last `--set` that names it."""
        stage, *inside = dotted.split(".")
        for override in reversed(self.overrides):
            key = parse_override(override).keys
            # What goes over all variants does not name the one that it was found wrong in.
            if any(are_one((stage, *rest), key) for rest in (inside, inside[1:])):
                return f"{self.path}: --set {override}"
        return str(self.path)


def are_one(names: tuple[str, ...], key: tuple[str, ...]) -> bool:
    """Whether one of two dotted names is the other, or leads to it."""
    return all(fnmatchcase(name, part) for name, part in zip(names, key, strict=False))


def checked(kind: type[Config], section: dict[str, Any], origin: Origin, stage: str) -> Config:
    """Check the values of one section and return them typed.

    Raises:
        ConfigError: For the first wrong value: its name, the value, and what it may be.
    """
    try:
        # Through JSON, because only there does pydantic's strict mode take lists for tuples.
        return kind.model_validate_json(json.dumps(section, default=str))
    except ValidationError as error:
        raise config_error(error, kind, origin, stage) from error


def config_error(
    error: ValidationError, kind: type[BaseModel], origin: Origin, stage: str
) -> PipelineError:
    """Return pydantic's first complaint in our words."""
    first = error.errors(include_url=False)[0]
    path, inner = place(first["loc"], kind)
    dotted = ".".join([stage, *path] if stage else path)
    where = origin.of(dotted)
    if first["type"] == "extra_forbidden":
        before = dotted.rpartition(".")[0]
        names = [f"{before}.{name}" if before else name for name in inner.model_fields]
        return unknown("value", dotted, names).at(where)
    if first["type"] == "missing":
        return ConfigError(f"{dotted} is missing", where=where, mend=f"Set it: --set {dotted}=...")
    mend = f"See `{' '.join(['relmill config tiny', stage]).strip()}` for every value and its range"
    if first["type"] == "value_error":
        # Two values that do not go together: the config's own words name both.
        return ConfigError(f"{dotted}: {first['ctx']['error']}", where=where, mend=mend)
    field = inner.model_fields.get(path[-1]) if path else None
    says = f"; {dotted}: {field.description}" if field and field.description else ""
    wrong = f"{first['msg'][0].lower()}{first['msg'][1:]}"
    if first["type"] == "model_type":
        wrong = f"input should be a section: set {dotted}.NAME"
    return ConfigError(f"{dotted} is {first['input']!r}: {wrong}{says}", where=where, mend=mend)


def place(
    location: Sequence[int | str], kind: type[BaseModel]
) -> tuple[list[str], type[BaseModel]]:
    """Return the names on the way to a wrong value, and the config that it stands in.

    Where a field may be of several types, pydantic also names the one it tried; that is left out.
    """
    names: list[str] = []
    for step in location:
        names.append(str(step))
        field = kind.model_fields.get(str(step))
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        if len(names) < len(location):
            kind = inner
    return names, kind
