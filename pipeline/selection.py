"""Which tables a person means: the newest of a recipe, exactly those of overrides, or a tag's."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import find_recipe, load_recipe, run_name
from pipeline.plan import make_plan
from storage.errors import ConfigError, MissingArtifactError
from storage.reading import Tables, tables_of
from storage.refs import Refs
from storage.warehouse import Warehouse


def select(
    warehouse: Warehouse, recipe: str, overrides: Sequence[str] = (), tag: str | None = None
) -> Tables:
    """Return the tables that a person names.

    Args:
        recipe: A recipe; without overrides, the tables of its newest successful run are meant.
        overrides: With these, exactly the tables that this config makes are meant.
        tag: In place of the newest run, the tables of a tag.

    Raises:
        MissingArtifactError: If they have not been made; it names the command that makes them.
        ConfigError: If both overrides and a tag are given.
    """
    refs = Refs(warehouse)
    find_recipe(recipe)
    name = run_name(recipe)
    if tag is not None:
        if overrides:
            raise ConfigError("--tag and --set exclude each other", mend="Leave one of them out")
        steps = refs.find_tag(tag).steps
        return tables_of(warehouse, steps, f"the tag {tag}")
    command = f"relmill run {recipe} --root {warehouse.place}"
    if not overrides:
        try:
            steps = refs.newest(name).steps
        except MissingArtifactError as error:
            # A recipe of a person's own is made by its path, not by its name.
            raise MissingArtifactError(error.what, mend=f"Make its tables: {command}") from error
        return tables_of(warehouse, steps, name, command)
    loaded = load_recipe(recipe, overrides)
    plan = make_plan(loaded, warehouse)
    there = {step.name: step.artifact for step in plan.steps if step.artifact}
    sets = " ".join(f"--set {override}" for override in overrides)
    return Tables(there, f"{name} {sets}", f"{command} {sets}")
