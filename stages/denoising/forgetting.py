"""forgetting: trust what was learnt and never lost again."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import StageConfig
from stages.denoising.records import Flags, Floats, Ints, Records


class Forgetting(StageConfig):
    """Trust by how often a label that had been right was wrong in the next epoch.

    Paper: Toneva et al., "An Empirical Study of Example Forgetting" (ICLR 2019), section 3: what
    was never learnt counts as forgotten more often than anything else.
    """

    name: Literal["forgetting"] = "forgetting"
    by: Literal["batch", "epoch"] = Field("batch", description="which pass is looked at")

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return 1 for never lost, falling evenly to 0 for never learnt.

        Shape:
            Result: (N,), in [0, 1].
        """
        correct = records.seen(self.by).correct_NK
        worst = max(records.seen(self.by).epochs // 2, 1) + 1
        lost = np.where(correct.any(axis=1), times_lost(correct), worst)
        return 1.0 - lost / worst

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were right in some epoch."""
        learned: Flags = np.asarray(records.seen(self.by).correct_NK.any(axis=1))
        return learned


def times_lost(correct_NK: Flags) -> Ints:
    """Return how often each label was right in one epoch and wrong in the next."""
    lost: Ints = (correct_NK[:, :-1] & ~correct_NK[:, 1:]).sum(axis=1)
    return lost
