"""Draft: raw text as it comes out of the wikitext, in pieces with marks between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

__all__ = ["HEADING", "HOLE", "HOLE_SIGN", "LIST", "PARAGRAPH", "Draft", "Link", "Mark"]

LIST, PARAGRAPH, HEADING, HOLE = "list", "paragraph", "heading", "hole"

HOLE_SIGN = "\x01"
"""Stands in wikitext for a reference without a link. XML has no way to write this character."""


class Link(Struct, gc=False):
    """A link whose words stand in a draft. Of all that is made per link a struct is made fastest.

    Attributes:
        order: Where the link stands in the wikitext, as an ordinal of its tokens.
        start: Index of the first piece of its words.
        end: Index of the piece behind them.
    """

    order: int
    start: int
    end: int
    title: str
    fragment: str
    place: str


@dataclass(slots=True)
class Mark:
    """Something between two pieces: a border of blocks, or a hole that dropped markup left.

    Attributes:
        at: Index of the piece that it stands before.
        kind: "list" (a list item starts), "paragraph", "heading" (a section starts) or "hole".
        section: Ordinal of the section that starts; only of a heading.
    """

    at: int
    kind: str
    section: int = 0


@dataclass(slots=True)
class Draft:
    """Text as it comes out of the wikitext, before white space and quote runs are dealt with.

    Links and marks count pieces, not characters: pieces are only appended, so that writing text
    costs one append.
    """

    pieces: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def splice(self, other: Draft) -> None:
        """Append another draft with its links and marks."""
        base = len(self.pieces)
        self.pieces += other.pieces
        for link in other.links:
            self.links.append(
                Link(
                    link.order,
                    link.start + base,
                    link.end + base,
                    link.title,
                    link.fragment,
                    link.place,
                )
            )
        self.marks += [Mark(mark.at + base, mark.kind, mark.section) for mark in other.marks]

    def mark(self, kind: str, section: int = 0) -> None:
        """Put a mark behind the last piece."""
        self.marks.append(Mark(len(self.pieces), kind, section))
