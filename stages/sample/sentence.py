"""A sentence of the made-up world: its wikitext, its plain text, and what it states and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from stages.sample.markup import Piece
from stages.sample.world import Fact


class Mention(NamedTuple):
    """Where a sentence names an entity; half-open, in code points of its plain text."""

    char_start: int
    char_end: int
    qid: str


@dataclass
class Sentence:
    """A sentence, the facts that it states, and of which kind it is.

    Args:
        pieces: In order.
        states: Every fact that the words state, whether Wikidata has it or not.
        kind: `fact`, `missing` (a fact that Wikidata lacks), `comention` or `filler`. Those of the
            last two may yet say in passing in which country or region a town lies.
        place: `prose`, `list` or `caption`.
    """

    pieces: list[Piece]
    states: tuple[Fact, ...] = ()
    kind: str = "filler"
    place: str = "prose"

    @property
    def plain(self) -> str:
        """What a right parse makes of it."""
        return "".join(piece.plain for piece in self.pieces)

    @property
    def wiki(self) -> str:
        """Its wikitext."""
        return "".join(piece.wiki for piece in self.pieces)

    @property
    def templates(self) -> list[str]:
        """The templates whose text stands in `plain`, by name."""
        return sorted({piece.template for piece in self.pieces if piece.template})

    def mentions(self) -> list[Mention]:
        """Return where it names which entity, by offset."""
        found, offset = [], 0
        for piece in self.pieces:
            if piece.qid:
                found.append(Mention(offset, offset + len(piece.plain), piece.qid))
            offset += len(piece.plain)
        return found
