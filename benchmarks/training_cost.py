"""What learning order and a large pool cost beside the training itself.

    python -m benchmarks.training_cost order ENCODER CORPUS [--documents N] [--rounds N]
    python -m benchmarks.training_cost pool ENCODER CORPUS [--documents N] [--rounds N]

CORPUS is a file in DocRED's format. Timed is CPU time of one thread without loading, the best of
the rounds, in turns.

`order`: an epoch of a classifier of documents; the same while labels are recorded by batch; the
same and all of them looked at anew behind it. `pool`: an update of `rd` over N documents in which
each micro-batch is a pool of its own, and one whose pool is all of them: its micro-batches are
encoded twice.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from stages.annotated import read
from stages.annotated.document import Document
from stages.denoising.judged import Left
from stages.model.course import PretrainCourse
from stages.model.document_data import document_data
from stages.model.encoder import load_encoder
from stages.model.label_records import LabelRecords
from stages.model.learning import LearningCourse
from stages.model.loop import LoopSettings, begin, one_update
from stages.model.optimizer import make_optimizer
from stages.model.relate import DocumentClassifier
from stages.model.shown import ShownDocuments
from stages.objectives import make_objective
from stages.objectives.parts import MlmConfig
from stages.objectives.rd import RdConfig
from stages.objectives.setting import Setting
from stages.tasks.docred import facts_of

MICRO_TOKENS = 2048
RATE = 1e-4
BATCH = 8


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["order", "pool"])
    parser.add_argument("encoder", type=Path, help="folder of an encoder")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure, count = {"order": (order, 48), "pool": (pool, 256)}[arguments.what]
    documents = list(read("docred", arguments.corpus, Left()))[: arguments.documents or count]
    ways = measure(arguments.encoder, documents)
    best = dict.fromkeys(ways, float("inf"))
    next(iter(ways.values()))()  # what is slow the first time only
    for _ in range(arguments.rounds):
        for name, timed in ways.items():
            best[name] = min(best[name], timed())
    first = next(iter(best.values()))
    print(f"{len(documents)} documents, best of {arguments.rounds} rounds")
    for name, seconds in best.items():
        print(f"{name:<36} {seconds:7.2f} s CPU {seconds / first:5.2f}x")


def order(encoder: Path, documents: list[Document]) -> dict[str, Callable[[], float]]:
    """Return an epoch of training without records, with those by batch, and with both."""
    return {
        "an epoch of training": lambda: epoch(encoder, documents, (False, False)),
        "recorded by batch": lambda: epoch(encoder, documents, (True, False)),
        "recorded by batch and by epoch": lambda: epoch(encoder, documents, (True, True)),
    }


def epoch(folder: Path, documents: list[Document], recorded: tuple[bool, bool]) -> float:
    """Train for an epoch, record what is asked for, and return the seconds."""
    encoder, accelerator = load_encoder(folder), begin(0)
    names = sorted({fact.relation for document in documents for fact in facts_of(document)})
    corpus = document_data(encoder, documents, ["NA", *names]).corpus
    model = DocumentClassifier(encoder, len(corpus.relations)).train()
    with tempfile.TemporaryDirectory() as place:
        records = [
            LabelRecords(Path(place) / name, 0) if asked else None
            for name, asked in zip(("batch", "epoch"), recorded, strict=True)
        ]
        course = LearningCourse(
            model,
            corpus,
            ShownDocuments(corpus, max_pieces=encoder.max_pieces, na_ratio=3.0, seed=0),
            epochs=1,
            batch_size=BATCH,
            micro_tokens=MICRO_TOKENS,
            seed=0,
            loss="ce",
            by_batch=records[0],
            by_epoch=records[1],
            device=accelerator.device,
            autocast=accelerator.autocast,
        )
        optimizer = make_optimizer(
            model, learning_rate=RATE, weight_decay=0.0, bias_correction=True
        )
        settings = LoopSettings(learning_rate=RATE, total_steps=course.steps)
        began = time.process_time()
        for step in range(course.steps):
            one_update(model, course.update(step), optimizer, settings, accelerator)
            course.after(step + 1)
        return time.process_time() - began


def pool(folder: Path, documents: list[Document]) -> dict[str, Callable[[], float]]:
    """Return an update with small pools, and one whose pool is everything."""
    return {
        "each micro-batch a pool": lambda: contrast(folder, documents, "micro"),
        f"one pool of {len(documents)} documents": lambda: contrast(folder, documents, "global"),
    }


def contrast(folder: Path, documents: list[Document], over: str) -> float:
    """Take an update of `rd` over all documents, and return the seconds."""
    encoder, accelerator = load_encoder(folder).train(), begin(0)
    names = sorted({fact.relation for document in documents for fact in facts_of(document)})
    corpus = document_data(encoder, documents, ["NA", *names]).corpus
    config = RdConfig.model_validate({"pool": over, "mlm": MlmConfig(weight=0.0)})
    objective = make_objective(config, Setting(corpus, encoder, 0, corpus.relations))
    count = len(np.unique(objective.epoch(0).rows))
    course = PretrainCourse([(objective, count)], steps=1, micro_tokens=MICRO_TOKENS)
    optimizer = make_optimizer(encoder, learning_rate=RATE, weight_decay=0.0, bias_correction=True)
    settings = LoopSettings(learning_rate=RATE, total_steps=1)
    began = time.process_time()
    one_update(encoder, course.update(0), optimizer, settings, accelerator)
    return time.process_time() - began


if __name__ == "__main__":
    main()
