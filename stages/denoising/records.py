"""What a classifier showed of each label while it was trained on all of them.

Shapes: N labels, one for each pair and relation of it; K epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.errors import ConfigError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NA = 0
"""Number of "no relation"; a relation's number is never 0."""
MENDS = {
    "batch": 'Set by = "epoch" in denoise.method: the classifier did not learn from these labels',
    "epoch": 'Set learn_order.epoch_based = true, or by = "batch" in denoise.method',
}


@dataclass(frozen=True)
class Pass:
    """What one way of looking saw in each epoch.

    Attributes:
        correct_NK: Whether the label was what the classifier would have said.
        loss_NK: Its loss, 0 or more.
        probability_NK: The probability that the classifier gave it, in [0, 1].
    """

    correct_NK: Flags
    loss_NK: Floats
    probability_NK: Floats

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return int(self.correct_NK.shape[1])

    def order_N(self) -> Ints:
        """Return the epoch, from 0, in which each label was first right; K for never.

        Paper: Hogan et al., FineCL (NAACL 2022), section 3.1.
        """
        if not self.epochs:
            return np.zeros(len(self.correct_NK), dtype=np.int64)
        first = self.correct_NK.argmax(axis=1)
        return np.where(self.correct_NK.any(axis=1), first, self.epochs)


@dataclass(frozen=True)
class Records:
    """What is known of each label.

    Attributes:
        relation_N: Number of the relation, NA among them.
        batch: Seen when the label's own batch was trained on, before the step, with dropout; None
            where the classifier learnt from other labels.
        epoch: Seen after each epoch by looking at all labels anew; None where that was not done.
    """

    relation_N: Ints
    batch: Pass | None
    epoch: Pass | None

    def __len__(self) -> int:
        return len(self.relation_N)

    def seen(self, by: str) -> Pass:
        """Return what one way of looking saw.

        Raises:
            ConfigError: If that was not recorded.
        """
        found = {"batch": self.batch, "epoch": self.epoch}[by]
        if found is None:
            raise ConfigError(f"nothing was recorded by {by}", mend=MENDS[by])
        return found


def by_rank(values_N: Floats) -> Floats:
    """Return the share of other values that each is above, in [0, 1]; equal values share theirs."""
    if len(values_N) < 2:
        return np.full(len(values_N), 0.5)
    _, place, count = np.unique(values_N, return_inverse=True, return_counts=True)
    below = np.cumsum(count) - count
    ranks: Floats = (below + (count - 1) / 2)[place] / (len(values_N) - 1)
    return ranks


def pass_of(labels: pa.Table, seen: str) -> Pass | None:
    """Return what was seen in one way; None where nothing was.

    In an epoch that left a label out it counts as wrong, with its own mean of the others.
    """
    columns = {
        n: labels[f"{seen}_{n}"].combine_chunks() for n in ("correct", "loss", "probability")
    }
    if not len(labels) or columns["correct"].null_count:
        return None
    correct = columns["correct"].flatten().fill_null(False).to_numpy(zero_copy_only=False)
    rows = len(labels)
    return Pass(
        correct.reshape(rows, -1),
        filled(columns["loss"].flatten().to_numpy(zero_copy_only=False).reshape(rows, -1)),
        filled(columns["probability"].flatten().to_numpy(zero_copy_only=False).reshape(rows, -1)),
    )


def filled(values_NK: Floats) -> Floats:
    """Return values with the mean of the row in place of NaN."""
    known = ~np.isnan(values_NK)
    means = np.where(known, values_NK, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known, values_NK, means[:, None])
