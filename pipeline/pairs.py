"""What a tuple rests on: its statements, the mentions and links of both ends, its sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from storage.errors import ConfigError, MissingArtifactError
from storage.marking import marked
from storage.queries import queries
from storage.reading import Tables
from storage.tables import TABLES

QUERIES = queries("why")

NOT_IMPORTED = (
    *("items", "item_redirects", "properties", "triples"),
    *("titles", "aliases", "literal_mentions"),
)
"""Tables that an annotated corpus does not have."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Grounds:
    """All that the tables say of one tuple.

    Attributes:
        pair: The tuple with its page, document and the names of both ends.
        statements: What Wikidata states of the pair, deprecated statements too; None where the
            labels came with the text.
        heads: Mentions of the head with their links; `tails` likewise.
        sentences: Ordinal and marked text of the sentences that hold a mention of either.
        later: Rows of the tables that later stages key by tuple, by table.
    """

    pair: Row
    statements: list[Row] | None
    heads: list[Row]
    tails: list[Row]
    sentences: list[tuple[int, str]]
    later: dict[str, list[Row]]


def ask(tables: Tables, name: str, **parameters: object) -> list[Row]:
    """Return the rows of a named query of `why.sql`."""
    rows: list[Row] = tables.sql(QUERIES[name].sql, parameters, NOT_IMPORTED).to_pylist()
    return rows


def grounds(tables: Tables, tuple_id: str) -> Grounds:
    """Return what a tuple rests on.

    Raises:
        ConfigError: If there is no such tuple.
    """
    tables.artifact("tuples")
    found = ask(tables, "pair", tuple_id=tuple_id)
    if not found:
        raise no_tuple(tables, tuple_id)
    pair = found[0]
    place = {"page_id": pair["page_id"], "document_id": pair["document_id"]}
    heads = ask(tables, "mentions", **place, entity=pair["head_entity"])
    tails = ask(tables, "mentions", **place, entity=pair["tail_entity"])
    return Grounds(
        pair,
        statements(tables, pair["head_qid"], pair["tail_qid"]),
        heads,
        tails,
        sentences(tables, pair["page_id"], heads, tails),
        {name: by_tuple(tables, name, tuple_id) for name in later_tables(tables)},
    )


def statements(tables: Tables, head: str | None, tail: str | None) -> list[Row] | None:
    """Return what Wikidata states of a pair of items; None where the labels came with the text."""
    if "triples" not in tables.stages or head is None or tail is None:
        return None
    return ask(tables, "statements", head=head, tail=tail)


def sentences(
    tables: Tables, page_id: int, heads: Sequence[Row], tails: Sequence[Row]
) -> list[tuple[int, str]]:
    """Return the sentences that hold one of some mentions, marked."""
    wanted = sorted({mention["sentence"] for mention in (*heads, *tails)})
    head_spans, tail_spans = (
        [(m["char_start"], m["char_end"]) for m in side] for side in (heads, tails)
    )
    return [
        (row["sentence"], marked(row["text"], head_spans, tail_spans, row["char_start"]))
        for row in ask(tables, "sentences", page_id=page_id, sentences=wanted)
    ]


def later_tables(tables: Tables) -> list[str]:
    """Return the tables below `tuples` that say something of each tuple."""
    here = ("tuples", "tuple_statements")
    named = [name for name in tables.stages if name in TABLES and name not in here]
    return [n for n in named if any(c.name == "tuple_id" for c in TABLES[n].columns)]


def by_tuple(tables: Tables, name: str, tuple_id: str) -> list[Row]:
    """Return the rows of a table that a tuple has."""
    query = f"SELECT * EXCLUDE (tuple_id) FROM {name} WHERE tuple_id = $tuple_id"
    rows: list[Row] = tables.sql(query, {"tuple_id": tuple_id}).to_pylist()
    return rows


def page_named(tables: Tables, title: str) -> int:
    """Return the page id of a title.

    Raises:
        ConfigError: If there is no such page; it names the nearest title, or a redirect's target.
    """
    found = tables.sql("SELECT page_id FROM pages WHERE title = $title", {"title": title})
    if found.num_rows:
        page_id: int = found["page_id"][0].as_py()
        return page_id
    if "redirects" in tables.stages:
        redirect = tables.sql(
            "SELECT target_title FROM redirects WHERE title = $title", {"title": title}
        )
        if redirect.num_rows:
            target = redirect["target_title"][0].as_py()
            raise ConfigError(f"{title!r} is a redirect", mend=f"It leads to {target!r}: name that")
    titles = tables.sql("SELECT title FROM pages")["title"].to_pylist()
    near = get_close_matches(title, titles, n=3)
    guess = f"Near it: {', '.join(near)}" if near else "Titles are written as on Wikipedia"
    raise ConfigError(f"there is no page {title!r}", mend=guess)


def no_tuple(tables: Tables, tuple_id: str) -> ConfigError | MissingArtifactError:
    """Return the error for a tuple that is not there."""
    document = tuple_id.rpartition("/")[0]
    query = "SELECT tuple_id FROM tuples WHERE document_id = $document ORDER BY 1 LIMIT 3"
    near = tables.sql(query, {"document": document})["tuple_id"].to_pylist()
    guess = f"Its document has {', '.join(near)}. " if near else ""
    return ConfigError(
        f"there is no tuple {tuple_id!r} in {tables.origin}",
        mend=f"{guess}Ask by names why a pair is none: --page TITLE --head NAME --tail NAME",
    )
