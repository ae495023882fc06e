"""What every objective is made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.model.corpus import Corpus
    from stages.model.encoder import Encoder


@dataclass(frozen=True)
class Setting:
    """The corpus, the encoder that learns, and where chance comes from.

    Attributes:
        relation_names: What the relations of the corpus are called, by id; NA is the first.
    """

    corpus: Corpus
    encoder: Encoder
    seed: int
    relation_names: Sequence[str]
