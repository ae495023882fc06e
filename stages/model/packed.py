"""Attention within sequences that stand in a row, without padding between them.

Shapes: T pieces, N heads, K width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from storage.errors import StageError

NAME = "relmill_packed"


@dataclass
class Sequences:
    """Which sequences stand in a row, and how often attention asked.

    Attributes:
        cu_seqlens: (B + 1,), int32.
        longest: Pieces of the longest one.
        sequence_T: Sequence of each piece.
        calls: Layers that attended by them so far.
    """

    cu_seqlens: Tensor
    longest: int
    sequence_T: Tensor
    calls: int = 0


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sequences: Sequences | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend as `transformers` asks an attention function to, each sequence to itself.

    Args:
        sequences: Handed on by the model from its own call, so that layers whose states are
            computed again on the way back get it too.

    Shape:
        query, key, value: (1, N, T, K). Result: (1, T, N, K), and no weights.
    """
    if sequences is None:
        raise StageError(
            f"{type(module).__name__} is not told where sequences begin and end",
            mend="Take attention = padded: the architecture cannot be packed",
        )
    sequences.calls += 1
    if query.is_cuda and query.dtype in (torch.float16, torch.bfloat16):
        from torch.nn.attention.varlen import varlen_attn

        query_TNK, key_TNK, value_TNK = (
            states[0].transpose(0, 1).contiguous() for states in (query, key, value)
        )
        ends, longest = sequences.cu_seqlens, sequences.longest
        out_TNK: Any = varlen_attn(
            query_TNK, key_TNK, value_TNK, ends, ends, longest, longest, scale=scaling
        )
        return out_TNK.unsqueeze(0), None
    same_TT = sequences.sequence_T.unsqueeze(0) == sequences.sequence_T.unsqueeze(1)
    out_1NTK = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=same_TT, scale=scaling
    )
    return out_1NTK.transpose(1, 2).contiguous(), None
