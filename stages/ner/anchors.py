"""Passages out of an article: its hyperlinks, typed by their items, and what follows from them.

An article links a name once and leaves the others plain, so a word that no link covers is not said
to name nothing: where it might, it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stages.ner.classes import NO_ENTITY
from stages.ner.passage import Passage, Typed
from stages.ner.words import may_name, name_like, whole_words
from storage.spans import Span, without_overlap

MIN_LAST_NAME = 3

Linked = tuple[Span, str | None]
"""Span of a hyperlink, and the type of its item: NO_ENTITY, or None where it is not known."""


@dataclass(frozen=True)
class Article:
    """What is known of one article.

    Attributes:
        blocks: Spans of its prose.
        links: Its hyperlinks, sorted.
        names: Its own names: the title, and what is bold in its lead.
        type: Type of its own item, as those of links.
    """

    text: str
    blocks: Sequence[Span]
    links: Sequence[Linked]
    names: Sequence[str]
    type: str | None


def names_of(title: str, bold: Iterable[str]) -> list[str]:
    """Return the names of an article: its title without what tells it apart, and its bold names."""
    own = re.sub(r"\s*\([^()]*\)$", "", title)
    return list(dict.fromkeys(name for name in (own, *(b.strip() for b in bold)) if name))


def passages(article: Article, plain: set[str]) -> Iterator[Passage]:
    """Yield the blocks of an article that hold a mention.

    Mentions are hyperlinks to items with a type whose words may be a name; and, where they stand as
    whole words, the words of such hyperlinks, the names of the article itself, and the last names
    of persons, if all that has these words on the page is of one type.

    Unknown are hyperlinks to items without a type, and whatever else looks like a name.

    Args:
        plain: Words that stand in lower case somewhere in the corpus.
    """
    text = article.text
    known = mentions(article)
    covered = sorted({span for span, _ in known} | nameless(article))
    doubtful = [span for span, kind in article.links if kind is None]
    for start, end in article.blocks:
        inside = tuple(((a - start, b - start), t) for (a, b), t in known if start <= a < end)
        if not inside:
            continue
        sure = [(a - start, b - start) for a, b in covered if start <= a < end]
        unsure = [(a - start, b - start) for a, b in doubtful if start <= a < end]
        unsure += name_like(text[start:end], sure, plain)
        yield Passage(text[start:end], inside, tuple(sorted(set(unsure))))


def nameless(article: Article) -> set[Span]:
    """Return the hyperlinks that name no entity, by their item or by their words."""
    return {
        span
        for span, kind in article.links
        if kind == NO_ENTITY or (kind and not may_name(article.text[slice(*span)]))
    }


def mentions(article: Article) -> list[Typed]:
    """Return the mentions of an article that are known, sorted; no two overlap."""
    text, passive = article.text, nameless(article)
    linked = {s: t for s, t in article.links if t is not None and s not in passive}
    first = sorted(linked)
    found = [(span, linked[span]) for span in first]
    surfaces = surface_types(article, linked)
    if surfaces:
        later = [match.span() for match in whole_words(surfaces).finditer(text)]
        taken = sorted({span for span, _ in article.links})
        free = without_overlap(later, taken)
        found += [(span, surfaces[text[slice(*span)]]) for span in free]
    return sorted(found)


def surface_types(article: Article, linked: Mapping[Span, str]) -> dict[str, str]:
    """Return the words that name entities of one type wherever they stand on the page."""
    types: dict[str, set[str | None]] = {}
    for span, _ in article.links:
        types.setdefault(article.text[slice(*span)], set()).add(linked.get(span))
    for name in article.names:
        types.setdefault(name, set()).add(article.type)
    for name, kinds in list(types.items()):
        last = name.rpartition(" ")[2]
        if kinds == {"PERSON"} and last != name and len(last) >= MIN_LAST_NAME:
            types.setdefault(last, set()).add("PERSON")
    one = {name: kinds.pop() for name, kinds in types.items() if len(kinds) == 1}
    return {
        name: kind
        for name, kind in one.items()
        if kind and kind != NO_ENTITY and len(name) > 1 and may_name(name)
    }
