"""optimizer: AdamW with and without bias correction against its equations, decay, schedules."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from stages.model.optimizer import make_optimizer, set_rates


def stepped(bias_correction: bool, gradients: list[float], decay: float) -> float:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    optimizer = make_optimizer(
        model, learning_rate=0.1, weight_decay=decay, bias_correction=bias_correction
    )
    for gradient in gradients:
        model.weight.grad = torch.full_like(model.weight, gradient)
        optimizer.step()
    return model.weight.item()


def by_hand(bias_correction: bool, gradients: list[float], decay: float) -> float:
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        m = first / (1 - 0.9**step) if bias_correction else first
        v = second / (1 - 0.999**step) if bias_correction else second
        weight -= 0.1 * decay * weight + 0.1 * m / (math.sqrt(v) + 1e-8)
    return weight


@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_the_equations(bias_correction: bool, decay: float) -> None:
    gradients = [0.3, -0.2, 0.5, 0.1]
    found = stepped(bias_correction, gradients, decay)
    assert found == pytest.approx(by_hand(bias_correction, gradients, decay), rel=1e-5, abs=1e-6)
    assert found != pytest.approx(by_hand(not bias_correction, gradients, decay), rel=1e-2)


def test_biases_and_layer_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    optimizer = make_optimizer(model, learning_rate=0.1, weight_decay=0.5)
    decays = {
        name: group["weight_decay"]
        for group in optimizer.param_groups
        for name, parameter in model.named_parameters()
        if any(parameter is each for each in group["params"])
    }
    assert decays == {"0.weight": 0.5, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0}


def test_rates_by_the_longest_beginning_of_a_name() -> None:
    model = nn.ModuleDict(
        {"encoder": nn.ModuleDict({"top": nn.Linear(2, 2)}), "head": nn.Linear(2, 2)}
    )
    optimizer = make_optimizer(
        model,
        learning_rate=1.0,
        weight_decay=0.0,
        learning_rates={"encoder": 0.1, "encoder.top": 0.2},
    )
    assert sorted(group["lr"] for group in optimizer.param_groups) == [0.2, 1.0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]),
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.0, 0.5, 1.0, 0.853553, 0.5, 0.146447, 0.0, 0.0]),
    ],
)
def test_schedules(schedule: str, expected: list[float]) -> None:
    optimizer = make_optimizer(nn.Linear(1, 1), learning_rate=1.0, weight_decay=0.0)
    found = []
    for step in range(len(expected)):
        set_rates(optimizer, step, schedule=schedule, warmup_steps=2, total_steps=6)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx(expected, abs=1e-5)
