"""Assembly: a walk's drafts become the parsed page, with every offset in one text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter

from stages.wiki.draft import Draft, Link
from stages.wiki.layout import Layout, plain
from stages.wiki.page import Block, Hyperlink, ParsedPage, Section

__all__ = ["assemble"]


def assemble(
    draft: Draft,
    captions: list[tuple[int, Draft]],
    headings: list[tuple[int, str]],
    unplaced: list[tuple[int, Hyperlink]],
    *,
    disambiguation: bool,
    dropped: Mapping[str, int],
    truncated: bool,
) -> ParsedPage:
    """Put a page together: the body's blocks, then the captions, then every link at its place.

    Args:
        draft: The body.
        captions: Section and draft of each file's caption.
        headings: Level and title of each section, the lead first.
        unplaced: Links without a span, each with its order in the wikitext.
        disambiguation: Whether a template said so.
        dropped: Count of left-out templates by name.
        truncated: Whether only the page's beginning was read.
    """
    body = Layout(draft)
    kinds_of = {block.start: block.kind for block in body.blocks}
    starts = sorted(kinds_of)
    blocks = [Block(b.kind, b.section, b.start, b.end) for b in body.blocks]
    found = [*unplaced]
    found += [(link.order, _placed(link, body, 0, kinds_of, starts)) for link in draft.links]
    text = _add_captions(body.text, captions, blocks, found)
    found.sort(key=itemgetter(0))
    return ParsedPage(
        text=text,
        blocks=tuple(blocks),
        sections=_sections(headings, body),
        hyperlinks=tuple([hyperlink for _, hyperlink in found]),
        bold_names=_bold_names(body),
        disambiguation=disambiguation,
        dropped_templates=dict(sorted(dropped.items())),
        truncated=truncated,
    )


def _add_captions(
    text: str,
    captions: list[tuple[int, Draft]],
    blocks: list[Block],
    found: list[tuple[int, Hyperlink]],
) -> str:
    """Return the text with captions behind it; their blocks and links are added to the lists."""
    for section, caption in captions:
        layout = Layout(caption)
        base = len(text) + bool(text) if layout.text else len(text)
        text = f"{text}\n{layout.text}" if text and layout.text else text + layout.text
        blocks += [Block("caption", section, base + b.start, base + b.end) for b in layout.blocks]
        found += [(link.order, _placed(link, layout, base, {}, [])) for link in caption.links]
    return text


def _placed(
    link: Link, layout: Layout, base: int, kinds_of: dict[int, str], starts: list[int]
) -> Hyperlink:
    """Return a link with its span; `base` is where the layout starts in the page's text."""
    span = layout.span(layout.offsets[link.start], layout.offsets[link.end])
    if span is None:
        words = plain(layout.raw[layout.offsets[link.start] : layout.offsets[link.end]])
        return Hyperlink(None, None, words, link.title, link.fragment, link.place)
    place = link.place
    if starts and place == "prose":
        place = kinds_of[starts[bisect_right(starts, span[0]) - 1]]
    surface = layout.text[span[0] : span[1]]
    # Not by the class's own constructor, which takes three times as long.
    return tuple.__new__(
        Hyperlink, (base + span[0], base + span[1], surface, link.title, link.fragment, place)
    )


def _sections(headings: list[tuple[int, str]], body: Layout) -> tuple[Section, ...]:
    spans: dict[int, tuple[int, int]] = {}
    for block in body.blocks:
        start, _ = spans.get(block.section, (block.start, 0))
        spans[block.section] = start, block.end
    sections, reached = [], 0
    for ordinal, (level, title) in enumerate(headings):
        start, reached = spans.get(ordinal, (reached, reached))
        sections.append(Section(ordinal, level, title, start, reached))
    return tuple(sections)


def _bold_names(body: Layout) -> tuple[tuple[int, int], ...]:
    first = next((b for b in body.blocks if b.kind == "prose"), None)
    if first is None or first.section:
        return ()
    spans = [body.span(start, end) for start, end in body.bolds]
    return tuple(s for s in spans if s and first.start <= s[0] and s[1] <= first.end)
