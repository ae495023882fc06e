"""Learning order: a classifier learns distant labels, and what it makes of each is recorded.

Shapes: P pairs and L labels of a batch, R relations.

Paper: Hogan et al., FineCL (NAACL 2022), section 3.1, Eq. 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.model.batch import Batch
from stages.model.corpus import Corpus
from stages.model.course import cut
from stages.model.gather import rank, world_size
from stages.model.label_records import LabelRecords
from stages.model.losses import at_least_fp32, binary_per_class, cross_entropy
from stages.model.meter import Work
from stages.model.ragged import Ints, ranges
from stages.model.shown import Mask, Shown
from stages.model.update import Autocast, Output, Part
from storage.errors import StageError

LossName = Literal["ce", "bce"]


@dataclass
class LearningMicro:
    """A micro-batch.

    Attributes:
        label_L: Its labels, numbered over the whole corpus.
        epoch: Epoch that it is of.
    """

    batch: Batch[Tensor]
    label_L: Ints
    epoch: int


@dataclass
class LearningUpdate:
    """One update."""

    parts: Sequence[Part]
    work: Work
    named: Sequence[str]

    def names(self) -> Sequence[str]:
        """Return the texts of the update."""
        return self.named


class LearningCourse:
    """All updates of a classifier, each label recorded before its update.

    Args:
        model: Returns logits of the pairs of a batch, (P, R).
        batch_size: Texts of an update, over all processes.
        by_batch: Where it is recorded what the forward pass of training said; None for nowhere.
        by_epoch: Where it is recorded what all labels of an epoch look like after it; None to
            leave that out.
        autocast: The precision that they are looked at in: that of training.

    Raises:
        StageError: If an update has fewer texts than there are processes.
    """

    def __init__(
        self,
        model: nn.Module,
        corpus: Corpus,
        shown: Shown,
        *,
        epochs: int,
        batch_size: int,
        micro_tokens: int,
        seed: int,
        loss: LossName,
        by_batch: LabelRecords | None,
        by_epoch: LabelRecords | None,
        device: torch.device,
        autocast: Autocast = nullcontext,
    ) -> None:
        self._model, self._corpus, self._shown = model, corpus, shown
        self._autocast = autocast
        self._batch_size, self._micro_tokens, self._seed = batch_size, micro_tokens, seed
        self._loss, self._device = loss, device
        self._by_batch, self._by_epoch = by_batch, by_epoch
        self._number = -1
        # All epochs show as many texts: labels are the same, and so is how many NA are drawn.
        texts = len(shown.units(shown.epoch(0)))
        last = texts % batch_size or batch_size
        if last < world_size():
            raise StageError(
                f"the last update of an epoch has {last} texts for {world_size()} processes",
                mend="Launch fewer processes, or take another size of batches",
            )
        self._per_epoch = ceil(texts / batch_size)
        self.steps = epochs * self._per_epoch

    def update(self, step: int) -> LearningUpdate:
        """Return update `step`: the next texts of its epoch's order."""
        epoch, place = divmod(step, self._per_epoch)
        self._enter(epoch)
        chosen = self._order[place * self._batch_size : (place + 1) * self._batch_size]
        own = chosen[rank() :: world_size()]
        micros = self._micros(own, epoch)
        work = Work(sequences=len(own))
        for micro in micros:
            lengths = micro.batch.lengths_B.tolist()
            work.tokens += sum(lengths)
            work.padded_tokens += len(lengths) * max(lengths)
            work.flops += self._model.encoder.flops(lengths)  # type: ignore[union-attr,operator]
        part = Part(micros, self._paid, {"relation": 1.0}, {"relation": self._terms(micros)})
        return LearningUpdate([part], work, self._shown.names(own))

    def after(self, step: int) -> dict[str, float]:
        """Look at all labels of an epoch anew at its end, where that is asked for."""
        if self._by_epoch is None or step % self._per_epoch:
            return {}
        epoch = step // self._per_epoch - 1
        self._enter(epoch)
        self._look(epoch, self._by_epoch)
        return {}

    @torch.no_grad()
    def _look(self, epoch: int, records: LabelRecords) -> None:
        was_training = self._model.training
        self._model.eval()
        units = np.sort(self._order)[rank() :: world_size()]
        for rows in cut(self._shown.lengths(units), self._micro_tokens):
            (micro,) = self._micros(units[rows], epoch, whole=True)
            with self._autocast():
                logits_PR = self._model(micro.batch)
            self._record(micro, logits_PR, records)
        self._model.train(was_training)

    def _enter(self, epoch: int) -> None:
        if epoch != self._number:
            self._number = epoch
            self._pairs_P: Mask = self._shown.epoch(epoch)
            units = self._shown.units(self._pairs_P)
            self._order: Ints = np.random.default_rng([self._seed, epoch]).permutation(units)

    def _micros(self, units: Ints, epoch: int, whole: bool = False) -> list[LearningMicro]:
        cuts = cut(self._shown.lengths(units), self._micro_tokens)
        micros = []
        for rows in [np.arange(len(units))] if whole else cuts:
            batch, pairs = self._shown.batch(units[rows], self._pairs_P)
            bounds = self._corpus.labels_of_pair
            label_L = ranges(bounds[pairs], bounds[pairs + 1] - bounds[pairs])
            micros.append(LearningMicro(batch.to(self._device), label_L, epoch))
        return micros

    def _terms(self, micros: Sequence[LearningMicro]) -> int:
        if self._loss == "ce":
            return sum(len(micro.label_L) for micro in micros)
        return sum(len(micro.batch.pair_head_P) for micro in micros)

    def _paid(self, micro: LearningMicro) -> Output:
        logits_PR = self._model(micro.batch)
        if self._by_batch is not None:
            self._record(micro, logits_PR.detach(), self._by_batch)
        target_L, others_LR, wanted_PR = targets(micro.batch, logits_PR.shape[1])
        if self._loss == "bce":
            return Output({}, {"relation": binary_per_class(logits_PR, wanted_PR)})
        rows_LR = logits_PR[micro.batch.label_pair_L]
        return Output({}, {"relation": cross_entropy(rows_LR, target_L, masked_NC=others_LR)})

    def _record(self, micro: LearningMicro, logits_PR: Tensor, records: LabelRecords) -> None:
        correct_L, loss_L, probability_L = judged(micro.batch, logits_PR, self._loss)
        columns = (correct_L, loss_L, probability_L)
        records.add(micro.epoch, micro.label_L, *(c.cpu().numpy() for c in columns))


