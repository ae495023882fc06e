"""link: say of each mention which item it names, or leave it open; read dates and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from stages.base import Inputs, Rows, Share, Stage, StageConfig, by_page, span_of
from storage.lookup import Lookup, text_key, text_keys
from storage.spans import Span, without_overlap
from storage.tables import (
    ALIASES,
    HYPERLINKS,
    LINKS,
    LITERAL_MENTIONS,
    MENTIONS,
    PAGES,
    SITE,
    TITLES,
)

if TYPE_CHECKING:
    from stages.linking.names import PageNames
    from stages.linking.priors import Candidate
    from stages.linking.values import Reader, Value

Link = tuple[str, str, float, str | None]
"""QID, method, score, entity type of the item."""

Mention = Mapping[str, Any]
"""A row of `mentions`."""

SURE = ("hyperlink", "title")
"""Sources of mentions whose item Wikipedia itself gives."""


class LinkConfig(StageConfig):
    """When a name is sure enough."""

    min_margin: Share = Field(
        0.45,
        description="by how much the share of a name's evidence that its item has must exceed the "
        "next item's, and the share of items that nobody knows; else the name is left open",
    )


@dataclass(frozen=True)
class Item:
    """An item that a title leads to, with its entity type; None where that is not known."""

    qid: str
    type: str | None


class Names:
    """The lookups of titles and aliases."""

    def __init__(self, inputs: Inputs) -> None:
        self._titles = Lookup(inputs.files(TITLES), "titles", ["qid", "type"])
        self._aliases = Lookup(inputs.files(ALIASES), "aliases", ["qid", "type", "prior"])

    def items_of_titles(self, titles: Sequence[str]) -> dict[str, Item]:
        """Return the item that each title leads to; a title without one is left out."""
        from stages.linking.item_types import TYPES

        starts, ends = self._titles.ranges(text_keys(titles))
        qids, types = self._titles.values("qid"), self._titles.values("type")
        found = zip(titles, starts, ends, strict=True)
        return {
            title: Item(f"Q{qids[start]}", TYPES[types[start]])
            for title, start, end in found
            if start < end
        }

    def candidates(self, surface: str) -> list[Candidate]:
        """Return the items that a surface may name."""
        from stages.linking.item_types import TYPES
        from stages.linking.priors import Candidate

        starts, ends = self._aliases.ranges(np.array([text_key(surface)], dtype=np.uint64))
        span = slice(int(starts[0]), int(ends[0]))
        columns = (self._aliases.values(name)[span].tolist() for name in ("qid", "prior", "type"))
        return [
            Candidate(f"Q{qid}", prior, TYPES[code])
            for qid, prior, code in zip(*columns, strict=True)
        ]


def link(config: LinkConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `links` row for each mention whose item is known, and the values of the text.

    Evidence counts in this order. A hyperlink's item is that of its target title, redirects
    followed; a title mention's that of the page. Any other mention takes the item that the page
    names by the same words, or by a longer name before it that these are part of (a surname), or
    the likeliest item of these words whose type fits the mention's, unless that is too uncertain.
    What the page itself says counts more than the type that NER gave a mention: only an item that
    goes by the words alone has to fit it.

    What reads as a date or a number is a value and never an item by its words: only a hyperlink
    makes an item of it. Dates are found all over the text, numbers where NER says so.

    Drops (mentions): "section_link", "title_without_item", "literal", "unknown_name", "wrong_type",
    "ambiguous". Counts: "unread_value" (mentions that NER calls a value).
    """
    from stages.linking.values import reader

    names = Names(inputs)
    values = reader(inputs.rows(SITE)["language"][0].as_py())
    mentions = by_page(inputs.rows(MENTIONS))
    hyperlinks = by_page(inputs.rows(HYPERLINKS))
    for page in inputs.rows(PAGES).to_pylist():
        page_id = page["page_id"]
        own = mentions.get(page_id, [])
        targets = {
            span_of(h): h for h in hyperlinks.get(page_id, []) if h["char_start"] is not None
        }
        wanted = {h["target_title"] for h in targets.values() if not h["fragment"]}
        items = names.items_of_titles(sorted(wanted | {page["title"]}))
        sure = sure_items(own, page["title"], targets, items, inputs)
        found = {s: (item.qid, method, 1.0, item.type) for s, (item, method) in sure.items()}
        found |= named_items(own, page["title"], items, sure, names, values, config, inputs)
        yield LINKS, LINKS.batch([(page_id, *span, *found[span]) for span in sorted(found)])
        stated = stated_values(page["text"], own, sure, values, inputs)
        yield LITERAL_MENTIONS, LITERAL_MENTIONS.batch([(page_id, *row) for row in stated])


