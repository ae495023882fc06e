"""Fine-tuning for the relations of documents: training, one threshold, answers; no tables.

The threshold and the best epoch are chosen on documents that are not scored.

Shapes: P pairs of all documents, R relations.

Paper: Yao et al., DocRED (ACL 2019), section 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from stages.annotated.document import Document
from stages.model.best import Best
from stages.model.course import cut
from stages.model.document_data import DocumentData, document_data
from stages.model.encoder import Encoder
from stages.model.gather import rank
from stages.model.learning import LearningCourse, LearningUpdate
from stages.model.loop import LoopSettings, train
from stages.model.ragged import Array, Ints, owners
from stages.model.relate import DocumentClassifier
from stages.model.shown import ShownDocuments
from stages.tasks.docred import Fact, best_threshold, facts_of
from storage.errors import StageError

__all__ = ["Answers", "RelateSettings", "Related", "relate"]

Loss = Literal["bce", "ce"]


@dataclass(frozen=True)
class RelateSettings:
    """How an encoder is fine-tuned.

    Attributes:
        loss: bce, each relation by itself; ce, a softmax over all and NA.
        na_ratio: NA pairs of a document for each of its labels in an epoch; None for all.
        dev_every: Epochs from one look at the choosing documents to the next.
    """

    max_pieces: int
    micro_tokens: int
    seed: int
    loss: Loss = "bce"
    na_ratio: float | None = 3.0
    dev_every: int = 1
    epochs: int = 1
    batch_size: int = 32
    dropout: float = 0.0
    learning_rate: float = 4e-5
    warmup_steps: int = 0
    weight_decay: float = 0.0
    clip_norm: float = 1.0


@dataclass(frozen=True)
class Answers:
    """Facts that were predicted in some documents, with their probabilities, in their order."""

    facts: Sequence[tuple[Document, Fact, float]]
    lost: Mapping[str, int]


@dataclass(frozen=True)
class Related:
    """What came of a fine-tuning.

    Attributes:
        threshold: Probability above which a fact is predicted.
        f1: What it reached on the choosing documents, [0, 1].
        answers: By name of the documents that were asked.
        lost: Pairs of training documents that could not be shown, by reason.
    """

    model: DocumentClassifier
    threshold: float
    f1: float
    answers: Mapping[str, Answers]
    lost: Mapping[str, int]


def relate(
    encoder: Encoder,
    settings: RelateSettings,
    relations: Sequence[str],
    training: Sequence[Document],
    choosing: Sequence[Document],
    asked: Mapping[str, Sequence[Document]],
    accelerator: Any,
    folder: Path,
    *,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> Related | None:
    """Train, choose the best epoch and its threshold, and answer what is asked.

    All processes train; the first one alone answers, the others return None.

    Args:
        relations: Names by number, NA first.
        folder: Survives a crash; the training goes on from there.

    Raises:
        StageError: If no pair with a relation can be shown.
    """
    model = DocumentClassifier(encoder, len(relations), settings.dropout).to(accelerator.device)
    known = document_data(encoder, training, relations)
    shown = shown_of(known, settings, encoder, settings.na_ratio)
    best = Best(folder / "best.pt")
    course = RelateCourse(
        model,
        learning(model, known, shown, settings, accelerator.device),
        Judge(model, document_data(encoder, choosing, relations), settings, accelerator),
        best,
        dev_every=settings.dev_every,
        epochs=settings.epochs,
    )
    train(
        model,
        course,
        loop_settings(settings, course.steps),
        accelerator,
        folder,
        tell=tell,
        stopping=stopping,
    )
    if rank():
        return None
    chosen = best.restore(model)
    answers = {}
    for name, documents in asked.items():
        own = document_data(encoder, documents, relations)
        answers[name] = answer(model, own, settings, chosen["threshold"], accelerator)
    lost = {**shown.lost, "no_pieces": known.no_pieces}
    return Related(model, chosen["threshold"], chosen["score"], answers, lost)


def loop_settings(
    settings: RelateSettings, steps: int, warmup_steps: int | None = None
) -> LoopSettings:
    """Return the settings of the loop."""
    return LoopSettings(
        learning_rate=settings.learning_rate,
        total_steps=steps,
        warmup_steps=settings.warmup_steps if warmup_steps is None else warmup_steps,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
    )


def shown_of(
    data: DocumentData, settings: RelateSettings, encoder: Encoder, na_ratio: float | None
) -> ShownDocuments:
    """Return what is shown of documents in an epoch."""
    most = min(settings.max_pieces, encoder.max_pieces)
    return ShownDocuments(data.corpus, max_pieces=most, na_ratio=na_ratio, seed=settings.seed)


def learning(
    model: DocumentClassifier,
    data: DocumentData,
    shown: ShownDocuments,
    settings: RelateSettings,
    device: torch.device,
) -> LearningCourse:
    """Return the updates of the training.

    Raises:
        StageError: If there is nothing to learn, or an update has fewer documents than there are
            processes.
    """
    pairs_P = shown.epoch(0)
    if not (pairs_P & ~shown.na_P).any():
        raise StageError(
            "no pair with a relation can be shown",
            mend="Raise finetune.max_pieces or finetune.fraction, or look at the training file",
        )
    return LearningCourse(
        model,
        data.corpus,
        shown,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        micro_tokens=settings.micro_tokens,
        seed=settings.seed,
        loss=settings.loss,
        by_batch=None,
        by_epoch=None,
        device=device,
    )


class RelateCourse:
    """The updates of a training, and every few epochs a look at the choosing documents."""

    def __init__(
        self,
        model: DocumentClassifier,
        inner: LearningCourse,
        judge: Judge,
        best: Best,
        *,
        dev_every: int,
        epochs: int,
    ) -> None:
        self._model, self._inner, self._judge, self._best = model, inner, judge, best
        self.steps = inner.steps
        self._per_epoch = inner.steps // epochs
        self._looks = {(e + 1) * self._per_epoch for e in range(dev_every - 1, epochs, dev_every)}
        self._looks.add(self.steps)

    def update(self, step: int) -> LearningUpdate:
        """Return update `step`."""
        return self._inner.update(step)

    def after(self, step: int) -> dict[str, float]:
        """Choose a threshold where it is time to, and keep the weights of the best epoch."""
        if step not in self._looks or rank():
            return {}
        threshold, f1 = self._judge.choose()
        if step == min(self._looks) or f1 > self._best.score:
            self._best.keep(self._model, f1, threshold=threshold)
        return {"dev": f1}


class Judge:
    """Finds the best threshold on some documents."""

    def __init__(
        self,
        model: DocumentClassifier,
        data: DocumentData,
        settings: RelateSettings,
        accelerator: Any,
    ) -> None:
        self._model, self._data, self._settings = model, data, settings
        self._accelerator = accelerator
        self._facts = sum(len(facts_of(document)) for document in data.documents)

    def choose(self) -> tuple[float, float]:
        """Return the best threshold and its F1; facts that cannot be shown count as missed."""
        scores, right = [np.empty(0)], [np.empty(0, dtype=bool)]
        corpus = self._data.corpus
        for pairs, probability_PR in probabilities(
            self._model, self._data, self._settings, self._accelerator
        ):
            scores.append(probability_PR[:, 1:].ravel())
            right.append(true_relations(corpus, pairs)[:, 1:].ravel())
        return best_threshold(np.concatenate(scores), np.concatenate(right), self._facts)


def true_relations(corpus: Any, pairs: Ints) -> Array:
    """Return which relations some pairs have, (P, R)."""
    starts, ends = corpus.labels_of_pair[pairs], corpus.labels_of_pair[pairs + 1]
    true = np.zeros((len(pairs), len(corpus.relations)), dtype=bool)
    row = owners(ends - starts)
    label = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
    true[row, corpus.label["relation"][label]] = True
    return true


@torch.no_grad()
def probabilities(
    model: DocumentClassifier, data: DocumentData, settings: RelateSettings, accelerator: Any
) -> Iterator[tuple[Ints, Array]]:
    """Yield numbers of pairs and the probability of each relation, (P, R), of all pairs."""
    shown = shown_of(data, settings, model.encoder, None)
    pairs_P = shown.epoch(0)
    units = shown.units(pairs_P)
    was_training = model.training
    model.eval()
    for rows in cut(shown.lengths(units), settings.micro_tokens):
        batch, pairs = shown.batch(units[rows], pairs_P)
        with accelerator.autocast():
            logits_PR = model(batch.to(accelerator.device))
        yield pairs, chances(logits_PR, settings.loss).cpu().numpy()
    model.train(was_training)


def chances(logits_PR: Tensor, loss: Loss) -> Tensor:
    """Return the probability of each relation, fp64: near 1, fp32 tells too few apart."""
    logits = logits_PR.double()
    return logits.sigmoid() if loss == "bce" else logits.softmax(dim=1)


def answer(
    model: DocumentClassifier,
    data: DocumentData,
    settings: RelateSettings,
    threshold: float,
    accelerator: Any,
) -> Answers:
    """Return the facts whose probability is above a threshold."""
    document_P = owners(np.diff(data.corpus.pair.bounds))
    found = []
    for pairs, probability_PR in probabilities(model, data, settings, accelerator):
        rows, relations = np.nonzero(probability_PR[:, 1:] > threshold)
        for row, relation in zip(rows.tolist(), (relations + 1).tolist(), strict=True):
            fact = data.fact(int(pairs[row]), relation)
            probability = float(probability_PR[row, relation])
            found.append((int(document_P[pairs[row]]), fact, probability))
    found.sort(key=lambda each: each[:2])
    lost = shown_of(data, settings, model.encoder, None).lost
    return Answers(
        [(data.documents[row], fact, probability) for row, fact, probability in found],
        {**lost, "no_pieces": data.no_pieces},
    )
