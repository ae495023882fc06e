"""gather: two processes with unequal rows pay exactly what one process pays."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from stages.model.gather import gather, global_mean, row_counts, world_size
from stages.model.losses import cross_entropy, info_nce, similarities
from tests.stages.model.processes import in_two_processes

ROWS = torch.randn(40, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
LABELS = torch.randint(5, (40,), generator=torch.Generator().manual_seed(4))
CUT = 28


def contrast(weights: Tensor, rows: Tensor, labels: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Return the loss of some anchors against the pool of all, and their gradient."""
    weights = weights.clone().requires_grad_()
    own = rows @ weights
    counts = row_counts(len(own), own.device)
    pool, pool_labels = gather(own, counts), gather(labels, counts)
    same = labels[:, None] == pool_labels[None]
    itself = torch.arange(first, first + len(rows))[:, None] == torch.arange(len(pool))[None]
    loss = info_nce(similarities(own, pool, "cosine"), same & ~itself, ~same, temperature=0.05)
    paid = global_mean(loss)
    (gradient,) = torch.autograd.grad(paid, weights)
    return paid.detach(), gradient


def begin_weights() -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def one_rank(rank: int) -> dict[str, Tensor]:
    own = slice(0, CUT) if rank == 0 else slice(CUT, None)
    paid, gradient = contrast(begin_weights(), ROWS[own], LABELS[own], CUT * rank)
    dist.all_reduce(paid)
    dist.all_reduce(gradient)
    # The mask of a pool travels as booleans, and a rank may bring no row at all.
    counts = row_counts(3 * rank, paid.device)
    flags = gather(torch.ones(3 * rank, dtype=torch.bool), counts)
    logits = ROWS[own][:, :5].clone().requires_grad_()
    mean = global_mean(cross_entropy(logits, LABELS[own])).detach()
    dist.all_reduce(mean)
    return {"paid": paid / 2, "gradient": gradient / 2, "flags": flags, "mean": mean / 2}


def test_two_processes_with_unequal_rows_are_one(tmp_path: Path) -> None:
    assert world_size() == 1
    paid, gradient = contrast(begin_weights(), ROWS, LABELS, 0)
    for found in in_two_processes(one_rank, tmp_path):
        torch.testing.assert_close(found["paid"], paid)
        assert (found["gradient"] - gradient).norm() / gradient.norm() < 1e-12
        assert torch.equal(found["flags"], torch.ones(3, dtype=torch.bool))
        expected = cross_entropy(ROWS[:, :5], LABELS).mean()
        torch.testing.assert_close(found["mean"], expected)
