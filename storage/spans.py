"""Spans: half-open `[start, end)` in Unicode code points, and what may be asked of them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def overlaps(a: Span, b: Span) -> bool:
    """Whether two spans share a code point; an empty span shares none."""
    return max(a[0], b[0]) < min(a[1], b[1])


def without_overlap(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """Return the spans that overlap none of `taken`, in order.

    Args:
        spans: Candidates, in any order.
        taken: Spans sorted by start, no two of which overlap.
    """
    starts = [start for start, _ in taken]
    kept = []
    for span in sorted(spans):
        at = bisect.bisect_right(starts, span[0])
        near = taken[max(at - 1, 0) : at + 1]
        if not any(overlaps(span, other) for other in near):
            kept.append(span)
    return kept


def holder(starts: Sequence[int], offset: int) -> int:
    """Return the ordinal of the last span that starts at or before `offset`; 0 if none does.

    Args:
        starts: Starts of spans, ascending.
        offset: A code point.
    """
    return max(bisect.bisect_right(starts, offset) - 1, 0)


def merge_across(cuts: Sequence[Span], kept_whole: Iterable[Span]) -> list[Span]:
    """Join neighbouring spans of `cuts` wherever their border falls inside a span to keep whole.

    Args:
        cuts: Spans sorted by start, no two of which overlap (sentences).
        kept_whole: Spans that no border may cut (mentions).
    """
    starts = [start for start, _ in cuts]
    joined_to_previous: set[int] = set()
    for start, end in kept_whole:
        first, last = holder(starts, start), holder(starts, max(end - 1, start))
        joined_to_previous.update(range(first + 1, last + 1))
    merged: list[Span] = []
    for index, (start, end) in enumerate(cuts):
        if index in joined_to_previous:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
