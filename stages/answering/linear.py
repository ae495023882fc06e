"""A linear layer over the marked pair of a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.answering.cell import (
    DEFAULT,
    CellConfig,
    Told,
    count_lost,
    curve,
    prediction,
    settings_of,
    split_of,
)
from stages.base import Inputs

if TYPE_CHECKING:
    from stages.answering.cell import Splits
    from stages.model.encoder import Encoder
    from stages.model.finetuning import Classified
    from stages.tasks.base import Example, Task

NOT_SHOWN = "(not shown)"
"""Answer to an example whose head and tail do not fit into the input together: always wrong."""


def classification(
    config: CellConfig,
    task: Any,
    documents: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Told]:
    """Train a linear head and the encoder below it, and yield predictions and curves."""
    from stages.model.finetuning import classify
    from stages.tasks.subsets import draw

    splits = {split: list(task.examples(own)) for split, own in documents.items()}
    subset = draw(split_of(splits, "train", config), config.fraction, config.seed)
    examples = {split: split_of(splits, split, config) for split in splits}

    found = classify(
        encoder,
        settings_of(config, task),
        task,
        examples,
        subset.examples,
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    if found is None:
        return
    inputs.keep("subset.json").write_text(subset.manifest(), encoding="utf-8")
    for split, lost in found.lost.items():
        count_lost(config, split, lost, inputs)
    for split, answers in found.answers.items():
        rows = [
            prediction(config.cell(), split, example, answer.relation, answer.probability)
            if answer is not None
            else prediction(config.cell(), split, example, NOT_SHOWN, None)
            for example, answer in zip(examples[split], answers, strict=True)
        ]
        yield "predictions", rows
    if config.keep_model:
        keep(config, task, found, examples, inputs)
    yield "curves", curve(config, inputs)


def keep(
    config: CellConfig,
    task: Task,
    found: Classified,
    examples: Mapping[str, Sequence[Example]],
    inputs: Inputs,
) -> None:
    """Keep the files of a fine-tuned model, its card with what it scored."""
    from stages.model.card import Card
    from stages.model.relation_model import RelationModel
    from stages.tasks.scores import confusion

    scores: dict[str, float] = {}
    for split, answers in found.answers.items():
        gold = [example.relation or "" for example in examples[split]]
        counts = confusion(gold, [answer.relation if answer else NOT_SHOWN for answer in answers])
        scores |= {f"{split} {name}": value for name, value in task.scores(counts).items()}
    card = Card(
        name=f"Relations of {config.source}",
        start=f"the encoder {config.encoder or DEFAULT}",
        data=(f"{config.fraction:.0%} of the training split of {config.source}.",),
        config=config.model_dump(mode="json"),
        fingerprints=inputs.made_from,
        scores=scores,
    )
    folder = inputs.scratch / "model"
    settings = settings_of(config, task)
    RelationModel(found.model, found.relations, found.types, settings).save(folder, card)
    for path in sorted(folder.iterdir()):
        shutil.copyfile(path, inputs.keep(path.name))
