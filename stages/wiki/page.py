"""Page: what a parser of wikitext gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Block", "Hyperlink", "ParsedPage", "Section"]


class Block(NamedTuple):
    """A paragraph, a list item or a file's caption.

    Attributes:
        kind: "prose", "list" or "caption".
        section: Ordinal of the section that it stands in; 0 is the lead.
        char_start: First code point in the page's text.
        char_end: Code point behind the last one.
    """

    kind: str
    section: int
    char_start: int
    char_end: int


class Section(NamedTuple):
    """A section without its subsections; captions do not count as part of its span.

    Attributes:
        section: Ordinal within the page; the lead is 0 and always there.
        level: Number of equals signs of the heading, 1 to 6; 0 for the lead.
        title: Heading without markup; "" for the lead.
        char_start: First code point in the page's text.
        char_end: Code point behind the last one; equal to `char_start` where it has no text.
    """

    section: int
    level: int
    title: str
    char_start: int
    char_end: int


class Hyperlink(NamedTuple):
    """A link to a title of namespace 0 of the same wiki.

    Attributes:
        char_start: First code point in the page's text; None where the link is not in the text.
        char_end: Code point behind the last one; None likewise.
        surface: What the reader sees, link trail included; the text of the span where there is one.
        target_title: Normalised title, redirects not followed.
        fragment: Section that it leads to; "" for none.
        place: "prose", "list", "caption", "table", "template" or "ref". Only the first three
            have a span. A link in a heading is prose without a span.
    """

    char_start: int | None
    char_end: int | None
    surface: str
    target_title: str
    fragment: str
    place: str


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The text of a page and what stands where in it.

    Attributes:
        text: Blocks joined by line feeds: the body's in their order, then the captions.
        blocks: Spans of the blocks, ascending; together with the line feeds they are the text.
        sections: The lead and one section a heading, in order.
        hyperlinks: In the order of the wikitext.
        bold_names: Spans of bold words in the first paragraph of the lead, ascending.
        disambiguation: Whether a template marks the page as one that tells equal names apart.
        dropped_templates: How often a template was left out of the text, by its name.
        truncated: Whether the wikitext went over the budget and only its beginning was read.
    """

    text: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]
    hyperlinks: tuple[Hyperlink, ...]
    bold_names: tuple[tuple[int, int], ...]
    disambiguation: bool
    dropped_templates: dict[str, int]
    truncated: bool
