"""evaluate: from predictions to scores, each with an interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig, select
from storage.tables import CELL_KEY, METRICS, PREDICTIONS

RUN = (*CELL_KEY, "split")


class EvaluateConfig(StageConfig):
    """Whose predictions are scored, and how intervals are found. Its section may be empty."""

    predictions: str | None = select(PREDICTIONS, "variant of finetune; left out: each of them")
    samples: int = Field(
        1000, ge=100, description="times that the examples are drawn anew for an interval"
    )
    seed: int = Field(13, ge=0, description="seed of these draws; set by the recipe's own `seed`")


def evaluate(config: EvaluateConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the scores of each run on each split that it has predicted.

    An interval at 95 % is of examples drawn anew with replacement; where examples are answered
    together, as the queries of an episode are, these clusters are drawn.

    Raises:
        ConfigError: If a prediction is of a task that there is not.
    """
    from stages.tasks import task_named
    from stages.tasks.scores import confusion, resampled

    rows = sorted(inputs.rows(PREDICTIONS).to_pylist(), key=run_of)
    for run, group in groupby(rows, key=run_of):
        answers = list(group)
        task = task_named(run[0])
        gold, predicted = ([row[name] for row in answers] for name in ("gold", "predicted"))
        found = task.scores(confusion(gold, predicted))
        intervals = resampled(
            task.scores,
            gold,
            predicted,
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
    reads=(PREDICTIONS,),
    writes=(METRICS,),
    run=evaluate,
    variants=True,
)
