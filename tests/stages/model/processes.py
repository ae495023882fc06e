"""Run a function in two processes that form a group, as a training on two devices does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def in_two_processes(job: Callable[..., Any], folder: Path, *given: Any) -> list[Any]:
    """Return what `job(rank, *given)` returns on rank 0 and 1."""
    mp.spawn(_begin, args=(job, str(folder), given), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _begin(rank: int, job: Callable[..., Any], folder: str, given: tuple[Any, ...]) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        torch.save(job(rank, *given), Path(folder) / f"{rank}.pt")
    finally:
        dist.destroy_process_group()
