"""Learning from episodes: an encoder is moved so that the nearest prototype is the right one.

Shapes: N relations, K supports and Q queries of each, E width of a pair's vector; R rows of an
update, one an example that some episode draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.model.batch import Batch
from stages.model.classify import Readout, read_out
from stages.model.course import cut
from stages.model.encoder import Encoder
from stages.model.finetuning import Settings, prepared
from stages.model.gather import rank, world_size
from stages.model.heads import PrototypeHead, Similarity
from stages.model.loop import LoopSettings, train
from stages.model.losses import Loss, cross_entropy
from stages.model.meter import Work
from stages.model.ragged import Ints
from stages.model.task_data import TaskData
from stages.model.update import Losses, Output, Part, Rows
from stages.tasks.base import Example
from stages.tasks.fewrel import Episode, Episodes
from stages.tasks.scores import label_ids
from storage.errors import StageError

__all__ = ["EpisodeSettings", "learn_episodes"]


@dataclass(frozen=True)
class EpisodeSettings:
    """What an update is made of.

    Attributes:
        episodes: Of an update, over all processes.
    """

    updates: int
    episodes: int
    ways: int
    shots: int
    queries: int
    similarity: Similarity


class Prototypes(nn.Module):
    """An encoder with prototypes, which have no weights of their own."""

    def __init__(self, encoder: Encoder, readout: Readout, head: PrototypeHead) -> None:
        super().__init__()
        self.encoder, self.readout, self.head = encoder, readout, head

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Return the vector of each pair, (P, E)."""
        return read_out(self.encoder.encode(batch), self.readout)


@dataclass
class Micro:
    """A micro-batch: which rows of its update it holds."""

    batch: Batch[Tensor]
    rows: Ints


@dataclass
class EpisodeUpdate:
    """One update."""

    parts: Sequence[Part]
    work: Work
    named: Sequence[str]

    def names(self) -> Sequence[str]:
        """Return the examples of the update."""
        return self.named


class EpisodeCourse:
    """All updates: episodes in the order of their numbers, shared out between the processes.

    An example that several episodes of an update draw is encoded once. The loss is paid where all
    of the update's vectors are there, however many micro-batches they came in.

    Paper: Snell et al. (NeurIPS 2017), algorithm 1.
    """

    def __init__(
        self,
        model: Prototypes,
        data: TaskData,
        drawn: Episodes,
        settings: EpisodeSettings,
        micro_tokens: int,
        device: torch.device,
    ) -> None:
        self._model, self._data, self._drawn = model, data, drawn
        self._settings, self._micro_tokens, self._device = settings, micro_tokens, device
        self.steps = settings.updates

    def update(self, step: int) -> EpisodeUpdate:
        """Return update `step`."""
        first = step * self._settings.episodes
        numbers = range(first, first + self._settings.episodes)[rank() :: world_size()]
        episodes = [self._drawn.episode(number) for number in numbers]
        places = [np.concatenate([e.support_NK.ravel(), e.query_NQ.ravel()]) for e in episodes]
        chosen = np.unique(np.concatenate(places))
        micros, work = [], Work(sequences=len(chosen))
        for rows in cut(self._data.lengths_N[chosen], self._micro_tokens):
            batch = self._data.batch(chosen[rows])
            work.tokens += batch.pieces
            work.padded_tokens += len(batch) * batch.longest
            work.flops += self._model.encoder.flops(batch.lengths_B.tolist())
            micros.append(Micro(batch.to(self._device), rows))

        def paid(rows: Rows, micros: Sequence[Micro]) -> Losses:
            return {"relation": self._paid(rows["pair"], micros, chosen, episodes)}

        names = [self._data.corpus.names_D[i] for i in self._data.place_N[chosen]]
        return EpisodeUpdate(
            [Part(micros, self._forward, {"relation": 1.0}, {}, paid)], work, names
        )

    def _forward(self, micro: Micro) -> Output:
        return Output({"pair": self._model(micro.batch)}, {})

    def _paid(
        self, pair_RE: Tensor, micros: Sequence[Micro], chosen: Ints, episodes: Sequence[Episode]
    ) -> Loss:
        """Return the loss of all queries of some episodes."""
        order = np.argsort(np.concatenate([micro.rows for micro in micros]))
        pair_RE = pair_RE[torch.as_tensor(order, device=pair_RE.device)]
        losses = []
        for episode in episodes:
            support_NK, query_NQ = (
                torch.as_tensor(np.searchsorted(chosen, places), device=pair_RE.device)
                for places in (episode.support_NK, episode.query_NQ)
            )
            logits_BN = self._model.head(pair_RE[support_NK], pair_RE[query_NQ.flatten()])
            ways, queries = query_NQ.shape
            target_B = torch.arange(ways, device=pair_RE.device).repeat_interleave(queries)
            losses.append(cross_entropy(logits_BN, target_B))
        return sum(losses[1:], losses[0])

    def after(self, step: int) -> dict[str, float]:
        """Choose nothing on the way: the last weights answer, so dev may be reported."""
        return {}


def learn_episodes(
    encoder: Encoder,
    settings: Settings,
    own: EpisodeSettings,
    examples: Sequence[Example],
    types: Sequence[str],
    accelerator: Any,
    folder: Path,
    *,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> Mapping[str, int]:
    """Train an encoder on episodes, and return how many examples could not be shown, by reason.

    Args:
        examples: The training split.
        types: Entity types of all splits.
        folder: Survives a crash; the training goes on from there.
        tell: Told of every update.
        stopping: Whether the training is asked to stop.

    Raises:
        ConfigError: If there are too few relations, or too few examples of one.
        StageError: If an update has fewer episodes than there are processes.
    """
    if own.episodes < world_size():
        raise StageError(
            f"{own.episodes} episodes in an update are too few for {world_size()} processes",
            mend="Launch fewer processes, or raise finetune.training_episodes",
        )
    classes = label_ids((example.relation or "" for example in examples), ())
    data = prepared(settings, encoder, examples, classes, types)
    names = [examples[place].relation or "" for place in data.place_N]
    drawn = Episodes(names, ways=own.ways, shots=own.shots, queries=own.queries, seed=settings.seed)
    model = Prototypes(encoder, settings.readout, PrototypeHead(own.similarity, settings.dropout))
    course = EpisodeCourse(model, data, drawn, own, settings.micro_tokens, accelerator.device)
    train(
        model,
        course,
        LoopSettings(
            learning_rate=settings.learning_rate,
            total_steps=own.updates,
            warmup_steps=settings.warmup_steps,
            weight_decay=settings.weight_decay,
            clip_norm=settings.clip_norm,
        ),
        accelerator,
        folder,
        tell=tell,
        stopping=stopping,
    )
    model.eval()
    return data.lost
