"""One pool of representations across all processes of a run, with gradients.

Every process pays for its own anchors against everybody's keys. Gradients are averaged over the
processes afterwards, so a loss is the local sum times the number of processes, divided by the
global count: then the number of processes, and how rows fall on them, changes nothing.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from stages.model.losses import Loss


def world_size() -> int:
    """Return the number of processes that train together; 1 where there is no group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the place of this process among them, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def row_counts(rows: int, device: torch.device) -> list[int]:
    """Return how many rows each process brings, in the order of the ranks."""
    if world_size() == 1:
        return [rows]
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(world_size())]
    dist.all_gather(counts, torch.tensor([rows], dtype=torch.int64, device=device))
    return [int(count) for count in counts]


def gather(rows: Tensor, counts: list[int]) -> Tensor:
    """Return the rows of all processes, one rank behind the other.

    Gradients flow back to the process that a row came from.

    Shape:
        rows: (counts[rank], ...). Result: (sum of counts, ...).
    """
    if len(counts) == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows, counts)
    return gathered


class _Gather(torch.autograd.Function):
    """All-gather of unequal numbers of rows; its gradient is the sum over processes."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        most = max(counts)
        # Booleans do not travel on every back end.
        sent = rows.to(torch.uint8) if rows.dtype == torch.bool else rows
        padded = sent.new_zeros((most, *sent.shape[1:]))
        padded[: len(sent)] = sent
        received = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(received, padded)
        found = torch.cat([part[:n] for part, n in zip(received, counts, strict=True)])
        return found.to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        start = sum(ctx.counts[: rank()])
        return gradient[start : start + ctx.counts[rank()]], None


def global_mean(loss: Loss) -> Tensor:
    """Return what this process back-propagates of a loss: averaged over processes, the mean.

    Equals the mean of the pooled terms in value only after averaging over the processes.
    """
    count = loss.count.clone()
    if world_size() > 1:
        dist.all_reduce(count)
    return loss.sum * world_size() / count.clamp(min=1)