def sure_items(
    mentions: Sequence[Mention],
    title: str,
    targets: Mapping[Span, Mapping[str, Any]],
    items: Mapping[str, Item],
    inputs: Inputs,
) -> dict[Span, tuple[Item, str]]:
    """Return the items of the mentions that Wikipedia itself links, with the method."""
    found = {}
    for mention in mentions:
        if mention["source"] not in SURE:
            continue
        where = f"{mention['page_id']}:{mention['char_start']}"
        wanted = title
        if mention["source"] == "hyperlink":
            target = targets[span_of(mention)]
            if target["fragment"]:
                inputs.drop("section_link", where)
                continue
            wanted = target["target_title"]
        if wanted not in items:
            inputs.drop("title_without_item", f"{where} {wanted}")
            continue
        found[span_of(mention)] = items[wanted], mention["source"]
    return found


def named_items(
    mentions: Sequence[Mention],
    title: str,
    items: Mapping[str, Item],
    sure: Mapping[Span, tuple[Item, str]],
    names: Names,
    values: Reader,
    config: LinkConfig,
    inputs: Inputs,
) -> dict[Span, Link]:
    """Return the items of the mentions that only their words name."""
    from stages.linking.names import PageNames, stem

    on_page = PageNames()
    if title in items:
        on_page.add(stem(title), items[title].qid, -1, items[title].type)
    without_item = set()
    for mention in mentions:
        if mention["source"] in SURE and span_of(mention) not in sure:
            without_item.add(mention["surface"])
        if (known := sure.get(span_of(mention))) is not None:
            item, _ = known
            kind = item.type or mention["type"]
            on_page.add(mention["surface"], item.qid, mention["char_start"], kind)
    found: dict[Span, Link] = {}
    types = {item.qid: item.type for item in items.values()}
    for mention in mentions:
        if mention["source"] in SURE:
            continue
        surface, kind, start = mention["surface"], mention["type"], mention["char_start"]
        if is_value(mention, values):
            inputs.drop("literal", surface)
        elif (qid := on_page.full(surface)) is not None:
            found[span_of(mention)] = qid, "page", 1.0, types[qid]
        elif (qid := taken_up(surface, start, kind, on_page, names)) is not None:
            found[span_of(mention)] = qid, "part", 1.0, types[qid]
        elif surface in without_item:
            # The page itself says what these words mean, and that has no item.
            inputs.drop("title_without_item", surface)
        elif (guess := likeliest(surface, kind, names, config, inputs)) is not None:
            found[span_of(mention)] = guess
    return found


def taken_up(
    surface: str, start: int, kind: str | None, on_page: PageNames, names: Names
) -> str | None:
    """Return the item that words take up a part of the name of, or None.

    What the page names counts more than what NER made of one mention, unless something that fits
    its type goes by these very words: on the page of George Washington, Washington may be a city.
    """
    from stages.linking.kinds import fits

    found = on_page.part(surface, start)
    if found is None:
        return None
    qid, own = found
    if fits(own, kind) or not any(fits(c.type, kind) for c in names.candidates(surface)):
        return qid
    return None


def likeliest(
    surface: str, kind: str | None, names: Names, config: LinkConfig, inputs: Inputs
) -> Link | None:
    """Return the item that words name by their prior, or None."""
    from stages.linking.kinds import ADMITTED
    from stages.linking.priors import choose

    candidates = names.candidates(surface)
    choice = choose(candidates, ADMITTED.get(kind or ""))
    if choice is None:
        inputs.drop("wrong_type" if candidates else "unknown_name", surface)
        return None
    if choice.margin < config.min_margin:
        inputs.drop("ambiguous", surface)
        return None
    return choice.qid, "alias", round(choice.score, 6), choice.type


def is_value(mention: Mention, values: Reader) -> bool:
    """Whether a mention is a date or a number, by its NER type or by its words."""
    from stages.linking.kinds import VALUES

    return mention["type"] in VALUES or values.read(mention["surface"]) is not None


def stated_values(
    text: str,
    mentions: Sequence[Mention],
    sure: Mapping[Span, tuple[Item, str]],
    values: Reader,
    inputs: Inputs,
) -> list[tuple[Any, ...]]:
    """Return the dates of a text, and the values among its mentions, without the page id.

    What overlaps a mention of something else is none: "1984" may be a book. A hyperlink to the page
    of a date is no hindrance.
    """
    from stages.linking.kinds import DATES, VALUES

    found: dict[Span, Value] = {}
    hindrances = []
    for mention in mentions:
        span, kind, surface = span_of(mention), mention["type"], mention["surface"]
        item, _ = sure.get(span, (None, None))
        other = item is not None and item.type not in (None, "none")
        if kind in VALUES and not other:
            value = values.read(surface, date=kind in DATES, number=kind not in DATES)
            if value is None:
                inputs.count("unread_value")
            else:
                found[span] = value
        if other or span in found or not values.is_date(surface):
            hindrances.append(span)
    dates = dict(values.find(text))
    found |= {span: dates[span] for span in without_overlap(dates, sorted(hindrances))}
    return [
        (*span, text[slice(*span)], v.kind, v.value, v.precision, v.calendar)
        for span, v in sorted(found.items())
    ]


LINK = Stage(
    "link",
    version=4,
    config=LinkConfig,
    reads=(PAGES, MENTIONS, HYPERLINKS, TITLES, ALIASES, SITE),
    writes=(LINKS, LITERAL_MENTIONS),
    run=link,
)
