"""The card of a corpus: what it holds, from what it was made, under which licences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.labels import ask_labels
from storage.queries import queries
from storage.reading import Tables

QUERIES = queries("card")
MOST = 30
"""Relations that the card lists, the commonest first."""

ERICA = {"words": 186.9, "entities": 12.9, "labels": 7.2, "mentions": 1.3}
"""Per document (mentions: per entity). Paper: Qin et al., ERICA (ACL 2021), section 5.1."""

ERICA_DOCUMENTS = 1_000_000

LICENCES = """\
The raw files say under which licence each stands. Texts of Wikipedia are under CC BY-SA: whoever
passes them on names the authors, for which a link to the revision serves, and keeps the licence;
each text here has its `revision_id`. Statements of Wikidata are under CC0. Spans, links and labels
go with the text that they stand on."""


def card(tables: Tables) -> str:
    """Return the card as Markdown."""
    size = tables.sql(QUERIES["size"].sql).to_pylist()[0]
    parts = [
        f"# {tables.origin}",
        "Distantly supervised relations: a label says that a knowledge base relates the two "
        "items; the text need not state it.",
        size_text(size),
        relations_text(ask_labels(tables, QUERIES["relations"].sql)),
        *(
            section(QUERIES[name].meaning, ask_labels(tables, QUERIES[name].sql))
            for name in ("methods", "distances")
        ),
        *(
            section(QUERIES[name].meaning, tables.sql(QUERIES[name].sql).to_pylist())
            for name, table in (("languages", "site"), ("sources", "sources"))
            if table in tables.stages
        ),
        licence_text(tables.sql(QUERIES["revisions"].sql).to_pylist()[0]),
    ]
    return "\n\n".join(parts)


def size_text(size: Mapping[str, Any]) -> str:
    """Return the size of a corpus beside that of ERICA's."""
    if not size["documents"]:
        return "No document gave a tuple."
    rows = [
        ("documents", f"{size['documents']:,}", f"{ERICA_DOCUMENTS:,}"),
        ("words a document", f"{size['words']:.1f}", f"{ERICA['words']} (tokens)"),
        ("entities a document", f"{size['entities']:.1f}", str(ERICA["entities"])),
        ("labels a document", f"{size['labels']:.1f}", str(ERICA["labels"])),
        ("mentions an entity", f"{size['mentions']:.1f}", str(ERICA["mentions"])),
        ("pages", f"{size['pages']:,}", ""),
        ("entities with an item", f"{size['linked']:.1%}", ""),
        ("tuples (ordered pairs)", f"{size['tuples'] or 0:,}", ""),
        ("labels", f"{size['all_labels'] or 0:,}", ""),
        ("tuples without a label (NA)", f"{size['na'] or 0:,}", ""),
        ("tuples within one sentence", f"{size['intra'] or 0:,}", ""),
    ]
    return f"## Size\n\n{markdown(['', 'here', 'ERICA'], rows)}"


def relations_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the labels by relation, the commonest relations only."""
    text = section(f"labels by relation ({len(rows)} relations)", rows[:MOST])
    rest = sum(row["labels"] for row in rows[MOST:])
    return f"{text}\n\n{len(rows) - MOST} more have {rest:,} labels together." if rest else text


def licence_text(revisions: Mapping[str, Any]) -> str:
    """Return the licences, and what the texts are revisions of."""
    shown = ""
    if revisions["revisions"]:
        span = ""
        if revisions["oldest"] is not None:
            span = f", of {revisions['oldest']:%Y-%m-%d} to {revisions['newest']:%Y-%m-%d}"
        shown = f"\n\nThe texts are {revisions['revisions']:,} revisions{span}."
    return f"## Licences and attribution\n\n{LICENCES}{shown}"


def section(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table under a heading."""
    heading = f"## {title[0].upper()}{title[1:]}"
    if not rows:
        return f"{heading}\n\nNone."
    return f"{heading}\n\n{markdown(list(rows[0]), [list(row.values()) for row in rows])}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; shares with a decimal of a percent, counts with commas."""
    lines = [[shown(value) for value in row] for row in rows]
    names = [name.replace("_", " ") for name in head]
    widths = [max(len(line[i]) for line in [names, *lines]) for i in range(len(names))]
    ruled = [names, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)) + " |"
        for line in ruled
    )


def shown(value: object) -> str:
    """Return a value as the card shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", r"\|")
