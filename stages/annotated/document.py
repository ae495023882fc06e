"""One document of a released corpus, whatever format it came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from storage.spans import Span, holder

__all__ = ["Document", "Entity", "Joined", "Mention", "Relation", "Tally", "joined"]


class Tally(Protocol):
    """Where a reader says what it leaves out and what it noticed; `Inputs` of a stage is one."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Count what is left out."""

    def count(self, name: str, count: int = 1) -> None:
        """Count what is worth telling."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One span that names an entity.

    Attributes:
        span: Code points of the document's text.
        sentence: Ordinal of the sentence that it starts in.
        name: What the file calls it; it may differ from the words of the span.
        type: Entity type in the words of the file; None without one.
    """

    span: Span
    sentence: int
    name: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """All mentions of one entity, in the order of the file."""

    mentions: tuple[Mention, ...]
    qid: str | None = None

    @property
    def name(self) -> str:
        """Name of its first mention."""
        return self.mentions[0].name

    @property
    def type(self) -> str | None:
        """Commonest type of its mentions, the first of equals; None without one."""
        types = Counter(m.type for m in self.mentions if m.type is not None)
        return types.most_common(1)[0][0] if types else None


@dataclass(frozen=True, slots=True)
class Relation:
    """One label.

    Attributes:
        head: Ordinal of the head among the document's entities.
        tail: Ordinal of the tail.
        name: Relation as the file writes it, a PID or a name; NA too where the file says so.
        evidence: Ordinals of the sentences that state it; None where the file does not say.
        noisy: Whether an annotator judged the label to be wrong; None where nobody judged it.
    """

    head: int
    tail: int
    name: str
    evidence: tuple[int, ...] | None = None
    noisy: bool | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with entities and relations.

    Attributes:
        id: Its name in the file, or its number there, from 1.
        title: Empty where the file gives none.
        sentences: Spans of the text, in order.
        tokens: Spans of the file's own tokens, exact to the code point; empty where the file gives
            a plain text. White space between two tokens belongs to none.
        na: Ordered pairs that hold no relation, beside relations that say so by name; None where
            that is every pair without a relation. Empty: nothing is known of other pairs.
        split: Part of the corpus that it belongs to, such as dev; empty where nobody said.
    """

    id: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    tokens: tuple[Span, ...]
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    na: tuple[tuple[int, int], ...] | None = ()
    split: str = ""

    def words(self) -> list[list[str]]:
        """Return the exact tokens of each sentence."""
        starts = [start for start, _ in self.sentences]
        words: list[list[str]] = [[] for _ in self.sentences]
        for start, end in self.tokens:
            words[holder(starts, start)].append(self.text[start:end])
        return words

    def within(self, split: str) -> Document:
        """Return the same document as one of a split."""
        return replace(self, split=split)


@dataclass(frozen=True, slots=True)
class Joined:
    """Tokens as one text, with the spans of sentences and of their tokens."""

    text: str
    sentences: tuple[Span, ...]
    tokens: tuple[tuple[Span, ...], ...]

    def span(self, sentence: int, first: int, end: int) -> Span:
        """Return the span of tokens `[first, end)` of a sentence."""
        inside = self.tokens[sentence]
        return inside[first][0], inside[end - 1][1]

    def flat(self) -> tuple[Span, ...]:
        """Return the spans of all tokens."""
        return tuple(span for sentence in self.tokens for span in sentence)


def joined(sentences: Iterable[Sequence[str]]) -> Joined:
    """Join tokens with one space, within and between sentences; no token is changed.

    Args:
        sentences: Tokens of each sentence; no token and no sentence is empty.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    cuts: list[tuple[Span, ...]] = []
    at = 0
    for tokens in sentences:
        inside = []
        for token in tokens:
            inside.append((at, at + len(token)))
            at += len(token) + 1
        pieces += tokens
        spans.append((inside[0][0], inside[-1][1]))
        cuts.append(tuple(inside))
    return Joined(" ".join(pieces), tuple(spans), tuple(cuts))
