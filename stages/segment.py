"""segment: cut each article into documents, the units of text within which pairs are formed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from stages.base import Inputs, Rows, Stage, StageConfig, by_page, span_of
from storage.spans import Span
from storage.tables import DOCUMENTS, PAGES, PARAGRAPHS, SENTENCES

# A word is a run of letters and digits; each ideograph counts for one, as scripts without spaces
# have no such runs.
IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+")


class SegmentConfig(StageConfig):
    """What a document is."""

    unit: Literal["paragraph", "lead", "page", "sentence"] = Field(
        "paragraph",
        description="paragraph: one block of prose; lead: the prose before the first heading; "
        "page: prose and lists, cut at blocks to max_words; sentence: each sentence of prose",
    )
    min_words: int = Field(
        128, ge=1, description="words that a paragraph must have; other units have no lower bound"
    )
    max_words: int = Field(510, ge=1, description="words that a document may have")

    @model_validator(mode="after")
    def _ordered(self) -> SegmentConfig:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


@dataclass(frozen=True)
class Block:
    """One paragraph of a page with its number of words."""

    kind: str
    section: int
    span: Span
    words: int


def segment(config: SegmentConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `documents` row per unit of text.

    Drops: "disambiguation" (pages), "short" and "long" (paragraphs, leads and sentences whose
    number of words is out of bounds).
    Paper: Qin et al., ERICA (ACL 2021), section 5.1: paragraphs of 128 to 510 words.
    """
    blocks = by_page(inputs.rows(PARAGRAPHS))
    sentences = by_page(inputs.rows(SENTENCES)) if config.unit == "sentence" else {}
    rows = []
    for page in inputs.rows(PAGES).to_pylist():
        if page["disambiguation"]:
            inputs.drop("disambiguation", page["page_id"])
            continue
        text, page_id = page["text"], page["page_id"]
        found = [
            Block(b["kind"], b["section"], span_of(b), words(text, span_of(b)))
            for b in blocks.get(page_id, [])
        ]
        cut = documents(config, found, [span_of(s) for s in sentences.get(page_id, [])], text)
        for (start, end), size in cut:
            name = f"{page_id}:{start}-{end}"
            if size > config.max_words:
                inputs.drop("long", name)
            elif config.unit == "paragraph" and size < config.min_words:
                inputs.drop("short", name)
            else:
                rows.append((name, page_id, start, end, config.unit, size))
    yield DOCUMENTS, DOCUMENTS.batch(rows)


def documents(
    config: SegmentConfig, blocks: Sequence[Block], sentences: Sequence[Span], text: str
) -> list[tuple[Span, int]]:
    """Return the documents of one page with their numbers of words, in the order of the text."""
    prose = [block for block in blocks if block.kind == "prose"]
    if config.unit == "paragraph":
        return [(block.span, block.words) for block in prose]
    if config.unit == "lead":
        lead = [block for block in prose if block.section == 0]
        return packed(lead, config.max_words)[:1]
    if config.unit == "page":
        return packed([b for b in blocks if b.kind != "caption"], config.max_words)
    inside = [span for span in sentences if any(b.span[0] <= span[0] < b.span[1] for b in prose)]
    return [(span, words(text, span)) for span in inside]


def packed(blocks: Iterable[Block], max_words: int) -> list[tuple[Span, int]]:
    """Join neighbouring blocks as long as they have at most `max_words` words together."""
    joined: list[tuple[Span, int]] = []
    for block in blocks:
        if joined and joined[-1][1] + block.words <= max_words:
            (start, _), size = joined[-1]
            joined[-1] = ((start, block.span[1]), size + block.words)
        else:
            joined.append((block.span, block.words))
    return joined


def words(text: str, span: Span) -> int:
    """Number of words of a span."""
    return sum(1 for _ in WORD.finditer(text, *span))


SEGMENT = Stage(
    "segment",
    version=1,
    config=SegmentConfig,
    reads=(PAGES, PARAGRAPHS, SENTENCES),
    writes=(DOCUMENTS,),
    run=segment,
)
