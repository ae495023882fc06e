"""The nearest prototype: episodes of a few examples of each relation, with training and without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stages.answering.cell import (
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
    from stages.tasks.base import Example


def learnt(
    config: CellConfig,
    task: Any,
    splits: dict[str, list[Example]],
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Sequence[str]:
    """Train the encoder on episodes of the train split, and return the entity types of all splits.

    Papers: Snell et al. (NeurIPS 2017), algorithm 1; Peng et al., CP (EMNLP 2020), appendix B.
    """
    from stages.model.episodes import EpisodeSettings, learn_episodes
    from stages.model.task_data import types_of

    types = types_of([example for split in splits.values() for example in split])
    lost = learn_episodes(
        encoder,
        settings_of(config, task),
        EpisodeSettings(
            config.training_updates,
            config.training_episodes,
            config.training_ways,
            config.training_shots,
            config.queries,
            config.similarity,
        ),
        split_of(splits, "train", config),
        types,
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    if inputs.rank.index == 0:
        count_lost(config, "train", lost, inputs)
    return types


def nearest_prototype(
    config: CellConfig,
    task: Any,
    documents: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Told]:
    """Answer episodes of dev and test by the nearest prototype.

    Texts are encoded once, for all kinds of episodes. An encoder that has not learnt from episodes
    takes the entity types of each split by itself.
    """
    from stages.model.finetuning import embed

    splits = {split: list(task.examples(own)) for split, own in documents.items()}
    types = None
    if config.training_updates:
        types = learnt(config, task, splits, encoder, accelerator, inputs)
    if inputs.rank.index:
        return
    embedded: dict[str, tuple[list[Example], Any]] = {}
    for split in (name for name in ("dev", "test") if name in splits):
        examples = split_of(splits, split, config)
        vectors, data = embed(encoder, settings_of(config, task), examples, types, accelerator)
        count_lost(config, split, data.lost, inputs)
        embedded[split] = [examples[place] for place in data.place_N], vectors
    for setting in config.settings:
        for name, (shown, found) in embedded.items():
            inputs.report(f"answering {setting}, {name}")
            rows = list(answered_episodes(config, setting, name, shown, found))
            yield "predictions", rows
    if config.training_updates:
        yield "curves", curve(config, inputs, episodes_learnt(config))


def answered_episodes(
    config: CellConfig, setting: str, split: str, shown: list[Example], vectors: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield a `predictions` row for each query of the episodes of one kind."""
    from stages.tasks.fewrel import Episodes, answers

    ways, shots = config.settings[setting]
    names = [example.relation or "" for example in shown]
    drawn = Episodes(names, ways=ways, shots=shots, queries=config.queries, seed=config.seed)
    cell = config.cell(setting)
    for number in range(config.episodes):
        episode = drawn.episode(number)
        chosen = answers(vectors, episode, config.similarity).ravel().tolist()
        for query, row in zip(episode.query_NQ.ravel().tolist(), chosen, strict=True):
            answer = names[episode.support_NK[row, 0]]
            yield prediction(cell, split, shown[query], answer, None, number)


def episodes_learnt(config: CellConfig) -> str:
    """Return what the training episodes of a cell are like."""
    return f"{config.training_ways}-way {config.training_shots}-shot {config.similarity} trained"
