"""The weights of the best epoch so far, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from storage.aside import written_aside


class Best:
    """Keeps the weights of a model with the score that they reached.

    Args:
        path: Survives a crash.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def score(self) -> float:
        """Score of what is kept."""
        return float(self._held()["score"])

    def keep(self, model: nn.Module, score: float, **more: float) -> None:
        """Keep the weights of a model in place of those that were kept."""
        with written_aside(self._path) as path:
            torch.save({"score": score, "weights": model.state_dict(), **more}, path)

    def restore(self, model: nn.Module) -> dict[str, Any]:
        """Put the weights back; return what was kept with them."""
        held = self._held()
        model.load_state_dict(held.pop("weights"))
        return held

    def _held(self) -> dict[str, Any]:
        held: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return held
