"""A classifier learns the labels of a corpus, and what it makes of each is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages.model.corpus import Corpus
from stages.model.label_records import LabelRecords
from stages.model.learning import LearningCourse, LossName
from stages.model.loop import LoopSettings, train
from stages.model.shown import Shown

__all__ = ["LabelTraining", "learn_labels"]


@dataclass(frozen=True)
class LabelTraining:
    """How a classifier learns labels.

    Attributes:
        epochs: Passes over all labels.
        batch: Texts of an update, over all processes.
        learning_rate: The highest.
        warmup: Share of the updates until it is reached, [0, 1].
        micro_tokens: Pieces that are encoded at once.
        checkpoint_minutes: Time between checkpoints.
    """

    epochs: int
    batch: int
    learning_rate: float
    warmup: float
    micro_tokens: int
    seed: int
    loss: LossName = "ce"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    checkpoint_minutes: float = 10.0


def learn_labels(
    model: nn.Module,
    corpus: Corpus,
    shown: Shown,
    settings: LabelTraining,
    accelerator: Any,
    folder: Path,
    *,
    by_batch: LabelRecords,
    by_epoch: LabelRecords | None,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> None:
    """Train a classifier and record what it makes of each label.

    Args:
        model: Returns logits of the pairs of a batch, (P, R).
        folder: Survives a crash; the training goes on from there.
        by_batch: Takes what the forward passes of training say.
        by_epoch: Takes what all labels look like after each epoch; None to leave that out.

    Raises:
        StageError: If an update has fewer texts than there are processes.
    """
    course = LearningCourse(
        model,
        corpus,
        shown,
        epochs=settings.epochs,
        batch_size=settings.batch,
        micro_tokens=settings.micro_tokens,
        seed=settings.seed,
        loss=settings.loss,
        by_batch=by_batch,
        by_epoch=by_epoch,
        device=accelerator.device,
        autocast=accelerator.autocast,
    )
    loop = LoopSettings(
        learning_rate=settings.learning_rate,
        total_steps=course.steps,
        warmup_steps=round(settings.warmup * course.steps),
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        checkpoint_minutes=settings.checkpoint_minutes,
    )
    train(model, course, loop, accelerator, folder, tell=tell, stopping=stopping)
