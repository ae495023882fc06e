"""Entity types of items as codes of a byte, and the items that no mention names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages.linking.kinds import PAGES
from stages.ner.classes import class_table, class_types

Numbers = npt.NDArray[np.uint32]
TYPES: tuple[str | None, ...] = (None, *class_table())
"""Entity types by their codes; code 0 stands for an item of which no class is known."""


class ItemTypes:
    """What the classes of an item say of it.

    Args:
        children: Numbers of the classes that have a P279 statement, one for each statement.
        parents: Numbers of the classes that these lead to.
    """

    def __init__(self, children: Numbers, parents: Numbers) -> None:
        self._types = class_types(children, parents)
        self._pages = class_types(children, parents, PAGES)
        self._known: dict[tuple[str, ...], tuple[int, str | None]] = {}

    def of(self, instance_of: Sequence[str]) -> tuple[int, str | None]:
        """Return the code of an item's type, and "page" or "name" if no mention names it.

        Args:
            instance_of: QIDs of its P31 statements.
        """
        classes = tuple(instance_of)
        found = self._known.get(classes)
        if found is None:
            code = TYPES.index(self._types.of_item(classes))
            found = self._known[classes] = code, self._pages.of_item(classes)
        return found
