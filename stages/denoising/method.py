"""What a method of denoising is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stages.denoising.records import Flags, Floats, Records


class Method(Protocol):
    """Trusts labels more or less. Its values are a section of a recipe."""

    name: str

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return the trust in each label, (N,), in [0, 1]."""

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were learnt at all, (N,)."""
