"""What a classifier shows of labels while it learns them: `learn_order` without tables.

Shapes: N labels that were asked about, K epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stages.annotated.document import Document
from stages.denoising.records import Pass, Records
from stages.model.classify import Classifier
from stages.model.corpus import Corpus
from stages.model.document_data import document_data
from stages.model.encoder import Encoder
from stages.model.label_records import LabelRecords, Seen
from stages.model.label_training import LabelTraining, learn_labels
from stages.model.loop import begin
from stages.model.ragged import Ints, owners
from stages.model.relate import DocumentClassifier
from stages.model.shown import Shown, ShownDocuments, ShownSentences
from stages.model.task_data import task_data
from stages.tasks.base import Example
from stages.tasks.docred import Fact, facts_of

__all__ = ["ObserveSettings", "Observed", "observe_documents", "observe_sentences"]


@dataclass(frozen=True)
class ObserveSettings:
    """How the classifier learns.

    Attributes:
        epochs: K.
        max_pieces: Pieces of a sentence; documents have as many as the encoder takes.
    """

    epochs: int = 8
    batch: int = 32
    learning_rate: float = 1e-4
    warmup: float = 0.1
    max_pieces: int = 80
    micro_tokens: int = 4096
    seed: int = 0


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        records: Of each label, by batch and by epoch.
        place_N: Example or document that the label is of.
        fact_N: Of documents head, tail and relation of the label (NA among them).
        lost: Examples, or pairs and entities of documents, that cannot be shown, by reason.
    """

    records: Records
    place_N: Ints
    fact_N: Sequence[Fact] = ()
    lost: Mapping[str, int] = field(default_factory=dict)


def observe_sentences(
    encoder: Encoder,
    examples: Sequence[Example],
    settings: ObserveSettings,
    folder: Path,
    tell: Callable[[int, dict[str, float]], None],
) -> Observed:
    """Learn the labels of sentences, and return what was seen of each that can be shown."""
    names = sorted({example.relation or "" for example in examples} - {"NA"})
    classes = {name: number for number, name in enumerate(["NA", *names])}
    data = task_data(
        encoder, examples, classes=classes, types=[], form="C+M", max_pieces=settings.max_pieces
    )
    shown = ShownSentences(
        data.corpus, max_pieces=settings.max_pieces, na_ratio=None, seed=settings.seed
    )
    seen = learnt(encoder, Classifier, data.corpus, shown, settings, folder, tell)
    found = observed(data.corpus, seen, owners(np.diff(data.corpus.label.bounds)))
    return replace(found, lost={**shown.lost, "no_pieces": data.lost["no_pieces"]})


def observe_documents(
    encoder: Encoder,
    documents: Sequence[Document],
    settings: ObserveSettings,
    folder: Path,
    tell: Callable[[int, dict[str, float]], None],
) -> Observed:
    """Learn the labels of documents, all NA pairs among them, and return what was seen of each."""
    names = sorted({fact.relation for document in documents for fact in facts_of(document)})
    data = document_data(encoder, documents, ["NA", *names])
    shown = ShownDocuments(
        data.corpus, max_pieces=encoder.max_pieces, na_ratio=None, seed=settings.seed
    )
    seen = learnt(encoder, DocumentClassifier, data.corpus, shown, settings, folder, tell)
    pair_L = owners(np.diff(data.corpus.labels_of_pair))
    relation_L = data.corpus.label["relation"]
    found = observed(data.corpus, seen, owners(np.diff(data.corpus.label.bounds)))
    labels = np.flatnonzero(seen["batch"].shown_NK.all(axis=1))
    facts = [data.fact(int(pair_L[each]), int(relation_L[each])) for each in labels]
    return replace(found, fact_N=facts, lost={**shown.lost, "no_pieces": data.no_pieces})


def learnt(
    encoder: Encoder,
    kind: Any,
    corpus: Corpus,
    shown: Shown,
    settings: ObserveSettings,
    folder: Path,
    tell: Callable[[int, dict[str, float]], None],
) -> dict[str, Seen]:
    """Train a classifier and return its records, by batch and by epoch."""
    accelerator = begin(settings.seed)
    model = kind(encoder, len(corpus.relations)).to(accelerator.device)
    records = {name: LabelRecords(folder / "records" / name, 0) for name in ("batch", "epoch")}
    learn_labels(
        model,
        corpus,
        shown,
        LabelTraining(
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            warmup=settings.warmup,
            micro_tokens=settings.micro_tokens,
            seed=settings.seed,
        ),
        accelerator,
        folder,
        by_batch=records["batch"],
        by_epoch=records["epoch"],
        tell=tell,
        stopping=lambda: False,
    )
    labels = len(corpus.label["relation"])
    return {name: own.read(labels, settings.epochs) for name, own in records.items()}


def observed(corpus: Corpus, seen: dict[str, Seen], place_L: Ints) -> Observed:
    """Return the records of the labels that were shown in every epoch."""
    labels = np.flatnonzero(seen["batch"].shown_NK.all(axis=1))
    passes = {
        name: Pass(
            own.correct_NK[labels],
            own.loss_NK[labels].astype(np.float64),
            own.probability_NK[labels].astype(np.float64),
        )
        for name, own in seen.items()
    }
    relation_N = np.asarray(corpus.label["relation"], dtype=np.int64)[labels]
    return Observed(Records(relation_N, passes["batch"], passes["epoch"]), place_L[labels])
