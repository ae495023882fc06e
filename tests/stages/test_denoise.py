"""denoise: weights of made-up records, of a file, and what pre-training makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stages.denoise import DENOISE, DenoiseConfig, check, facts, reads
from stages.model.store import open_corpus, relations_of, write_corpus
from stages.pretrain import PretrainConfig
from stages.pretrain import reads as pretrain_reads
from storage.errors import ConfigError, SourceError, StageError
from storage.tables import FEATURES, LEARNING_ORDERS, TUPLES, WEIGHTS
from storage.warehouse import write_parquet
from tests.conftest import Outcome, RunStage, table_rows
from tests.stages.model import made

PAIRS: list[tuple[str, list[str]]] = [
    ("a", ["P1", "P2"]),
    ("b", []),
    ("c", ["P1"]),
    ("d", []),
    ("e", ["P2"]),
]
"""The NA of d and the label of e were never shown."""
CORRECT: dict[tuple[str, str], list[bool | None]] = {
    ("a", "P1"): [True, True, True],
    ("a", "P2"): [False, False, False],
    ("b", "NA"): [None, True, None],
    ("c", "P1"): [False, True, False],
}
PLAIN = {"name": "learning_order", "upsample": 0.0}


def tuples() -> pa.Table:
    return table_rows(TUPLES, [{"tuple_id": t, "pids": pids} for t, pids in PAIRS])


def orders(**passes: bool) -> pa.Table:
    rows = []
    for number, ((name, pid), correct) in enumerate(CORRECT.items()):
        row: dict[str, Any] = {"tuple_id": name, "pid": pid}
        for seen in passes:
            row[f"{seen}_correct"] = correct
            loss = [
                None if c is None else 0.25 * (number + epoch) for epoch, c in enumerate(correct)
            ]
            row[f"{seen}_loss"] = loss
            row[f"{seen}_probability"] = [None if v is None else math.exp(-v) for v in loss]
        rows.append(row)
    return table_rows(LEARNING_ORDERS, rows)


def run(run_stage: RunStage, given: pa.Table | None = None, **values: Any) -> Outcome:
    config = DenoiseConfig(**values)
    tables = {TUPLES: tuples(), LEARNING_ORDERS: orders(batch=True) if given is None else given}
    return run_stage(DENOISE, config, {t: tables[t] for t in reads(config)})  # type: ignore[index]


def weight(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(r["tuple_id"], r["pid"]): r["weight"] for r in outcome.rows(WEIGHTS)}


def test_every_label_has_a_weight_by_the_epoch_in_which_it_was_learnt(run_stage: RunStage) -> None:
    found = run(run_stage, method=PLAIN)
    half = math.e**0.5
    assert weight(found) == pytest.approx(
        {
            ("a", "P1"): math.e,
            ("a", "P2"): 1.0,
            ("b", "NA"): half,
            ("c", "P1"): math.e ** (2 / 3),
            ("d", "NA"): half,
            ("e", "P2"): 1.0,
        }
    )
    keys = [(r["tuple_id"], r["pid"]) for r in found.rows(WEIGHTS)]
    assert keys == sorted(keys)
    assert found.counts["labels_never_shown"] == 2


def test_unlearnt_labels_may_be_left_out_and_na_stays(run_stage: RunStage) -> None:
    found = run(run_stage, method=PLAIN, weighting={"unlearned": "drop"})
    assert {key for key, value in weight(found).items() if value == 0} == {("a", "P2"), ("e", "P2")}
    assert found.counts["labels_left_out"] == 2


def test_labels_that_were_never_shown_may_have_the_mean_trust(run_stage: RunStage) -> None:
    method = {"name": "confidence", "by": "batch"}
    values = {"method": method, "weighting": {"shape": "trust", "na": "learned"}}
    found = weight(run(run_stage, unseen="mean", **values))
    shown = [found[key] for key in (("a", "P1"), ("a", "P2"), ("c", "P1"))]
    assert found["e", "P2"] == pytest.approx(sum(shown) / 3)
    assert weight(run(run_stage, **values))["e", "P2"] == 0.0


def test_alpha_1_makes_all_weights_equal(run_stage: RunStage) -> None:
    found = run(run_stage, method=PLAIN, weighting={"alpha": 1.0})
    assert set(weight(found).values()) == {1.0}


def test_weights_do_not_hang_on_the_order_of_rows(run_stage: RunStage) -> None:
    back = orders(batch=True).take(list(range(len(CORRECT)))[::-1])
    method = {"name": "learning_order", "upsample": 1.0}
    assert weight(run(run_stage, method=method)) == weight(run(run_stage, back, method=method))


def test_a_seed_draws_what_is_up_sampled(run_stage: RunStage) -> None:
    method = {"name": "learning_order", "upsample": 1.0}
    drawn = {weight(run(run_stage, method=method, seed=s))["a", "P2"] for s in range(20)}
    assert drawn == {math.e, math.e ** (2 / 3), math.e ** (1 / 3)}


def test_the_mean_loss_of_na_is_over_the_epochs_that_showed_it(run_stage: RunStage) -> None:
    weighting = {"shape": "trust", "na": "learned"}
    found = weight(run(run_stage, method={"name": "mean_loss"}, weighting=weighting))
    # Mean losses: a P1 0.25, a P2 0.5, b NA 0.75, c P1 1.0.
    assert [found[key] for key in CORRECT] == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_uniform_reads_tuples_alone(run_stage: RunStage) -> None:
    found = run(run_stage, method={"name": "uniform"}, weighting={"alpha": 1.0})
    assert set(weight(found).values()) == {1.0}
    assert len(weight(found)) == 6


def test_what_was_not_recorded_is_told_with_what_to_set(run_stage: RunStage) -> None:
    with pytest.raises(ConfigError, match="epoch_based = true"):
        run(run_stage, method={"name": "confidence"})
    with pytest.raises(ConfigError, match='by = "epoch"'):
        run(run_stage, orders(epoch=True), method=PLAIN)
    found = weight(run(run_stage, orders(epoch=True), method={"name": "confidence"}))
    assert found["a", "P1"] == pytest.approx(math.e ** math.exp(-0.5))


def test_nothing_left_is_an_error(run_stage: RunStage) -> None:
    with pytest.raises(StageError, match="none of 6 labels"):
        run(run_stage, method=PLAIN, weighting={"best_share": 0.0})


def file_of(path: Path, **columns: list[Any]) -> Path:
    with path.open("wb") as file:
        write_parquet(pa.table(columns), file)
    return path


def test_weights_of_a_file_are_taken_as_they_are(run_stage: RunStage, tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "w.parquet",
        pid=["P1", "NA", "P9"],
        weight=[0.0, 7.0, 3.0],
        tuple_id=["a", "d", "a"],
        more=[1, 2, 3],
    )
    method = {"name": "file", "path": str(path)}
    found = run(run_stage, method=method)
    assert weight(found) == {
        ("a", "P1"): 0.0,
        ("a", "P2"): 1.0,
        ("b", "NA"): 1.0,
        ("c", "P1"): 1.0,
        ("d", "NA"): 7.0,
        ("e", "P2"): 1.0,
    }
    assert found.drops == {"not_a_label": 1}
    assert found.counts["labels_not_in_the_file"] == 4
    before = facts(DenoiseConfig(method=method))
    file_of(path, tuple_id=["a"], pid=["P1"], weight=[2.0])
    assert facts(DenoiseConfig(method=method)) != before


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"tuple_id": ["a"], "pid": ["P1"]}, "weight"),
        ({"tuple_id": ["a"], "pid": ["P1"], "weight": ["much"]}, "much"),
        ({"tuple_id": ["a", "a"], "pid": ["P1", None], "weight": [1.0, 1.0]}, "row 1 has no pid"),
        ({"tuple_id": ["a"], "pid": ["P1"], "weight": [-1.0]}, "a P1 is -1.0"),
        ({"tuple_id": ["a"], "pid": ["P1"], "weight": [math.nan]}, "a P1 is nan"),
        ({"tuple_id": ["a", "a"], "pid": ["P1", "P1"], "weight": [1.0, 2.0]}, "twice"),
    ],
)
def test_a_bad_file_is_told(
    run_stage: RunStage, tmp_path: Path, columns: dict[str, list[Any]], complaint: str
) -> None:
    path = file_of(tmp_path / "w.parquet", **columns)
    with pytest.raises(SourceError, match=complaint):
        run(run_stage, method={"name": "file", "path": str(path)})


def test_a_file_is_looked_for_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    with pytest.raises(ConfigError, match="no file"):
        check(DenoiseConfig(method={"name": "file", "path": str(path)}))
    path.write_text("")
    with pytest.raises(ConfigError, match="weighting"):
        check(DenoiseConfig(method={"name": "file", "path": str(path)}, weighting={"alpha": 1}))


def test_pretraining_reads_weights_where_an_objective_asks() -> None:
    for asks in (True, False):
        objective = {"name": "rd", "weights": asks}
        config = PretrainConfig(encoder="x", revision="y", steps=1, objectives=objective)
        assert (WEIGHTS in pretrain_reads(config)) is asks


def test_a_label_of_weight_0_is_no_example_of_anything(tmp_path: Path) -> None:
    pairs = [
        {"head": 0, "tail": 1, "tuple_id": "t", "intra": True, "pids": ["P1", "P2"]},
        {"head": 1, "tail": 0, "tuple_id": "u", "intra": True, "pids": ["P1"]},
        {"head": 0, "tail": 2, "tuple_id": "v", "intra": True, "pids": []},
        {"head": 2, "tail": 0, "tuple_id": "w", "intra": True, "pids": []},
    ]
    row = {
        "document_id": "1:0-9",
        "pieces": [{"id": 50, "word": True}] * 3,
        "sentences": [{"start": 0, "end": 3}],
        "mentions": [{"start": i, "end": i + 1, "entity": i, "sentence": 0} for i in range(3)],
        "entities": [{"entity": i, "qid": None, "type": None} for i in range(3)],
        "pairs": pairs,
    }
    rows = table_rows(FEATURES, [row])
    weights = pa.table(
        {
            "tuple_id": ["t", "t", "u", "v", "w"],
            "pid": ["P1", "P2", "P1", "NA", "NA"],
            "weight": [0.0, 2.0, 0.0, 0.5, 0.0],
        }
    )
    told = write_corpus(tmp_path / "c", [rows], relations_of([rows]), [], weights)
    assert told == {"documents": 1, "labels_of_weight_0": 3}
    batch = open_corpus(tmp_path / "c", made.markers()).take(np.array([0]))
    assert list(zip(batch.pair_head_P, batch.pair_tail_P, strict=True)) == [(0, 1), (0, 2)]
    assert batch.label_pair_L.tolist() == [0, 1]
    assert batch.label_relation_L.tolist() == [2, 0]
    assert batch.label_weight_L.tolist() == [2.0, 0.5]


def test_a_recipe_gives_several_objectives_with_lists_inside() -> None:
    given = [{"name": "rd", "weights": True, "scopes": ["ss", "cc"]}, {"name": "ed", "share": 0.5}]
    config = PretrainConfig.model_validate_json(json.dumps({"objectives": given}))
    assert [objective.name for objective in config.objectives] == ["rd", "ed"]
    assert config.objectives[0].scopes == ("ss", "cc")
    one = PretrainConfig.model_validate_json(json.dumps({"objectives": given[0]}))
    assert one.objectives == config.objectives[:1]
