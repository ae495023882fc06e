"""learning_order: trust what was learnt early."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import Share, StageConfig
from stages.denoising.records import NA, Flags, Floats, Ints, Records


class LearningOrder(StageConfig):
    """Trust by the epoch in which a label was first right.

    Paper: Hogan et al., FineCL (NAACL 2022), section 3.1 and Eq. 6: the exponent of f(k).
    """

    name: Literal["learning_order"] = "learning_order"
    by: Literal["batch", "epoch"] = Field(
        "batch",
        description="batch: a label's own batch, before its step; epoch: all anew after each epoch",
    )
    upsample: Share = Field(
        0.5,
        description="share of each relation's labels that counts as learnt at least: random "
        "unlearnt ones are put among the learnt of a random epoch until it does",
    )
    upsample_to: Literal["uniform", "class", "last"] = Field(
        "uniform",
        description="where they are put: any epoch, the relation's own share of epochs, or the "
        "last epoch",
    )
    clamp: int | None = Field(
        None,
        ge=1,
        description="epochs from here on count as never; unlearned = drop then keeps only what "
        "was learnt before",
    )

    def trust(self, records: Records, dice: np.random.Generator) -> Floats:
        """Return (k_max - k) / k_max, where k_max, the number of epochs, stands for never.

        Shape:
            Result: (N,), in [0, 1]; 0 only for what was never learnt.
        """
        epochs = records.seen(self.by).epochs
        order = self.orders(records, dice)
        return (epochs - order) / max(epochs, 1)

    def learned(self, records: Records, dice: np.random.Generator) -> Flags:
        """Return which labels were learnt, or count as such."""
        return self.orders(records, dice) < records.seen(self.by).epochs

    def orders(self, records: Records, dice: np.random.Generator) -> Ints:
        """Return the order of each label after up-sampling; the number of epochs for never."""
        seen = records.seen(self.by)
        order = upsampled(seen.order_N(), records.relation_N, seen.epochs, self, dice)
        return order if self.clamp is None else np.where(order >= self.clamp, seen.epochs, order)


def upsampled(
    order_N: Ints, relation_N: Ints, epochs: int, config: LearningOrder, dice: np.random.Generator
) -> Ints:
    """Return orders in which each relation has its share of learnt labels; NA stays as it is.

    A relation that lacks labels gets exactly as many as it lacks, drawn from its unlearnt ones.
    """
    order = order_N.copy()
    for relation in np.unique(relation_N[relation_N != NA]):
        own = np.flatnonzero(relation_N == relation)
        learnt = own[order_N[own] < epochs]
        unlearnt = own[order_N[own] == epochs]
        lacking = int(np.ceil(config.upsample * len(own) - 1e-9)) - len(learnt)
        if lacking > 0 and epochs:
            chosen = dice.choice(unlearnt, size=lacking, replace=False)
            order[chosen] = drawn_epochs(lacking, order_N[learnt], epochs, config, dice)
    return order


def drawn_epochs(
    count: int, learnt_L: Ints, epochs: int, config: LearningOrder, dice: np.random.Generator
) -> Ints:
    """Draw the epochs that up-sampled labels are put into."""
    if config.upsample_to == "last":
        return np.full(count, epochs - 1)
    if config.upsample_to == "class" and len(learnt_L):
        return dice.choice(learnt_L, size=count)
    return dice.integers(epochs, size=count)
