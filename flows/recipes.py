"""Commands that show what recipes hold: recipes, config, draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from flows.options import RecipeName, Sets
from flows.render import grid
from pipeline.config import Recipe, builtin_recipes, load_recipe
from pipeline.dag import Node
from pipeline.describe import FieldHelp, describe
from pipeline.draw import mermaid


def recipes() -> None:
    """List the recipes that come with relmill."""
    loaded = [load_recipe(name) for name in builtin_recipes()]
    rows = [(each.given, each.wide.description, variants_text(each)) for each in loaded]
    head = ["recipe", "what it makes", "variants"]
    if not any(row[2] for row in rows):
        rows, head = [row[:2] for row in rows], head[:2]  # type: ignore[misc]
    typer.echo(grid(rows, head, widest=100))


def variants_text(recipe: Recipe) -> str:
    """Return how many variants a recipe has of each stage that it has several of."""
    counts = {s.name: len(recipe.find(s.name)) for s in recipe.stages if s.variants}
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def config(
    recipe: RecipeName,
    stage: Annotated[
        str | None,
        typer.Argument(help="One stage, or one variant as in finetune.x; all if left out."),
    ] = None,
    sets: Sets = None,
) -> None:
    """Print every value of a recipe with its default, type, range and meaning.

    Of a stage with several variants, what they share is printed once, and
    below it a line for each with what differs.
    """
    loaded = load_recipe(recipe, sets or [])
    if stage is None:
        typer.echo("\n".join(["# for the whole recipe", *map(field_text, describe(loaded.wide))]))
    chosen = loaded.find(stage) if stage else loaded.nodes
    for each in dict.fromkeys(node.stage.name for node in chosen):
        typer.echo("\n".join(section(each, [n for n in chosen if n.stage.name == each])))


def section(stage: str, nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the lines of a stage: its values, and what differs between its variants."""
    fields = {node.variant: list(described(node)) for node in nodes}
    first = next(iter(fields.values()))
    values = list(zip(*([f.value for f in each] for each in fields.values()), strict=True))
    shared = [all(value == each[0] for value in each) for each in values]
    several = len(nodes) > 1
    yield f"[{stage}]   # shared by {len(nodes)} variants" if several else f"[{nodes[0].name}]"
    yield from (field_text(f) for f, same in zip(first, shared, strict=True) if same)
    if several:
        open_ones = [i for i, same in enumerate(shared) if not same]
        rows = [
            (name, *(repr(plain(each[i].value)) for i in open_ones))
            for name, each in fields.items()
        ]
        table = grid(rows, ["variant", *(first[i].name for i in open_ones)])
        yield from (f"  {line}" for line in ("", *table.splitlines(), ""))


def described(node: Node) -> Iterator[FieldHelp]:
    """Yield the fields of a step; of one that trains also how it is launched."""
    yield from describe(node.config)
    if node.launch is not None:
        meaning = "how its processes are launched; the recipe's own where the step says none"
        yield FieldHelp("launch", node.launch, "the recipe's", "section", meaning, True)


def field_text(field: FieldHelp) -> str:
    """Return a field as lines: value, type with range, default, and what it means."""
    speed = "  (changes speed, never rows)" if field.runtime else ""
    line = f"  {field.name} = {plain(field.value)!r}   # {field.kind}; default {field.default!r}"
    return f"{line}{speed}" + (f"\n      {field.meaning}" if field.meaning else "")


def plain(value: Any) -> Any:
    """Return a value as a recipe holds it."""
    return value.model_dump() if hasattr(value, "model_dump") else value


def draw() -> None:
    """Print the pipeline as a Mermaid diagram."""
    typer.echo(mermaid([load_recipe(name) for name in builtin_recipes()]))
