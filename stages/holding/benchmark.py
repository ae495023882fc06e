"""What is to be protected of one split of a benchmark, gathered document by document."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Protocol

import numpy as np

from stages.holding.keys import benchmark_keys, normal, unordered_keys
from stages.holding.shingles import letters, shingles
from storage.lookup import Keys, text_key


class Mention(Protocol):
    """A name of an entity."""

    @property
    def name(self) -> str:
        """The name."""


class Entity(Protocol):
    """An entity of a benchmark."""

    @property
    def qid(self) -> str | None:
        """Its item; None where the benchmark does not say."""

    @property
    def mentions(self) -> Sequence[Mention]:
        """Its mentions."""


class Relation(Protocol):
    """A label; NA too where the benchmark says so."""

    @property
    def head(self) -> int:
        """Ordinal of the head among the entities."""

    @property
    def tail(self) -> int:
        """Ordinal of the tail."""


class Document(Protocol):
    """A document of a benchmark, as `stages.annotated` gives it."""

    @property
    def title(self) -> str:
        """Title of the page that it is of; empty where the benchmark does not say."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def entities(self) -> Sequence[Entity]:
        """Its entities."""

    @property
    def relations(self) -> Sequence[Relation]:
        """Its labels."""

    @property
    def na(self) -> Sequence[tuple[int, int]] | None:
        """Pairs that are NA, beside labels that say so; None where that is every other pair."""


def asked_pairs(document: Document) -> set[tuple[int, int]]:
    """Return the pairs that a benchmark asks about, or may: those with a label, NA by name too.

    Of a document without any label, as in an unlabelled test, these are all pairs of its entities.
    """
    pairs = {(label.head, label.tail) for label in document.relations}
    if document.na is None:
        return pairs
    pairs |= set(document.na)
    if pairs:
        return pairs
    ordinals = range(len(document.entities))
    return {(a, b) for a in ordinals for b in ordinals if a != b}


class Protected:
    """Keys of the pairs, titles and passages of one split.

    Args:
        protect: Any of pair, page and text.
        shingle: Letters and digits of a shingle.
        shortest: Letters and digits that a text must have; one that has fewer than `shingle` is a
            shingle by itself.

    Attributes:
        names: Names of entities without an item.
        titles: Titles of protected pages, as `page_name` gives them.
    """

    def __init__(self, protect: Sequence[str], shingle: int, shortest: int) -> None:
        self._protect = protect
        self._shingle = shingle
        self._shortest = shortest
        self._pairs: list[tuple[int, int]] = []
        self._ends: set[int] = set()
        self.titles: set[str] = set()
        self._passages: list[Keys] = []
        self.names: set[str] = set()
        self.lengths: set[int] = set()
        self.documents = self.asked = self.short = 0

    def add(self, document: Document, current: dict[str, str]) -> None:
        """Take a document.

        Args:
            current: The item that is left, for each that was merged into another.
        """
        self.documents += 1
        if "pair" in self._protect:
            self._add_pairs(document, current)
        if "page" in self._protect and document.title:
            self.titles.add(page_name(document.title))
        if "text" in self._protect:
            self._add_text(document.text)

    @property
    def pairs(self) -> Keys:
        """Keys of pairs of keys, ascending, each once."""
        both = np.array(self._pairs, np.uint64).reshape(-1, 2)
        return np.unique(unordered_keys(both[:, 0], both[:, 1]))

    @property
    def ends(self) -> Keys:
        """Keys of all ends, ascending."""
        return np.array(sorted(self._ends), np.uint64)

    @property
    def pages(self) -> Keys:
        """Keys of titles, ascending."""
        return np.array(sorted(map(page_key, self.titles)), np.uint64)

    @property
    def passages(self) -> Keys:
        """Keys of shingles, ascending, each once."""
        return np.unique(np.concatenate([np.empty(0, np.uint64), *self._passages]))

    def _add_pairs(self, document: Document, current: dict[str, str]) -> None:
        keys = []
        for entity in document.entities:
            names = {mention.name for mention in entity.mentions}
            qid = entity.qid and current.get(entity.qid, entity.qid)
            keys.append(benchmark_keys(qid, names))
            if qid is None:
                self.names |= names
        for a, b in asked_pairs(document):
            self.asked += 1
            self._pairs += product(keys[a], keys[b])
            self._ends |= keys[a] | keys[b]

    def _add_text(self, text: str) -> None:
        plain = letters(text)
        length = min(len(plain), self._shingle)
        if length < self._shortest:
            self.short += 1
            return
        self.lengths.add(length)
        self._passages.append(shingles(plain, length))


def page_name(title: str) -> str:
    """Return a page's title as titles are compared."""
    return normal(title.replace("_", " "))


def page_key(title: str) -> int:
    """Return the key of a page's title."""
    return text_key(f"page {page_name(title)}")
