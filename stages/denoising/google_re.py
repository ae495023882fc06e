"""Google's relation extraction corpus: facts of Freebase, a passage for each, and people's votes.

A line has `pred`, `sub` and `obj` (Freebase MIDs), `evidences` (`url`, `snippet`) and `judgments`
(`rater`, `judgment`: yes, no or skip). Where in the passage the two entities stand it does not say:
the subject is what the article is about, so its title names it, and so do "he" and "she"; the
object is marked, `((NAM: B.A.))`, or found by the names of its MID.
Published by Orr, "50,000 Lessons on How to Read" (Google Research, 2013).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import msgspec

from stages.annotated.document import Tally
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
WORD = re.compile(r"\w[\w.'-]*")
LONGEST = 4
"""Words of a name that is looked for anywhere."""
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


def names_of(path: Path) -> dict[str, list[str]]:
    """Return the names of MIDs, the longest first: JSON, by MID `label` and `alternatives`.

    Only those that begin with a capital and have three letters or more: among the others are words
    such as "in" (Indiana).

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
        mid: sorted(
            {n for n in (each.label or "", *each.alternatives) if n[:1].isupper() and len(n) > 2},
            key=lambda name: (-len(name), name),
        )
        for mid, each in found.items()
    }


def judged_facts(
    path: Path, names: Mapping[str, Sequence[str]], left: Tally
) -> Iterator[tuple[Example, bool, list[Span]]]:
    """Yield each passage whose two entities are found, whether most votes say yes, and all heads.

    Its mentions of the two entities are those that stand nearest to each other.

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
        pair = nearest(heads, tails)
        if right == wrong:
            left.drop("no_majority", key)
        elif not tails:
            left.drop("tail_not_named", key)
        elif pair is None:
            left.drop("head_not_named", key)
        else:
            relation = fact.pred.rsplit("/", 1)[-1]
            yield Example(key, text, *pair, None, None, relation), right > wrong, heads


def nearest(heads: Sequence[Span], tails: Sequence[Span]) -> tuple[Span, Span] | None:
    """Return the head and the tail with the fewest code points between them; None without any."""
    pairs = [(h, t) for h in heads for t in tails if h[1] <= t[0] or t[1] <= h[0]]
    if not pairs:
        return None
    return min(
        pairs, key=lambda pair: (max(pair[1][0] - pair[0][1], pair[0][0] - pair[1][1]), pair)
    )


def mids_of(path: Path, names: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return the MIDs that each name may mean, of those that are the object of some fact."""
    found: dict[str, set[str]] = {}
    for record in lines(path):
        mid = decode(record, Fact, FORM).obj
        for name in names.get(mid, ()):
            found.setdefault(name, set()).add(mid)
    return found


def without_fact(
    example: Example, heads: Sequence[Span], mids: Mapping[str, Set[str]], relation: str
) -> Example | None:
    """Return the same subject with the name of another object, of which no fact is known.

    So distant supervision makes its pairs without a relation, too: some of them have one. The
    mentions are again those that stand nearest to each other.

    Args:
        example: A fact whose object is one of `mids`.
        heads: Where its subject is named.
        mids: What each name may mean.
        relation: What to call no relation.

    Returns:
        None where the passage names no other.
    """
    start, end = example.tail
    own = mids.get(example.text[start:end], frozenset())
    others = [
        span
        for span in known_names(example.text, mids)
        if not mids[example.text[slice(*span)]] & own and (span[1] <= start or end <= span[0])
    ]
    pair = nearest(heads, others)
    if pair is None:
        return None
    return replace(example, id=f"{example.id}/other", head=pair[0], tail=pair[1], relation=relation)


def known_names(text: str, known: Mapping[str, object]) -> Iterator[Span]:
    """Yield where known names of up to 4 words stand in a text, the longest at each place."""
    words = [match.span() for match in WORD.finditer(text)]
    at = 0
    while at < len(words):
        ends = range(min(at + LONGEST, len(words)), at, -1)
        spans = ((words[at][0], words[end - 1][1]) for end in ends)
        found = next((span for span in spans if text[slice(*span)] in known), None)
        if found:
            yield found
            at = next((i for i, word in enumerate(words) if word[0] >= found[1]), len(words))
        else:
            at += 1


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
