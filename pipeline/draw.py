"""The DAG as a Mermaid diagram."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import Recipe
from pipeline.dag import DAG, Node, parents
from pipeline.dag import stage as stage_named
from stages.base import table_of


def mermaid(recipes: Sequence[Recipe]) -> str:
    """Return a diagram: a box a stage with the tables that it writes, an arrow a dependency.

    Of several recipes every stage and arrow is drawn; an arrow is dashed where one of them does
    without, because what a stage reads may hang on its config, and where a stage may stand in the
    place of others.
    """
    boxes = [stage.name for stage in DAG]
    lines = ["flowchart TD"]
    for name in boxes:
        tables = ", ".join(table.name for table in stage_named(name).writes)
        lines.append(f'    {name}["<b>{name}</b><br>{tables}"]')
    for name in boxes:
        drawn = [arrows(node, recipe) for recipe in recipes for node in nodes_of(recipe, name)]
        tables_of: dict[str, dict[str, None]] = {}
        for each in drawn:
            for parent, read in each.items():
                tables_of.setdefault(parent, {}).update(dict.fromkeys(read))
        for parent in (b for b in boxes if b in tables_of):
            always = all(parent in each for each in drawn) and not stage_named(parent).replaces
            left, right = ("--", "-->") if always else ("-.", ".->")
            lines.append(f"    {parent} {left} {', '.join(tables_of[parent])} {right} {name}")
    return "\n".join(lines)


def nodes_of(recipe: Recipe, stage: str) -> list[Node]:
    """Return the nodes of a stage in a recipe."""
    return [node for node in recipe.nodes if node.stage.name == stage]


def arrows(node: Node, recipe: Recipe) -> dict[str, list[str]]:
    """Return which tables a node reads from which stage."""
    read = [table_of(each).name for each in node.reads]
    above = {parent.stage.name for parent in parents(node, recipe.nodes)}
    found: dict[str, list[str]] = {}
    for stage in DAG:
        stands_in = bool(stage.replaces) and node.stage.name not in stage.replaces
        if stage.name in above or stands_in:
            written = {table.name for table in stage.writes}
            found[stage.name] = [name for name in read if name in written]
    return {name: tables for name, tables in found.items() if tables}
