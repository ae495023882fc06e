"""Numbers for ids of one's own: below fetch everything is known by Q and P with a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Kind = Literal["entity", "relation"]

LETTERS: Mapping[Kind, str] = {"entity": "Q", "relation": "P"}
PATTERNS = {kind: re.compile(f"{letter}[1-9][0-9]{{0,8}}") for kind, letter in LETTERS.items()}
FIRST: Mapping[Kind, int] = {"entity": 500_000_001, "relation": 500_001}
"""Where numbers of one's own begin: none of them ever means an item or property of Wikidata."""

PAGE_BITS = 52
"""An id of so many bits is exact in every tool that reads numbers as floating point."""


class Numbers:
    """Numbers of the ids of one kind, in the order in which they are first seen.

    Ids that look like Wikidata's, Q42 and P31, are kept if all of that kind do.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._ids: dict[str, int] = {}

    def add(self, name: str) -> int:
        """Note an id and return its place."""
        return self._ids.setdefault(name, len(self._ids))

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    @property
    def names(self) -> Iterable[str]:
        """The ids by place."""
        return self._ids

    @property
    def kept(self) -> bool:
        """Whether the ids stay what they are."""
        pattern = PATTERNS[self._kind]
        return all(pattern.fullmatch(name) for name in self._ids)

    def numbers(self) -> list[int]:
        """Return the number of each id, by place."""
        if self.kept:
            return [int(name[1:]) for name in self._ids]
        return [FIRST[self._kind] + place for place in range(len(self._ids))]
