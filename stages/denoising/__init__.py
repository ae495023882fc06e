"""How far to trust a distant label: one file a method.

A method gives each label a trust in [0, 1], higher for labels more likely right; `weighting` turns
trust into weights. A new method is one file, and its line here.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from stages.denoising.cartography import Cartography
from stages.denoising.confidence import Confidence
from stages.denoising.file import GivenWeights
from stages.denoising.forgetting import Forgetting
from stages.denoising.learning_order import LearningOrder
from stages.denoising.mean_loss import MeanLoss
from stages.denoising.provenance import Provenance
from stages.denoising.uniform import Uniform

Ranking: TypeAlias = Cartography | Confidence | Forgetting | LearningOrder | MeanLoss | Uniform
Config: TypeAlias = Annotated[Ranking | Provenance | GivenWeights, Field(discriminator="name")]
"""The values of any method; `name` says of which. All but `file` rank labels by trust."""

METHODS: dict[str, type[Ranking]] = {
    "learning_order": LearningOrder,
    "mean_loss": MeanLoss,
    "confidence": Confidence,
    "forgetting": Forgetting,
    "cartography": Cartography,
    "uniform": Uniform,
}
"""Every method that ranks labels by what a classifier showed of them, by name."""
