"""learn_order: from word pieces to a row for each label, and on to weights."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from stages.base import InputTable
from stages.denoise import DENOISE, DenoiseConfig
from stages.featurize import FEATURIZE, FeaturizeConfig
from stages.learn_order import LEARN_ORDER, LearnOrderConfig, check
from stages.train_tokenizer import TRAIN_TOKENIZER, TrainTokenizerConfig
from storage.errors import ConfigError, StageError
from storage.tables import FEATURES, LEARNING_ORDERS, TUPLES, WEIGHTS, WORD_PIECES
from tests.conftest import Outcome, RunStage
from tests.stages.test_featurize import given_text

SMALL: dict[str, Any] = {"layers": 1, "width": 64, "epochs": 4, "learning_rate": 1e-3}


@pytest.fixture
def given(run_stage: RunStage) -> dict[Any, InputTable]:
    tokens = TrainTokenizerConfig(pieces=900, min_frequency=1)
    vocabulary = run_stage(TRAIN_TOKENIZER, tokens, given_text()).given(WORD_PIECES)
    features = run_stage(FEATURIZE, FeaturizeConfig(), {**given_text(), WORD_PIECES: vocabulary})
    return {FEATURES: features.given(FEATURES), WORD_PIECES: vocabulary}


def keys(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        (row["tuple_id"].partition("/")[2], row["pid"]) for row in outcome.rows(LEARNING_ORDERS)
    ]


def test_every_label_has_a_row_and_its_order_is_the_first_epoch_that_was_right(
    run_stage: RunStage, given: dict[Any, InputTable]
) -> None:
    found = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, epoch_based=True), given)
    assert keys(found) == [
        ("0-1", "P1"),
        ("0-2", "P1"),
        ("0-2", "P2"),
        ("0-3", "P3"),
        ("1-0", "NA"),
    ]
    for row in found.rows(LEARNING_ORDERS):
        for name in ("batch", "epoch"):
            correct = row[f"{name}_correct"]
            assert len(correct) == len(row[f"{name}_loss"]) == len(row[f"{name}_probability"]) == 4
            assert row[f"{name}_order"] == (correct.index(True) if True in correct else 4)
    again = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, epoch_based=True), given)
    assert again.rows(LEARNING_ORDERS) == found.rows(LEARNING_ORDERS)
    other = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, seed=14), given)
    assert (
        other.rows(LEARNING_ORDERS)[0]["batch_loss"] != found.rows(LEARNING_ORDERS)[0]["batch_loss"]
    )
    assert other.rows(LEARNING_ORDERS)[0]["epoch_loss"] is None
    assert other.rows(LEARNING_ORDERS)[0]["epoch_order"] is None


@pytest.mark.parametrize("encoder", ["cnn", "bilstm"])
def test_a_baseline_learns_in_an_order_too(
    encoder: str, run_stage: RunStage, given: dict[Any, InputTable]
) -> None:
    found = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, encoder=encoder), given)
    assert len(found.rows(LEARNING_ORDERS)) == 5


def test_sentences_show_pairs_that_one_sentence_holds(
    run_stage: RunStage, given: dict[Any, InputTable]
) -> None:
    found = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, unit="sentence"), given)
    assert ("0-1", "P1") in keys(found)
    assert ("1-0", "NA") in keys(found)


def test_weights_follow(run_stage: RunStage, given: dict[Any, InputTable]) -> None:
    orders = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL), given).given(LEARNING_ORDERS)
    config = DenoiseConfig(method={"name": "mean_loss"})
    found = run_stage(DENOISE, config, {LEARNING_ORDERS: orders, TUPLES: given_text()[TUPLES]})
    assert len(found.rows(WEIGHTS)) == 5
    assert all(1 <= row["weight"] <= 2.7183 for row in found.rows(WEIGHTS))


def unlabelled(given: dict[Any, InputTable]) -> dict[Any, InputTable]:
    rows = given[FEATURES].rows
    assert rows is not None
    plain = rows.to_pylist()
    for row in plain:
        for pair in row["pairs"]:
            pair["pids"] = []
    return {**given, FEATURES: InputTable(rows=pa.Table.from_pylist(plain, FEATURES.schema))}


def test_layers_below_may_stay_as_they_are(
    run_stage: RunStage, given: dict[Any, InputTable]
) -> None:
    with pytest.raises(ConfigError, match="2 layers are to be trained, and the encoder has 1"):
        run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, trained_layers=2), given)
    whole, top = (
        run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, trained_layers=n), given)
        for n in (None, 0)
    )
    losses = [[row["batch_loss"] for row in found.rows(LEARNING_ORDERS)] for found in (whole, top)]
    assert losses[0] != losses[1]


def test_what_is_cut_off_is_counted(run_stage: RunStage, given: dict[Any, InputTable]) -> None:
    found = run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL, max_pieces=16), given)
    assert found.drops["behind_max_pieces"] == 4 - len({name for name, _ in keys(found)}) > 0


def test_nothing_to_learn_is_told(run_stage: RunStage, given: dict[Any, InputTable]) -> None:
    with pytest.raises(StageError, match="no pair with a relation"):
        run_stage(LEARN_ORDER, LearnOrderConfig(**SMALL), unlabelled(given))
    with pytest.raises(ConfigError, match="no revision"):
        check(LearnOrderConfig(encoder="a/b"))


def test_the_highest_probability_is_no_confidence_in_labels_that_are_learnt() -> None:
    check(LearnOrderConfig(train_on="gold", confidence="max"))
    with pytest.raises(ConfigError, match=r"learn_order\.confidence is 'max'"):
        check(LearnOrderConfig(confidence="max"))
