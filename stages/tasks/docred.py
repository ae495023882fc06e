"""DocRED, Re-DocRED and files of their format: which relations hold between which entities.

A fact is a head, a tail and a relation of a document. What was predicted is told fact by fact: one
row for each fact that is true or was predicted, with NA in the place of what it is not. So F1 of
facts is micro-F1 of these rows without NA.

Papers: Yao et al., DocRED (ACL 2019), section 5; Tan et al., Re-DocRED (EMNLP 2022).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stages.annotated.document import Document
from stages.tasks.base import NA_NAMES, Head
from stages.tasks.scores import Confusion, Score, each_relation, macro_f1, micro_f1
from stages.tasks.subsets import place
from storage.errors import ConfigError, SourceError

__all__ = [
    "CROSS",
    "INTRA",
    "KNOWN",
    "NO_RELATION",
    "DocRed",
    "Fact",
    "ReDocRed",
    "best_threshold",
    "draw_documents",
    "facts_of",
    "is_intra",
    "is_labelled",
    "manifest",
    "names_of_facts",
    "parted",
    "relations_of",
    "submission",
    "tags_of",
]

NO_RELATION = "NA"
INTRA, CROSS, KNOWN = "intra", "cross", "known"
"""Tags of a fact: some sentence holds both entities; none does; the training data state it."""

Names: TypeAlias = frozenset[tuple[str, str, str]]
"""Facts as names of head and tail and the relation."""


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One fact of a document: ordinals of head and tail among its entities, and the relation."""

    head: int
    tail: int
    relation: str


class DocRed:
    """DocRED: F1 of facts, and Ign F1, which leaves out what the training data state already."""

    name = "docred"
    metric = "ign_f1"
    head: Head = "document"
    na: tuple[str, ...] = (NO_RELATION,)
    max_pieces = 512

    def kind(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what scores need to know of a prediction: gold, predicted, and its tags."""
        return (row["gold"], row["predicted"], *(row["tags"] or ()))

    def scores(self, counts: Mapping[tuple[str, ...], int]) -> dict[str, float]:
        """Return every score of facts.

        Macro-F1 is the mean over relations that occur, weighted macro-F1 that over facts; intra and
        cross are F1 of the facts whose entities do, and do not, share a sentence.
        """
        whole = plain(counts)
        micro, ignored = micro_f1(whole, NO_RELATION), without_known(counts)
        return {
            "precision": micro.precision,
            "recall": micro.recall,
            "f1": micro.f1,
            "ign_precision": ignored.precision,
            "ign_f1": ignored.f1,
            "macro_f1": macro_f1(whole, NO_RELATION),
            "weighted_macro_f1": weighted_f1(whole),
            "intra_f1": micro_f1(plain(counts, INTRA), NO_RELATION).f1,
            "cross_f1": micro_f1(plain(counts, CROSS), NO_RELATION).f1,
        }


class ReDocRed(DocRed):
    """Re-DocRED: the same, with labels that were completed."""

    name = "redocred"


def plain(counts: Mapping[tuple[str, ...], int], tag: str | None = None) -> Confusion:
    """Return counts of facts by gold and predicted relation alone; of those with a tag."""
    found: dict[tuple[str, str | None], int] = {}
    for (gold, predicted, *tags), n in counts.items():
        if tag is None or tag in tags:
            found[gold, predicted] = found.get((gold, predicted), 0) + n
    return found


def without_known(counts: Mapping[tuple[str, ...], int]) -> Score:
    """Return the score that counts a right fact not at all where the training data state it.

    That is so in precision alone: recall is over all facts, as in the official scorer.
    """
    whole = plain(counts)
    known = sum(n for (gold, predicted), n in plain(counts, KNOWN).items() if gold == predicted)
    right = sum(n for (gold, predicted), n in whole.items() if gold == predicted)
    predicted = sum(n for (_, name), n in whole.items() if name != NO_RELATION) - known
    precision = (right - known) / predicted if predicted else 0.0
    recall = micro_f1(whole, NO_RELATION).recall
    total = precision + recall
    return Score(precision, recall, 2 * precision * recall / total if total else 0.0)


def weighted_f1(counts: Confusion) -> float:
    """Return the mean F1 of relations, each counted by its facts."""
    facts: dict[str, int] = {}
    for (gold, _), n in counts.items():
        facts[gold] = facts.get(gold, 0) + n
    facts.pop(NO_RELATION, None)
    scores = each_relation(counts)
    total = sum(facts.values())
    return sum(scores[name].f1 * n for name, n in facts.items()) / total if total else 0.0


def is_labelled(documents: Iterable[Document]) -> bool:
    """Whether documents say which facts hold: one that lists none says so of all its pairs."""
    return any(document.na is None or document.relations for document in documents)


def facts_of(document: Document) -> set[Fact]:
    """Return the facts of a document, each once."""
    found = (Fact(each.head, each.tail, each.name) for each in document.relations)
    return {fact for fact in found if fact.relation not in NA_NAMES}


def relations_of(splits: Iterable[Iterable[Document]]) -> list[str]:
    """Return the relations that occur, sorted, NA in front."""
    found = {fact.relation for own in splits for document in own for fact in facts_of(document)}
    return [NO_RELATION, *sorted(found)]


def names_of_facts(documents: Iterable[Document]) -> Names:
    """Return facts by names: each mention of the head with each of the tail."""
    return frozenset(
        triple
        for document in documents
        for fact in facts_of(document)
        for triple in triples(document, fact)
    )


def triples(document: Document, fact: Fact) -> Iterable[tuple[str, str, str]]:
    """Yield all names of a fact."""
    head, tail = document.entities[fact.head], document.entities[fact.tail]
    return ((h.name, t.name, fact.relation) for h in head.mentions for t in tail.mentions)


def is_intra(document: Document, head: int, tail: int) -> bool:
    """Whether some sentence holds a mention of both."""
    first, second = (
        {mention.sentence for mention in document.entities[side].mentions} for side in (head, tail)
    )
    return bool(first & second)


def tags_of(document: Document, fact: Fact, known: Names) -> list[str]:
    """Return the tags of a fact."""
    tags = [INTRA if is_intra(document, fact.head, fact.tail) else CROSS]
    return [*tags, KNOWN] if any(names in known for names in triples(document, fact)) else tags


def draw_documents(documents: Sequence[Document], fraction: float, seed: int) -> list[Document]:
    """Draw ceil(fraction x n) of n documents, in their order; less of a seed lies within more.

    Raises:
        ConfigError: If the share is out of range.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"the fraction is {fraction}", mend="Give a share above 0, at most 1")
    return parted(documents, fraction, seed)[0]


