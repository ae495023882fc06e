"""Google's relation extraction corpus: facts of Freebase, a passage for each, and people's votes.

A line has `pred`, `sub` and `obj` (Freebase MIDs), `evidences` (`url`, `snippet`) and `judgments`
(`rater`, `judgment`: yes, no or skip). Where in the passage the two entities stand it does not say:
the subject is what the article is about, so its title names it, and so do "he" and "she"; the
object is marked, `((NAM: B.A.))`, or found by the names of its MID.
Published by Orr, "50,000 Lessons on How to Read" (Google Research, 2013).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import msgspec

from stages.annotated.files import Record, decode, lines, whole
from stages.tasks.base import Example
from storage.errors import SourceError
from storage.spans import Span

FORM = (
    '{"pred": ..., "sub": MID, "obj": MID, "evidences": [{"url": ..., "snippet": ...}], '
    '"judgments": [{"rater": ..., "judgment": "yes"}]}'
)
MARK = re.compile(r"\(\((?:NAM|NOM|PRO): ?(.*?)\)\)")
PRONOUN = re.compile(r"\b(?:[Hh]e|[Ss]he)\b")
IN_BRACKETS = re.compile(r" \([^)]*\)$")


class Evidence(msgspec.Struct):
    """A passage."""

    url: str
    snippet: str


class Judgment(msgspec.Struct):
    """A person's vote."""

    judgment: str


class Fact(msgspec.Struct):
    """A line of a file."""

    pred: str
    sub: str
    obj: str
    evidences: list[Evidence]
    judgments: list[Judgment]


class Named(msgspec.Struct):
    """What a MID is called."""

    label: str | None = None
    alternatives: list[str] = []


class Left(Protocol):
    """Counts what is left out."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Count it."""


def names_of(path: Path) -> dict[str, list[str]]:
    """Return the names of MIDs, the longest first: JSON, by MID `label` and `alternatives`.

    Raises:
        SourceError: If the file is none such.
    """
    try:
        found = msgspec.json.decode(whole(path), type=dict[str, Named])
    except msgspec.DecodeError as error:
        raise SourceError(
            f"this does not name MIDs: {error}",
            where=str(path),
            mend='A MID has names so: {"/m/0abc": {"label": "York", "alternatives": []}}',
        ) from error
    return {
        mid: sorted({n for n in (each.label, *each.alternatives) if n}, key=lambda n: (-len(n), n))
        for mid, each in found.items()
    }


def judged_facts(
    path: Path, names: Mapping[str, Sequence[str]], left: Left
) -> Iterator[tuple[Example, bool]]:
    """Yield each passage whose two entities are found, and whether most of the votes say yes.

    The mentions are those that stand nearest to each other.

    Left out: "no_majority" (as many yes as no; skipped votes do not count), "tail_not_named" and
    "head_not_named" (what the passage does not name by the names that are known).

    Args:
        names: Names of MIDs.
    """
    for record in lines(path):
        fact = decode(record, Fact, FORM)
        key = f"{path.name.partition('.')[0]}/{record.number}"
        votes = [each.judgment for each in fact.judgments]
        right, wrong = votes.count("yes"), votes.count("no")
        passage = passage_of(record, fact)
        text, marks = unmarked(passage.snippet)
        tails = marks or occurrences(text, names.get(fact.obj, ()))
        heads = subject_mentions(text, title_of(passage.url))
        pairs = [(h, t) for h in heads for t in tails if h[1] <= t[0] or t[1] <= h[0]]
        if right == wrong:
            left.drop("no_majority", key)
        elif not tails:
            left.drop("tail_not_named", key)
        elif not pairs:
            left.drop("head_not_named", key)
        else:
            head, tail = min(pairs, key=lambda pair: (apart(*pair), pair))
            relation = fact.pred.rsplit("/", 1)[-1]
            yield Example(key, text, head, tail, None, None, relation), right > wrong


def passage_of(record: Record, fact: Fact) -> Evidence:
    """Return the first passage of a fact.

    Raises:
        SourceError: If it has none.
    """
    if not fact.evidences:
        raise record.error("evidences is empty", "Get the file anew")
    return fact.evidences[0]


def unmarked(snippet: str) -> tuple[str, list[Span]]:
    """Return a passage without the marks around its object, and where these stood."""
    text, spans, at = "", [], 0
    for match in MARK.finditer(snippet):
        text += snippet[at : match.start()]
        spans.append((len(text), len(text) + len(match[1])))
        text, at = text + match[1], match.end()
    return text + snippet[at:], spans


def title_of(url: str) -> str:
    """Return what an article is called, by its address and without what stands in brackets."""
    title = unquote(url.rsplit("/", 1)[-1]).replace("_", " ")
    return IN_BRACKETS.sub("", title).strip()


def subject_mentions(text: str, title: str) -> list[Span]:
    """Return where an article's subject is named: by its title, its last word, or a pronoun."""
    named = occurrences(text, [title, title.split(" ")[-1]])
    return named + [match.span() for match in PRONOUN.finditer(text)]


def occurrences(text: str, names: Sequence[str]) -> list[Span]:
    """Return where names stand in a text as words of their own; of two that overlap the first name.

    Shape:
        Spans are half-open, in code points.
    """
    found: list[Span] = []
    for name in filter(None, names):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            if all(match.end() <= start or end <= match.start() for start, end in found):
                found.append(match.span())
    return found


def apart(first: Span, second: Span) -> int:
    """Return the code points between two spans that do not overlap."""
    return max(second[0] - first[1], first[0] - second[1])
