"""AdamW as the papers ran it, and the course of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW

Schedule = Literal["linear", "constant", "cosine"]
# So many steps in, Adam's bias correction is 1 in fp32, and fp32 still counts single steps.
LONG_AGO = 1_000_000


def make_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    epsilon: float = 1e-8,
    bias_correction: bool = False,
    learning_rates: dict[str, float] | None = None,
) -> AdamW:
    """Return AdamW without decay on biases and layer norms.

    Args:
        learning_rate: Highest learning rate.
        weight_decay: Decoupled decay of weights that are matrices.
        epsilon: Adam's epsilon.
        bias_correction: Whether moments are corrected for starting at zero. BERT's own optimiser,
            which all of these papers use, does not.
        learning_rates: Rates for parameters whose names begin so, in place of `learning_rate`; the
            longest beginning counts.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = rate_of(name, learning_rates or {}, learning_rate)
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    parameters: list[dict[str, Any]] = [
        {"params": own, "lr": rate, "highest_lr": rate, "weight_decay": decay}
        for (rate, decay), own in groups.items()
    ]
    fused = all(p.is_floating_point() for own in groups.values() for p in own)
    optimizer = AdamW(parameters, lr=learning_rate, eps=epsilon, fused=fused)
    if not bias_correction:
        begin_late(optimizer)
    return optimizer


def rate_of(name: str, rates: dict[str, float], otherwise: float) -> float:
    """Return the learning rate of a parameter by the longest beginning of its name."""
    fitting = [beginning for beginning in rates if name.startswith(beginning)]
    return rates[max(fitting, key=len)] if fitting else otherwise


def begin_late(optimizer: AdamW) -> None:
    """Leave out bias correction: count steps from where the correction has become 1."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter] = {
                "step": torch.tensor(float(LONG_AGO), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }


def set_rates(
    optimizer: AdamW, step: int, *, schedule: Schedule, warmup_steps: int, total_steps: int
) -> None:
    """Set the learning rates of update `step`, counted from 0.

    A linear warm-up from 0, then a linear or cosine way to 0 at `total_steps`, or none. A run that
    stops earlier stops at a rate above 0.
    """
    if step < warmup_steps:
        factor = step / warmup_steps
    else:
        left = max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))
        factor = {
            "constant": 1.0,
            "linear": left,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * (1.0 - left))),
        }[schedule]
    for group in optimizer.param_groups:
        group["lr"] = group["highest_lr"] * factor


def clip(parameters: Iterable[nn.Parameter], most: float) -> Tensor:
    """Scale gradients down to a global norm of `most` and return the norm that they had."""
    return nn.utils.clip_grad_norm_(parameters, most, foreach=True)
