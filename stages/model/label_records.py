"""What was seen of each label while a classifier learnt, on disk from update to update.

Rows are appended as they are seen, so what was recorded before a stop is there after it. An update
that is taken again, for its checkpoint is older, writes its rows again: the later ones count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.model.ragged import Array, Ints

ROW = np.dtype([("label", "<i4"), ("correct", "?"), ("loss", "<f4"), ("probability", "<f4")])


class LabelRecords:
    """Records of one way of looking.

    Args:
        folder: Survives a crash; shared by all processes of a machine.
        rank: Number of this process.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder, self._rank = folder, rank

    def add(self, epoch: int, label: Ints, correct: Array, loss: Array, probability: Array) -> None:
        """Append what was seen of some labels in an epoch."""
        rows = np.empty(len(label), dtype=ROW)
        rows["label"], rows["correct"] = label, correct
        rows["loss"], rows["probability"] = loss, probability
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"epoch-{epoch:04d}-rank-{self._rank}.bin"
        with path.open("ab") as file:
            # A kill may have left half a row.
            file.truncate(file.tell() // ROW.itemsize * ROW.itemsize)
            file.write(rows.tobytes())

    def read(self, labels: int, epochs: int) -> Seen:
        """Return all that was seen, by all processes."""
        seen = Seen.nothing(labels, epochs)
        for epoch in range(epochs):
            for path in sorted(self._folder.glob(f"epoch-{epoch:04d}-rank-*.bin")):
                rows = np.fromfile(path, dtype=ROW)
                seen.put(epoch, rows)
        return seen


class Seen:
    """What was seen of each label in each epoch.

    Attributes:
        shown_NK: Whether the label was shown.
        correct_NK, loss_NK, probability_NK: What came of it; 0 where it was not shown.
    """

    def __init__(self, shown: Array, correct: Array, loss: Array, probability: Array) -> None:
        self.shown_NK, self.correct_NK = shown, correct
        self.loss_NK, self.probability_NK = loss, probability

    @classmethod
    def nothing(cls, labels: int, epochs: int) -> Seen:
        """Return that nothing was seen."""
        size = (labels, epochs)
        return cls(
            np.zeros(size, dtype=bool),
            np.zeros(size, dtype=bool),
            np.zeros(size, dtype=np.float32),
            np.zeros(size, dtype=np.float32),
        )

    def put(self, epoch: int, rows: npt.NDArray[Any]) -> None:
        """Enter rows of an epoch; of several of one label the last counts."""
        label = rows["label"]
        self.shown_NK[label, epoch] = True
        self.correct_NK[label, epoch] = rows["correct"]
        self.loss_NK[label, epoch] = rows["loss"]
        self.probability_NK[label, epoch] = rows["probability"]

    def order_N(self) -> Ints:
        """Return the first epoch in which each label was right; the number of epochs for never."""
        epochs = self.correct_NK.shape[1]
        first: Ints = self.correct_NK.argmax(axis=1)
        return np.where(self.correct_NK.any(axis=1), first, epochs)
