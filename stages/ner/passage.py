"""What NER learns from: texts of which some spans are known to name entities, and some unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from storage.spans import Span

Typed = tuple[Span, str]
"""Span in code points, and entity type."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with its mentions.

    Attributes:
        mentions: What names an entity, sorted; no two overlap.
        unknown: Spans of which nobody knows whether they name an entity. What is in neither names
            none.
    """

    text: str
    mentions: tuple[Typed, ...]
    unknown: tuple[Span, ...] = ()


def disjoint(mentions: Iterable[Typed]) -> list[Typed]:
    """Return mentions of which no two overlap, sorted; of two that do, the one that starts first.

    Of those that start together the longest stays, of those with one span the first.
    """
    types: dict[Span, str] = {}
    for span, kind in mentions:
        types.setdefault(span, kind)
    kept: list[Typed] = []
    for span in sorted(types, key=lambda span: (span[0], -span[1])):
        if not kept or kept[-1][0][1] <= span[0]:
            kept.append((span, types[span]))
    return kept