def parted(
    documents: Sequence[Document], share: float, seed: int
) -> tuple[list[Document], list[Document]]:
    """Return ceil(share x n) of n documents, drawn by a hash of their ids, and the others."""
    ranked = sorted(documents, key=lambda document: (place(seed, document.id), document.id))
    # The decimal notation counts, so that 0.1 of 30 is 3.
    chosen = {each.id for each in ranked[: ceil(Fraction(repr(share)) * len(ranked))]}
    drawn = [document for document in documents if document.id in chosen]
    return drawn, [document for document in documents if document.id not in chosen]


def manifest(documents: Sequence[Document], of: int, fraction: float, seed: int) -> str:
    """Return which documents were drawn, as JSON: how, which ids, and a checksum of these."""
    ids = [document.id for document in documents]
    return json.dumps(
        {
            "fraction": fraction,
            "seed": seed,
            "of": of,
            "rule": "ceil(fraction * n) documents, lowest blake2b of seed/id first",
            "facts": sum(len(facts_of(document)) for document in documents),
            "sha256": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            "ids": ids,
        },
        ensure_ascii=False,
        indent=1,
    )


def best_threshold(
    score_N: npt.NDArray[np.float64], right_N: npt.NDArray[np.bool_], facts: int
) -> tuple[float, float]:
    """Return the threshold above which F1 is highest, and that F1.

    Args:
        score_N: Scores of candidate facts.
        right_N: Whether each is true.
        facts: How many facts there are, those that are no candidates among them.
    """
    order = np.argsort(-score_N, kind="stable")
    scores = score_N[order]
    f1_N = 2 * np.cumsum(right_N[order]) / (np.arange(1, len(order) + 1) + facts)
    # Equal scores cannot be told apart: all of them are predicted, or none.
    f1_N[:-1][scores[:-1] == scores[1:]] = 0.0
    best = int(f1_N.argmax()) if len(f1_N) else 0
    if not len(f1_N) or f1_N[best] == 0.0:
        return float("inf"), 0.0
    least = scores[best]
    below = scores[best + 1] if best + 1 < len(scores) else np.nextafter(least, -np.inf)
    middle = below + (least - below) / 2
    return float(middle if middle < least else below), float(f1_N[best])


def submission(found: Iterable[tuple[Document, Fact]]) -> str:
    """Return predicted facts in the form that the official scorer takes, as JSON."""
    answers = [
        {
            "title": document.title,
            "h_idx": fact.head,
            "t_idx": fact.tail,
            "r": fact.relation,
            "evidence": [],
        }
        for document, fact in found
    ]
    return json.dumps(answers, ensure_ascii=False)


def require_labels(documents: Sequence[Document], what: str, mend: str) -> None:
    """Check that a split is there and has labels.

    Raises:
        SourceError: If not.
    """
    if not documents or not is_labelled(documents):
        raise SourceError(f"{what} {'has no labels' if documents else 'is missing'}", mend=mend)
