"""Variants: how a section with dotted sections below it, or a matrix, spells out many configs.

    [finetune]                        # values that all variants share
    epochs = 3
    [finetune.quick]                  # a variant, with values of its own
    epochs = 1
    [finetune."{task}-{seed}"]        # many: a variant for each combination of the matrix
    matrix = { task = ["docred", "tacred"], seed = [1, 2, 3] }
    exclude = [{ task = "tacred", seed = 3 }]
    note = "{task}, once more"

An axis of the matrix that has the name of a field sets it; any axis may stand in braces in the name
and in values. A section without variants is the variant `default`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from itertools import product
from typing import Any

from storage.errors import ConfigError

DEFAULT = "default"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
OWN_KEYS = ("matrix", "exclude")

Section = dict[str, Any]


def variants_of(stage: str, section: Section, fields: Collection[str]) -> dict[str, Section]:
    """Return the values of each variant of a section, in the order of the file.

    Args:
        stage: Name of the stage, for messages.
        fields: What the stage's config knows; every other key is the name of a variant.

    Raises:
        ConfigError: If a variant is no section, two have one name, or a matrix is wrong.
    """
    shared = {key: value for key, value in section.items() if key in fields}
    named = {key: value for key, value in section.items() if key not in fields}
    if not named:
        return {DEFAULT: shared}
    variants: dict[str, Section] = {}
    for template, own in named.items():
        where = f"{stage}.{template}"
        if template in OWN_KEYS:
            raise ConfigError(
                f"{where} belongs to a variant whose name tells its combinations apart",
                mend=f'Write [{stage}."{{axis}}"] and {template} below it',
            )
        if not isinstance(own, dict):
            raise ConfigError(
                f"{where} is {own!r}: neither a value of {stage} nor the section of a variant",
                mend=f"The values are: {', '.join(fields)}; a variant is written [{stage}.NAME]",
            )
        for name, values in spelled_out(template, own, fields, where):
            if name in variants:
                raise ConfigError(
                    f"{stage} has two variants {name!r}",
                    mend="Let every axis of the matrix stand in the name",
                )
            variants[name] = {**deepcopy(shared), **values}
    return variants


def spelled_out(
    template: str, own: Section, fields: Collection[str], where: str
) -> Iterator[tuple[str, Section]]:
    """Yield name and values of each variant that a section stands for.

    Raises:
        ConfigError: If the matrix or its exclusions are wrong, or a name cannot be one.
    """
    axes = own.get("matrix", {})
    excluded = own.get("exclude", [])
    require_axes(axes, excluded, where)
    values = {key: value for key, value in own.items() if key not in OWN_KEYS}
    for choice in product(*axes.values()):
        point = dict(zip(axes, choice, strict=True))
        if any(each.items() <= point.items() for each in excluded):
            continue
        name = str(filled(f"{template}", point, where, text=True))
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"{where}: {name!r} cannot be the name of a variant",
                mend="Use letters, digits, dots, dashes, plus signs and underscores",
            )
        axis_values = {axis: value for axis, value in point.items() if axis in fields}
        yield name, {**axis_values, **{k: filled(v, point, where) for k, v in values.items()}}


def require_axes(axes: Any, excluded: Any, where: str) -> None:
    """Check that a matrix is a list of values for each axis, and that exclusions name its axes.

    Raises:
        ConfigError: If one is not.
    """
    if not isinstance(axes, dict) or not all(isinstance(v, list) and v for v in axes.values()):
        raise ConfigError(
            f"{where}.matrix is {axes!r}: it has a list of values for each axis",
            mend='For example: matrix = { task = ["docred", "tacred"], seed = [1, 2, 3] }',
        )
    known = isinstance(excluded, list) and all(
        isinstance(each, dict) and each and set(each) <= set(axes) for each in excluded
    )
    if not known:
        raise ConfigError(
            f"{where}.exclude is {excluded!r}: it lists values of {', '.join(axes) or 'no axis'}",
            mend='For example: exclude = [{ task = "tacred", seed = 3 }]',
        )


def filled(value: Any, point: Mapping[str, Any], where: str, text: bool = False) -> Any:
    """Return a value with its placeholders filled in; a lone placeholder keeps the axis' type.

    Raises:
        ConfigError: If a placeholder names no axis.
    """
    if isinstance(value, dict):
        return {key: filled(inner, point, where) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, point, where) for inner in value]
    if not isinstance(value, str):
        return value
    names = PLACEHOLDER.findall(value)
    for name in names:
        if name not in point:
            raise ConfigError(
                f"{where}: {{{name}}} stands in {value!r}, and the matrix has no axis {name}",
                mend=f"Its axes are: {', '.join(point) or 'none; write matrix = { axis = [...] }'}",
            )
    if not text and len(names) == 1 and value == f"{{{names[0]}}}":
        return point[names[0]]
    return PLACEHOLDER.sub(lambda match: str(point[match[1]]), value)
