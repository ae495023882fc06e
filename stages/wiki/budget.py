"""Budget: how much of a page is read where reading all of it would take for ever."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["within_budget"]

_TAG = re.compile(r"<(/?)([A-Za-z]+)(?:[^<>/]|/(?!>))*(/>)?")
_SINGLE = frozenset(("br", "hr", "li", "wbr", "p", "dd", "dt", "td", "th", "tr"))

MAX_CODE_POINTS = 4_000_000
"""Longest wikitext that is read whole; MediaWiki lets a page have 2 MiB."""

MAX_UNCLOSED = 2_000
"""Marks that nothing closes: the grammar looks for the end of each of them in all that follows."""

REDUCED_CODE_POINTS = 10_000
"""How much is read of a page with more of them."""

PROBES = 16
"""Places from which a page is looked at, so that marks closed early do not hide later ones."""


def within_budget(wikitext: str) -> tuple[str, bool]:
    """Return what is read of a page, and whether that is less than all of it.

    What is left out depends on the text alone, never on the clock.

    Args:
        wikitext: Of any length, in code points.
    """
    if _unclosed(wikitext) > MAX_UNCLOSED:
        return wikitext[:REDUCED_CODE_POINTS], len(wikitext) > REDUCED_CODE_POINTS
    if len(wikitext) > MAX_CODE_POINTS:
        return wikitext[:MAX_CODE_POINTS], True
    return wikitext, False


def _unclosed(wikitext: str) -> int:
    """Return how many links, templates, tags, comments or addresses stand open, roughly."""
    if max(map(wikitext.count, ("<", "[[", "{{", "[http", "[//"))) <= MAX_UNCLOSED:
        return 0
    starts = {len(wikitext) * probe // PROBES for probe in range(PROBES)}
    return max(_balance(wikitext[start:]) for start in starts)


def _balance(wikitext: str) -> int:
    count = wikitext.count
    return max(
        count("[[") - count("]]"),
        count("{{") - count("}}"),
        count("<!--") - count("-->"),
        count("[http") + count("[//") + count("[ftp") - count("]"),
        _unclosed_tags(wikitext) if count("<") > MAX_UNCLOSED else 0,
    )


def _unclosed_tags(wikitext: str) -> int:
    """Return how many tags stand open, each name by itself: a </b> closes no <nowiki>."""
    tags = _TAG.findall(wikitext)
    opened = Counter(name.lower() for slash, name, end in tags if not slash and end != "/>")
    opened.subtract(name.lower() for slash, name, _ in tags if slash)
    return sum(max(open_, 0) for name, open_ in opened.items() if name not in _SINGLE)
