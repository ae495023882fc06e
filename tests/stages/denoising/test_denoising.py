"""denoising: each method against a loop, up-sampling, weights, and the scores of rankings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.denoising import METHODS
from stages.denoising.cartography import Cartography
from stages.denoising.confidence import Confidence
from stages.denoising.forgetting import Forgetting
from stages.denoising.learning_order import LearningOrder, upsampled
from stages.denoising.mean_loss import MeanLoss
from stages.denoising.ranking import auc, auc_within, interval, precision_by_order
from stages.denoising.records import NA, Pass, Records, by_rank
from stages.denoising.weighting import Weighting, weights
from storage.errors import ConfigError

DICE = np.random.default_rng


def drawn(seed: int, labels: int = 40, epochs: int = 5) -> Records:
    dice = DICE(seed)
    made = [
        Pass(
            dice.random((labels, epochs)) < 0.3,
            dice.random((labels, epochs)),
            dice.random((labels, epochs)),
        )
        for _ in range(2)
    ]
    return Records(dice.integers(0, 4, labels), made[0], made[1])


def of_correct(rows: list[list[int]], relations: list[int] | None = None) -> Records:
    correct = np.array(rows, dtype=bool)
    zeros = np.zeros(correct.shape)
    relation = np.array(relations or [1] * len(rows))
    return Records(relation, Pass(correct, zeros, zeros), None)


def test_the_order_is_the_first_epoch_that_was_right() -> None:
    records = of_correct([[0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]])
    assert records.batch.order_N().tolist() == [1, 0, 3, 2]


def test_trust_by_learning_order_falls_evenly_to_never() -> None:
    records = of_correct([[0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]])
    trust = LearningOrder(upsample=0.0).trust(records, DICE(0))
    assert trust.tolist() == pytest.approx([2 / 3, 1, 0, 1 / 3])
    clamped = LearningOrder(upsample=0.0, clamp=2).trust(records, DICE(0))
    assert clamped.tolist() == pytest.approx([2 / 3, 1, 0, 0])
    learned = [LearningOrder(upsample=0.0, clamp=n).learned(records, DICE(0)) for n in (2, 3)]
    assert [found.tolist() for found in learned] == [
        [True, True, False, False],
        [True, True, False, True],
    ]


@given(st.integers(0, 200), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_upsampling_reaches_the_share_of_every_relation_and_touches_no_other(
    seed: int, share: float
) -> None:
    records = drawn(seed)
    config = LearningOrder(upsample=share)
    before = records.batch.order_N()
    after = upsampled(before, records.relation_N, 5, config, DICE(seed))
    for relation in range(4):
        own = records.relation_N == relation
        learnt, wanted = (before[own] < 5).sum(), math.ceil(share * own.sum() - 1e-9)
        if relation == NA or learnt >= wanted:
            assert np.array_equal(after[own], before[own])
        else:
            assert (after[own] < 5).sum() == wanted
    assert np.array_equal(after[before < 5], before[before < 5])


@pytest.mark.parametrize(
    ("to", "allowed"), [("last", {4}), ("class", {1}), ("uniform", {0, 1, 2, 3, 4})]
)
def test_upsampled_labels_go_where_the_config_says(to: str, allowed: set[int]) -> None:
    records = of_correct([[0, 1, 0, 0, 0]] + [[0] * 5] * 99)
    config = LearningOrder(upsample=1.0, upsample_to=to)  # type: ignore[arg-type]
    after = upsampled(records.batch.order_N(), records.relation_N, 5, config, DICE(1))
    assert set(after[1:].tolist()) == allowed


def test_an_upsampled_label_weighs_more_than_an_unlearnt_one() -> None:
    records = of_correct([[0, 0, 0]] * 10)
    config = LearningOrder(upsample=0.5)
    learned = config.learned(records, DICE(3))
    found = weights(
        config.trust(records, DICE(3)), records.relation_N, Weighting(), learned_N=learned
    )
    assert learned.sum() == 5
    assert found[learned].min() > found[~learned].max() == 1.0


def test_forgetting_counts_losses_and_never_learnt_is_worst() -> None:
    records = of_correct([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    trust = Forgetting().trust(records, DICE(0))
    assert trust.tolist() == pytest.approx([1, 1 / 3, 1, 0, 2 / 3])


def test_mean_loss_confidence_and_cartography_are_loops_over_labels() -> None:
    records = drawn(7)
    assert records.epoch is not None
    losses = [sum(row) / len(row) for row in records.batch.loss_NK.tolist()]
    trust = MeanLoss().trust(records, DICE(0))
    ranked = sorted(range(len(losses)), key=lambda n: -losses[n])
    assert [trust[n] for n in ranked] == pytest.approx([i / 39 for i in range(40)])
    last = [row[-1] for row in records.epoch.probability_NK.tolist()]
    assert Confidence().trust(records, DICE(0)).tolist() == last
    spread = [float(np.std(row)) for row in records.batch.probability_NK.tolist()]
    found = Cartography(trust_in="variability").trust(records, DICE(0))
    assert np.array_equal(np.argsort(found), np.argsort(spread))


def test_a_pass_that_was_not_recorded_is_told() -> None:
    with pytest.raises(ConfigError, match=r"learn_order\.epoch_based"):
        Confidence().trust(of_correct([[1, 0]]), DICE(0))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trusts_within_bounds(name: str) -> None:
    method = METHODS[name]()
    trust, learned = method.trust(drawn(3), DICE(0)), method.learned(drawn(3), DICE(0))
    assert method.name == name
    assert trust.shape == learned.shape == (40,)
    assert trust.min() >= 0
    assert trust.max() <= 1


def test_alpha_of_one_makes_all_weights_one() -> None:
    trust = drawn(5).batch.probability_NK[:, 0]
    relation = drawn(5).relation_N
    learned = np.ones(40, dtype=bool)
    assert np.array_equal(
        weights(trust, relation, Weighting(alpha=1.0), learned_N=learned), np.ones(40)
    )


def test_weights_are_powers_of_alpha_and_na_has_its_square_root() -> None:
    trust, relation = np.array([1.0, 0.5, 0.0, 0.9]), np.array([1, 1, 2, NA])
    learned = np.array([True, True, False, True])
    found = weights(trust, relation, Weighting(alpha=4.0), learned_N=learned)
    assert found.tolist() == pytest.approx([4, 2, 1, 2])
    own = weights(trust, relation, Weighting(alpha=4.0, na="learned"), learned_N=learned)
    assert own[3] == pytest.approx(4**0.9)
    dropped = weights(trust, relation, Weighting(alpha=4.0, unlearned="drop"), learned_N=learned)
    assert dropped.tolist() == pytest.approx([4, 2, 0, 2])
    even = weights(
        trust, relation, Weighting(alpha=4.0, unlearned="drop", normalise="mean"), learned_N=learned
    )
    assert even[even > 0].mean() == pytest.approx(1)
    assert even[0] / even[1] == pytest.approx(2)


def test_the_best_share_is_kept_and_na_always() -> None:
    trust, relation = np.array([0.1, 0.9, 0.5, 0.0, 0.3]), np.array([1, 2, 1, NA, 2])
    found = weights(trust, relation, Weighting(best_share=0.5), learned_N=np.ones(5, dtype=bool))
    assert (found > 0).tolist() == [False, True, True, True, False]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 3)), max_size=40))
def test_auc_is_the_share_of_right_and_wrong_pairs_in_order(
    rows: list[tuple[int, bool, int]],
) -> None:
    trust = np.array([t for t, _, _ in rows], dtype=float)
    right = np.array([r for _, r, _ in rows], dtype=bool)
    relation = np.array([r for _, _, r in rows], dtype=np.int64)

    def enumerated(same_relation: bool) -> float:
        wins = [
            1.0 if trust[i] > trust[j] else 0.5 if trust[i] == trust[j] else 0.0
            for i in np.flatnonzero(right)
            for j in np.flatnonzero(~right)
            if not same_relation or relation[i] == relation[j]
        ]
        return sum(wins) / len(wins) if wins else float("nan")

    assert auc(trust, right) == pytest.approx(enumerated(False), nan_ok=True)
    assert auc_within(trust, right, relation) == pytest.approx(enumerated(True), nan_ok=True)


def test_the_interval_holds_the_value_and_narrows_with_size() -> None:
    dice = DICE(0)
    widths = []
    for size in (50, 800):
        right = dice.random(size) < 0.5
        trust = right * 0.5 + dice.random(size)
        low, high = interval(trust, right, DICE(1), draws=200)
        assert low < auc(trust, right) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_precision_by_order_counts_each_subset() -> None:
    found = precision_by_order(np.array([0, 0, 1, 2, 2]), np.array([1, 1, 0, 1, 0], dtype=bool))
    assert found == [(0, 2, 1.0), (1, 1, 0.0), (2, 2, 0.5)]


def test_ranks_share_ties() -> None:
    assert by_rank(np.array([3.0, 1.0, 3.0, 0.0])).tolist() == pytest.approx(
        [2.5 / 3, 1 / 3, 2.5 / 3, 0]
    )
