"""Heads of tasks: shapes, gradients, and prototypes against the rule written with NumPy."""

from __future__ import annotations

import pytest
import torch

from stages.model.heads import LinearHead, PrototypeHead, Similarity
from stages.tasks.fewrel import prototype_scores


def test_a_linear_head_answers_in_fp32() -> None:
    head = LinearHead(8, 3).to(torch.bfloat16)
    logits = head(torch.randn(5, 8, dtype=torch.bfloat16))
    assert (logits.shape, logits.dtype) == ((5, 3), torch.float32)


@pytest.mark.parametrize("similarity", ["dot", "euclid", "cosine"])
def test_prototypes_score_as_the_rule_says_and_have_gradients(similarity: Similarity) -> None:
    torch.manual_seed(0)
    support = torch.randn(4, 3, 6, dtype=torch.float64, requires_grad=True)
    query = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    head = PrototypeHead(similarity)
    logits = head(support, query)
    expected = prototype_scores(support.detach().numpy(), query.detach().numpy(), similarity)
    torch.testing.assert_close(logits.detach(), torch.from_numpy(expected))
    assert torch.autograd.gradcheck(head, (support, query))


def test_dropout_rests_in_evaluation() -> None:
    head = PrototypeHead("dot", dropout=0.5)
    support, query = torch.randn(2, 2, 16), torch.randn(3, 16)
    head.eval()
    assert torch.equal(head(support, query), head(support, query))
    head.train()
    assert not torch.equal(head(support, query), head(support, query))
