"""evaluate and report: from predictions to scores, and to a page that shows them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate import EVALUATE, EvaluateConfig
from stages.report import REPORT, ReportConfig
from stages.reporting.agreement import Answer, agreement, errors_alone
from stages.reporting.learned import similarities
from storage.errors import ConfigError
from storage.tables import CURVES, LEADERBOARD, LEARNING_ORDERS, METRICS, PREDICTIONS, PROPERTIES
from storage.warehouse import below_each_other
from tests.conftest import Outcome, RunStage, table_rows

Row = dict[str, Any]
CELL: Row = {
    "task": "relation_file",
    "benchmark": "towns",
    "encoder": "cp",
    "setting": "",
    "input_format": "C+M",
    "fraction": 0.1,
    "seed": 0,
    "split": "test",
}


def predicted(pairs: list[tuple[str, str]], **cell: Any) -> list[Row]:
    return [
        {
            **CELL,
            **cell,
            "example": f"test/{i}",
            "gold": gold,
            "predicted": answer,
            "text": f"[E1]{i}[/E1] <b> [E2]x[/E2]",
        }
        for i, (gold, answer) in enumerate(pairs)
    ]


RIGHT, WRONG = ("a", "a"), ("a", "b")


def test_every_run_gets_its_scores(run_stage: RunStage) -> None:
    rows = predicted([RIGHT] * 3 + [WRONG]) + predicted([RIGHT], seed=1)
    found = run_stage(EVALUATE, EvaluateConfig(), {PREDICTIONS: rows}).rows(METRICS)
    (headline,) = [r for r in found if r["headline"] and r["seed"] == 0]
    assert (headline["metric"], headline["value"], headline["examples"]) == ("micro_f1", 0.75, 4)
    assert headline["low"] < 0.75 < headline["high"]
    (other,) = [r for r in found if r["headline"] and r["seed"] == 1]
    assert (other["value"], other["low"], other["high"]) == (1.0, 1.0, 1.0)


def test_examples_of_an_episode_are_drawn_together(run_stage: RunStage) -> None:
    rows = predicted([RIGHT] * 40 + [WRONG] * 40, task="fewrel")
    together = [{**row, "cluster": str(i // 10)} for i, row in enumerate(rows)]
    (alone,) = run_stage(EVALUATE, EvaluateConfig(), {PREDICTIONS: rows}).rows(METRICS)
    (clustered,) = run_stage(EVALUATE, EvaluateConfig(), {PREDICTIONS: together}).rows(METRICS)
    assert clustered["value"] == alone["value"] == 0.5
    assert clustered["high"] - clustered["low"] > 2 * (alone["high"] - alone["low"])


def test_difficult_relations_are_scored_by_themselves(run_stage: RunStage) -> None:
    rows = predicted([RIGHT, RIGHT, WRONG, ("b", "b"), ("b", "a")])
    seen = [("t", "a", [True]), ("u", "a", [True]), ("v", "b", [True]), ("w", "b", [False])]
    orders = [
        {"tuple_id": t, "pid": pid, "batch_order": 0, "batch_correct": [False], "epoch_correct": c}
        for t, pid, c in seen
    ]
    config = EvaluateConfig(learning_orders="default", samples=100)
    found = run_stage(EVALUATE, config, {PREDICTIONS: rows, LEARNING_ORDERS: orders}).rows(METRICS)
    # Of b, half the labels are learnt: one of two was found, and one of two answers is right.
    assert {r["metric"]: r["value"] for r in found}["difficult_f1"] == 0.5


def test_a_task_that_there_is_not_is_named(run_stage: RunStage) -> None:
    rows = predicted([RIGHT], task="semevl")
    with pytest.raises(ConfigError, match="Did you mean semeval"):
        run_stage(EVALUATE, EvaluateConfig(), {PREDICTIONS: rows})


def made(run_stage: RunStage, predictions: list[Row], curves: list[Row] | None = None) -> Outcome:
    metrics = run_stage(EVALUATE, EvaluateConfig(), {PREDICTIONS: predictions})
    tables = {
        METRICS: metrics.given(METRICS),
        PREDICTIONS: predictions,
        CURVES: curves or [],
    }
    return run_stage(REPORT, ReportConfig(errors=2), tables)


def test_the_leaderboard_is_over_seeds(run_stage: RunStage) -> None:
    rows = [
        *predicted([RIGHT] * 4, seed=0),
        *predicted([RIGHT] * 3 + [WRONG], seed=1),
        *predicted([RIGHT] * 2 + [WRONG] * 2, seed=2),
    ]
    found = made(run_stage, rows).rows(LEADERBOARD)
    keys = [tuple(row[name] for name in LEADERBOARD.key) for row in found]
    assert keys == sorted(set(keys))
    (row,) = [r for r in found if r["headline"]]
    assert (row["mean"], row["median"], row["deviation"]) == (0.75, 0.75, 0.25)
    assert (row["runs"], row["seeds"]) == (3, [0, 1, 2])


class Links(HTMLParser):
    """Collects what a page would load from elsewhere, and what is left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.loaded += [v or "" for k, v in attrs if k in ("src", "href") and v and v[0] != "#"]


