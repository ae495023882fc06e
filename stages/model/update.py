"""One update: from micro-batches to gradients, whatever the pool and however many micro-batches.

A contrastive loss is paid over a pool that may be far larger than what fits into memory with its
graph. Then the micro-batches are encoded twice: once without a graph, to fill the pool and to get
the gradient of each of its rows; once more with it, where those gradients are handed on. Dropout
repeats, because the state of the random generators is put back. (Gao et al., "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor, nn

from stages.model.gather import global_mean, world_size
from stages.model.losses import Loss

Rows: TypeAlias = dict[str, Tensor]
"""Representations by name, each (rows, width)."""
Losses: TypeAlias = dict[str, Loss]
Autocast: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Makes the context that forward passes run in: that of the accelerator's precision."""


class Output(NamedTuple):
    """What a model makes of one micro-batch.

    Attributes:
        rows: Representations for the pool.
        losses: What is paid for within the micro-batch, such as masked tokens.
    """

    rows: Rows
    losses: Losses


@dataclass
class Part:
    """What one objective does in an update.

    Attributes:
        micros: Micro-batches of this process.
        forward: Makes an `Output` of a micro-batch.
        weights: Coefficient of each loss by name.
        counts: How many terms each loss within micro-batches has on this process, over all of
            them; the masks say so before anything is encoded.
        pooled: Makes losses of the rows of all micro-batches of this process, one behind the
            other; None where nothing is pooled.
        alone: Whether each micro-batch is a pool of its own.
    """

    micros: Sequence[Any]
    forward: Callable[[Any], Output]
    weights: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    pooled: Callable[[Rows, Sequence[Any]], Losses] | None = None
    alone: bool = False


def back_propagate(
    parts: Sequence[Part],
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> dict[str, float]:
    """Add the gradients of an update to `.grad` and return the mean of each loss.

    What is added is this process's share: `exchange` averages it over the processes.

    Args:
        autocast: Makes the context in which micro-batches are encoded; losses are taken outside.
    """
    told: dict[str, Tensor] = {}
    for part in parts:
        counts = {name: total_count(n, device) for name, n in part.counts.items()}
        cached = part.pooled is not None and not part.alone and len(part.micros) > 1
        ahead = pool_gradients(part, told, device, autocast) if cached else []
        for index, micro in enumerate(part.micros):
            if cached:
                restore(ahead[index].random, device)
            with autocast():
                output = part.forward(micro)
            paid = within(part, output, counts, told, device)
            if cached:
                paid = paid + handed_on(output.rows, ahead[index].gradients)
            elif part.pooled is not None:
                losses = part.pooled(output.rows, [micro])
                paid = paid + weighted(part, losses, told, 1.0 / len(part.micros)).to(device)
            if paid.requires_grad:
                paid.backward()
    return means(told)


class Ahead(NamedTuple):
    """What the first pass leaves for the second, of one micro-batch."""

    random: list[Tensor]
    gradients: Rows


def pool_gradients(
    part: Part,
    told: dict[str, Tensor],
    device: torch.device,
    autocast: Autocast,
) -> list[Ahead]:
    """Encode all micro-batches without a graph and return the gradient of each row."""
    assert part.pooled is not None
    randoms, found = [], []
    with torch.no_grad(), autocast():
        for micro in part.micros:
            randoms.append(remember(device))
            found.append(part.forward(micro).rows)
    pool = {name: torch.cat([rows[name] for rows in found]).requires_grad_() for name in found[0]}
    paid = weighted(part, part.pooled(pool, part.micros), told, 1.0)
    names = list(pool)
    gradients = torch.autograd.grad(paid, [pool[name] for name in names], allow_unused=True)
    by_micro: list[Rows] = [{} for _ in found]
    for name, gradient in zip(names, gradients, strict=True):
        whole = torch.zeros_like(pool[name]) if gradient is None else gradient
        sizes = [len(rows[name]) for rows in found]
        for own, piece in zip(by_micro, whole.split(sizes), strict=True):
            own[name] = piece
    return [Ahead(r, g) for r, g in zip(randoms, by_micro, strict=True)]


def handed_on(rows: Rows, gradients: Rows) -> Tensor:
    """Return a scalar whose gradient with respect to each row is the one given."""
    products = [(rows[name] * gradients[name]).sum() for name in rows]
    return torch.stack([product.float() for product in products]).sum()


def within(
    part: Part,
    output: Output,
    counts: Mapping[str, Tensor],
    told: dict[str, Tensor],
    device: torch.device,
) -> Tensor:
    """Return what is paid within a micro-batch, as a share of the whole update's mean."""
    paid = torch.zeros((), device=device)
    for name, loss in output.losses.items():
        mean = loss.sum * world_size() / counts[name].clamp(min=1)
        paid = paid + part.weights[name] * mean
        tell(told, name, mean)
    return paid


def weighted(part: Part, losses: Losses, told: dict[str, Tensor], share: float) -> Tensor:
    """Return the weighted sum of the global means of some losses."""
    paid = torch.zeros(())
    for name, loss in losses.items():
        mean = global_mean(loss) * share
        tell(told, name, mean)
        paid = paid.to(mean.device) + part.weights[name] * mean
    return paid


def tell(told: dict[str, Tensor], name: str, mean: Tensor) -> None:
    """Add to what is reported of a loss."""
    told[name] = told.get(name, mean.new_zeros(())) + mean.detach()


def means(told: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the losses of an update, averaged over the processes."""
    if not told:
        return {}
    values = torch.stack([value.float() for value in told.values()])
    if world_size() > 1:
        dist.all_reduce(values)
        values = values / world_size()
    return dict(zip(told, values.tolist(), strict=True))


def total_count(count: int, device: torch.device) -> Tensor:
    """Return a count summed over the processes."""
    total = torch.tensor(count, dtype=torch.int64, device=device)
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def exchange(parameters: Sequence[nn.Parameter]) -> None:
    """Average gradients over the processes, once an update and in one message.

    A parameter that no process used keeps no gradient.
    """
    if world_size() == 1:
        return
    used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.uint8)
    used = used.to(parameters[0].device)
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    shared = [p for p, some in zip(parameters, used.tolist(), strict=True) if some]
    for parameter in shared:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in shared if p.grad is not None]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(message)
    message /= world_size()
    for gradient, piece in zip(
        gradients, message.split([g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(piece.view_as(gradient))


def remember(device: torch.device) -> list[Tensor]:
    """Return the state of the random generators that dropout draws from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def restore(states: Sequence[Tensor], device: torch.device) -> None:
    """Put random generators back to where `remember` found them."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
