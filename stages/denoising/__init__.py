"""How far to trust a distant label: one file a method.

A method gives each label a trust in [0, 1], higher for labels more likely right; `weighting` turns
trust into weights. A new method is one file and its line here.
"""

from __future__ import annotations

METHODS: dict[str, str] = {
    "learning_order": "stages.denoising.learning_order:LearningOrder",
    "mean_loss": "stages.denoising.mean_loss:MeanLoss",
    "confidence": "stages.denoising.confidence:Confidence",
    "forgetting": "stages.denoising.forgetting:Forgetting",
    "cartography": "stages.denoising.cartography:Cartography",
    "uniform": "stages.denoising.uniform:Uniform",
}
"""Module and class of each method by name."""
