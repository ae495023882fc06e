"""relation_pool: against loops written from the equations; who is a positive and who a negative."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stages.objectives.relation_pool import (
    NA,
    LabelRows,
    Rules,
    contrast,
    drawn,
    in_scope,
)

ALL = Rules(negatives=None, positives="all")


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_rows(seed: int, documents: int = 3) -> tuple[Tensor, LabelRows]:
    """Make up pairs with labels: some have two relations, some none."""
    generator = dice(seed)
    rows: list[tuple[int, int, float, int, int, int, bool]] = []
    pairs = 0
    for document in range(documents):
        for head in range(4):
            for tail in range(4):
                kind = int(torch.randint(4, (1,), generator=generator))
                if head == tail or kind == 3:
                    continue
                relations = torch.randperm(4, generator=generator)[:kind] + 1
                intra = bool(torch.rand(1, generator=generator) < 0.5)
                for relation in relations.tolist() or [NA]:
                    weight = float(torch.rand(1, generator=generator)) + 1.0
                    rows.append((pairs, relation, weight, document, head, tail, intra))
                pairs += 1
    columns = list(zip(*rows, strict=True))
    states = torch.randn(pairs, 6, generator=generator, dtype=torch.float64)
    tensors = [torch.tensor(column) for column in columns]
    tensors[2] = tensors[2].double()
    return states, LabelRows(*tensors)


def naive(states: Tensor, rows: LabelRows, rules: Rules, scope: str) -> tuple[Tensor, int]:
    """Return sum and count of one term, pair by pair."""
    listed = [
        tuple(getattr(rows, name)[n].item() for name in rows.__dataclass_fields__)
        for n in range(len(rows))
    ]
    held: dict[int, set[int]] = {}
    for pair, relation, *_ in listed:
        held.setdefault(pair, set()).add(relation)

    def similarity(a: int, b: int) -> Tensor:
        x, y = states[a], states[b]
        return torch.exp((x @ y) / (x.norm() * y.norm()) / rules.temperature)

    total, count = states.new_zeros(()), 0
    for pair, relation, weight, document, head, tail, intra in listed:
        if relation == NA:
            continue
        positives, z = [], states.new_zeros(())
        for other, its, its_weight, its_document, its_head, its_tail, its_intra in listed:
            same_document = document == its_document
            if same_document and (head == its_head or tail == its_tail):
                continue
            if its == relation:
                if scope == "all" or scope == "sc"[not intra] + "sc"[not its_intra]:
                    positives.append(other)
            elif relation not in held[other] or not rules.mask_false_negatives:
                z = z + (its_weight if rules.weigh else 1.0) * similarity(pair, other)
        if positives:
            count += 1
        for other in positives:
            own = similarity(pair, other)
            term = -torch.log(own / (own + z)) / len(positives)
            total = total + (weight if rules.weigh else 1.0) * term
    return total, count


@pytest.mark.parametrize("weigh", [False, True])
@pytest.mark.parametrize("scopes", [("ss", "sc", "cs", "cc"), ()])
@pytest.mark.parametrize("seed", range(3))
def test_each_term_is_the_loop_of_its_equation(
    seed: int, scopes: tuple[str, ...], weigh: bool
) -> None:
    states, rows = random_rows(seed)
    states.requires_grad_()
    rules = replace(ALL, scopes=scopes, weigh=weigh)
    found = contrast(states, rows, states, rows, rules, dice())
    assert set(found) == set(scopes or ["all"])
    for scope, loss in found.items():
        total, count = naive(states, rows, rules, scope)
        assert loss.count == count
        torch.testing.assert_close(loss.sum, total)
        if count:
            torch.testing.assert_close(
                torch.autograd.grad(loss.sum, states, retain_graph=True),
                torch.autograd.grad(total, states, retain_graph=True),
            )


def test_the_four_scopes_part_the_positives() -> None:
    _, rows = random_rows(4)
    held = sum(in_scope(rows, rows, scope).int() for scope in ("ss", "sc", "cs", "cc"))
    assert torch.equal(held, torch.ones_like(held))


def small() -> tuple[Tensor, LabelRows]:
    """Three documents, by hand.

    Document 0: pair 0 (0, 1) has relation 1; pair 1 (0, 2) has relation 1; pair 2 (2, 1) is NA.
    Document 1: pair 3 (0, 1) has relations 1 and 2. Document 2: pair 4 (0, 1) has relation 2.
    """
    rows = LabelRows(
        pair_L=torch.tensor([0, 1, 2, 3, 3, 4]),
        relation_L=torch.tensor([1, 1, NA, 1, 2, 2]),
        weight_L=torch.ones(6, dtype=torch.float64),
        document_L=torch.tensor([0, 0, 0, 1, 1, 2]),
        head_L=torch.tensor([0, 0, 2, 0, 0, 0]),
        tail_L=torch.tensor([1, 2, 1, 1, 1, 1]),
        intra_L=torch.tensor([True, False, True, True, True, False]),
    )
    states = torch.eye(5, dtype=torch.float64) + 0.1
    return states, rows


def test_every_term_of_a_batch_of_three_documents_by_hand() -> None:
    """All states are equally far from each other: exp(c / t) for every two different pairs."""
    states, rows = small()
    found = contrast(states, rows, states, rows, ALL, dice())
    # ss: pair 0 with pair 3; its one negative is pair 4, as pair 1 shares its head, pair 2 its
    # tail, and pair 3 has relation 1 too. And pair 3 with pair 0; its negatives are 2 (NA) and 4.
    assert found["ss"].count == 2
    assert found["ss"].sum.item() == pytest.approx(math.log(2) + math.log(3))
    # sc: pair 3 by relation 1 with pair 1, negatives 2 and 4; by relation 2 with pair 4, negatives
    # 0, 1 and 2. Pair 0 has only pair 1, whose head it shares.
    assert found["sc"].count == 2
    assert found["sc"].sum.item() == pytest.approx(math.log(3) + math.log(4))
    # cs: pair 1 with pair 3, negative 4 and, sharing neither head nor tail, 2 (NA); pair 4 with
    # pair 3, negatives 0, 1, 2.
    assert found["cs"].count == 2
    assert found["cs"].sum.item() == pytest.approx(math.log(3) + math.log(4))
    assert found["cc"].count == 0
    assert found["cc"].sum == 0.0


def test_na_repels_and_other_scopes_do_too() -> None:
    states, rows = small()
    closer = states.clone()
    closer[2] = closer[3]  # the NA pair comes nearer to pair 3
    for scope in ("ss", "sc"):
        before = contrast(states, rows, states, rows, ALL, dice())[scope].sum
        after = contrast(closer, rows, closer, rows, ALL, dice())[scope].sum
        assert after > before
    # Pair 4 stands across sentences and is a negative of the term ss.
    closer = states.clone()
    closer[4] = closer[0]
    before = contrast(states, rows, states, rows, ALL, dice())["ss"].sum
    assert contrast(closer, rows, closer, rows, ALL, dice())["ss"].sum > before


def test_lowering_one_negatives_trust_multiplies_its_term_by_a_power_of_alpha() -> None:
    states, rows = small()
    alpha, epochs = math.e, 5

    def z_of_pair_0(order: int) -> float:
        """Pair 0 has one positive and one negative, pair 4: what the negative adds to Z."""
        weights = rows.weight_L.clone()
        weights[5] = alpha ** ((epochs - order) / epochs)
        weighted = replace(rows, weight_L=weights)
        rules = replace(ALL, scopes=("ss",), weigh=True)
        one = replace(weighted, relation_L=rows.relation_L.clone())
        own = one[torch.tensor([0])]
        loss = contrast(states, own, states, weighted, rules, dice())["ss"].sum.item()
        return math.exp(loss) - 1.0

    assert z_of_pair_0(1) / z_of_pair_0(4) == pytest.approx(alpha ** (3 / epochs))


def test_equal_weights_are_no_weights_to_the_bit() -> None:
    states, rows = random_rows(6)
    ones = replace(rows, weight_L=torch.ones_like(rows.weight_L))
    plain = contrast(states, rows, states, rows, Rules(), dice(3))
    weighed = contrast(states, ones, states, ones, Rules(weigh=True), dice(3))
    for scope in plain:
        assert torch.equal(plain[scope].sum, weighed[scope].sum)


def test_a_drawn_positive_and_drawn_negatives_are_among_all_there_are() -> None:
    mask = torch.rand(50, 40, generator=dice(1)) < 0.3
    for count in (1, 5, 40):
        found = drawn(mask, count, dice(2))
        assert not (found & ~mask).any()
        assert torch.equal(found.sum(dim=1), mask.sum(dim=1).clamp(max=count))


def test_draws_are_even() -> None:
    mask = torch.tensor([[True, False, True, True, True]]).repeat(8000, 1)
    share = drawn(mask, 2, dice(5)).float().mean(dim=0)
    assert share.tolist() == pytest.approx([0.5, 0.0, 0.5, 0.5, 0.5], abs=0.03)


def test_a_pool_without_labels_pays_nothing() -> None:
    states, rows = small()
    only_na = rows[torch.tensor([2])]
    found = contrast(states, only_na, states, only_na, ALL, dice())
    assert all(loss.sum == 0 and loss.count == 0 for loss in found.values())
