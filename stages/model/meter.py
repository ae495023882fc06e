"""What a training tells of itself: a line of JSON an update, TensorBoard files, its speed.

Model FLOPs are those of the tokens that carry meaning (no padding), forward and backward, without
what is computed twice to save memory: so the share of the machine that they take is useful work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from stages.model.batch import NO_LABEL, Batch
from stages.model.ragged import Array

if TYPE_CHECKING:
    from stages.model.encoder import Encoder

# bf16 on tensor cores without sparsity, as the makers state it, in FLOP/s.
PEAKS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "V100": 125e12,
}


@dataclass
class Work:
    """How much was done: sequences, tokens with meaning, tokens with padding, model FLOPs."""

    sequences: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    flops: float = 0.0

    def add(self, other: Work) -> None:
        """Add what was done elsewhere."""
        self.sequences += other.sequences
        self.tokens += other.tokens
        self.padded_tokens += other.padded_tokens
        self.flops += other.flops


def measured(encoder: Encoder, batch: Batch[Array]) -> Work:
    """Return the work that a micro-batch is, forward and backward."""
    lengths = batch.lengths_B.tolist()
    labels = batch.token_label_T
    masked = 0 if labels is None else int((labels != NO_LABEL).sum())
    padded = (
        sum(lengths) if encoder.attention == "packed" else len(lengths) * max(lengths, default=0)
    )
    return Work(len(lengths), sum(lengths), padded, encoder.flops(lengths, masked))


class Meter:
    """Writes `metrics.jsonl` and TensorBoard's files into a folder.

    Use it as a context manager. Lines behind `step`, of a run that went on from an earlier
    checkpoint, are taken out first.
    """

    def __init__(self, folder: Path, step: int, device_name: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "metrics.jsonl"
        kept = [line for line in self._lines() if json.loads(line)["step"] <= step]
        self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._board_folder = folder / "tensorboard"
        self._since = time.perf_counter()
        self._work = Work()
        self._peak = next((p for name, p in PEAKS.items() if name in device_name), None)
        self._purge = step + 1

    def __enter__(self) -> Meter:
        from torch.utils.tensorboard import SummaryWriter

        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(self._board_folder), purge_step=self._purge)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._board.close()

    def work(self, done: Work) -> None:
        """Count work since the last line."""
        self._work.add(done)

    def line(self, step: int, values: Mapping[str, float]) -> dict[str, float]:
        """Write one line: the values and the speed since the last one; return it."""
        row = {"step": step, **values, **self._speed()}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in row.items():
            if name != "step":
                self._board.add_scalar(name, value, step)
        return row

    def _speed(self) -> dict[str, float]:
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        done, self._work = self._work, Work()
        if not done.sequences:
            return {}
        speed = {
            "seconds": seconds,
            "sequences_per_second": done.sequences / seconds,
            "tokens_per_second": done.tokens / seconds,
            "padding_share": 1 - done.tokens / max(1, done.padded_tokens),
            "teraflops_per_second": done.flops / seconds / 1e12,
        }
        if self._peak is not None:
            speed["model_flops_utilisation"] = done.flops / seconds / self._peak
        return speed

    def _lines(self) -> list[str]:
        """Return the whole lines of the file; one that a kill cut off is left out."""
        lines = []
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):
                    json.loads(line)
                    lines.append(line)
        return lines
