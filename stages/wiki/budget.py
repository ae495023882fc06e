"""Budget: how much of a page is read where reading all of it would take for ever."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

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
    """Return how many links, templates, tags, comments or addresses stand open, roughly.

    Of every stretch from one of the probes to the end, the one with most of a kind counts.
    """
    if max(map(wikitext.count, ("<", "[[", "{{", "[http", "[//"))) <= MAX_UNCLOSED:
        return 0
    edges = [len(wikitext) * probe // PROBES for probe in range(PROBES + 1)]
    tagged = wikitext.count("<") > MAX_UNCLOSED
    open_: Counter[str] = Counter()
    most = 0
    for start, end in reversed(list(pairwise(edges))):
        _count_marks(wikitext[start:end], open_)
        if tagged:
            _count_tags(wikitext[start:end], open_)
        single = (count for kind, count in open_.items() if not kind.startswith("<"))
        tags = (count for kind, count in open_.items() if kind.startswith("<") and count > 0)
        most = max(most, sum(tags), *single)
    return most


def _count_marks(stretch: str, open_: Counter[str]) -> None:
    """Add how many more of each kind a stretch opens than it closes."""
    count = stretch.count
    open_["[["] += count("[[") - count("]]")
    open_["{{"] += count("{{") - count("}}")
    open_["!--"] += count("<!--") - count("-->")
    open_["["] += count("[http") + count("[//") + count("[ftp") - count("]")


def _count_tags(stretch: str, open_: Counter[str]) -> None:
    """Do the same for tags, each name by itself: a </b> closes no <nowiki>."""
    for slash, name, end in _TAG.findall(stretch):
        name = name.lower()
        if name not in _SINGLE and (slash or end != "/>"):
            open_[f"<{name}"] += -1 if slash else 1
