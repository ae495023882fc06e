"""finetune: an encoder learns a benchmark and answers it; or answers by the nearest prototype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stages.answering import CellConfig, head_named
from stages.base import Inputs, Read, Rows, Stage, select
from storage.tables import BENCHMARK_FILES, CURVES, ENCODERS, PREDICTIONS

if TYPE_CHECKING:
    from stages.annotated.document import Document
    from stages.model.encoder import Encoder

TABLES = {"predictions": PREDICTIONS, "curves": CURVES}


class FinetuneConfig(CellConfig):
    """One cell: one encoder, one benchmark, one share of its data, one seed."""

    encoder: str | None = select(
        ENCODERS,
        "variant of pretrain that is fine-tuned, and tables name it so; one with steps = 0 is the "
        "encoder as it began",
    )


def reads(config: FinetuneConfig) -> tuple[Read, ...]:
    """Return what a cell reads: its encoder, and the files of its benchmark alone."""
    return (ENCODERS, BENCHMARK_FILES[config.source])


def facts(config: FinetuneConfig) -> dict[str, Any]:
    """Return the name of the encoder: it stands in the rows, so it counts."""
    name = config.encoder_name or config.encoder
    return {} if name is None else {"encoder": name}


def finetune(config: FinetuneConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the predictions of a cell on dev and test, and the course of its training.

    The subset of the training data that it saw is kept as `subset.json`, and with `keep_model` the
    model beside it; of documents the threshold, and answers as the official scorer takes them,
    which are all there is of a test split without labels.

    Drops: what `stages.annotated.read` drops; "overlapping_mentions", "too_far_apart",
    "no_pieces" and "behind_max_pieces" (examples whose head and tail cannot be shown together;
    those of dev and test count as wrong).
    Papers: Baldini Soares et al. (ACL 2019), section 5; Peng et al., CP (EMNLP 2020), section 4;
    Yao et al., DocRED (ACL 2019), section 5.

    Raises:
        SourceError: If the benchmark lacks a split that is needed, or has no labels there.
    """
    from stages.model.loop import begin
    from stages.tasks import task_named

    task = task_named(config.task)
    splits = read_splits(inputs)
    accelerator = begin(config.seed)
    inputs.require_world(accelerator.num_processes)
    encoder = load(config, inputs)
    for name, rows in head_named(task.head)(config, task, splits, encoder, accelerator, inputs):
        table = TABLES[name]
        yield table, table.batch(sorted(rows, key=lambda row: row[: len(table.key)]))


def load(config: FinetuneConfig, inputs: Inputs) -> Encoder:
    """Return the encoder that a variant of pretrain has left."""
    from stages.model.encoder import load_encoder

    encoder = load_encoder(inputs.files(ENCODERS)["config.json"].parent)
    if config.trained_layers is not None:
        encoder.freeze_below(config.trained_layers)
    return encoder


def read_splits(inputs: Inputs) -> dict[str, list[Document]]:
    """Return the documents of each split of the benchmark."""
    from stages.annotated import read

    files = inputs.files(BENCHMARK_FILES)
    return {
        row["split"]: list(read(row["format"], files[row["file"]], inputs, split=row["split"]))
        for row in inputs.rows(BENCHMARK_FILES).to_pylist()
    }


FINETUNE = Stage(
    "finetune",
    version=5,
    config=FinetuneConfig,
    reads=reads,
    writes=(PREDICTIONS, CURVES),
    run=finetune,
    facts=facts,
    variants=True,
    launched=True,
)
