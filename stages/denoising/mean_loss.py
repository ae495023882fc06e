"""mean_loss: trust what cost little over all epochs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import StageConfig
from stages.denoising.records import Flags, Floats, Records, by_rank


class MeanLoss(StageConfig):
    """Trust by the mean of a label's loss over the epochs: the less, the more."""

    name: Literal["mean_loss"] = "mean_loss"
    by: Literal["batch", "epoch"] = Field("batch", description="which pass the losses are of")

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return the share of labels whose mean loss is higher.

        Shape:
            Result: (N,), in [0, 1].
        """
        return by_rank(-records.seen(self.by).loss_NK.mean(axis=1))

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were right in some epoch."""
        learned: Flags = np.asarray(records.seen(self.by).correct_NK.any(axis=1))
        return learned
