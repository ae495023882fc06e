"""update: however an update is cut, over micro-batches or processes, it pays the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stages.model.gather import gather, row_counts
from stages.model.losses import cross_entropy, info_nce, similarities
from stages.model.update import Losses, Output, Part, Rows, back_propagate, exchange
from tests.stages.model.processes import in_two_processes

CPU = torch.device("cpu")
INPUTS = torch.randn(24, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.randint(4, (24,), generator=torch.Generator().manual_seed(2))

Micro = tuple[Tensor, Tensor, int]
"""Inputs, labels, and where its first row stands among all rows."""


class Toy(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.body = nn.Linear(6, 5, dtype=torch.float64)
        self.head = nn.Linear(5, 4, dtype=torch.float64)
        self.unused = nn.Linear(2, 2, dtype=torch.float64)
        self.dropout = nn.Dropout(dropout)

    def forward(self, micro: Micro) -> Output:
        hidden = self.dropout(torch.tanh(self.body(micro[0])))
        return Output({"text": hidden}, {"label": cross_entropy(self.head(hidden), micro[1])})


def contrast(rows: Rows, micros: Sequence[Micro]) -> Losses:
    own = rows["text"]
    labels = torch.cat([labels for _, labels, _ in micros])
    places = torch.cat([first + torch.arange(len(labels)) for _, labels, first in micros])
    counts = row_counts(len(own), own.device)
    pool, others, where = gather(own, counts), gather(labels, counts), gather(places, counts)
    same = labels[:, None] == others[None]
    itself = places[:, None] == where[None]
    similarity = similarities(own, pool, "cosine")
    return {"relation": info_nce(similarity, same & ~itself, ~same, temperature=0.1)}


def cut(sizes: Sequence[int], start: int = 0) -> list[Micro]:
    micros = []
    for size in sizes:
        micros.append((INPUTS[start : start + size], LABELS[start : start + size], start))
        start += size
    return micros


def part_of(model: Toy, micros: list[Micro], **changed: object) -> Part:
    values = {
        "micros": micros,
        "forward": model,
        "weights": {"relation": 1.0, "label": 0.5},
        "counts": {"label": sum(len(labels) for _, labels, _ in micros)},
        "pooled": contrast,
    }
    return Part(**(values | changed))  # type: ignore[arg-type]


def gradients(model: Toy) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_cutting_an_update_into_micro_batches_changes_nothing() -> None:
    whole, cut_up = Toy(0.0), Toy(0.0)
    one = back_propagate([part_of(whole, cut([24]))], CPU)
    many = back_propagate([part_of(cut_up, cut([3, 10, 1, 10]))], CPU)
    assert one == pytest.approx(many, rel=1e-6)
    torch.testing.assert_close(gradients(cut_up), gradients(whole))


def test_dropout_repeats_when_micro_batches_are_encoded_twice() -> None:
    micros = cut([7, 9, 8])
    model, graph = Toy(0.3), Toy(0.3)
    torch.manual_seed(11)
    back_propagate([part_of(model, micros)], CPU)
    after = torch.rand(1)
    torch.manual_seed(11)
    outputs = [graph(micro) for micro in micros]
    pool = {"text": torch.cat([output.rows["text"] for output in outputs])}
    label = sum(output.losses["label"].sum for output in outputs) / 24
    (contrast(pool, micros)["relation"].mean() + 0.5 * label).backward()
    torch.testing.assert_close(gradients(model), gradients(graph))
    assert torch.equal(after, torch.rand(1))


def test_a_pool_of_one_micro_batch_is_the_mean_over_micro_batches() -> None:
    micros = cut([12, 12])
    model, by_hand = Toy(0.0), Toy(0.0)
    back_propagate([part_of(model, micros, alone=True, counts={"label": 24})], CPU)
    for micro in micros:
        output = by_hand(micro)
        paid = contrast(output.rows, [micro])["relation"].mean() / 2
        (paid + 0.5 * output.losses["label"].sum / 24).backward()
    torch.testing.assert_close(gradients(model), gradients(by_hand))


def test_what_is_reported_is_unweighted() -> None:
    told = back_propagate([part_of(Toy(0.0), cut([24]))], CPU)
    output = Toy(0.0)(cut([24])[0])
    assert told["label"] == pytest.approx(output.losses["label"].mean().item(), rel=1e-6)


def one_rank(rank: int) -> dict[str, Tensor]:
    model = Toy(0.0)
    own = cut([3, 10, 4]) if rank == 0 else cut([2, 5], start=17)
    told = back_propagate([part_of(model, own)], CPU)
    exchange(list(model.parameters()))
    assert model.unused.weight.grad is None
    return {
        "gradients": gradients(model),
        "losses": torch.tensor([told["relation"], told["label"]]),
    }


def test_two_processes_with_unequal_counts_pay_what_one_pays(tmp_path: Path) -> None:
    model = Toy(0.0)
    told = back_propagate([part_of(model, cut([24]))], CPU)
    for found in in_two_processes(one_rank, tmp_path):
        error = (found["gradients"] - gradients(model)).norm() / gradients(model).norm()
        assert error < 1e-5
        assert found["losses"].tolist() == pytest.approx([told["relation"], told["label"]], 1e-5)
