"""pooling: sums by segments, against loops over entities, with their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stages.model.batch import Batch
from stages.model.chance import Chance
from stages.model.pooling import (
    entity_means,
    first_pieces,
    mention_means,
    pool,
    span_means,
    start_markers,
)
from stages.model.views import mark_entities
from tests.stages.model.made import corpus, markers


def of_mentions(hidden: Tensor, batch: Batch[Tensor]) -> Tensor:
    spans = zip(batch.mention_start_M.tolist(), batch.mention_end_M.tolist(), strict=True)
    return torch.stack([hidden[start:end].mean(dim=0) for start, end in spans])


def of_entities(each: Tensor, batch: Batch[Tensor]) -> Tensor:
    owners = batch.mention_entity_M.tolist()
    count = len(batch.entity_sequence_E)
    return torch.stack(
        [
            torch.stack([each[m] for m, owner in enumerate(owners) if owner == e]).mean(dim=0)
            for e in range(count)
        ]
    )


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_pooling_is_the_loop_over_mentions_and_entities_with_its_gradient(seed: int) -> None:
    plain = mark_entities(corpus(seed).take(np.arange(4)), markers(), Chance(1, 0))
    batch = plain.to("cpu")
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(batch.pieces, 5, dtype=torch.float64, generator=generator)
    cases = [
        (mention_means, lambda h: of_mentions(h, batch)),
        (entity_means, lambda h: of_entities(of_mentions(h, batch), batch)),
        (start_markers, lambda h: of_entities(h[batch.mention_marker_M], batch)),
        (first_pieces, lambda h: h[batch.cu_seqlens[:-1]]),
    ]
    for index, loop in cases:
        ours, theirs = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
        got, wanted = pool(ours, index(batch)), loop(theirs)
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-7)
        weights = torch.randn(got.shape, dtype=torch.float64, generator=generator)
        (got * weights).sum().backward()
        (wanted * weights).sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-7)


def test_half_precision_is_summed_in_fp32() -> None:
    ones = torch.ones(4096, 1, dtype=torch.bfloat16)
    index = span_means(torch.tensor([0]), torch.tensor([4096]))
    assert pool(ones, index).dtype == torch.bfloat16
    assert pool(ones, index).item() == 1.0


def test_markers_that_were_never_put_in_are_not_read() -> None:
    batch = corpus(1).take(np.arange(2)).to("cpu")
    with pytest.raises(ValueError, match="no start marker"):
        start_markers(batch)
