"""spans: half-open, in code points; held against oracles that look at every code point."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from storage.spans import Span, holder, merge_across, overlaps, without_overlap

SPANS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda s: (min(s), max(s)))


@st.composite
def disjoint(draw: st.DrawFn) -> list[Span]:
    """Spans that are not empty and do not overlap, sorted."""
    edges = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
    pairs = list(pairwise(edges))
    return [pair for pair in pairs if draw(st.booleans())]


def points(span: Span) -> set[int]:
    return set(range(*span))


@given(SPANS, SPANS)
def test_spans_overlap_if_they_share_a_code_point(a: Span, b: Span) -> None:
    assert overlaps(a, b) == bool(points(a) & points(b))
    assert overlaps(a, b) == overlaps(b, a)


def test_spans_that_touch_do_not_overlap() -> None:
    assert not overlaps((0, 3), (3, 5))


@given(st.lists(SPANS), disjoint())
def test_what_is_kept_overlaps_nothing_that_is_taken(spans: list[Span], taken: list[Span]) -> None:
    free = [s for s in spans if not any(points(s) & points(t) for t in taken)]
    assert without_overlap(spans, taken) == sorted(free)


@given(disjoint(), st.integers(0, 31))
def test_the_holder_is_the_last_span_that_starts_at_or_before_an_offset(
    spans: list[Span], offset: int
) -> None:
    before = [i for i, (start, _) in enumerate(spans) if start <= offset]
    assert holder([start for start, _ in spans], offset) == (before[-1] if before else 0)


@given(disjoint(), st.lists(SPANS))
def test_a_border_is_taken_out_where_and_only_where_it_cuts_a_span(
    cuts: list[Span], whole: list[Span]
) -> None:
    kept_starts = [
        start
        for i, (start, _) in enumerate(cuts)
        if i == 0 or not any(a < start < b for a, b in whole)
    ]
    merged = merge_across(cuts, whole)
    assert [start for start, _ in merged] == kept_starts
    ends = [end for _, end in cuts]
    following = [*[start for start, _ in merged[1:]], 31][: len(merged)]
    for (_, end), limit in zip(merged, following, strict=True):
        assert end == max(e for e in ends if e <= limit)


def test_nothing_to_keep_whole_leaves_the_cuts_as_they_are() -> None:
    assert merge_across([(0, 3), (4, 9)], []) == [(0, 3), (4, 9)]


def test_sentences_that_share_a_mention_become_one() -> None:
    assert merge_across([(0, 3), (4, 9), (9, 12)], [(2, 5)]) == [(0, 9), (9, 12)]


def test_a_mention_that_ends_where_a_sentence_begins_joins_nothing() -> None:
    assert merge_across([(0, 5), (5, 9)], [(0, 5), (5, 9), (5, 5)]) == [(0, 5), (5, 9)]
