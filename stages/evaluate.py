"""evaluate: from predictions to scores, each with an interval."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from pydantic import Field

from stages.base import Inputs, Read, Rows, Share, Stage, StageConfig, select
from storage.tables import CELL_KEY, LEARNING_ORDERS, METRICS, PREDICTIONS

RUN = (*CELL_KEY, "split")
NA = "NA"
Scores: TypeAlias = Callable[[Mapping[Any, int]], dict[str, float]]


class EvaluateConfig(StageConfig):
    """Whose predictions are scored, and how intervals are found. Its section may be empty."""

    predictions: str | None = select(PREDICTIONS, "variant of finetune; left out: each of them")
    learning_orders: str | None = select(
        LEARNING_ORDERS,
        "step of learn_order whose difficult relations are scored by themselves, too; left out: "
        "none",
    )
    difficult: Share = Field(
        0.8,
        description="a relation is difficult if its classifier gets a smaller share of its labels "
        "right after the last epoch",
    )
    samples: int = Field(
        1000, ge=100, description="times that the examples are drawn anew for an interval"
    )
    seed: int = Field(13, ge=0, description="seed of these draws; set by the recipe's own `seed`")


def evaluate(config: EvaluateConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the scores of each run on each split that it has predicted.

    An interval at 95 % is of examples drawn anew with replacement; where examples are answered
    together, as the queries of an episode are or the facts of a document, these clusters are drawn.

    Paper: of difficult relations Hogan et al., FineCL (NAACL 2022), section 5 and table 7.

    Raises:
        ConfigError: If a prediction is of a task that there is not.
    """
    from stages.tasks import task_named
    from stages.tasks.scores import resampled

    difficult = difficult_relations(config, inputs)
    rows = sorted(inputs.rows(PREDICTIONS).to_pylist(), key=run_of)
    for run, group in groupby(rows, key=run_of):
        answers = list(group)
        task = task_named(run[0])
        scores = with_difficult(task.scores, difficult)
        kinds = [task.kind(row) for row in answers]
        found = scores(Counter(kinds))
        intervals = resampled(
            scores,
            kinds,
            clusters_of(answers),
            seed=config.seed,
            samples=config.samples,
        )
        inputs.count("runs")
        yield (
            METRICS,
            METRICS.batch(
                [
                    (
                        *run,
                        name,
                        name == task.metric,
                        value,
                        intervals[name].low,
                        intervals[name].high,
                        len(answers),
                    )
                    for name, value in sorted(found.items())
                ]
            ),
        )


def difficult_relations(config: EvaluateConfig, inputs: Inputs) -> frozenset[str]:
    """Return the relations that the classifier of a learning order did not learn well."""
    if config.learning_orders is None:
        return frozenset()
    seen = inputs.rows(LEARNING_ORDERS).select(["pid", "batch_correct", "epoch_correct"])
    right: dict[str, list[bool]] = defaultdict(list)
    for row in seen.to_pylist():
        correct = row["epoch_correct"] or row["batch_correct"]
        if row["pid"] != NA and correct and correct[-1] is not None:
            right[row["pid"]].append(correct[-1])
    found = frozenset(p for p, own in right.items() if sum(own) < config.difficult * len(own))
    inputs.count("difficult_relations", len(found))
    return found


def with_difficult(scores: Scores, difficult: frozenset[str]) -> Scores:
    """Return scores that count the facts of difficult relations by themselves, too."""
    from stages.tasks.scores import Score

    def more(counts: Mapping[Any, int]) -> dict[str, float]:
        right = predicted = gold = 0
        for (true, answer, *_), n in counts.items():
            right += n * (true == answer and true in difficult)
            predicted += n * (answer in difficult)
            gold += n * (true in difficult)
        return {**scores(counts), "difficult_f1": Score.of(right, predicted, gold).f1}

    return more if difficult else scores


def reads(config: EvaluateConfig) -> tuple[Read, ...]:
    """Return what the stage reads: a learning order where one is named."""
    return (PREDICTIONS,) if config.learning_orders is None else (PREDICTIONS, LEARNING_ORDERS)


def run_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return which run and split a prediction belongs to."""
    return tuple(row[name] for name in RUN)


def clusters_of(rows: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Return which predictions belong together: those of a cluster, and each other one alone."""
    together: dict[tuple[bool, str], list[int]] = {}
    for place, row in enumerate(rows):
        alone = row["cluster"] is None
        key = (alone, row["example"] if alone else row["cluster"])
        together.setdefault(key, []).append(place)
    return list(together.values())


EVALUATE = Stage(
    "evaluate",
    version=1,
    config=EvaluateConfig,
    reads=reads,
    writes=(METRICS,),
    run=evaluate,
    variants=True,
)
