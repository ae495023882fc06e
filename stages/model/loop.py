"""The loop that every training goes through: pre-training, fine-tuning, learning order.

What an update is made of is a function of its number alone, so a run goes on from a checkpoint
wherever it was stopped. The loop knows nothing of relations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from stages.model import checkpoint
from stages.model.gather import rank, world_size
from stages.model.meter import Meter, Work
from stages.model.optimizer import Schedule, clip, make_optimizer, set_rates
from stages.model.update import Part, back_propagate, exchange
from storage.errors import PassingError, StageError, StoppedError

if TYPE_CHECKING:
    from accelerate import Accelerator


class Update(Protocol):
    """What one update is made of."""

    parts: Sequence[Part]
    work: Work

    def names(self) -> Sequence[str]:
        """Return the examples of this process, to say where a loss went wrong."""


class Course(Protocol):
    """What a training goes through."""

    steps: int

    def update(self, step: int) -> Update:
        """Return update `step`, counted from 0; a function of that number alone."""

    def after(self, step: int) -> dict[str, float]:
        """Do what is due after `step` updates, such as an evaluation; return values to log.

        It is called by every process, in evaluation and training mode as the course sets it.
        """


@dataclass(frozen=True)
class LoopSettings:
    """How a model is stepped.

    Attributes:
        learning_rate: Highest rate.
        warmup_steps: Updates until it is reached.
        schedule: Its way down, to 0 at `total_steps`.
        total_steps: Updates that the schedule is laid out for.
        clip_norm: Largest norm of all gradients together.
        checkpoint_minutes: Time between checkpoints.
        log_every: Updates between lines of the log.
    """

    learning_rate: float
    total_steps: int
    warmup_steps: int = 0
    schedule: Schedule = "linear"
    weight_decay: float = 0.0
    epsilon: float = 1e-8
    bias_correction: bool = False
    learning_rates: dict[str, float] | None = None
    clip_norm: float = 1.0
    checkpoint_minutes: float = 10.0
    log_every: int = 1


def begin(seed: int) -> Accelerator:
    """Return the accelerator of this run: its device, its group of processes, its precision.

    Args:
        seed: Of dropout, and of weights that are made from now on.
    """
    from accelerate import Accelerator

    accelerator = Accelerator()
    torch.manual_seed(seed)
    return accelerator


def train(
    model: nn.Module,
    course: Course,
    settings: LoopSettings,
    accelerator: Accelerator,
    folder: Path,
    *,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> None:
    """Train a model to the end of its course, going on from the newest checkpoint.

    The model is put into training mode, dropout included, and comes back so.

    Args:
        folder: Survives a crash; holds `checkpoints/`, and for each rank `metrics.jsonl` and
            `tensorboard/`.
        tell: Told of every logged line.
        stopping: Whether this process is asked to stop; looked at after each update.

    Raises:
        StoppedError: If a process is asked to stop; a checkpoint is written before.
        StageError: If a loss is not finite; the last checkpoint is kept and the batch named.
        PassingError: If memory runs out.
    """
    device = accelerator.device
    model.to(device).train()
    optimizer = make_optimizer(
        model,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        epsilon=settings.epsilon,
        bias_correction=settings.bias_correction,
        learning_rates=settings.learning_rates,
    )
    checkpoints = folder / "checkpoints"
    step = checkpoint.resume(checkpoints, model, optimizer, device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    with Meter(folder / f"rank-{rank()}", step, name) as meter:
        saved = time.monotonic()
        while step < course.steps:
            set_rates(
                optimizer,
                step,
                schedule=settings.schedule,
                warmup_steps=settings.warmup_steps,
                total_steps=settings.total_steps,
            )
            update = course.update(step)
            values = one_update(model, update, optimizer, settings, accelerator)
            step += 1
            meter.work(update.work)
            values |= course.after(step)
            if step % settings.log_every == 0 or step == course.steps:
                tell(step, meter.line(step, values))
            stop = asked_to_stop(stopping(), device)
            if stop or time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                checkpoint.save(checkpoints, step, model, optimizer, device)
                saved = time.monotonic()
            if stop:
                raise StoppedError(
                    f"stopped after {step:,} of {course.steps:,} updates",
                    mend="Run the same command again: it goes on from there",
                )
        checkpoint.save(checkpoints, step, model, optimizer, device)


def one_update(
    model: nn.Module,
    update: Update,
    optimizer: AdamW,
    settings: LoopSettings,
    accelerator: Accelerator,
) -> dict[str, float]:
    """Step the model once and return the losses, the norm of the gradient, and the rate."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    try:
        told = back_propagate(update.parts, accelerator.device, accelerator.autocast)
    except torch.OutOfMemoryError as error:
        raise PassingError(
            f"out of memory with {update.work.tokens:,} tokens in an update: "
            f"{str(error).splitlines()[0]}",
            mend="Lower micro_tokens: micro-batches get smaller, what is learnt stays the same",
        ) from error
    exchange(parameters)
    norm = clip(parameters, settings.clip_norm)
    require_finite(told, norm, update)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    total = {f"loss/{name}": value for name, value in told.items()}
    rate = max(group["lr"] for group in optimizer.param_groups)
    return {**total, "gradient_norm": norm.item(), "learning_rate": rate}


def require_finite(told: dict[str, float], norm: Tensor, update: Update) -> None:
    """Check that an update can be taken.

    Raises:
        StageError: If a loss or the gradient is not finite, before any weight changed.
    """
    wrong = [name for name, value in told.items() if not math.isfinite(value)]
    if wrong or not torch.isfinite(norm):
        names = update.names()
        some = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        raise StageError(
            f"{wrong[0] if wrong else 'the gradient'} is not finite; the update holds {some}",
            mend="The last checkpoint is kept. Lower learning_rate, or look at these examples",
        )


def asked_to_stop(own: bool, device: torch.device) -> bool:
    """Whether any process was asked to stop; all of them hear the same."""
    if world_size() == 1:
        return own
    flag = torch.tensor([int(own)], device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
