"""A recipe: a TOML file that picks values; each is checked against the config that owns it."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError

from pipeline.dag import DAG, Node, unknown
from stages.base import ShardCounts, Stage, StageConfig, is_runtime
from storage.errors import ConfigError, PipelineError

Config = TypeVar("Config", bound=StageConfig)


class RecipeWide(StageConfig):
    """What a recipe says beside its sections, one section a stage."""

    description: str = Field("", description="one line that `relmill recipes` shows")
    seed: int = Field(13, ge=0, description="seed of every random choice")
    shards: ShardCounts = Field(ShardCounts(), description="how tables are cut into parts")


@dataclass(frozen=True)
class Recipe:
    """A recipe with its overrides, every stage's config checked and typed.

    Attributes:
        name: Name under which runs are kept: a builtin's, or the file's without its ending.
        overrides: The `stage.field=value` that were put over the file.
        given: What the person called it: a builtin's name, or a path.
    """

    name: str
    overrides: tuple[str, ...]
    wide: RecipeWide
    nodes: tuple[Node, ...]
    given: str = ""

    @property
    def configs(self) -> dict[str, StageConfig]:
        """The config of each stage, by name."""
        return {node.name: node.config for node in self.nodes}

    def node(self, name: str) -> Node:
        """Return a stage of this recipe by name.

        Raises:
            ConfigError: If there is none; it names the nearest one.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise unknown("stage", name, [node.name for node in self.nodes])

    def command(self, verb: str, *more: str) -> str:
        """Return the command line that does something with this very recipe."""
        sets = [f"--set {shlex.quote(override)}" for override in self.overrides]
        return " ".join(["relmill", verb, shlex.quote(self.given or self.name), *sets, *more])


def builtin_recipes() -> dict[str, Path]:
    """Return the recipes that come with relmill, by name."""
    folder = Path(str(resources.files("pipeline") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and check every value.

    Args:
        name: A builtin's name, or a path of a TOML file.
        overrides: `stage.field=value`, the value written as in TOML; what is no TOML is a string.

    Raises:
        ConfigError: If the recipe is missing or no TOML; if a section, key or value is wrong.
    """
    path = find_recipe(name)
    values = read_toml(path)
    for override in overrides:
        put_override(values, override)
    origin = Origin(path, tuple(overrides))
    stages = [stage.name for stage in DAG]
    wide_names = list(RecipeWide.model_fields)
    for key in values:
        if key not in stages and key not in wide_names:
            raise unknown("section or value", key, [*wide_names, *stages]).at(origin.of(key))
    wide = checked(RecipeWide, {k: values[k] for k in wide_names if k in values}, origin, "")
    nodes = tuple(
        Node(stage, stage_config(stage, values.get(stage.name, {}), wide, origin)) for stage in DAG
    )
    return Recipe(path.stem, tuple(overrides), wide, nodes, name)


def stage_config(stage: Stage, section: object, wide: RecipeWide, origin: Origin) -> StageConfig:
    """Return the config of a stage: its section, and what all stages share.

    Raises:
        ConfigError: If the section is none, or one of its values is wrong.
    """
    name, kind = stage.name, stage.config
    if not isinstance(section, dict):
        raise ConfigError(
            f"{name} is {section!r}, but it is a section",
            where=origin.of(name),
            mend=f"Write [{name}] and its values below it",
        )
    shared = {"seed": wide.seed, "shards": wide.shards}
    inherited = {key: value for key, value in shared.items() if key in kind.model_fields}
    for key in inherited:
        if key in section:
            raise ConfigError(
                f"{name}.{key} is the same for all stages",
                where=origin.of(f"{name}.{key}"),
                mend=f"Set it for the whole recipe: {key}, not {name}.{key}",
            )
    return checked(kind, {**as_json(inherited), **section}, origin, name)


@dataclass(frozen=True)
class Origin:
    """Where the values of a recipe come from: its file, and what was put over it."""

    path: Path
    overrides: tuple[str, ...]

    def of(self, dotted: str) -> str:
        """Return where a value was set: in the file, or by the last `--set` that names it."""
        for override in reversed(self.overrides):
            key = override.partition("=")[0].strip()
            if key == dotted or key.startswith(f"{dotted}.") or dotted.startswith(f"{key}."):
                return f"{self.path}: --set {override}"
        return str(self.path)


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


def put_override(values: dict[str, Any], override: str) -> None:
    """Put one `stage.field=value` over the values of a recipe.

    Raises:
        ConfigError: If it has another form.
    """
    key, equals, raw = override.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise ConfigError(
            f"--set {override!r} is not stage.field=value",
            mend="For example: --set recognize.model=blank",
        )
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()
    inner = values
    for step in steps[:-1]:
        inner = inner.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"--set {override!r}: {step} is a value, not a section",
                mend="For example: --set recognize.model=blank",
            )
    inner[steps[-1]] = value


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


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON would hold them."""
    return {
        k: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for k, v in values.items()
    }


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
