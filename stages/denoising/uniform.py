"""uniform: trust all alike."""

from __future__ import annotations

from typing import Literal

import numpy as np

from stages.base import StageConfig
from stages.denoising.records import Flags, Floats, Records


class Uniform(StageConfig):
    """The same trust for every label: what all methods are compared with."""

    name: Literal["uniform"] = "uniform"

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return 1 for every label.

        Shape:
            Result: (N,).
        """
        return np.ones(len(records))

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return all."""
        return np.ones(len(records), dtype=bool)
