"""A recipe: a TOML file that picks values; each is checked against the config that owns it."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.checking import Origin, checked
from pipeline.dag import DAG, Node, stages_of, unknown
from pipeline.overrides import SHORT, Override, parse_override, put_override
from pipeline.processes import Launch
from pipeline.sections import LAUNCH, make_nodes
from stages.base import ShardCounts, Stage, StageConfig
from storage.errors import ConfigError


class RecipeWide(StageConfig):
    """What a recipe says beside its sections, one section a stage."""

    description: str = Field("", description="one line that `relmill recipes` shows")
    seed: int = Field(13, ge=0, description="seed of every random choice")
    shards: ShardCounts = Field(ShardCounts(), description="how tables are cut into parts")
    launch: Launch = Field(Launch(), description="how training is launched; a step may set its own")
    runner: Literal["local", "dask", "ray"] = Field(
        "local", description="where shards are made: in processes here, or on Dask or Ray"
    )
    cluster: str | None = Field(
        None,
        description="address of a running Dask or Ray, whose machines see the warehouse under the "
        "same path; null begins one on this machine",
    )
    keep_dumps: int | None = Field(
        None,
        ge=1,
        description="rebuild: of how many dumps, the newest ones, the tables stay; null for all",
    )


@dataclass(frozen=True)
class Recipe:
    """A recipe with its overrides, every stage's config checked and typed.

    Attributes:
        name: Name under which runs are kept, see `run_name`.
        overrides: The `stage.field=value` that were put over the file.
        nodes: Its stages, each variant on its own, in the order in which they run.
        given: What the person called it: a builtin's name, or a path.
    """

    name: str
    overrides: tuple[str, ...]
    wide: RecipeWide
    nodes: tuple[Node, ...]
    given: str = ""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of this recipe, in the order in which they run."""
        return tuple({node.stage.name: node.stage for node in self.nodes}.values())

    @property
    def configs(self) -> dict[str, StageConfig]:
        """The config of each step, by name."""
        return {node.name: node.config for node in self.nodes}

    def find(self, pattern: str) -> tuple[Node, ...]:
        """Return the steps that a person names: `link`, `finetune`, `finetune.x`, `finetune.*-1`.

        Raises:
            ConfigError: If there is none; it names the nearest one.
        """
        found = tuple(n for n in self.nodes if pattern in (n.name, n.stage.name))
        found = found or tuple(n for n in self.nodes if fnmatchcase(n.name, pattern))
        if found:
            return found
        if pattern in {stage.name for stage in DAG}:
            raise ConfigError(
                f"{pattern} has no place in this recipe",
                mend=f"Its stages are: {', '.join(stage.name for stage in self.stages)}",
            )
        stage = pattern.partition(".")[0]
        if variants := [n.name for n in self.nodes if n.stage.name == stage]:
            raise unknown("step", pattern, variants)
        raise unknown("stage", pattern, [stage.name for stage in self.stages])

    def command(self, verb: str, *more: str) -> str:
        """Return the command line that does something with this very recipe."""
        sets = [f"--set {shlex.quote(override)}" for override in self.overrides]
        return " ".join(["relmill", verb, shlex.quote(self.given or self.name), *sets, *more])


def builtin_recipes() -> dict[str, Path]:
    """Return the recipes that come with relmill, by name: "tiny", "papers/cp"."""
    folder = Path(str(resources.files("pipeline") / "recipes"))
    found = {path.relative_to(folder).with_suffix(""): path for path in folder.rglob("*.toml")}
    return {name.as_posix(): found[name] for name in sorted(found)}


def run_name(recipe: str) -> str:
    """Return the name under which the runs of a recipe are kept; its file may be gone by now.

    That is a builtin's name, with dashes for slashes, or the file's without its ending.
    """
    return Path(recipe).stem if recipe.endswith(".toml") else recipe.replace("/", "-")


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and check every value.

    Args:
        name: A builtin's name, or a path of a TOML file.
        overrides: `stage.field=value`, or `stage.variant.field=value`, the value written as in
            TOML; what is no TOML is a string.

    Raises:
        ConfigError: If the recipe is missing or no TOML; if a section, key or value is wrong.
    """
    path = find_recipe(name)
    values = read_toml(path)
    origin = Origin(path, tuple(overrides))
    put_in_full(values, origin)
    late = []
    for override in map(parse_override, overrides):
        if is_for_variants(override):
            late.append(override)
        else:
            put_override(values, override)
    keys = dict.fromkeys([*values, *(override.keys[0] for override in late)])
    stages = stages_of(keys)
    require_known(keys, stages, origin)
    wide_names = list(RecipeWide.model_fields)
    wide = checked(RecipeWide, {k: values[k] for k in wide_names if k in values}, origin, "")
    shared = {"seed": wide.seed, "shards": wide.shards, LAUNCH: wide.launch}
    nodes = make_nodes(stages, values, late, shared, origin)
    return Recipe(run_name(name), tuple(overrides), wide, nodes, name)


def is_for_variants(override: Override) -> bool:
    """Whether an override goes over variants, once they are spelled out; not so into a matrix."""
    stage, *inside = override.keys
    return stage in {s.name for s in DAG if s.variants} and any(inside) and "{" not in inside[0]


def put_in_full(values: dict[str, Any], origin: Origin) -> None:
    """Put the section in the place of the short value that stands for it.

    Raises:
        ConfigError: If the recipe has both.
    """
    for short, section in SHORT.items():
        if short in values and section in values:
            raise ConfigError(
                f"{short} and [{section}] say the same",
                where=origin.of(short),
                mend="Leave one of them out",
            )
        if short in values:
            values[section] = values.pop(short)


def require_known(values: Collection[str], stages: Sequence[Stage], origin: Origin) -> None:
    """Check that every key of a recipe is a section or value of it.

    Raises:
        ConfigError: For the first that is not.
    """
    there = [stage.name for stage in stages]
    known = [*RecipeWide.model_fields, *there]
    for key in values:
        if key in known:
            continue
        if key in {stage.name for stage in DAG}:
            instead = next(stage.name for stage in stages if key in stage.replaces)
            raise ConfigError(
                f"[{key}] has no place in this recipe: {instead} stands in its place",
                where=origin.of(key),
                mend=f"Leave out [{key}], or what brings {instead} in",
            )
        raise unknown("section or value", key, known).at(origin.of(key))


def find_recipe(name: str) -> Path:
    """Return the file of a recipe.

    Raises:
        ConfigError: If there is neither a builtin nor a file of that name.
    """
    builtins = builtin_recipes()
    if name in builtins:
        return builtins[name]
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    if path.suffix == ".toml":
        raise ConfigError(f"there is no recipe file {name}", mend="Check the path")
    error = unknown("recipe", name, builtins)
    raise ConfigError(
        error.what, mend=f"{error.mend}. A recipe of your own is a path that ends in .toml"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: If it is no TOML; the parser says in which line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"no TOML: {error}", where=str(path), mend="Mend the file there: see https://toml.io"
        ) from error
