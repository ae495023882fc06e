"""What is written about the code: docstrings, the README, the lock file, the defaults."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.code import read_lock, stage_digest
from pipeline.config import RecipeWide, builtin_recipes, load_recipe
from pipeline.dag import DAG
from pipeline.draw import mermaid
from tests.architecture.source import ROOT, modules

README = ROOT / "README.md"
LOCK = ROOT / "stages.lock"


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Public functions and classes of a module, and public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(ast.Module(node.body, []))


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_public_name_has_a_docstring(name: str) -> None:
    tree = modules()[name]
    assert ast.get_docstring(tree), "the module itself"
    assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []


@pytest.mark.skipif(not LOCK.is_file(), reason="stages.lock is not there yet")
@pytest.mark.parametrize("name", [s.name for s in DAG])
def test_the_lock_file_knows_the_code_of_every_stage(name: str) -> None:
    stage = next(s for s in DAG if s.name == name)
    assert read_lock(LOCK).get(name) == (stage.version, stage_digest(stage)), (
        f"the code of {name} changed: `relmill stages bump {name}` if its rows change, "
        f"`relmill stages accept {name}` if they do not"
    )


@pytest.mark.skipif(not LOCK.is_file(), reason="stages.lock is not there yet")
def test_the_lock_file_knows_no_other_stage() -> None:
    assert set(read_lock(LOCK)) == {s.name for s in DAG}


def blocks(language: str) -> list[str]:
    text = README.read_text("utf-8") if README.is_file() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not blocks("mermaid"), reason="the README has no diagram yet")
def test_the_diagram_in_the_readme_is_the_dag() -> None:
    recipes = [load_recipe(name) for name in builtin_recipes()]
    assert blocks("mermaid")[0].strip() == mermaid(recipes).strip()


def test_defaults_are_as_they_were_or_the_golden_file_says_so(
    golden: Callable[[str, Any], None],
) -> None:
    configs = {"recipe": RecipeWide, **{s.name: s.config for s in DAG}}
    defaults = {
        name: {
            field: info.get_default(call_default_factory=True)
            for field, info in config.model_fields.items()
            if not info.is_required()
        }
        for name, config in configs.items()
    }
    golden("defaults", plain(defaults))


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value
