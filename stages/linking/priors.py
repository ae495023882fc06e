"""How likely a name means an item: priors from anchors and known names, and when to abstain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

KNOWN_AS = {"title": 1.0, "label": 0.25, "stem": 0.1, "alias": 0.08}
"""What it counts that an item is known by a name, in anchors: as the title of its article or of a
redirect to it, as its label, as a title without what stands in brackets, as an alias."""

UNKNOWN_CAPITALISED = 0.15
UNKNOWN_WORD = 0.06
UNKNOWN_WORDS = 0.03
"""What counts for an item that nobody knows by this name, in anchors: a single capitalised word
names most things besides those that are known, several words the fewest."""


@dataclass(frozen=True)
class Candidate:
    """An item that a name may mean.

    Attributes:
        qid: The item.
        prior: Share of the name's evidence, (0, 1].
        type: Entity type of the item by its classes; None where it is not known.
    """

    qid: str
    prior: float
    type: str | None


@dataclass(frozen=True)
class Choice:
    """The likeliest item.

    Attributes:
        qid: The item.
        score: Its share of the evidence among the items that the mention's type admits, (0, 1].
        margin: By how much that exceeds the next item's, and the share of unknown items, (-1, 1].
        type: Entity type of the item by its classes; None where it is not known.
    """

    qid: str
    score: float
    margin: float
    type: str | None


def choose(candidates: Sequence[Candidate], admitted: Collection[str] | None) -> Choice | None:
    """Return the likeliest of the candidates that a mention's type admits, or None.

    What the priors of all candidates leave of 1 is the share of unknown items. An item whose type
    is not known is never ruled out.

    Args:
        candidates: All items of the name.
        admitted: Types of items that the mention may name; None for all.
    """
    fitting = [c for c in candidates if admitted is None or c.type is None or c.type in admitted]
    if not fitting:
        return None
    ranked = sorted(fitting, key=lambda c: (-c.prior, int(c.qid[1:])))
    unknown = max(1.0 - fsum(c.prior for c in candidates), 0.0)
    total = fsum(c.prior for c in fitting) + unknown
    next_prior = ranked[1].prior if len(ranked) > 1 else 0.0
    score = ranked[0].prior / total
    margin = score - max(next_prior, unknown) / total
    return Choice(ranked[0].qid, min(score, 1.0), margin, ranked[0].type)


def unknown_weights(surfaces: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return for each surface what counts for items that nobody knows by it, in anchors."""
    several = np.asarray(pc.match_substring(surfaces, " "))
    capitalised = np.asarray(pc.utf8_is_upper(pc.utf8_slice_codeunits(surfaces, 0, 1)))
    single = np.where(capitalised, UNKNOWN_CAPITALISED, UNKNOWN_WORD)
    return np.where(several, UNKNOWN_WORDS, single)
