"""Fine-tuning for one relation a text: a linear head, an epoch after the other, the best on dev.

Shapes: N examples, P pairs, R relations, E width of a pair's vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from stages.model.batch import Batch
from stages.model.best import Best
from stages.model.course import cut
from stages.model.encoder import Encoded, Encoder
from stages.model.gather import rank, world_size
from stages.model.heads import LinearHead
from stages.model.losses import cross_entropy
from stages.model.meter import Work
from stages.model.ragged import Ints
from stages.model.task_data import TaskData
from stages.model.update import Autocast, Output, Part

__all__ = ["Classifier", "ClassifyCourse", "Predicted", "predict", "updates_of", "vectors"]

Readout = Literal["marker", "mean", "first"]


class Classifier(nn.Module):
    """An encoder with a linear head.

    Args:
        relations: R.
        readout: What stands for a pair: the start markers of head and tail, the means over their
            pieces, or [CLS].
    """

    def __init__(
        self, encoder: Encoder, relations: int, readout: Readout = "marker", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.readout = readout
        width = encoder.width if readout == "first" else 2 * encoder.width
        self.head = LinearHead(width, relations, dropout)

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Return logits, (P, R)."""
        logits_PR: Tensor = self.head(read_out(self.encoder.encode(batch), self.readout))
        return logits_PR


def read_out(encoded: Encoded, readout: Readout) -> Tensor:
    """Return the vector of each pair, (P, E)."""
    return encoded.sequence_BD if readout == "first" else encoded.pair_P2D(readout)


@dataclass
class Micro:
    """A micro-batch with its targets."""

    batch: Batch[Tensor]
    class_P: Tensor


@dataclass
class ClassifyUpdate:
    """One update."""

    parts: Sequence[Part]
    work: Work
    named: Sequence[str]

    def names(self) -> Sequence[str]:
        """Return the examples of the update."""
        return self.named


def updates_of(examples: int, batch_size: int) -> int:
    """Return the updates of an epoch: of equal size, at most `batch_size` examples each."""
    return -(-examples // batch_size)


class ClassifyCourse:
    """All updates of a fine-tuning; after each epoch the model is scored on dev.

    Args:
        score: Score of a list of predicted classes of dev, [0, 1]; higher is better.
        best: File for the weights of the best epoch so far.
    """

    def __init__(
        self,
        model: Classifier,
        train: TaskData,
        dev: TaskData | None,
        *,
        epochs: int,
        batch_size: int,
        micro_tokens: int,
        seed: int,
        score: Callable[[Ints], float],
        best: Path,
        device: torch.device,
        autocast: Autocast = nullcontext,
    ) -> None:
        self._model, self._train, self._dev = model, train, dev
        self._autocast = autocast
        self._micro_tokens = micro_tokens
        self._seed, self._score, self._best, self._device = seed, score, Best(best), device
        self._per_epoch = updates_of(len(train), batch_size)
        self.steps = epochs * self._per_epoch

    def update(self, step: int) -> ClassifyUpdate:
        """Return update `step`: the next examples of its epoch's order, those of this process."""
        epoch, place = divmod(step, self._per_epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._train))
        # In equal parts: a last batch of one or two would leave a process without an example.
        chosen = np.array_split(order, self._per_epoch)[place][rank() :: world_size()]
        micros, work = [], Work(sequences=len(chosen))
        for rows in cut(self._train.lengths_N[chosen], self._micro_tokens):
            own = chosen[rows]
            batch = self._train.batch(own)
            work.tokens += batch.pieces
            work.padded_tokens += len(batch) * batch.longest
            work.flops += self._model.encoder.flops(batch.lengths_B.tolist())
            class_P = torch.from_numpy(self._train.class_N[own]).to(self._device)
            micros.append(Micro(batch.to(self._device), class_P))
        names = [self._train.corpus.names_D[i] for i in self._train.place_N[chosen]]
        part = Part(micros, self._paid, {"relation": 1.0}, {"relation": len(chosen)})
        return ClassifyUpdate([part], work, names)

    def _paid(self, micro: Micro) -> Output:
        return Output({}, {"relation": cross_entropy(self._model(micro.batch), micro.class_P)})

    def after(self, step: int) -> dict[str, float]:
        """Score the model on dev at the end of an epoch, and keep the weights of the best."""
        if step % self._per_epoch or rank():
            return {}
        if self._dev is None:
            if step == self.steps:
                self._best.keep(self._model, 0.0)
            return {}
        found = predict(self._model, self._dev, self._micro_tokens, self._device, self._autocast)
        score = self._score(found.class_N)
        if step == self._per_epoch or score > self._best.score:
            self._best.keep(self._model, score)
        return {"dev": score}

    def restore_best(self) -> None:
        """Put the weights of the best epoch back."""
        self._best.restore(self._model)


@dataclass(frozen=True)
class Predicted:
    """Class and its probability of each example, (N,) each."""

    class_N: Ints
    probability_N: Any


def batches(data: TaskData, micro_tokens: int) -> Iterator[Ints]:
    """Yield the rows of batches of like length."""
    return iter(cut(data.lengths_N, micro_tokens))


@torch.no_grad()
def predict(
    model: Classifier,
    data: TaskData,
    micro_tokens: int,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> Predicted:
    """Return what a model answers; it is in training mode afterwards if it was before."""
    was_training = model.training
    model.eval()
    class_N = np.zeros(len(data), dtype=np.int64)
    probability_N = np.zeros(len(data))
    for rows in batches(data, micro_tokens):
        with autocast():
            logits_PR = model(data.batch(rows).to(device))
        best_P = logits_PR.softmax(dim=-1).max(dim=-1)
        class_N[rows] = best_P.indices.cpu().numpy()
        probability_N[rows] = best_P.values.double().cpu().numpy()
    model.train(was_training)
    return Predicted(class_N, probability_N)


@torch.no_grad()
def vectors(
    encoder: Encoder,
    data: TaskData,
    readout: Readout,
    micro_tokens: int,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> Any:
    """Return the vector of each example, (N, E), fp32."""
    encoder.eval()
    found: Any = None
    for rows in batches(data, micro_tokens):
        with autocast():
            pair_PE = read_out(encoder.encode(data.batch(rows).to(device)), readout)
        if found is None:
            found = np.zeros((len(data), pair_PE.shape[1]), dtype=np.float32)
        found[rows] = pair_PE.float().cpu().numpy()
    return found
