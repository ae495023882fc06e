"""Where a training stands, on disk: whole or not at all, the newest two kept.

On a CPU in fp32, with the same number of processes, a training that goes on from a checkpoint
takes the very steps it would have taken.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from stages.model.gather import rank, world_size
from stages.model.update import remember, restore
from storage.aside import written_aside
from storage.errors import StageError

KEPT = 2
NAME = re.compile(r"step-(\d{8})")


def save(
    folder: Path, step: int, model: nn.Module, optimizer: Optimizer, device: torch.device
) -> None:
    """Write a checkpoint after `step` updates: weights by rank 0, its own dice by each rank."""
    place = folder / f"step-{step:08d}"
    with written_aside(place / f"random-{rank()}.pt") as path:
        torch.save({"random": remember(device), "processes": world_size()}, path)
    if world_size() > 1:
        dist.barrier()
    if rank() == 0:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        # Last: a folder without this file is no checkpoint.
        with written_aside(place / "state.pt") as path:
            torch.save(state, path)
        for old, _ in list(complete(folder))[KEPT:]:
            shutil.rmtree(old)


def complete(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the whole checkpoints of a folder and their steps, the newest first."""
    found = [(p, m) for p in folder.glob("step-*") if (m := NAME.fullmatch(p.name))]
    for place, match in sorted(found, key=lambda each: each[0].name, reverse=True):
        if (place / "state.pt").exists():
            yield place, int(match[1])


def resume(folder: Path, model: nn.Module, optimizer: Optimizer, device: torch.device) -> int:
    """Put a model, its optimiser and the dice back to the newest checkpoint.

    Returns:
        The number of updates done; 0 where there is no checkpoint.

    Raises:
        StageError: If the checkpoint is of another model or another number of processes.
    """
    newest = next(complete(folder), None)
    if newest is None:
        return 0
    place, step = newest
    state = read(place / "state.pt", device)
    dice = read(place / f"random-{rank()}.pt", torch.device("cpu"))
    if dice["processes"] != world_size():
        raise StageError(
            f"the checkpoint was written by {dice['processes']} processes, not {world_size()}",
            where=str(place),
            mend="Launch as many again, or remove the folder to begin anew",
        )
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise StageError(
            f"the checkpoint is of another model: {str(error).splitlines()[0]}",
            where=str(place),
            mend="Remove the folder to begin anew",
        ) from error
    restore(dice["random"], device)
    return step


def read(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `save` wrote: tensors and numbers only, no code runs.

    Raises:
        StageError: If the file is missing or damaged.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # pickle, zip and file errors have no common base
        raise StageError(
            f"the checkpoint cannot be read: {error}",
            where=str(path),
            mend="Remove its folder: the one before it is used, or the training begins anew",
        ) from error
    return found


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a model's weights, to put back later."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
