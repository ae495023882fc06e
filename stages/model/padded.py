"""Attention within padded sequences that is quick on CPUs in training as well.

Shapes: B sequences, N heads, L pieces of the longest sequence, K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NAME = "relmill_padded"


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    fused: Callable[..., tuple[Tensor, None]],
    position_bias: Tensor | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attend as `transformers` asks an attention function to.

    On a CPU the fused kernel is slow on the way back: in bf16 seven times as slow as in fp32 where
    sequences are short, and it has no dropout of attention weights, for which torch takes a plain
    form. So training there is done in fp32, written out where weights are dropped. All else is
    for the function of `transformers`, and so is what looks back alone or weighs distances.

    Args:
        attention_mask: True where a piece is seen, (B, 1, L, L).
        fused: The function of `transformers` that calls torch's fused kernel.
        position_bias: What some architectures add to scores by distance.

    Shape:
        query, key, value: (B, N, L, K). Result: (B, L, N, K), and no weights.
    """
    looks_back = attention_mask is None and getattr(module, "is_causal", True)
    trains_here = query.device.type == "cpu" and query.requires_grad
    if not trains_here or looks_back or position_bias is not None:
        if position_bias is not None:
            more["position_bias"] = position_bias
        return fused(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
    with torch.autocast("cpu", enabled=False):
        if dropout:
            out_BNLK = _written_out(query, key, value, attention_mask, dropout, scaling)
        else:
            out_BNLK = functional.scaled_dot_product_attention(
                query.float(), key.float(), value.float(), attention_mask, scale=scaling
            )
    return out_BNLK.to(query.dtype).transpose(1, 2).contiguous(), None


def _written_out(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    shown: Tensor | None,
    dropout: float,
    scaling: float | None,
) -> Tensor:
    """Return what is attended to, (B, N, L, K), with some of the weights dropped."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    score_BNLL = (query @ key.transpose(-1, -2)).float() * scale
    if shown is not None:
        score_BNLL = score_BNLL.masked_fill(~shown, torch.finfo(score_BNLL.dtype).min)
    weight_BNLL = functional.dropout(score_BNLL.softmax(dim=-1), dropout)
    return weight_BNLL.to(value.dtype) @ value
