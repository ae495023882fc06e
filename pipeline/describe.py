"""The fields of a config, for people: value, default, type with range, meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from stages.base import StageConfig, is_runtime


@dataclass(frozen=True)
class FieldHelp:
    """One field of a config, for people."""

    name: str
    value: Any
    default: Any
    kind: str
    meaning: str
    runtime: bool


def describe(config: StageConfig) -> Iterator[FieldHelp]:
    """Yield every field of a config: value, default, type with range, unit and meaning."""
    for name, info in type(config).model_fields.items():
        default = "required" if info.is_required() else info.get_default(call_default_factory=True)
        yield FieldHelp(
            name,
            getattr(config, name),
            default,
            " ".join([type_name(info.annotation), *ranges(info.metadata)]),
            info.description or "",
            is_runtime(info),
        )


def type_name(annotation: Any) -> str:
    """Return a type as a reader of a recipe would say it."""
    if annotation is type(None):
        return "none"
    if get_origin(annotation) is None:
        return str(getattr(annotation, "__name__", annotation))
    arguments = get_args(annotation)
    if all(isinstance(a, str) for a in arguments):
        return " | ".join(json.dumps(a) for a in arguments)
    inner = [type_name(a) for a in arguments if a is not Ellipsis]
    if get_origin(annotation) in (list, tuple, dict):
        return f"{get_origin(annotation).__name__} of {', '.join(inner)}"
    return " | ".join(inner)


def ranges(metadata: Sequence[Any]) -> Iterator[str]:
    """Yield the bounds among a field's constraints."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    for constraint in metadata:
        for attribute, sign in signs.items():
            if (bound := getattr(constraint, attribute, None)) is not None:
                yield f"{sign} {bound:g}"
