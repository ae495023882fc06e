"""Words in running text: where names stand as whole words, and what looks like a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from storage.spans import Span, overlaps, without_overlap

# Kana, ideographs and Hangul stand without spaces: a neighbour of these does not prolong a word.
LETTER = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
WORD = re.compile(r"[^\W_]+(?:['\u2019.\-][^\W_]+)*")
SENTENCE = re.compile(r"[^.!?\u3002\uff01\uff1f]+[.!?\u3002\uff01\uff1f]*")
BEFORE_SENTENCE = re.compile(r"(?:^|[.!?:;\u2026][\"'\u201d\u2019)\]]*\s+)[\"'\u201c\u2018(\[]*$")
# What may stand between two words of one name: at most two small words, a hyphen, a full stop.
JOINT = re.compile(r"\s(?:[^\W\d_]+\s){0,2}|[-\u2013/'\u2019]|\.\s")
NUMBER_BEHIND = re.compile(r"\s[^\W_]*\d[^\W_]*")


def whole_words(names: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds names as whole words; of names that overlap, the longest.

    Args:
        names: At least one, none of them empty.
    """
    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    pattern = "|".join(re.escape(name) for name in longest_first)
    return re.compile(f"(?<!{LETTER})(?:{pattern})(?!{LETTER})")


def may_name(words: str) -> bool:
    """Whether words may be a name: they hold a capital, or a letter of a script without."""
    return any(c.isupper() or is_caseless(c) for c in words)


def is_caseless(character: str) -> bool:
    """Whether a character is a letter of a script without capitals."""
    return character.isalpha() and not character.isupper() and not character.islower()


def lower_case_words(text: str) -> set[str]:
    """Return the words of a text that stand in lower case."""
    return {word for word in WORD.findall(text) if word.islower()}


def name_like(text: str, covered: Sequence[Span], plain: set[str]) -> list[Span]:
    """Return what looks like a name outside of some spans.

    In scripts with capitals these are capitalised words, with what stands between two of them and
    a number behind them. One that begins a sentence is left out if it is a plain word, and the next
    is none. In scripts without capitals they are the sentences that hold none of the spans.

    Args:
        covered: Spans of which is known what they are, sorted; no two overlap.
        plain: Words that stand in lower case elsewhere.
    """
    runs: list[Span] = []
    words = [match.span() for match in WORD.finditer(text)]
    free = set(without_overlap(words, covered))
    for place, (start, end) in enumerate(words):
        if (start, end) not in free or not any(c.isupper() for c in text[start:end]):
            continue
        opens = BEFORE_SENTENCE.search(text, max(0, start - 9), start) is not None
        if opens and text[start:end].lower() in plain and not followed(text, words, place, free):
            continue
        if runs and JOINT.fullmatch(text, runs[-1][1], start):
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return sorted({*(with_number(text, run) for run in runs), *silent_sentences(text, covered)})


def followed(text: str, words: Sequence[Span], place: int, free: set[Span]) -> bool:
    """Whether a capitalised word that is not covered stands right behind a word."""
    if place + 1 == len(words) or words[place + 1] not in free:
        return False
    start, _ = words[place + 1]
    return text[words[place][1] : start] == " " and text[start].isupper()


def with_number(text: str, run: Span) -> Span:
    """Return a span with the number that stands right behind it, if one does."""
    behind = NUMBER_BEHIND.match(text, run[1])
    return (run[0], behind.end()) if behind else run


def silent_sentences(text: str, covered: Sequence[Span]) -> list[Span]:
    """Return the sentences in scripts without capitals that share nothing with some spans."""
    if not any(is_caseless(c) for c in text):
        return []
    found = [match.span() for match in SENTENCE.finditer(text)]
    return [
        span
        for span in found
        if any(is_caseless(c) for c in text[slice(*span)])
        and not any(overlaps(span, other) for other in covered)
    ]
