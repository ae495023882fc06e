"""The command `why`: what a tuple rests on, or why a pair is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Annotated, Any

import typer

from flows.options import RecipeName, Root, Sets, TagName, warehouse_at
from flows.render import grid
from pipeline.missing import Trail
from pipeline.pairs import Grounds, grounds
from pipeline.selection import select
from storage.errors import ConfigError
from storage.reading import Tables

WIDTH = 96
ROUGH = {6: "millennium", 7: "century", 8: "decade"}
"""Precisions of Wikidata's times that are coarser than a year."""


def why(
    recipe: RecipeName,
    tuple_id: Annotated[
        str | None, typer.Argument(metavar="[TUPLE_ID]", help="A tuple: 12:0-540/0-3.")
    ] = None,
    page: Annotated[
        str | None, typer.Option("--page", metavar="TITLE", help="Page on which a pair stands.")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="NAME", help="Head: its words, or a QID.")
    ] = None,
    tail: Annotated[
        str | None, typer.Option("--tail", metavar="NAME", help="Tail: its words, or a QID.")
    ] = None,
    sets: Sets = None,
    tag: TagName = None,
    root: Root = None,
) -> None:
    """Say what a tuple rests on; or, of a pair that is none, which step let go of it.

    A tuple is shown with the statements behind its labels, the mentions of
    both ends and how each was linked, its sentences with both ends marked,
    and what later steps say of it.

    \b
    relmill why tiny 107:0-734/0-3
    relmill why tiny --page Brommorvik --head Brommorvik --tail Q1000012
    """  # noqa: D301
    tables = select(warehouse_at(root), recipe, sets or [], tag)
    if tuple_id is not None:
        if page or head or tail:
            raise ConfigError(
                "a TUPLE_ID and --page, --head, --tail exclude each other",
                mend="Name the tuple alone, or the page and both ends of the pair",
            )
        typer.echo(grounds_text(grounds(tables, tuple_id)))
        return
    if not (page and head and tail):
        raise ConfigError(
            "which pair is meant?",
            mend=f"Name a tuple: relmill why {recipe} TUPLE_ID; or a pair: "
            f"relmill why {recipe} --page TITLE --head NAME --tail NAME",
        )
    typer.echo(pair_text(tables, page, head, tail))


def pair_text(tables: Tables, page: str, head: str, tail: str) -> str:
    """Return the way of a pair through the tables, and its tuples where it has some."""
    tables.artifact("tuples")
    trail = Trail(tables, page, head, tail)
    parts = ["\n".join(trail.lines)]
    parts += [grounds_text(grounds(tables, name)) for name in trail.tuples]
    if trail.lost:
        parts.append(f"No tuple: {trail.lost}.")
    return "\n\n".join(parts)


def grounds_text(found: Grounds) -> str:
    """Return all that the tables say of a tuple."""
    pair = found.pair
    between = (
        "in one sentence"
        if not pair["sentence_distance"]
        else (f"nearest mentions {pair['sentence_distance']} sentences apart")
    )
    parts = [
        "\n".join(
            [
                f"tuple      {pair['tuple_id']}",
                f"page       {pair['page']}, revision {pair['revision_id']}",
                f"document   {pair['document_id']} ({pair['unit']}, {pair['words']} words)",
                f"head       {end_text(pair, 'head')}",
                f"tail       {end_text(pair, 'tail')}",
                f"labels     {', '.join(pair['pids']) or 'NA'}; {between}",
            ]
        ),
        statements_text(found.statements),
        mentions_text("head", found.heads),
        mentions_text("tail", found.tails),
        sentences_text(found.sentences),
    ]
    parts += [later_text(name, rows) for name, rows in found.later.items()]
    return "\n\n".join(parts)


def end_text(pair: Mapping[str, Any], role: str) -> str:
    """Return one end of a pair: its words, its item, the item's label."""
    label = pair[f"{role}_label"]
    item = pair[f"{role}_qid"] or "no item"
    return f"{pair[role]} ({item}{f', {label}' if label else ''})"


def statements_text(rows: Sequence[Mapping[str, Any]] | None) -> str:
    """Return the statements of a pair with rank and time."""
    if rows is None:
        return "statements: the labels came with the text"
    if not rows:
        return "statements: none, so the pair is NA"
    lines = [
        (
            row["pid"],
            row["relation"],
            row["rank"],
            *(moment_text(row[each]) for each in ("start", "end", "point")),
        )
        for row in rows
    ]
    return block("statements", grid(lines, ["pid", "relation", "rank", "start", "end", "at"]))


def moment_text(moment: Mapping[str, Any] | None) -> str:
    """Return a time of Wikidata as precisely as it is stated: "1952-03", "1850 (century)"."""
    if moment is None:
        return ""
    time, precision = moment["time"], moment["precision"]
    sign, digits = ("-" if time.startswith("-") else ""), time.lstrip("+-")
    year, month, day = digits.split("T")[0].split("-")
    year = f"{sign}{int(year)}"
    if precision >= 11:
        return f"{year}-{month}-{day}"
    if precision == 10:
        return f"{year}-{month}"
    return year if precision == 9 else f"{year} ({ROUGH.get(precision, 'very rough')})"


def mentions_text(role: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the mentions of one end with their links."""
    lines = [
        (
            row["sentence"],
            f"{row['char_start']}-{row['char_end']}",
            row["surface"],
            row["type"],
            row["source"],
            row["qid"],
            row["method"],
            row["score"],
        )
        for row in rows
    ]
    columns = ["sentence", "span", "words", "type", "found by", "item", "linked by", "score"]
    return block(f"mentions of the {role}", grid(lines, columns))


def sentences_text(rows: Sequence[tuple[int, str]]) -> str:
    """Return marked sentences with their ordinals."""
    lines = [
        fill(" ".join(text.split()), WIDTH, initial_indent=f"{n:>4}  ", subsequent_indent=" " * 6)
        for n, text in rows
    ]
    return "sentences, [head] and {tail}\n" + "\n".join(lines)


def later_text(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what a later step says of a tuple."""
    if not rows:
        return f"{name}: nothing of this tuple"
    return block(name, grid([list(row.values()) for row in rows], list(rows[0])))


def block(head: str, body: str) -> str:
    """Return lines under a heading."""
    return f"{head}\n" + "\n".join(f"  {line}" for line in body.split("\n"))
