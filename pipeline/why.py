"""Why a step is stale: how its config, version, facts and inputs differ from what was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import metadata
from typing import Any

from pipeline.code import changed_since, stage_digest
from pipeline.dag import Node
from stages.base import Stage, StageConfig
from storage.artifact import Input, Manifest, Shards

LIBRARIES = ("duckdb", "mwparserfromhell", "pyarrow", "spacy")


class Verdict(StrEnum):
    """Why a step will run, or that it will not."""

    CURRENT = "current"
    NEW = "NEW"
    CONFIG = "CONFIG"
    VERSION = "VERSION"
    UPSTREAM = "UPSTREAM"
    PARTIAL = "PARTIAL"
    FORCED = "FORCED"


def difference(
    node: Node,
    cut: Shards,
    before: Manifest | None,
    inputs: Mapping[str, Input] | None,
) -> tuple[Verdict, list[str]]:
    """Return how a step differs from how it was last made: the verdict, and every reason.

    Args:
        cut: How its axis is cut into shards.
        before: How it was last made; None for never.
        inputs: What it would read now; None where that is yet to be made.
    """
    if before is None:
        return Verdict.NEW, ["never made"] if inputs is not None else []
    stage, config = node.stage, node.config
    reasons: list[tuple[Verdict, str]] = []
    if before.version != stage.version:
        reasons.append((Verdict.VERSION, f"version: {before.version} -> {stage.version}"))
    mine = {} if stage.pieces else config.meaningful()
    reasons += [(Verdict.CONFIG, line) for line in changes(before.config, mine, config)]
    if stage.pieces is None and cut != before.shards:
        words = f"{before.shards.count}x{before.shards.block} -> {cut.count}x{cut.block}"
        reasons.append((Verdict.CONFIG, f"shards (count x block): {words}"))
    facts = node.facts
    facts |= dict(stage.pieces(config)) if stage.pieces else {}
    reasons += [(Verdict.CONFIG, line) for line in changes(before.facts, facts, None)]
    if {t.name: t.signature for t in stage.writes} != before.tables:
        reasons.append((Verdict.VERSION, "columns of its tables changed"))
    if inputs is not None:
        for name, given in inputs.items():
            if name not in before.inputs:
                reasons.append((Verdict.UPSTREAM, f"reads {name} now"))
            elif before.inputs[name].content != given.content:
                reasons.append((Verdict.UPSTREAM, f"{name} of {given.stage} changed"))
        if not reasons:
            reasons.append((Verdict.NEW, "its artifact is no longer there"))
    verdict = reasons[0][0] if reasons else Verdict.CURRENT
    return verdict, [line for _, line in reasons]


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], config: StageConfig | None, prefix: str = ""
) -> Iterator[str]:
    """Yield "field: from -> to" for every value that differs, nested ones with dotted names."""
    defaults = type(config).model_fields if config is not None else {}
    for name in sorted({*old, *new}):
        default = default_of(defaults, name)
        was, now = (side.get(name, default) for side in (old, new))
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            base = default if isinstance(default, Mapping) else {}
            yield from changes({**base, **was}, {**base, **now}, None, f"{prefix}{name}.")
        elif was != now:
            yield f"{prefix}{name}: {shown(was)} -> {shown(now)}"


def default_of(fields: Mapping[str, Any], name: str) -> Any:
    """Return a field's default as JSON would hold it; None for a field that is not known."""
    info = fields.get(name)
    if info is None or info.is_required():
        return None
    default = info.get_default(call_default_factory=True)
    return default.model_dump(mode="json") if hasattr(default, "model_dump") else default


def shown(value: Any) -> str:
    """Return a value as it reads in a recipe, short."""
    if value is None:
        return "(none)"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def aged(each: Stage, manifest: Manifest) -> list[str]:
    """Return warnings about a current artifact that code or libraries have moved on from."""
    notes = []
    if changed_since(manifest.made_at) and manifest.code != stage_digest(each):
        notes.append(f"code differs from the artifact's, version still {each.version}")
    here = libraries()
    for name, version in manifest.libraries.items():
        if name in here and here[name] != version:
            notes.append(f"made with {name} {version}, here is {here[name]}")
    return notes


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that rows may depend on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
