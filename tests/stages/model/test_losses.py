"""losses: every kernel against a double loop written from its equation, with gradients, in fp64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stages.model.losses import (
    NO_LABEL,
    Loss,
    cross_entropy,
    hinge,
    info_nce,
    pair_bce,
    similarities,
)

TEMPERATURE = 0.05


def drawn(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def masks(seed: int, anchors: int, keys: int) -> tuple[Tensor, Tensor]:
    """Draw disjoint masks; the first anchor has no positive, the second no negative."""
    kind = torch.randint(3, (anchors, keys), generator=torch.Generator().manual_seed(seed))
    positive, negative = kind == 0, kind == 1
    positive[0] = False
    negative[1] = False
    positive[1, 0] = True
    return positive, negative


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum() / (a.norm() * b.norm())


def naive_info_nce(
    anchors: Tensor,
    keys: Tensor,
    positive: Tensor,
    negative: Tensor,
    anchor_weight: Tensor,
    key_weight: Tensor,
    weight_positive: bool,
) -> Tensor:
    total = anchors.new_zeros(())
    for a in range(len(anchors)):
        found = [p for p in range(len(keys)) if positive[a, p]]
        for p in found:
            own = torch.exp(cosine(anchors[a], keys[p]) / TEMPERATURE)
            z = own * (key_weight[p] if weight_positive else 1.0)
            for c in range(len(keys)):
                if negative[a, c]:
                    z = z + key_weight[c] * torch.exp(cosine(anchors[a], keys[c]) / TEMPERATURE)
            total = total - anchor_weight[a] * torch.log(own / z) / len(found)
    return total


@pytest.mark.parametrize("weight_positive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_info_nce_is_the_double_loop_of_its_equation(seed: int, weight_positive: bool) -> None:
    anchors, keys = drawn(seed, 7, 5).requires_grad_(), drawn(seed + 50, 9, 5).requires_grad_()
    positive, negative = masks(seed, 7, 9)
    anchor_weight, key_weight = drawn(seed + 1, 7).exp(), drawn(seed + 2, 9).exp()
    loss = info_nce(
        similarities(anchors, keys, "cosine"),
        positive,
        negative,
        temperature=TEMPERATURE,
        anchor_weight_A=anchor_weight,
        key_weight=key_weight,
        weight_positive=weight_positive,
    )
    naive = naive_info_nce(
        anchors, keys, positive, negative, anchor_weight, key_weight, weight_positive
    )
    assert loss.count == positive.any(dim=1).sum() < 7
    torch.testing.assert_close(loss.sum, naive)
    ours = torch.autograd.grad(loss.sum, (anchors, keys))
    theirs = torch.autograd.grad(naive, (anchors, keys))
    torch.testing.assert_close(ours, theirs)


def test_weights_of_one_change_nothing() -> None:
    similarity = similarities(drawn(1, 6, 4), drawn(2, 8, 4), "dot")
    positive, negative = masks(3, 6, 8)
    plain = info_nce(similarity, positive, negative, temperature=1.0)
    ones = info_nce(
        similarity,
        positive,
        negative,
        temperature=1.0,
        anchor_weight_A=torch.ones(6, dtype=torch.float64),
        key_weight=torch.ones(8, dtype=torch.float64),
    )
    assert torch.equal(plain.sum, ones.sum)


def test_without_a_negative_there_is_nothing_to_gain_and_no_nan() -> None:
    similarity = drawn(0, 1, 3).requires_grad_()
    positive = torch.tensor([[True, False, False]])
    loss = info_nce(similarity, positive, torch.zeros(1, 3, dtype=torch.bool), temperature=0.05)
    assert loss.sum == 0.0
    assert loss.count == 1
    (gradient,) = torch.autograd.grad(loss.sum, similarity)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_an_update_without_anchors_costs_nothing() -> None:
    loss = info_nce(
        torch.empty(0, 4),
        torch.empty(0, 4, dtype=torch.bool),
        torch.empty(0, 4, dtype=torch.bool),
        temperature=0.05,
    )
    assert loss.mean() == 0.0


def test_a_well_separated_positive_costs_next_to_nothing() -> None:
    # Were the positive counted twice in Z, the least loss would be log 2.
    similarity = torch.tensor([[1.0, -1.0, -1.0]], dtype=torch.float64)
    positive = torch.tensor([[True, False, False]])
    loss = info_nce(similarity, positive, ~positive, temperature=0.05)
    assert 0 < loss.sum < 1e-12


def test_similarities_in_half_precision_are_taken_in_fp32() -> None:
    anchors, keys = drawn(4, 3, 8).bfloat16(), drawn(5, 4, 8).bfloat16()
    for name in ("cosine", "dot"):
        found = similarities(anchors, keys, name)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, similarities(anchors.float(), keys.float(), name))


def test_pair_bce_is_the_loop_of_its_definition() -> None:
    logits, same = drawn(6, 11).requires_grad_(), drawn(7, 11) > 0
    naive = logits.new_zeros(())
    for logit, is_same in zip(logits, same, strict=True):
        probability = 1 / (1 + torch.exp(-logit))
        naive = naive - torch.log(probability if is_same else 1 - probability)
    loss = pair_bce(logits, same)
    assert loss.count == 11
    torch.testing.assert_close(loss.sum, naive)
    torch.testing.assert_close(
        torch.autograd.grad(loss.sum, logits), torch.autograd.grad(naive, logits)
    )


def test_hinge_keeps_the_direction() -> None:
    better = torch.tensor([2.0, 0.0, 1.0], dtype=torch.float64)
    worse = torch.tensor([0.0, 2.0, 0.5], dtype=torch.float64)
    naive = sum(max(0.0, 1.0 - b + w) for b, w in zip(better.tolist(), worse.tolist(), strict=True))
    loss = hinge(better, worse, margin=1.0)
    assert loss.sum.item() == pytest.approx(naive) == 3.5
    assert loss.count == 3


def test_cross_entropy_leaves_masked_classes_and_unlabelled_rows_out() -> None:
    logits = drawn(8, 5, 4).requires_grad_()
    target = torch.tensor([0, 3, NO_LABEL, 1, 2])
    masked = torch.zeros(5, 4, dtype=torch.bool)
    masked[0, 2] = masked[3, 0] = True
    naive = logits.new_zeros(())
    for row in (0, 1, 3, 4):
        allowed = [math.exp(logits[row, c].item()) for c in range(4) if not masked[row, c]]
        naive = naive - torch.log(torch.exp(logits[row, target[row]]) / sum(allowed)).detach()
    loss = cross_entropy(logits, target, masked_NC=masked)
    assert loss.count == 4
    torch.testing.assert_close(loss.sum, naive)
    (gradient,) = torch.autograd.grad(loss.sum, logits)
    assert gradient[2].abs().sum() == gradient[0, 2] == 0


def test_losses_of_two_halves_add_up_to_the_whole() -> None:
    logits, target = drawn(9, 6, 3), torch.tensor([0, 1, 2, 0, NO_LABEL, 2])
    halves = cross_entropy(logits[:2], target[:2]) + cross_entropy(logits[2:], target[2:])
    whole = cross_entropy(logits, target)
    torch.testing.assert_close(halves.mean(), whole.mean())
    assert isinstance(halves, Loss)
