"""What `--set` puts over the values of a recipe."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from storage.errors import ConfigError

SHORT = {"corpus": "import_annotated"}
"""Values of a whole recipe that stand for a section."""


@dataclass(frozen=True)
class Override:
    """One `stage.field=value`, or `stage.variant.field=value`.

    Attributes:
        text: As it was given.
        keys: Names on the way to the value; at least one.
    """

    text: str
    keys: tuple[str, ...]
    value: Any


def parse_override(text: str) -> Override:
    """Read one override; a value that is no TOML is a string.

    Raises:
        ConfigError: If it has another form.
    """
    key, equals, raw = text.partition("=")
    keys = tuple(part.strip('"') for part in key.strip().split("."))
    if not equals or not all(keys):
        raise ConfigError(
            f"--set {text!r} is not stage.field=value",
            mend="For example: --set recognize.model=blank",
        )
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()
    return Override(text, (SHORT.get(keys[0], keys[0]), *keys[1:]), value)


def put_override(values: dict[str, Any], override: Override, keys: tuple[str, ...] = ()) -> None:
    """Put an override over values.

    Args:
        keys: Where in `values` it goes; as the override has it if left out.

    Raises:
        ConfigError: If something on the way is a value and no section.
    """
    *above, last = keys or override.keys
    inner = values
    for key in above:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"--set {override.text!r}: {key} is a value, not a section",
                mend="For example: --set recognize.model=blank",
            )
    inner[last] = override.value
