"""Cuts: the places of raw text that need care: white space, quote runs, unpaired markup, marks."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter

from stages.wiki.draft import HOLE_SIGN, Mark

__all__ = ["CUTS", "Cut", "find_cuts"]

# What is no text and may still stand in a draft: white space that is more than one space, quote
# runs, tags and brackets that the grammar could not pair, switches, what no reader sees. Each
# expression starts with one class or literal, which is what makes searching for it fast.
_SPACE = r"\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN = r"\x00-\x08\x0e-\x1b\x7f\xad\u200b\u2060\ufeff"
CUTS = re.compile(
    rf"[{_SPACE}'<\[\]{{}}_{_UNSEEN}]"
    rf"(?:(?P<space>(?<=[{_SPACE}])\s*)"
    r"|(?P<quotes>(?<=')'+)"
    rf"|(?P<hole>(?<={HOLE_SIGN}))"
    r"|(?P<rest>(?<=<)/?[A-Za-z][^<>\n]*>|(?<=\[)\[+|(?<=\])\]+|(?<={){+|(?<={)\|[^\n]*|(?<=})}+"
    rf"|(?<=_)_[A-Z]+__|(?<=[{_UNSEEN}])))"
)
_SPACES = re.compile(r"  +")
_VARIANTS = re.compile(r"-\{[^{}\n]*\}-")
Cut = tuple[int, int, str, int]
"""Start and end in the raw text, kind, and a number that the kind reads."""


def find_cuts(raw: str, offsets: Sequence[int], marks: Sequence[Mark]) -> list[Cut]:
    """Return the places that need care: start, end, kind, and a number that the kind reads.

    Args:
        raw: Raw text of a draft.
        offsets: Where each of its pieces starts in it, in code points.
        marks: The draft's marks.
    """
    cuts = [(m.start(), m.end(), m.lastgroup or "", 0) for m in CUTS.finditer(raw)]
    if "''" in raw:
        if "''''" in raw:
            cuts = _parted(cuts, offsets)
        cuts = _weigh_quotes(raw, cuts)
    if "  " in raw:
        cuts += [(m.start(), m.end(), "space", 0) for m in _SPACES.finditer(raw)]
    if "-{" in raw:
        cuts += [(m.start(), m.end(), "variant", 0) for m in _VARIANTS.finditer(raw)]
    if marks:
        cuts += [(offsets[m.at], offsets[m.at], m.kind, m.section) for m in marks]
    # Marks first: what stands at the same place comes behind them.
    cuts.sort(key=itemgetter(0, 1))
    return cuts


def _parted(cuts: list[Cut], offsets: Sequence[int]) -> list[Cut]:
    """Part the runs of quotes that only met because the markup between them is gone."""
    parted = []
    for cut in cuts:
        start, end, kind, number = cut
        if kind != "quotes" or end - start < 4:
            parted.append(cut)
            continue
        borders = offsets[bisect_right(offsets, start) : bisect_left(offsets, end)]
        for first, last in pairwise(sorted({start, *borders, end})):
            if last - first > 1:
                parted.append((first, last, kind, number))
    return parted


def _weigh_quotes(raw: str, cuts: list[Cut]) -> list[Cut]:
    """Decide per line what each run of quotes is, as MediaWiki does.

    The number of a run becomes: 1 for one that turns bold on or off, plus 4 for each of its
    apostrophes that is text.
    """
    weighed = list(cuts)
    line: list[int] = []
    for index, (start, end, kind, _) in enumerate(cuts):
        if kind == "quotes":
            line.append(index)
        elif kind == "space" and line and "\n" in raw[start:end]:
            _weigh_line(raw, weighed, line)
            line = []
    if line:
        _weigh_line(raw, weighed, line)
    return weighed


def _weigh_line(raw: str, cuts: list[Cut], line: list[int]) -> None:
    lengths = [cuts[index][1] - cuts[index][0] for index in line]
    spare = [1 if n == 4 else max(n - 5, 0) for n in lengths]
    marks = [n - s for n, s in zip(lengths, spare, strict=True)]
    if sum(n != 2 for n in marks) % 2 and sum(n != 3 for n in marks) % 2:
        # An odd number of both: one bold mark is an apostrophe and an italic one. MediaWiki takes
        # the first behind a one-letter word, else behind a longer one, else behind a space.
        bold = [k for k, n in enumerate(marks) if n == 3]
        ranked = sorted(bold, key=lambda k: _rank(raw, cuts[line[k]][0]))
        if ranked:
            spare[ranked[0]] += 1
            marks[ranked[0]] = 2
    for index, extra, mark in zip(line, spare, marks, strict=True):
        start, end, kind, _ = cuts[index]
        cuts[index] = (start, end, kind, (mark != 2) + 4 * extra)


def _rank(raw: str, start: int) -> int:
    if raw[start - 1 : start] in ("", " "):
        return 2
    return 0 if raw[start - 2 : start - 1] == " " else 1
