"""From trust to weights."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from stages.base import Share, StageConfig
from stages.denoising.records import NA, Flags, Floats, Ints


class Weighting(StageConfig):
    """How trust becomes the weight of a label.

    Paper: Hogan et al., FineCL (NAACL 2022), Eq. 6: f(k) = alpha^((k_max - k) / (k_max - k_min)).
    """

    shape: Literal["power", "trust"] = Field(
        "power", description="power: alpha^trust, as FineCL; trust: trust itself, as WCL"
    )
    alpha: float = Field(
        2.718281828459045, ge=1.0, description="base of the weights; 1 makes them all equal"
    )
    na: Literal["half", "learned"] = Field(
        "half", description="trust in NA: one half for all of it, or its own"
    )
    best_share: Share = Field(
        1.0, description="share of the relation labels that is kept, the most trusted ones"
    )
    unlearned: Literal["keep", "drop"] = Field(
        "keep", description="whether labels that were never learnt keep the least weight, or none"
    )
    normalise: Literal["none", "mean"] = Field(
        "none", description="mean: weights are divided by their mean over the kept labels"
    )


def weights(trust_N: Floats, relation_N: Ints, config: Weighting, *, learned_N: Flags) -> Floats:
    """Return the weight of each label; 0 for one that is left out.

    Shape:
        trust_N: (N,), in [0, 1]. relation_N: (N,). learned_N: (N,), whether it was learnt at all.
        Result: (N,), 0 or more.
    """
    is_na = relation_N == NA
    trust = np.where(is_na, 0.5, trust_N) if config.na == "half" else trust_N
    found = config.alpha**trust if config.shape == "power" else trust
    found = np.where(kept(trust_N, is_na, config, learned_N), found, 0.0)
    if config.normalise == "mean" and (found > 0).any():
        found = found / found[found > 0].mean()
    return found


def kept(trust_N: Floats, is_na_N: Flags, config: Weighting, learned_N: Flags) -> Flags:
    """Return which labels are kept; NA always is."""
    chosen = np.ones(len(trust_N), dtype=bool)
    labels = np.flatnonzero(~is_na_N)
    count = int(np.ceil(config.best_share * len(labels) - 1e-9))
    order = labels[np.argsort(-trust_N[labels], kind="stable")]
    chosen[order[count:]] = False
    if config.unlearned == "drop":
        chosen &= is_na_N | learned_N
    return chosen
