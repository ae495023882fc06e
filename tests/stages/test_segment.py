"""segment: articles cut into documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.segment import SEGMENT, Block, SegmentConfig, packed, words
from storage.tables import DOCUMENTS, PAGES, PARAGRAPHS, SENTENCES
from tests.conftest import Outcome, RunStage

Blocks = list[tuple[str, int, str]]


def article(blocks: Blocks, **page: Any) -> dict[Any, list[dict[str, Any]]]:
    """One page of blocks, each a (kind, section, text); a sentence ends with a full stop."""
    text, paragraphs, sentences = "", [], []
    for index, (kind, section, block) in enumerate(blocks):
        start = len(text)
        span = {"page_id": 7, "char_start": start, "char_end": start + len(block)}
        paragraphs.append({**span, "paragraph": index, "kind": kind, "section": section})
        for sentence in block.split(". "):
            at = start + block.index(sentence)
            span = {"char_start": at, "char_end": at + len(sentence)}
            sentences.append({"page_id": 7, "sentence": len(sentences), **span})
        text += f"{block}\n"
    pages = [{"page_id": 7, "text": text, **page}]
    return {PAGES: pages, PARAGRAPHS: paragraphs, SENTENCES: sentences}


@pytest.fixture
def segment(run_stage: RunStage) -> Any:
    def run(blocks: Blocks, page: dict[str, Any] | None = None, **config: Any) -> Outcome:
        given = article(blocks, **(page or {}))
        outcome = run_stage(SEGMENT, SegmentConfig(**config), given)
        text = given[PAGES][0]["text"]
        for row in outcome.rows(DOCUMENTS):
            row["text"] = text[row["char_start"] : row["char_end"]]
        outcome.texts = [  # type: ignore[attr-defined]
            text[r["char_start"] : r["char_end"]] for r in outcome.rows(DOCUMENTS)
        ]
        return outcome

    return run


TEXT: Blocks = [
    ("prose", 0, "one two three"),
    ("prose", 0, "four five"),
    ("list", 1, "six seven"),
    ("prose", 1, "eight nine ten. eleven"),
    ("caption", 1, "twelve"),
]


def test_a_paragraph_is_a_document_if_its_words_are_in_bounds(segment: Any) -> None:
    outcome = segment(TEXT, unit="paragraph", min_words=3, max_words=3)
    (row,) = outcome.rows(DOCUMENTS)
    assert row == {
        "document_id": "7:0-13",
        "page_id": 7,
        "char_start": 0,
        "char_end": 13,
        "unit": "paragraph",
        "words": 3,
    }
    assert outcome.drops == {"short": 1, "long": 1}


def test_bounds_are_inclusive(segment: Any) -> None:
    assert len(segment(TEXT, min_words=2, max_words=4).rows(DOCUMENTS)) == 3


def test_lists_and_captions_are_no_paragraphs(segment: Any) -> None:
    texts = segment(TEXT, min_words=1).texts
    assert "six seven" not in texts
    assert "twelve" not in texts


def test_a_lead_is_the_prose_before_the_first_heading(segment: Any) -> None:
    assert segment(TEXT, unit="lead", min_words=1).texts == ["one two three\nfour five"]


def test_a_lead_has_no_lower_bound_and_ends_at_max_words(segment: Any) -> None:
    assert segment(TEXT, unit="lead", min_words=4, max_words=4).texts == ["one two three"]


def test_a_page_without_a_lead_has_no_document(segment: Any) -> None:
    assert segment(TEXT[2:], unit="lead", min_words=1).rows(DOCUMENTS) == []


def test_a_page_is_cut_at_blocks_and_takes_lists_in(segment: Any) -> None:
    outcome = segment(TEXT, unit="page", min_words=1, max_words=7)
    assert outcome.texts == [
        "one two three\nfour five\nsix seven",
        "eight nine ten. eleven",
    ]
    assert [row["words"] for row in outcome.rows(DOCUMENTS)] == [7, 4]


def test_a_block_longer_than_a_document_may_be_is_dropped_and_counted(segment: Any) -> None:
    outcome = segment(TEXT, unit="page", min_words=1, max_words=3)
    assert outcome.texts == ["one two three", "four five", "six seven"]
    assert outcome.drops == {"long": 1}
    assert outcome.inputs.drop_samples == {"long": ["7:34-56"]}


def test_every_sentence_of_prose_is_a_document_of_its_own(segment: Any) -> None:
    outcome = segment(TEXT, unit="sentence", min_words=3, max_words=3)
    assert outcome.texts == ["one two three", "four five", "eight nine ten", "eleven"]
    assert outcome.drops == {}


def test_a_disambiguation_page_is_dropped_and_counted(segment: Any) -> None:
    outcome = segment(TEXT, {"disambiguation": True}, min_words=1)
    assert outcome.rows(DOCUMENTS) == []
    assert outcome.drops == {"disambiguation": 1}


def test_a_page_without_text_has_no_document(segment: Any) -> None:
    assert segment([], min_words=1).rows(DOCUMENTS) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one", 1),
        ("one, two-three!", 3),
        ("  1990  and 3.5 ", 4),
        ("Zürich's Straße", 3),
        ("東京は日本", 5),
        ("東京 Tokyo タワー", 6),
        ("Tokyoは東京", 4),
        ("서울 특별시", 2),
        ("— … !?", 0),
    ],
)
def test_words_are_runs_of_letters_and_ideographs_one_by_one(text: str, count: int) -> None:
    assert words(text, (0, len(text))) == count


def test_only_the_words_of_the_span_count() -> None:
    assert words("one two three", (4, 7)) == 1


@given(st.lists(st.integers(1, 12), max_size=20), st.integers(1, 15))
def test_packing_keeps_every_block_in_order_and_is_greedy(sizes: list[int], most: int) -> None:
    blocks = [Block("prose", 0, (i * 10, i * 10 + 9), size) for i, size in enumerate(sizes)]
    joined = packed(blocks, most)
    assert sum(size for _, size in joined) == sum(sizes)
    assert [start for (start, _), _ in joined][:1] == [0][: len(sizes)]
    assert all(size <= most or size in sizes for _, size in joined)
    firsts = [sizes[start // 10] for (start, _), _ in joined]
    for (_, size), following in zip(joined, firsts[1:], strict=False):
        assert size + following > most, "the next block had still had room"


def test_bounds_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_words 9 is above max_words 8"):
        SegmentConfig(min_words=9, max_words=8)
