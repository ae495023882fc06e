"""Entity types of Wikidata items: the class table, and what P279 puts below each class of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

NO_ENTITY = "none"
"""Type of items that name no entity: a taxon, a profession, a year."""

Numbers = npt.NDArray[np.uint32]


@lru_cache(maxsize=1)
def class_table() -> Mapping[str, tuple[int, ...]]:
    """Return the numbers of the classes by type, in the order in which types count.

    The last type is NO_ENTITY.
    """
    path = Path(__file__).with_name("classes.toml")
    read: dict[str, dict[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {kind: tuple(int(qid[1:]) for qid in classes) for kind, classes in read.items()}


@dataclass(frozen=True)
class ClassTypes:
    """The type of every class that the table reaches.

    Attributes:
        names: The types, in the order in which they count.
        classes: Numbers of the classes, ascending.
        types: Of each class the place of its type in `names`.
    """

    names: tuple[str, ...]
    classes: Numbers
    types: npt.NDArray[np.uint8]

    def of_class(self, qid: str) -> str | None:
        """Return the type of a class; None where the table does not reach it."""
        place = self._place(qid)
        return None if place is None else self.names[place]

    def of_item(self, instance_of: Iterable[str]) -> str | None:
        """Return the type of an item by its classes: of several, the one that counts first.

        Args:
            instance_of: QIDs of its P31 statements.

        Returns:
            A type, NO_ENTITY, or None where no class is known.
        """
        places = (self._place(qid) for qid in instance_of)
        known = [place for place in places if place is not None]
        return self.names[min(known)] if known else None

    def _place(self, qid: str) -> int | None:
        number = int(qid[1:])
        at = int(np.searchsorted(self.classes, number))
        if at < len(self.classes) and self.classes[at] == number:
            return int(self.types[at])
        return None


def class_types(
    children: Numbers, parents: Numbers, table: Mapping[str, tuple[int, ...]] | None = None
) -> ClassTypes:
    """Walk down P279 from the classes of the table, all at once and a step at a time.

    A class has the type of the class of the table that is the fewest steps above it; of two that
    are as near, the type that stands first. So loops end, and a class that stands in the table
    itself is never overruled from above.

    Args:
        children: Numbers of the classes that have a P279 statement, one for each statement.
        parents: Numbers of the classes that these lead to.
        table: Types and their classes; the one of this package if None.
    """
    chosen = class_table() if table is None else table
    order = np.argsort(parents, kind="stable")
    below, above = children[order], parents[order]
    roots = [(number, place) for place, c in enumerate(chosen.values()) for number in c]
    known = np.empty(0, np.uint32)
    types = np.empty(0, np.uint8)
    reached = np.array([number for number, _ in roots], np.uint32)
    by = np.array([place for _, place in roots], np.uint8)
    while len(reached):
        best = np.lexsort((by, reached))
        reached, by = reached[best], by[best]
        new = np.r_[True, reached[1:] != reached[:-1]] & ~np.isin(reached, known)
        reached, by = reached[new], by[new]
        merged = np.concatenate([known, reached])
        places = np.argsort(merged, kind="stable")
        known, types = merged[places], np.concatenate([types, by])[places]
        starts = np.searchsorted(above, reached, "left")
        counts = np.searchsorted(above, reached, "right") - starts
        first = np.repeat(starts - (np.cumsum(counts) - counts), counts)
        reached = below[first + np.arange(len(first))]
        by = np.repeat(by, counts)
    return ClassTypes(tuple(chosen), known, types)
