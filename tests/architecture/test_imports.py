"""Imports go down only, and each foreign library has one door."""

from __future__ import annotations

import pytest

from tests.architecture.source import (
    FLOORS,
    imported,
    imported_at_load,
    inside,
    modules,
)

ALLOWED = {
    "storage": {"storage"},
    "stages": {"stages", "storage"},
    "pipeline": {"pipeline", "stages", "storage"},
    "flows": {"flows", "pipeline", "storage"},
}
DOORS = {
    "prefect": ("flows",),
    "typer": ("flows",),
    "rich": ("flows",),
    "spacy": ("stages.ner",),
    "torch": ("stages.model", "stages.objectives"),
    "matplotlib": ("stages.reporting.plots",),
    "accelerate": ("stages.model.loop",),
    "transformers": ("stages.model.encoder", "stages.model.markers", "stages.model.released"),
    "tokenizers": ("stages.model",),
    "mwparserfromhell": ("stages.wiki",),
    "zstandard": ("stages.wiki",),
    "duckdb": ("storage.catalog",),
    "pyarrow.parquet": ("storage.warehouse",),
    "filelock": ("storage.warehouse",),
    "distributed": ("pipeline.clusters",),
    "fsspec": ("storage.remote",),
    "ray": ("pipeline.clusters",),
}
SHARED_BY_STAGES = {"stages.base", "stages.raw", "stages.start"}
# Kits of things that a recipe names: each brings the config that is a value of its stage's.
CHOICES = ("stages.answering", "stages.denoising", "stages.objectives")
NAMES = sorted(modules())


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_down_only(name: str) -> None:
    floor = name.split(".")[0]
    ours = {i.split(".")[0] for i in imported(modules()[name])} & set(FLOORS)
    assert ours <= ALLOWED[floor]


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library: str) -> None:
    doors = DOORS[library]
    users = {
        name
        for name, tree in modules().items()
        if any(inside(each, library) for each in imported(tree))
    }
    assert users, f"nobody uses {library} any more: take it out of this list"
    assert not {u for u in users if not any(inside(u, door) for door in doors)}


def is_stage_file(name: str) -> bool:
    return name.count(".") == 1 and name.startswith("stages.") and not is_kit(name)


def is_kit(name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in modules()) or name.count(".") > 1


@pytest.mark.parametrize("name", [n for n in NAMES if is_stage_file(n)])
def test_a_stage_file_imports_no_other_stage_file(name: str) -> None:
    others = {n for n in NAMES if is_stage_file(n)} - SHARED_BY_STAGES - {name}
    assert not others & set(imported(modules()[name]))


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("stages.") and is_kit(n)])
def test_a_kit_knows_neither_tables_nor_stages(name: str) -> None:
    found = set(imported(modules()[name]))
    stages = {n for n in NAMES if is_stage_file(n)}
    if any(inside(name, kit) for kit in CHOICES):
        stages.remove("stages.base")
    assert not found & (stages | {"storage.table", "storage.tables", "storage.warehouse"})


@pytest.mark.parametrize("name", [n for n in NAMES if is_stage_file(n)])
def test_a_stage_file_loads_its_kit_only_when_it_runs(name: str) -> None:
    kits = {n for n in NAMES if n.startswith("stages.") and is_kit(n)}
    kits -= {n for n in kits if any(inside(n, kit) for kit in CHOICES)}
    assert not kits & set(imported_at_load(modules()[name]))


@pytest.mark.parametrize("name", ["storage.spans", "storage.tables", "storage.table"])
def test_what_everybody_reads_first_needs_little(name: str) -> None:
    ours = {i for i in imported(modules()[name]) if inside(i, "storage")}
    assert all(inside(i, "storage.table") for i in ours)
