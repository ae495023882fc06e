"""Fine-tuning from beginning to end: examples in, answers out; no tables, no recipes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.model.classify import (
    Classifier,
    ClassifyCourse,
    Readout,
    predict,
    updates_of,
    vectors,
)
from stages.model.encoder import Encoder
from stages.model.gather import rank, world_size
from stages.model.loop import LoopSettings, train
from stages.model.ragged import Ints
from stages.model.task_data import TaskData, task_data, types_of
from stages.model.update import Autocast
from stages.model.views import InputFormat
from stages.tasks.base import Example, Task
from stages.tasks.scores import confusion, label_ids
from storage.errors import StageError

if TYPE_CHECKING:
    import torch

__all__ = ["Answer", "Classified", "Settings", "classify", "course_of_values", "embed"]

MOST_POINTS = 400
"""Points of a curve; of more, every nth is kept."""


@dataclass(frozen=True)
class Settings:
    """How an encoder is fine-tuned; the fields of the loop are those of `LoopSettings`."""

    form: InputFormat
    readout: Readout
    max_pieces: int
    micro_tokens: int
    seed: int
    epochs: int = 1
    batch_size: int = 64
    dropout: float = 0.0
    learning_rate: float = 3e-5
    warmup_steps: int = 0
    weight_decay: float = 0.0
    clip_norm: float = 1.0

    def loop(self, examples: int) -> LoopSettings:
        """Return the settings of the loop for so many training examples."""
        return LoopSettings(
            learning_rate=self.learning_rate,
            total_steps=self.epochs * updates_of(examples, self.batch_size),
            warmup_steps=self.warmup_steps,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
        )


@dataclass(frozen=True)
class Answer:
    """Relation that a model gives an example, and its probability."""

    relation: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """What came of a fine-tuning.

    Attributes:
        relations: By class.
        types: Entity types by number.
        answers: By split, one an example; None for one that could not be shown.
        lost: By split, examples that could not be shown, by reason.
    """

    model: Classifier
    relations: Sequence[str]
    types: Sequence[str]
    answers: Mapping[str, Sequence[Answer | None]]
    lost: Mapping[str, Mapping[str, int]]


def classify(
    encoder: Encoder,
    settings: Settings,
    task: Task,
    examples: Mapping[str, Sequence[Example]],
    subset: Sequence[Example],
    accelerator: Any,
    folder: Path,
    *,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> Classified | None:
    """Train on a subset, choose the best epoch on dev where there is one, answer dev and test.

    All processes train; the first one alone answers, the others return None.

    Args:
        examples: By split; all of them say which relations and types there are.
        subset: What is trained on.
        folder: Survives a crash; the training goes on from there.
        tell: Told of every update.
        stopping: Whether the training is asked to stop.

    Raises:
        StageError: If an update has fewer examples than there are processes.
    """
    everything = [example for split in examples.values() for example in split]
    classes = label_ids((e.relation or "" for e in everything), task.na)
    relations = sorted(classes, key=classes.__getitem__)
    types = types_of(everything)
    shown = {"train": subset} | {s: examples[s] for s in ("dev", "test") if s in examples}
    data = {s: prepared(settings, encoder, own, classes, types) for s, own in shown.items()}
    model = Classifier(encoder, len(classes), settings.readout, settings.dropout)
    loop = settings.loop(len(data["train"]))
    require_enough(len(data["train"]), settings)
    course = ClassifyCourse(
        model,
        data["train"],
        data.get("dev"),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        micro_tokens=settings.micro_tokens,
        seed=settings.seed,
        score=scorer(task, shown.get("dev", ()), data.get("dev"), relations),
        best=folder / "best.pt",
        device=accelerator.device,
        autocast=accelerator.autocast,
    )
    train(model, course, loop, accelerator, folder, tell=tell, stopping=stopping)
    if rank():
        return None
    course.restore_best()
    answers = {
        split: answered(
            model,
            own,
            relations,
            len(shown[split]),
            settings.micro_tokens,
            accelerator.device,
            accelerator.autocast,
        )
        for split, own in data.items()
        if split != "train"
    }
    return Classified(model, relations, types, answers, {s: own.lost for s, own in data.items()})


def require_enough(examples: int, settings: Settings) -> None:
    """Check that every process has an example in every update.

    Raises:
        StageError: If one would have none.
    """
    if examples // max(1, updates_of(examples, settings.batch_size)) < world_size():
        raise StageError(
            f"{examples} training examples in updates of {settings.batch_size} are too few for "
            f"{world_size()} processes",
            mend="Launch fewer processes, or raise finetune.batch_size or finetune.fraction",
        )


def prepared(
    settings: Settings,
    encoder: Encoder,
    examples: Sequence[Example],
    classes: Mapping[str, int],
    types: Sequence[str],
) -> TaskData:
    """Return examples in pieces, as the encoder takes them."""
    return task_data(
        encoder,
        examples,
        classes=classes,
        types=types,
        form=settings.form,
        max_pieces=min(settings.max_pieces, encoder.max_pieces),
    )


def scorer(
    task: Task, examples: Sequence[Example], data: TaskData | None, relations: Sequence[str]
) -> Callable[[Ints], float]:
    """Return what scores predicted classes of dev; an example that cannot be shown is wrong."""
    gold = [example.relation or "" for example in examples]

    def score(class_N: Ints) -> float:
        predicted: list[str | None] = [None] * len(gold)
        if data is not None:
            for place, number in zip(data.place_N.tolist(), class_N.tolist(), strict=True):
                predicted[place] = relations[number]
        return task.scores(confusion(gold, predicted))[task.metric]

    return score


def answered(
    model: Classifier,
    data: TaskData,
    relations: Sequence[str],
    count: int,
    micro_tokens: int,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> list[Answer | None]:
    """Return the answer to each example."""
    found = predict(model, data, micro_tokens, device, autocast)
    answers: list[Answer | None] = [None] * count
    columns = (data.place_N.tolist(), found.class_N.tolist(), found.probability_N.tolist())
    for place, number, probability in zip(*columns, strict=True):
        answers[place] = Answer(relations[number], probability)
    return answers


def embed(
    encoder: Encoder,
    settings: Settings,
    examples: Sequence[Example],
    types: Sequence[str] | None,
    accelerator: Any,
) -> tuple[Any, TaskData]:
    """Return the vector of each example that can be shown, (N, E), without any training.

    Args:
        types: Entity types by number; None for those of the examples.
    """
    encoder.to(accelerator.device)
    classes = label_ids((example.relation or "" for example in examples), ())
    types = types_of(examples) if types is None else types
    data = prepared(settings, encoder, examples, classes, types)
    found = vectors(
        encoder,
        data,
        settings.readout,
        settings.micro_tokens,
        accelerator.device,
        accelerator.autocast,
    )
    return found, data


def course_of_values(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Yield (name, updates, value) of a training: the loss, thinned out, and scores on dev."""
    text = (folder / "rank-0" / "metrics.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    every = max(1, len(rows) // MOST_POINTS)
    for place, row in enumerate(rows):
        if place % every == 0:
            yield "loss", row["step"], row["loss/relation"]
        if "dev" in row:
            yield "dev", row["step"], row["dev"]