def full_report(run_stage: RunStage) -> Outcome:
    rows = []
    for seed in range(2):
        for fraction in (0.1, 1.0):
            cell = {"seed": seed, "fraction": fraction}
            rows += predicted([RIGHT] * 3 + [WRONG] * 3, **cell)
            rows += predicted([RIGHT] * 2 + [WRONG] * 4, **cell, input_format="C+T")
    curves = [
        {
            **{k: v for k, v in CELL.items() if k != "split"},
            "name": "loss",
            "step": s,
            "value": 1 / s,
        }
        for s in (1, 2, 3)
    ]
    return made(run_stage, rows, curves)


def test_the_page_stands_alone_and_shows_every_plot(run_stage: RunStage) -> None:
    page = full_report(run_stage).files["report.html"].read_text("utf-8")
    links = Links()
    links.feed(page)
    assert links.loaded == []
    assert {"svg", "table", "style"} <= links.seen
    assert "script" not in links.seen
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert any("towns by size of training data" in title for title in titles)
    assert any("Confusion of relations: towns" in title for title in titles)
    assert "Learning curves: towns, loss" in titles
    assert page.count("<svg") == 2 + 4 + 1


def test_the_same_rows_give_the_same_page(run_stage: RunStage) -> None:
    first, second = full_report(run_stage), full_report(run_stage)
    assert first.files["report.html"].read_bytes() == second.files["report.html"].read_bytes()


def test_markdown_holds_the_boards(run_stage: RunStage) -> None:
    text = full_report(run_stage).files["leaderboard.md"].read_text("utf-8")
    assert "## towns, test: micro_f1" in text
    assert "| cp | C+M |  | 10 % | 50.0 | 50.0 | 0.0 | 2 |" in text
    assert "<svg" not in text


