"""cartography: trust what was believed all along, or what was believed on and off."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import StageConfig
from stages.denoising.records import Flags, Floats, Records, by_rank


class Cartography(StageConfig):
    """Trust by the mean or the deviation of the label's probability over the epochs.

    Paper: Swayamdipta et al., "Dataset Cartography" (EMNLP 2020), section 2: confidence and
    variability. High confidence is the region "easy to learn", high variability "ambiguous".
    """

    name: Literal["cartography"] = "cartography"
    by: Literal["batch", "epoch"] = Field("batch", description="which pass is looked at")
    trust_in: Literal["confidence", "variability"] = Field(
        "confidence", description="which of the two counts, the higher the more"
    )

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return the rank of each label's mean or deviation.

        Shape:
            Result: (N,), in [0, 1].
        """
        probability = records.seen(self.by).probability_NK
        if self.trust_in == "variability":
            return by_rank(probability.std(axis=1))
        return by_rank(probability.mean(axis=1))

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were right in some epoch."""
        learned: Flags = np.asarray(records.seen(self.by).correct_NK.any(axis=1))
        return learned
