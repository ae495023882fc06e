"""The DAG as a Mermaid diagram."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import Recipe
from pipeline.dag import DAG, Node, parents
from stages.base import table_of


def mermaid(recipes: Sequence[Recipe]) -> str:
    """Return a diagram: a box a stage with the tables that it writes, an arrow a dependency.

    Of several recipes every stage and arrow is drawn; an arrow is dashed where one of them does
    without, because what a stage reads may hang on its config.
    """
    boxes = {stage.name: stage for stage in DAG}
    lines = ["flowchart TD"]
    for name, stage in boxes.items():
        tables = ", ".join(table.name for table in stage.writes)
        lines.append(f'    {name}["<b>{name}</b><br>{tables}"]')
    for name in boxes:
        drawn = [arrows(node, recipe) for recipe in recipes for node in nodes_of(recipe, name)]
        tables_of: dict[str, dict[str, None]] = {}
        for each in drawn:
            for parent, read in each.items():
                tables_of.setdefault(parent, {}).update(dict.fromkeys(read))
        for parent in (b for b in boxes if b in tables_of):
            always = all(parent in each for each in drawn)
            left, right = ("--", "-->") if always else ("-.", ".->")
            lines.append(f"    {parent} {left} {', '.join(tables_of[parent])} {right} {name}")
    return "\n".join(lines)


def nodes_of(recipe: Recipe, stage: str) -> list[Node]:
    """Return the nodes of a stage in a recipe."""
    return [node for node in recipe.nodes if node.stage.name == stage]


def arrows(node: Node, recipe: Recipe) -> dict[str, list[str]]:
    """Return which tables a node reads from which stage."""
    read = [table_of(each).name for each in node.reads]
    found: dict[str, list[str]] = {}
    for parent in parents(node, recipe.nodes):
        written = {table.name for table in parent.stage.writes}
        found.setdefault(parent.stage.name, []).extend(t for t in read if t in written)
    return found
