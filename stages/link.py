"""link: say of each mention which item it names, or leave it open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from stages.base import Inputs, Rows, Share, Stage, StageConfig, by_page, span_of
from storage.lookup import Lookup, text_key, text_keys
from storage.spans import Span
from storage.tables import ALIASES, HYPERLINKS, LINKS, MENTIONS, PAGES, TITLES

Link = tuple[str, str, float]
"""QID, method, score."""


class LinkConfig(StageConfig):
    """When a name is sure enough."""

    min_prior: Share = Field(0.5, description="share of a name's evidence that its item must have")
    min_margin: Share = Field(
        0.2, description="by how much that share must exceed the next item's; else the name is open"
    )
    literal_types: tuple[str, ...] = Field(
        ("CARDINAL", "DATE", "MONEY", "ORDINAL", "PERCENT", "QUANTITY", "TIME"),
        description="entity types that are values, never items",
    )


class Names:
    """The lookups of titles and aliases."""

    def __init__(self, inputs: Inputs) -> None:
        self._titles = Lookup(inputs.files(TITLES), "titles", ["qid"])
        self._aliases = Lookup(inputs.files(ALIASES), "aliases", ["qid", "prior"])

    def items_of_titles(self, titles: Sequence[str]) -> dict[str, str]:
        """Return the QID that each title leads to; a title without one is left out."""
        starts, ends = self._titles.ranges(text_keys(titles))
        qids = self._titles.values("qid")
        found = zip(titles, starts, ends, strict=True)
        return {title: f"Q{qids[start]}" for title, start, end in found if start < end}

    def candidates(self, surface: str) -> list[tuple[float, str]]:
        """Return the items that a surface may name with their priors, the likeliest first."""
        starts, ends = self._aliases.ranges(np.array([text_key(surface)], dtype=np.uint64))
        span = slice(int(starts[0]), int(ends[0]))
        priors = self._aliases.values("prior")[span].tolist()
        qids = self._aliases.values("qid")[span].tolist()
        found = [(prior, f"Q{qid}") for prior, qid in zip(priors, qids, strict=True)]
        return sorted(found, key=lambda candidate: (-candidate[0], candidate[1]))


def link(config: LinkConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `links` row for each mention whose item is known.

    A hyperlink's item is that of its target title, redirects followed; a title mention's that of
    the page. A mention that NER found takes the item that the same words name elsewhere on the
    page, or else the item with the highest prior for these words.

    Drops (mentions): "section_link", "title_without_item", "literal", "unknown_name", "ambiguous".
    """
    names = Names(inputs)
    mentions = by_page(inputs.rows(MENTIONS))
    hyperlinks = by_page(inputs.rows(HYPERLINKS))
    for page in inputs.rows(PAGES).to_pylist():
        page_id = page["page_id"]
        on_page = mentions.get(page_id, [])
        targets = {
            span_of(h): h for h in hyperlinks.get(page_id, []) if h["char_start"] is not None
        }
        titles = {h["target_title"] for h in targets.values() if not h["fragment"]}
        items = names.items_of_titles(sorted(titles | {page["title"]}))
        links: dict[Span, Link] = {}
        for mention in on_page:
            if mention["source"] != "ner":
                sure = sure_item(mention, page["title"], targets, items, inputs)
                if sure is not None:
                    links[span_of(mention)] = sure
        by_surface = unambiguous(on_page, links)
        for mention in on_page:
            if mention["source"] == "ner":
                guess = named_item(mention, by_surface, names, config, inputs)
                if guess is not None:
                    links[span_of(mention)] = guess
        yield (
            LINKS,
            LINKS.batch([(page_id, *span, *found) for span, found in sorted(links.items())]),
        )


def sure_item(
    mention: Mapping[str, Any],
    title: str,
    targets: Mapping[Span, Mapping[str, Any]],
    items: Mapping[str, str],
    inputs: Inputs,
) -> Link | None:
    """Return the item of a mention that Wikipedia itself links, or None."""
    where = f"{mention['page_id']}:{mention['char_start']}"
    wanted = title
    if mention["source"] == "hyperlink":
        target = targets[span_of(mention)]
        if target["fragment"]:
            inputs.drop("section_link", where)
            return None
        wanted = target["target_title"]
    if wanted not in items:
        inputs.drop("title_without_item", f"{where} {wanted}")
        return None
    return items[wanted], mention["source"], 1.0


def unambiguous(
    mentions: Sequence[Mapping[str, Any]], links: Mapping[Span, Link]
) -> dict[str, str]:
    """Return the item of each surface that names just one item on the page so far."""
    named: dict[str, set[str]] = {}
    for mention in mentions:
        if (found := links.get(span_of(mention))) is not None:
            named.setdefault(mention["surface"], set()).add(found[0])
    return {surface: min(qids) for surface, qids in named.items() if len(qids) == 1}


def named_item(
    mention: Mapping[str, Any],
    by_surface: Mapping[str, str],
    names: Names,
    config: LinkConfig,
    inputs: Inputs,
) -> Link | None:
    """Return the item of a mention that only NER found, or None."""
    surface = mention["surface"]
    if mention["type"] in config.literal_types:
        inputs.drop("literal", surface)
        return None
    if surface in by_surface:
        return by_surface[surface], "page", 1.0
    candidates = names.candidates(surface)
    if not candidates:
        inputs.drop("unknown_name", surface)
        return None
    prior, qid = candidates[0]
    second = candidates[1][0] if len(candidates) > 1 else 0.0
    if prior < config.min_prior or prior - second < config.min_margin:
        inputs.drop("ambiguous", surface)
        return None
    return qid, "alias", round(prior, 6)


LINK = Stage(
    "link",
    version=1,
    config=LinkConfig,
    reads=(PAGES, MENTIONS, HYPERLINKS, TITLES, ALIASES),
    writes=(LINKS,),
    run=link,
)
