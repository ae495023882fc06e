"""From the sections of a recipe to its nodes: every stage and variant with a typed config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from pipeline.checking import Origin, checked
from pipeline.dag import Node, sources, unknown, unwritten
from pipeline.overrides import Override, put_override
from pipeline.processes import Launch
from pipeline.variants import DEFAULT, Section, variants_of
from stages.base import Stage, StageConfig, selected
from storage.errors import ConfigError

LAUNCH = "launch"
"""Key under which a recipe, or a step that trains, says how processes are launched."""


def make_nodes(
    stages: Sequence[Stage],
    values: Mapping[str, Any],
    late: Sequence[Override],
    shared: Mapping[str, Any],
    origin: Origin,
) -> tuple[Node, ...]:
    """Return the nodes of a recipe, in the order in which they run.

    A stage without a section is left out where it reads what no stage here writes because that one
    has variants and the recipe names none.

    Args:
        values: The sections by stage.
        late: Overrides of stages with variants, which go over the values of each variant.
        shared: Values of the whole recipe that a stage inherits if it knows them.

    Raises:
        ConfigError: For the first wrong section, variant or value.
    """
    nodes: list[Node] = []
    absent: set[str] = set()
    for stage in stages:
        mine = [override for override in late if override.keys[0] == stage.name]
        is_named = stage.name in values or bool(mine)
        section = require_section(stage, values.get(stage.name, {}), origin)
        if stage.variants and not is_named:
            absent.update(table.name for table in stage.writes)
            continue
        made = [
            node_of(stage, variant, each, shared, origin)
            for variant, each in sections_of(stage, section, mine, nodes, origin).items()
        ]
        missing = [table for node in made for table in unwritten(node, nodes)]
        if missing and set(missing) <= absent and not is_named:
            absent.update(table.name for table in stage.writes)
            continue
        for table in missing:
            raise ConfigError(
                f"{stage.name} reads {table}, which no stage of this recipe writes",
                where=origin.of(stage.name),
                mend="Give the recipe a section for the stage that writes it: see `relmill draw`",
            )
        for node in made:
            sources(node, nodes)
        nodes += made
    return tuple(nodes)


def node_of(
    stage: Stage, variant: str, section: Section, shared: Mapping[str, Any], origin: Origin
) -> Node:
    """Return a node with typed config; of a launched stage also how its processes are launched.

    Raises:
        ConfigError: If one of the values is wrong.
    """
    launch = None
    if stage.launched:
        own = section.pop(LAUNCH, {})
        place = ".".join(part for part in (stage.name, variant, LAUNCH) if part)
        given = shared[LAUNCH].model_dump(mode="json")
        launch = checked(Launch, {**given, **require_launch(own, place, origin)}, origin, place)
    return Node(stage, stage_config(stage, section, shared, origin, variant), variant, launch)


def require_launch(own: object, place: str, origin: Origin) -> Section:
    """Check that what a step says of its launch is a section.

    Raises:
        ConfigError: If it is a value.
    """
    if not isinstance(own, dict):
        raise ConfigError(
            f"{place} is {own!r}, but it is a section",
            where=origin.of(place),
            mend='For example: launch = { config = "ddp", processes = 4 }',
        )
    return own


def keys_of(stage: Stage) -> list[str]:
    """Return what a section of a stage may say, variants aside."""
    return [*stage.config.model_fields, *([LAUNCH] if stage.launched else [])]


def require_section(stage: Stage, section: object, origin: Origin) -> Section:
    """Check that what stands under the name of a stage is a section.

    Raises:
        ConfigError: If it is a value.
    """
    if not isinstance(section, dict):
        raise ConfigError(
            f"{stage.name} is {section!r}, but it is a section",
            where=origin.of(stage.name),
            mend=f"Write [{stage.name}] and its values below it",
        )
    return section


def sections_of(
    stage: Stage, section: Section, late: Sequence[Override], nodes: Sequence[Node], origin: Origin
) -> dict[str, Section]:
    """Return the values of each variant of a stage; under "" those of a stage without variants.

    A stage that names none, and selects from a table of variants, has one for each of these.

    Raises:
        ConfigError: If a variant is wrong, or an override names none.
    """
    if not stage.variants:
        return {"": section}
    try:
        variants = variants_of(stage.name, section, keys_of(stage))
    except ConfigError as error:
        raise error.at(origin.of(stage.name)) from error
    if list(variants) == [DEFAULT]:
        variants = followed(stage, variants[DEFAULT], nodes) or variants
    for override in late:
        put_over_variants(stage, variants, override, origin)
    return variants


def followed(stage: Stage, section: Section, nodes: Sequence[Node]) -> dict[str, Section]:
    """Return a variant for each of those of the table that a stage selects from, if any."""
    for name, info in stage.config.model_fields.items():
        table = selected(info)
        if table is not None and name not in section:
            written = [n.variant for n in nodes if table in {t.name for t in n.stage.writes}]
            return {each: {**deepcopy(section), name: each} for each in written if each}
    return {}


def put_over_variants(
    stage: Stage, variants: Mapping[str, Section], override: Override, origin: Origin
) -> None:
    """Put `stage.field=value` over every variant, `stage.variant.field=value` over those it names.

    The name of a variant may be a pattern, as in `finetune.*-1.epochs=2`.

    Raises:
        ConfigError: If it names no variant.
    """
    path = override.keys[1:]
    if path and path[0] in keys_of(stage):
        for section in variants.values():
            put_override(section, override, path)
        return
    for cut in range(len(path) - 1, 0, -1):
        pattern = ".".join(path[:cut])
        chosen = [name for name in variants if fnmatchcase(name, pattern)]
        if chosen:
            for name in chosen:
                put_override(variants[name], override, path[cut:])
            return
    known = [*keys_of(stage), *(f"{name}.{path[-1]}" for name in variants)]
    raise unknown(f"value or variant of {stage.name}", ".".join(path), known).at(str(origin.path))


def stage_config(
    stage: Stage, section: Section, shared: Mapping[str, Any], origin: Origin, variant: str = ""
) -> StageConfig:
    """Return the config of a stage: its section, and what it inherits from the recipe.

    Raises:
        ConfigError: If one of the values is wrong, or is the same for all stages.
    """
    kind = stage.config
    name = f"{stage.name}.{variant}" if variant else stage.name
    inherited = {key: value for key, value in shared.items() if key in kind.model_fields}
    for key in inherited:
        if key in section and not stage.variants:
            raise ConfigError(
                f"{name}.{key} is the same for all stages",
                where=origin.of(f"{name}.{key}"),
                mend=f"Set it for the whole recipe: {key}, not {name}.{key}",
            )
    return checked(kind, {**as_json(inherited), **section}, origin, name)


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON would hold them."""
    return {
        k: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for k, v in values.items()
    }
