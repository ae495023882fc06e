"""Layout: a draft becomes clean blocks of text, and every place in it keeps its offset."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from stages.wiki.cuts import CUTS, Cut, find_cuts
from stages.wiki.draft import HEADING, HOLE, LIST, Draft

__all__ = ["Layout", "Span", "plain"]


class Span(NamedTuple):
    """A block of a layout: its kind, the section it stands in, and its span in the text."""

    kind: str
    section: int
    start: int
    end: int


_VARIANT = re.compile(r"-\{(?:(?P<flags>[^{}|:]*)\|)?(?:[\w-]*:)?(?P<words>[^;{}]*)")
_UNSHOWN_FLAGS = frozenset("THD-")
_GAPS = re.compile(rf"{CUTS.pattern}|  +")

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
        self._sweep(find_cuts(self.raw, self.offsets, draft.marks))
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
        run = bisect_right(self.raw_starts, start)
        if run < len(self.raw_starts) and end < self.raw_starts[run]:
            # The usual case: all of it in one run.
            first = self.text_starts[run - 1] + start - self.raw_starts[run - 1]
            last = min(first + end - start, self.text_starts[run], len(text))
            first = min(first, last)
        else:
            first, last = self.at(start), self.at(end)
        while first < last and text[first].isspace():
            first += 1
        while last > first and text[last - 1].isspace():
            last -= 1
        if first >= last or "\n" in text[first:last]:
            return None
        return first, last

    def _sweep(self, cuts: list[Cut]) -> None:
        raw, done = self.raw, 0
        bold_from: int | None = None
        for start, end, kind, number in cuts:
            if start < end <= done:
                # Within what was dealt with as a whole.
                continue
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
        if not found or _UNSHOWN_FLAGS & set(found["flags"] or ""):
            return
        done, end = found.span("words")
        for cut in _GAPS.finditer(self.raw, done, end):
            self._take(done, cut.start())
            self.gap = self.gap or cut.group().isspace()
            done = cut.end()
        self._take(done, end)

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
        if self.run:
            text = "".join(self.run)
            if not self.page or _WORD.search(text):
                end = self.block_start + len(text)
                self.blocks.append(Span(self.kind, self.section, self.block_start, end))
                self.texts.append(text)
                self.block_start = end + 1
            self.run = []
        self.length = self.block_start
        self.gap = self.hole = False
        self.kind = "prose"
        self.line_start = self.page


def plain(text: str) -> str:
    """Return one line of raw text as a reader sees it."""
    if _CLEAN.fullmatch(text):
        return text
    return " ".join(Layout(Draft([text]), page=False).texts)
