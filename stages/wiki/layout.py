"""Layout: a draft becomes clean blocks of text, and every place in it keeps its offset."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import itemgetter

from stages.wiki.draft import HEADING, HOLE, LIST, Draft

__all__ = ["Layout", "Span", "plain"]


@dataclass(frozen=True, slots=True)
class Span:
    """A block of a layout: its kind, the section it stands in, and its span in the text."""

    kind: str
    section: int
    start: int
    end: int


# What is no text and may still stand in a draft: white space that is more than one space, quote
# runs, tags and brackets that the grammar could not pair, switches, what no reader sees. Each
# expression starts with one class or literal, which is what makes searching for it fast.
_SPACE = r"\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN = r"\x00-\x08\x0e-\x1b\x7f\xad\u200b\u2060\ufeff"
_CUTS = re.compile(
    rf"[{_SPACE}'<\[\]{{}}_{_UNSEEN}]"
    rf"(?:(?P<space>(?<=[{_SPACE}])\s*)"
    r"|(?P<quotes>(?<=')'+)"
    r"|(?P<rest>(?<=<)/?[A-Za-z][^<>\n]*>|(?<=\[)\[+|(?<=\])\]+|(?<={){+|(?<={)\|[^\n]*|(?<=})}+"
    rf"|(?<=_)_[A-Z]+__|(?<=[{_UNSEEN}])))"
)
_SPACES = re.compile(r"  +")
_VARIANTS = re.compile(r"-\{[^{}\n]*\}-")
_VARIANT = re.compile(r"-\{(?:(?P<flags>[^{}|:]*)\|)?(?:[\w-]*:)?(?P<words>[^;{}]*)")
_UNSHOWN_FLAGS = frozenset("THD-")
Cut = tuple[int, int, str, int]
"""Start and end in the raw text, kind, and a number that the kind reads."""

_CLEAN = re.compile(r"[\w.,:;()/&–-]*\w[\w.,:;()/&–-]*(?: [\w.,:;()/&–-]+)*")
_WORD = re.compile(r"[^\s.,;:!?()\[\]{}|*·•'\"/\\–—-]")
OPENING, CLOSING = "([（［", ")]）］"
SEPARATORS = ",;:，；：、،؛"
STOPS = ".!?。！？"
TIGHT = SEPARATORS + CLOSING + STOPS


class Layout:
    """Clean text of a draft, made in one sweep over the places that need care.

    Attributes:
        text: Spans joined by line feeds.
        blocks: Their spans in code points of `text`.
        bolds: Spans of bold words.
        starts: Start in `text` of each section's first block, by section.
    """

    def __init__(self, draft: Draft, *, page: bool = True) -> None:
        # What is no page of its own (a surface, a heading) keeps what would be no block of a page.
        self.page = page
        self.offsets = [0, *accumulate(map(len, draft.pieces))]
        self.raw = "".join(draft.pieces)
        self.blocks: list[Span] = []
        self.bolds: list[tuple[int, int]] = []
        self.texts: list[str] = []
        self.section = 0
        # One entry a run of text taken over: where it starts in the raw text and in `text`.
        self.raw_starts: list[int] = [0]
        self.text_starts: list[int] = [0]
        self.length = 0
        self.kind = "prose"
        self.block_start = 0
        self.run: list[str] = []
        self.gap = False
        self.hole = False
        self.line_start = page
        self._sweep(self._cuts(draft))
        self.text = "\n".join(self.texts)

    def at(self, offset: int) -> int:
        """Return where a code point of the raw text stands in `text`."""
        run = bisect_right(self.raw_starts, offset) - 1
        place = self.text_starts[run] + offset - self.raw_starts[run]
        if run + 1 < len(self.text_starts):
            place = min(place, self.text_starts[run + 1])
        return min(place, len(self.text))

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the span of two code points of the raw text without white space at its ends.

        None where nothing is left of it or it runs over the end of a block.
        """
        text = self.text
        first, last = self.at(start), self.at(end)
        while first < last and text[first].isspace():
            first += 1
        while last > first and text[last - 1].isspace():
            last -= 1
        if first >= last or "\n" in text[first:last]:
            return None
        return first, last

    def _cuts(self, draft: Draft) -> list[Cut]:
        """Return the places that need care: start, end, kind, and a number that the kind reads."""
        raw = self.raw
        cuts = [(m.start(), m.end(), m.lastgroup or "", 0) for m in _CUTS.finditer(raw)]
        if "''" in raw:
            if "''''" in raw:
                cuts = self._parted(cuts)
            cuts = _weigh_quotes(raw, cuts)
        if "  " in raw:
            cuts += [(m.start(), m.end(), "space", 0) for m in _SPACES.finditer(raw)]
        if "-{" in raw:
            cuts += [(m.start(), m.end(), "variant", 0) for m in _VARIANTS.finditer(raw)]
        if draft.marks:
            offsets = self.offsets
            cuts += [
                (offsets[mark.at], offsets[mark.at], mark.kind, mark.section)
                for mark in draft.marks
            ]
        # Marks first: what stands at the same place comes behind them.
        cuts.sort(key=itemgetter(0, 1))
        return cuts

    def _parted(self, cuts: list[Cut]) -> list[Cut]:
        """Part the runs of quotes that only met because the markup between them is gone."""
        offsets, parted = self.offsets, []
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

    def _sweep(self, cuts: list[Cut]) -> None:
        raw, done = self.raw, 0
        bold_from: int | None = None
        for start, end, kind, number in cuts:
            if start > done:
                self._take(done, start)
            # A mark may stand within white space that was joined over it.
            done = max(done, end)
            if kind == "space":
                lines = raw.count("\n", start, end)
                self.gap = True
                if lines:
                    bold_from = None
                    self._line(lines)
            elif kind == "quotes":
                kept = number >> 2
                if kept:
                    self._take(start, start + kept)
                if number & 1:
                    if bold_from is None:
                        bold_from = end
                    else:
                        self.bolds.append((bold_from, start))
                        bold_from = None
            elif kind == HOLE:
                self.hole = True
            elif kind == "variant":
                self._variant(start)
            elif kind != "rest":
                self._border(kind, number)
        self._take(done, len(raw))
        self._close()

    def _variant(self, start: int) -> None:
        """Take the first of several spellings of a word, as Chinese wikis state them."""
        found = _VARIANT.match(self.raw, start)
        if found and not _UNSHOWN_FLAGS & set(found["flags"] or ""):
            self._take(found.start("words"), found.end("words"))

    def _line(self, lines: int) -> None:
        if lines > 1 or self.kind == LIST:
            self._close()
        self.line_start = self.page

    def _border(self, kind: str, section: int) -> None:
        self._close()
        if kind == HEADING:
            self.section = section
        elif kind == LIST:
            self.kind = LIST
            self.line_start = False

    def _take(self, start: int, end: int) -> None:
        """Take over raw[start:end], which holds no line feed and no two spaces on end."""
        words = self.raw[start:end]
        if self.line_start and words.startswith(("|", "! ")):
            # A row of a table that the grammar could not close.
            return
        stripped = words.lstrip(" ")
        if len(stripped) < len(words):
            self.gap = True
            start = end - len(stripped)
        if not stripped:
            return
        self.line_start = False
        if self.hole and not (stripped := self._mend(stripped)):
            return
        start = end - len(stripped)
        if not self.run:
            self.length = self.block_start
        elif self.gap:
            self.run.append(" ")
            self.length += 1
        words = stripped.rstrip(" ")
        self.gap = len(words) < len(stripped)
        if not words:
            return
        self.raw_starts.append(start)
        self.text_starts.append(self.length)
        self.run.append(words)
        self.length += len(words)

    def _mend(self, words: str) -> str:
        """Close the hole before `words`: no empty brackets, no separator that separates nothing."""
        while words:
            last = self.run[-1][-1] if self.run else ""
            first = words[0]
            if last and last in OPENING and first in CLOSING:
                self._unwrite()
                words = words[1:]
            elif (not last or last in OPENING or last in SEPARATORS) and first in SEPARATORS:
                words = words[1:]
            elif last and last in SEPARATORS and (first in CLOSING or first in STOPS):
                self._unwrite()
                continue
            else:
                break
            if words.startswith(" "):
                self.gap = True
                words = words.lstrip(" ")
        if not words:
            return words
        self.hole = False
        last = self.run[-1][-1] if self.run else ""
        if words[0] in TIGHT or (last and last in OPENING):
            self.gap = False
        return words

    def _unwrite(self) -> None:
        """Take back the last character, and the space before it."""
        while self.run:
            text = self.run.pop()[:-1]
            self.length -= 1
            kept = text.rstrip(" ")
            if len(kept) < len(text):
                self.gap = True
                self.length -= len(text) - len(kept)
            if kept:
                self.run.append(kept)
                return
            if not self.run or self.run[-1] != " ":
                return

    def _close(self) -> None:
        """End the block; one without a letter or digit is none."""
        text = "".join(self.run)
        if text and (not self.page or _WORD.search(text)):
            end = self.block_start + len(text)
            self.blocks.append(Span(self.kind, self.section, self.block_start, end))
            self.texts.append(text)
            self.block_start = end + 1
        self.length = self.block_start
        self.run = []
        self.gap = self.hole = False
        self.kind = "prose"
        self.line_start = self.page


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


def plain(text: str) -> str:
    """Return one line of raw text as a reader sees it."""
    if _CLEAN.fullmatch(text):
        return text
    return " ".join(Layout(Draft([text]), page=False).texts)
