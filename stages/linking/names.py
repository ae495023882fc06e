"""Names in running text: where a page's names stand, and which of its items a name means."""

from __future__ import annotations

import re
from collections.abc import Collection

from stages.linking.kinds import PERSONS
from stages.ner.words import BEFORE_SENTENCE, whole_words
from storage.spans import Span

WORD_BEFORE = re.compile(r"([^\W\d_][\w'\u2019-]*)[ \u00a0]$")
WORD_BEHIND = re.compile(r"[ \u00a0]([^\W\d_]+)")
LONGEST_WORD = 60
"""Code points before a name that are searched for the word there."""

BRACKETS = re.compile(r" \([^()]*\)$")


def stem(title: str) -> str:
    """Return a title without what tells it apart from others: "Mercury" of "Mercury (planet)"."""
    return BRACKETS.sub("", title)


def occurrences(
    text: str, names: Collection[str], plain: Collection[str]
) -> tuple[list[Span], int]:
    """Return where names stand in a text as names of their own, and how many lay in longer names.

    A name counts as a whole word only; of names that overlap, the longest counts. It is part of a
    longer name where a capitalised word stands right behind it, or another word with a hyphen, or,
    for a name of a single word, a capitalised word right before it. A word that begins a sentence
    is capitalised for that alone if it stands in lower case elsewhere in the text.

    Args:
        text: The whole text.
        names: Names, none of them empty.
        plain: Words that stand in lower case somewhere in the text.
    """
    if not names:
        return [], 0
    spans = [match.span() for match in whole_words(names).finditer(text)]
    own = [span for span in spans if not within_longer_name(text, span, plain)]
    return own, len(spans) - len(own)


def within_longer_name(text: str, span: Span, plain: Collection[str]) -> bool:
    """Whether the words around a capitalised name make it part of a longer one.

    Args:
        text: The whole text.
        span: Where the name stands.
        plain: Words that stand in lower case somewhere in the text.
    """
    start, end = span
    if not text[start].isupper():
        return False
    behind = WORD_BEHIND.match(text, end)
    if behind is not None and behind[1][0].isupper():
        return True
    joined_behind = text[end : end + 1] == "-" and text[end + 1 : end + 2].isupper()
    joined_before = start > 1 and text[start - 1] == "-" and text[start - 2].isalpha()
    if joined_behind or joined_before:
        return True
    if " " in text[start:end]:
        # "President Ada Lovelace" is Ada Lovelace, but "Port Ada" is not Ada.
        return False
    before = WORD_BEFORE.search(text, max(start - LONGEST_WORD, 0), start)
    if before is None or not before[1][0].isupper():
        return False
    opens = BEFORE_SENTENCE.search(text, max(before.start() - 9, 0), before.start()) is not None
    opens = opens or before.start() == 0 or text[before.start() - 1] == "\n"
    return not (opens and before[1].lower() in plain)


class PageNames:
    """The names that a page gives its items, in full and in part.

    Add what is sure first: hyperlinks, and the page's own titles.
    """

    def __init__(self) -> None:
        self._full: dict[str, set[str]] = {}
        self._parts: dict[str, dict[str, tuple[int, str | None]]] = {}

    def add(self, name: str, qid: str, start: int, kind: str | None) -> None:
        """Note that a name means an item at a place.

        Args:
            name: The words.
            qid: The item.
            start: First code point of the mention.
            kind: Entity type of the item or, where that is not known, of the mention.
        """
        self._full.setdefault(name, set()).add(qid)
        for part in parts(stem(name), kind):
            owners = self._parts.setdefault(part, {})
            first, _ = owners.get(qid, (start, kind))
            owners[qid] = min(first, start), kind

    def full(self, surface: str) -> str | None:
        """Return the one item that the page names by these very words, or None."""
        found = self._full.get(surface, set())
        return next(iter(found)) if len(found) == 1 else None

    def part(self, surface: str, start: int) -> tuple[str, str | None] | None:
        """Return the one item a part of whose name these words are, with its type, or None.

        The full name must stand before them, and no other item of the page may share them.

        Args:
            surface: The words.
            start: First code point of the mention.
        """
        if surface in self._full:
            return None
        owners = self._parts.get(surface, {})
        if len(owners) != 1:
            return None
        qid, (first, own) = next(iter(owners.items()))
        return (qid, own) if first < start else None


def parts(name: str, kind: str | None) -> set[str]:
    """Return the parts by which a name may be taken up again later.

    Of a person's name each capitalised word of two letters or more ("Curie", "Marie") and the
    ends of several words; of any other name what stands before a comma. Initials and small words
    are no names, nor is the beginning of a longer name: that is mostly a place, and another item.
    """
    words = name.split()
    if len(words) < 2 or not name[0].isupper():
        return set()
    found = set()
    if kind in PERSONS:
        ends = (words[at:] for at in range(1, len(words)))
        found = {" ".join(end) for end in ends if is_name(end[0]) or is_name(end[-1])}
        found |= {word for word in words if is_name(word)}
    else:
        head, comma, _ = name.partition(", ")
        found = {head} if comma else set()
    return {part.rstrip(",") for part in found} - {name}


def is_name(word: str) -> bool:
    """Whether a word may stand for a longer name: capitalised, and no initial."""
    return len(word) > 1 and word[0].isupper() and not word.endswith(".") and word[1:].isalpha()
