"""confidence: trust what the trained classifier believes in the end."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import StageConfig
from stages.denoising.records import Flags, Floats, Records


class Confidence(StageConfig):
    """Trust by the probability of the label after the last epoch.

    Of a classifier that was fitted to gold labels and only looks at the distant ones, this is the
    confidence of weighted contrastive learning, as Hogan et al., FineCL (NAACL 2022), section 4.1,
    compare with it.
    """

    name: Literal["confidence"] = "confidence"
    by: Literal["batch", "epoch"] = Field("epoch", description="which pass the probability is of")

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return the last probability of each label.

        Shape:
            Result: (N,), in [0, 1].
        """
        return records.seen(self.by).probability_NK[:, -1]

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were right in some epoch."""
        learned: Flags = np.asarray(records.seen(self.by).correct_NK.any(axis=1))
        return learned