def targets(batch: Batch[Tensor], relations: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the labels of a batch ask for.

    Returns:
        The relation of each label, (L,); the other relations of its pair, which stay out of its
        softmax, (L, R); all relations of each pair, (P, R).
    """
    pairs = len(batch.pair_head_P)
    wanted_PR = torch.zeros(pairs, relations, dtype=torch.bool, device=batch.ids_T.device)
    wanted_PR[batch.label_pair_L, batch.label_relation_L] = True
    others_LR = wanted_PR[batch.label_pair_L].clone()
    others_LR.scatter_(1, batch.label_relation_L.unsqueeze(1), value=False)
    return batch.label_relation_L, others_LR, wanted_PR


def judged(
    batch: Batch[Tensor], logits_PR: Tensor, loss: LossName
) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether each label is the best of its softmax, its loss, and its probability.

    With bce, loss and probability are those of the label's own class; what is best is asked of the
    same classes.
    """
    target_L, others_LR, _ = targets(batch, logits_PR.shape[1])
    rows_LR = at_least_fp32(logits_PR)[batch.label_pair_L].masked_fill(others_LR, float("-inf"))
    correct_L = rows_LR.argmax(dim=1) == target_L
    own = rows_LR if loss == "bce" else rows_LR.log_softmax(dim=1)
    own_L = own.gather(1, target_L.unsqueeze(1)).squeeze(1)
    loss_L = functional.softplus(-own_L) if loss == "bce" else -own_L
    return correct_L, loss_L, torch.exp(-loss_L)