def test_formats_are_compared_and_errors_sampled(run_stage: RunStage) -> None:
    outcome = full_report(run_stage)
    text = outcome.files["leaderboard.md"].read_text("utf-8")
    assert "| towns | cp | 10 % | 0 | C+M | C+T | 66.7 | 100.0 |" in text
    with outcome.files["errors-towns-cp-0.1-0-CM-CT.csv"].open(newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert (row["example"], row["gold"], row["predicted"], row["verdict"]) == (
        "test/2",
        "a",
        "b",
        "",
    )


def test_an_empty_run_gives_an_empty_page(run_stage: RunStage) -> None:
    tables = {METRICS: [], PREDICTIONS: [], CURVES: []}
    outcome = run_stage(REPORT, ReportConfig(), tables)
    assert outcome.rows(LEADERBOARD) == []
    assert "<h1>Leaderboard</h1>" in outcome.files["report.html"].read_text("utf-8")


def learnt_orders() -> dict[str, list[Row]]:
    """What two models learnt of eight labels and an NA in three epochs; the second in two alone."""
    firsts = {"one": [0, 0, 1, 2, 3, 3, 0, 1], "two": [0, 1, 1, 2, 0, 2, 2, 2]}
    pids = ["P1", "P1", "P1", "P1", "P2", "P2", "P2", "P3"]
    made: dict[str, list[Row]] = {}
    for name, orders in firsts.items():
        made[name] = [
            {
                "tuple_id": f"t{i}",
                "pid": pid,
                "batch_order": first,
                "batch_correct": [None] * (3 if name == "one" else 2),
            }
            for i, (first, pid) in enumerate(zip(orders, pids, strict=True))
        ]
        made[name].append({**made[name][0], "tuple_id": "t9", "pid": "NA"})
    return made


def test_the_report_says_how_soon_labels_were_learnt_and_whether_models_agree(
    run_stage: RunStage,
) -> None:
    each = {v: [table_rows(LEARNING_ORDERS, rows)] for v, rows in learnt_orders().items()}
    orders = below_each_other(LEARNING_ORDERS, each)
    tables = {METRICS: [], PREDICTIONS: [], CURVES: [], LEARNING_ORDERS: orders}
    tables[PROPERTIES] = [{"pid": "P1", "label": "country"}, {"pid": "P2", "label": None}]
    outcome = run_stage(REPORT, ReportConfig(), tables)
    text = outcome.files["leaderboard.md"].read_text("utf-8")
    # Of eight labels the first model knows 3, 5, 6 after its epochs, the second 2, 4 of two.
    assert "| epoch | one, by batch | two, by batch |" in text
    for line in ("| 1 | 37.5 | 25.0 |", "| 2 | 62.5 | 50.0 |", "| 3 | 75.0 |  |"):
        assert line in text
    assert "Of 1 of 3 relations fewer than half were learnt" in text
    assert "| country (P1) | 4 | 50.0 | 75.0 | 100.0 |" in text
    assert "| P2 | 3 | 33.3 | 33.3 | 33.3 |" in text
    assert "## The same labels learnt: one and two, by batch" in text
    # Epoch 1: t0 of t0, t1, t6 and t4; epoch 2: t2 of t1, t2, t7; epoch 3: none of t3.
    for line in (
        "| 1 | 0.250 | 0.250 | 0.250 |",
        "| 2 | 0.333 | 0.583 | 0.500 |",
        "| 3 | 0.000 | 0.583 | 0.429 |",
    ):
        assert line in text
    page = outcome.files["report.html"].read_text("utf-8")
    assert page.count("<svg") == 1 + 2 + 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_similarities_are_those_of_plain_sets(pairs: list[tuple[int, int]]) -> None:
    both = Counter((a if a < 4 else None, b if b < 4 else None) for a, b in pairs)
    total = 0.0
    for epoch, (alone, so_far, together) in enumerate(similarities(both, 4)):
        sets = [
            ({n for n, p in enumerate(pairs) if p[i] == epoch} for i in (0, 1)),
            ({n for n, p in enumerate(pairs) if p[i] <= epoch} for i in (0, 1)),
        ]
        for found, (a, b) in zip((alone, together), sets, strict=True):
            assert found == (len(a & b) / len(a | b) if a | b else None)
        total += alone or 0.0
        assert so_far == pytest.approx(total)


def test_agreement_is_over_the_examples_of_both() -> None:
    right, wrong, other = Answer("a", "a", ""), Answer("a", "b", ""), Answer("a", "c", "")
    first = {"1": right, "2": right, "3": wrong, "4": right}
    second = {"1": right, "2": wrong, "3": other, "5": right}
    found = agreement(first, second)
    assert (found.right, found.right_shared) == (2, 0.5)
    assert (found.wrong, found.wrong_shared) == (1, 1.0)
    assert errors_alone(first, second, 10, seed=0) == ["2"]


def test_errors_are_drawn_by_seed() -> None:
    first = {str(i): Answer("a", "a", "") for i in range(50)}
    second = {str(i): Answer("a", "b", "") for i in range(50)}
    drawn = errors_alone(first, second, 5, seed=1)
    assert len(drawn) == 5
    assert drawn == errors_alone(first, second, 5, seed=1) != errors_alone(first, second, 5, seed=2)
