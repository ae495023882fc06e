"""A small made-up study to test variants with: stages that train nothing, and recipes in TOML.

gauge (whole) -> train (variants) -> tune (variants, selects) -> score (follows) -> board
import_annotated stands in the place of gauge
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from pipeline.config import Recipe, load_recipe
from stages.base import Inputs, Read, Rows, Stage, StageConfig, every, runtime, select
from tests.pipeline.toy import NUMBER, TEXT, Mill, table

SAMPLES = table("samples", "whole", ("value", NUMBER))
MODELS = table("models", "whole", ("weight", NUMBER))
ANSWERS = table("answers", "whole", ("answer", NUMBER), ("seed", NUMBER))
SCORES = table("scores", "whole", ("score", NUMBER))
BOARDS = table("boards", "whole", ("line", TEXT))


class GaugeConfig(StageConfig):
    most: int = Field(3, description="samples that are made")


class ImportConfig(StageConfig):
    format: str = Field(description="how the file is written")
    path: str = Field(description="where it lies")


class Loss(StageConfig):
    name: str = "mlm"
    temperature: float = 1.0


class TrainConfig(StageConfig):
    seed: int = 0
    add: int = Field(0, description="what is added to the samples")
    loss: Loss = Loss()
    threads: int = runtime(1)


class TuneConfig(StageConfig):
    seed: int = 0
    model: str | None = select(MODELS, "variant of train that is tuned")
    task: str = Field("sum", description="what is done")
    note: str = ""
    share: float = 1.0


class ScoreConfig(StageConfig):
    answers: str | None = select(ANSWERS, "variant of tune that is scored")
    scale: int = 1


class BoardConfig(StageConfig):
    pass


def gauge(config: GaugeConfig, inputs: Inputs) -> Iterator[Rows]:
    yield SAMPLES, SAMPLES.batch([(i,) for i in range(config.most)])


def import_annotated(config: ImportConfig, inputs: Inputs) -> Iterator[Rows]:
    yield SAMPLES, SAMPLES.batch([(len(config.path),)])


def train(config: TrainConfig, inputs: Inputs) -> Iterator[Rows]:
    total = sum(inputs.rows(SAMPLES)["value"].to_pylist()) + config.add
    yield MODELS, MODELS.batch([(total * 1000 + len(config.loss.name),)])


def tune_reads(config: TuneConfig) -> tuple[Read, ...]:
    return (SAMPLES, MODELS) if config.model else (SAMPLES,)


def tune(config: TuneConfig, inputs: Inputs) -> Iterator[Rows]:
    weights = inputs.rows(MODELS)["weight"].to_pylist() if config.model else [0]
    yield ANSWERS, ANSWERS.batch([(sum(weights) + len(config.task), config.seed)])


def score(config: ScoreConfig, inputs: Inputs) -> Iterator[Rows]:
    answers = inputs.rows(ANSWERS)["answer"].to_pylist()
    yield SCORES, SCORES.batch([(sum(answers) * config.scale,)])


def board(config: BoardConfig, inputs: Inputs) -> Iterator[Rows]:
    rows = inputs.rows(SCORES).to_pylist()
    lines = sorted(f"{row['variant']}: {row['score']}" for row in rows)
    total = next(iter(inputs.sql("SELECT count(DISTINCT variant) AS n FROM scores")))
    assert total.to_pylist() == [{"n": len(lines)}]
    yield BOARDS, pa.RecordBatch.from_pydict({"line": lines}, schema=BOARDS.schema)


GAUGE = Stage("gauge", 1, GaugeConfig, (), (SAMPLES,), gauge)
IMPORT = Stage(
    "import_annotated", 1, ImportConfig, (), (SAMPLES,), import_annotated, replaces=("gauge",)
)
TRAIN = Stage("train", 1, TrainConfig, (SAMPLES,), (MODELS,), train, variants=True)
TUNE = Stage("tune", 1, TuneConfig, tune_reads, (ANSWERS,), tune, variants=True)
SCORE = Stage("score", 1, ScoreConfig, (ANSWERS,), (SCORES,), score, variants=True)
BOARD = Stage("board", 1, BoardConfig, (every(SCORES),), (BOARDS,), board)
DAG = (GAUGE, IMPORT, TRAIN, TUNE, SCORE, BOARD)

STUDY = """
seed = 7
[train]
add = 1
[train.cp]
loss = { name = "cp" }
[train.mtb]
add = 2
[tune."{task}-{model}-{seed}"]
matrix = { task = ["sum", "mean"], model = ["cp", "mtb"], seed = [1, 2] }
exclude = [{ task = "mean", model = "mtb" }]
note = "{task} of {model}"
[score]
"""
CELLS = ["sum-cp-1", "sum-cp-2", "sum-mtb-1", "sum-mtb-2", "mean-cp-1", "mean-cp-2"]


class Lab(Mill):
    """The study on one warehouse; a recipe is given as TOML, overrides as `sets`."""

    def __init__(self, root: Path, dag: tuple[Stage, ...] = DAG, study: str = STUDY) -> None:
        super().__init__(root, dag)
        self.study = study
        self.path = root / "study.toml"

    def recipe(self, **given: Any) -> Recipe:
        self.path.write_text(given.get("study", self.study))
        return load_recipe(str(self.path), given.get("sets", ()))
