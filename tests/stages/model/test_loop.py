"""loop: a stopped training goes on to the bit; a loss that is not finite changes no weight."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stages.model import checkpoint
from stages.model.loop import LoopSettings, begin, train
from stages.model.losses import cross_entropy
from stages.model.meter import Work
from stages.model.update import Output, Part
from storage.errors import StageError, StoppedError

SETTINGS = LoopSettings(learning_rate=0.05, total_steps=12, warmup_steps=3, weight_decay=0.1)


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 3))

    def forward(self, micro: tuple[Tensor, Tensor]) -> Output:
        return Output({}, {"label": cross_entropy(self.layers(micro[0]), micro[1])})


@dataclass
class OneUpdate:
    parts: Sequence[Part]
    work: Work = field(default_factory=lambda: Work(8, 80, 100, 1e6))

    def names(self) -> list[str]:
        return [f"text {n}" for n in range(8)]


@dataclass
class ToyCourse:
    """A made-up course; at `stop_at` it is to stop, `spoil_at` makes an input infinite."""

    model: Toy
    steps: int = 12
    stop_at: int | None = None
    spoil_at: int | None = None
    stop: bool = False

    def update(self, step: int) -> OneUpdate:
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randn(8, 4, generator=generator)
        labels = torch.randint(3, (8,), generator=generator)
        if step == self.spoil_at:
            inputs[0, 0] = float("inf")
        self.stop = step == self.stop_at
        micros = [(inputs[:5], labels[:5]), (inputs[5:], labels[5:])]
        return OneUpdate([Part(micros, self.model, {"label": 1.0}, {"label": 8})])

    def after(self, step: int) -> dict[str, float]:
        return {"dev/accuracy": 0.5} if step % 4 == 0 else {}


def trained(folder: Path, **course: int) -> Toy:
    model = Toy()
    torch.manual_seed(17)
    made = ToyCourse(model, **course)
    train(
        model, made, SETTINGS, begin(17), folder, tell=lambda *_: None, stopping=lambda: made.stop
    )
    return model


def test_a_model_is_trained_in_training_mode_however_it_came(tmp_path: Path) -> None:
    modes = []

    class Watched(Toy):
        def forward(self, micro: tuple[Tensor, Tensor]) -> Output:
            modes.append({module.training for module in self.modules()})
            return super().forward(micro)

    # Weights that transformers loads come in evaluation mode.
    model = Watched().eval()
    train(
        model,
        ToyCourse(model, steps=1),
        SETTINGS,
        begin(17),
        tmp_path,
        tell=lambda *_: None,
        stopping=lambda: False,
    )
    assert modes == [{True}, {True}]


def lines(folder: Path) -> list[dict[str, float]]:
    text = (folder / "rank-0" / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_stopped_training_goes_on_to_the_bit(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(StoppedError, match="stopped after 5 of 12 updates"):
        trained(tmp_path / "stopped", stop_at=4)
    resumed = trained(tmp_path / "stopped")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    keys = ("step", "loss/label", "gradient_norm", "learning_rate")
    told = [
        [{k: row[k] for k in keys} for row in lines(tmp_path / n)] for n in ("whole", "stopped")
    ]
    assert told[0] == told[1]
    assert [row["step"] for row in told[0]] == list(range(1, 13))


def test_lines_behind_the_checkpoint_are_told_anew(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(tmp_path, stop_at=4)
    log = tmp_path / "rank-0" / "metrics.jsonl"
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 6, "loss/label": 1.0}\n{"step": 7, "lo')
    trained(tmp_path)
    assert [row["step"] for row in lines(tmp_path)] == list(range(1, 13))


def test_a_loss_that_is_not_finite_stops_before_any_weight_changes(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(tmp_path, stop_at=4)
    before = checkpoint.read(
        next(checkpoint.complete(tmp_path / "checkpoints"))[0] / "state.pt", torch.device("cpu")
    )
    with pytest.raises(StageError, match="label is not finite; the update holds text 0, text 1"):
        trained(tmp_path, spoil_at=5)
    place, step = next(checkpoint.complete(tmp_path / "checkpoints"))
    assert step == 5
    after = checkpoint.read(place / "state.pt", torch.device("cpu"))
    assert all(torch.equal(before["model"][n], after["model"][n]) for n in before["model"])


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    other = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(other.parameters())
    with pytest.raises(StageError, match="of another model"):
        checkpoint.resume(tmp_path / "checkpoints", other, optimizer, torch.device("cpu"))


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    model = trained(tmp_path)
    place, _ = next(checkpoint.complete(tmp_path / "checkpoints"))
    (place / "state.pt").write_bytes(b"no checkpoint")
    with pytest.raises(StageError, match="cannot be read"):
        checkpoint.resume(
            tmp_path / "checkpoints",
            model,
            torch.optim.AdamW(model.parameters()),
            torch.device("cpu"),
        )


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    model = Toy()
    optimizer = torch.optim.AdamW(model.parameters())
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, model, optimizer, torch.device("cpu"))
    # Half written: it has the dice of its rank, and no weights.
    (tmp_path / "step-00000004").mkdir()
    assert [step for _, step in checkpoint.complete(tmp_path)] == [3, 2]


def test_speed_and_evaluations_are_logged(tmp_path: Path) -> None:
    trained(tmp_path)
    rows = lines(tmp_path)
    assert all(row["padding_share"] == pytest.approx(0.2) for row in rows)
    assert all(row["tokens_per_second"] > 0 for row in rows)
    assert [row["step"] for row in rows if "dev/accuracy" in row] == [4, 8, 12]
    assert any((tmp_path / "rank-0" / "tensorboard").iterdir())
