"""Input formats: what of a sentence a model gets to see.

C+M context and mentions, C+T context and types, OnlyC context with blanks, OnlyM mentions, OnlyT
types. In every format `[E1]` and `[/E1]` stand around the head, `[E2]` and `[/E2]` around the tail.
Paper: Peng et al., CP (EMNLP 2020), section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stages.tasks.base import Example
from storage.errors import SourceError
from storage.spans import overlaps

__all__ = ["INPUT_FORMATS", "InputFormat", "Piece", "pieces"]

InputFormat = Literal["C+M", "C+T", "OnlyC", "OnlyM", "OnlyT"]
INPUT_FORMATS: tuple[InputFormat, ...] = ("C+M", "C+T", "OnlyC", "OnlyM", "OnlyT")
NO_TYPE = "UNK"

Kind = Literal["text", "marker", "blank", "type"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of input: words to be cut into word pieces, or the name of one special token.

    Attributes:
        kind: `text`; `marker`: "E1", "/E1", "E2" or "/E2"; `blank`: "head" or "tail"; `type`:
            "head:PERSON" or "tail:PERSON", for types of head and tail are tokens apart.
    """

    kind: Kind
    value: str


def pieces(example: Example, format: InputFormat) -> list[Piece]:
    """Return what a model sees of an example.

    Raises:
        SourceError: If head and tail overlap.
    """
    if overlaps(example.head, example.tail):
        raise SourceError(
            f"head {list(example.head)} and tail {list(example.tail)} overlap",
            where=example.id,
            mend="Leave the example out, or mend its spans",
        )
    sides = sorted(
        [
            (example.head, "1", inner(example, "head", format)),
            (example.tail, "2", inner(example, "tail", format)),
        ]
    )
    found: list[Piece] = []
    at = 0
    for (start, end), number, middle in sides:
        found += context(example.text[at:start], format)
        found += [Piece("marker", f"E{number}"), middle, Piece("marker", f"/E{number}")]
        at = end
    return found + context(example.text[at:], format)


def context(text: str, format: InputFormat) -> list[Piece]:
    """Return the words around mentions; none where the format leaves them out."""
    shown = text and format not in ("OnlyM", "OnlyT")
    return [Piece("text", text)] if shown else []


def inner(example: Example, side: Literal["head", "tail"], format: InputFormat) -> Piece:
    """Return what stands in place of a mention."""
    span = example.head if side == "head" else example.tail
    kind = example.head_type if side == "head" else example.tail_type
    if format in ("C+M", "OnlyM"):
        return Piece("text", example.text[slice(*span)])
    if format == "OnlyC":
        return Piece("blank", side)
    return Piece("type", f"{side}:{kind or NO_TYPE}")
