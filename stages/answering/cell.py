"""A cell: what is asked of one encoder on one benchmark, and what its rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from stages.base import Inputs, Share, StageConfig, runtime
from storage.errors import SourceError

if TYPE_CHECKING:
    from stages.annotated.document import Document
    from stages.model.finetuning import Settings
    from stages.tasks.base import Example, Task

    Splits = Mapping[str, Sequence[Document]]

Ways = Annotated[int, Field(ge=2)]
Shots = Annotated[int, Field(ge=1)]
Told = tuple[Literal["predictions", "curves"], list[tuple[Any, ...]]]
"""Rows of one of the two tables, in any order."""
DEFAULT = "default"
"""What tables call the encoder where a cell names no variant: there is only one."""


class CellConfig(StageConfig):
    """One cell: one encoder, one benchmark, one share of its data, one seed."""

    task: str = Field(
        "relation_file",
        description="semeval, tacred, wiki80, chemprot, sciie, fewrel, docred, redocred, or "
        "relation_file for a file of your own",
    )
    benchmark: str | None = Field(
        None, description="benchmark of fetch_benchmarks; the one of the task's name if left out"
    )
    encoder: str | None = Field(None, description="variant of pretrain that is fine-tuned")
    encoder_name: str | None = Field(
        None,
        min_length=1,
        description="what tables call the encoder; left out, its variant's name. Variants that "
        "differ in their seed alone are averaged under one name",
    )
    trained_layers: int | None = Field(
        None, ge=0, description="only the top ones are trained, and no embeddings; null for all"
    )
    input_format: Literal["C+M", "C+T", "OnlyC", "OnlyM", "OnlyT"] = Field(
        "C+M", description="context and mentions, context and types, or one of them alone"
    )
    readout: Literal["marker", "mean", "first"] = Field(
        "marker", description="start markers of head and tail, means of their words, or [CLS]"
    )
    fraction: Share = Field(
        1.0, description="share of each relation's training examples, or of the documents"
    )
    seed: int = Field(13, ge=0, description="seed; the recipe's own if left out")
    epochs: int = Field(6, ge=1, description="passes over the training data")
    batch_size: int = Field(64, ge=1, description="examples of an update")
    learning_rate: float = Field(3e-5, gt=0, description="highest learning rate")
    warmup_steps: int = Field(500, ge=0, description="updates until it is reached")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay, not of biases and norms")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in front of the head")
    max_pieces: int | None = Field(
        None, ge=16, description="word pieces of an input; null for 100, and 512 of a document"
    )
    ways: Ways | list[Ways] = Field(
        5, description="fewrel: relations of an episode; of lists, all combinations are answered"
    )
    shots: Shots | list[Shots] = Field(
        1, description="fewrel: supports of a relation; likewise one or several"
    )
    queries: int = Field(1, ge=1, description="fewrel: queries of a relation")
    episodes: int = Field(10_000, ge=1, description="fewrel: episodes that are answered")
    similarity: Literal["dot", "euclid", "cosine"] = Field(
        "dot", description="fewrel: what makes a query near a prototype"
    )
    training_updates: int = Field(
        0,
        ge=0,
        description="fewrel: updates on episodes of the train split; 0: the encoder answers as it "
        "is. The last weights answer: nothing is chosen on dev",
    )
    training_episodes: int = Field(4, ge=1, description="fewrel: episodes of an update")
    training_ways: int = Field(5, ge=2, description="fewrel: relations of a training episode")
    training_shots: int = Field(1, ge=1, description="fewrel: supports of a relation there")
    keep_model: bool = Field(
        False,
        description="keep the fine-tuned model as a folder, for `relmill predict`; of sentence "
        "tasks alone",
    )
    loss: Literal["bce", "ce"] = Field(
        "bce",
        description="docred: each relation by itself, or a softmax over all relations and NA",
    )
    na_ratio: float | None = Field(
        3.0, gt=0, description="docred: NA pairs for each label of a document; null for all"
    )
    threshold_share: Share = Field(
        0.5,
        gt=0,
        description="docred: share of dev's documents that choose epoch and threshold; the others "
        "are scored",
    )
    dev_every: int = Field(1, ge=1, description="docred: epochs from one look at dev to the next")
    micro_tokens: int = runtime(4096, ge=64, description="word pieces of a micro-batch")

    @field_validator("task")
    @classmethod
    def _known(cls, name: str) -> str:
        from stages.tasks import known_task

        return known_task(name)

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        from stages.tasks import task_named

        if self.keep_model and task_named(self.task).head != "linear":
            raise ValueError(
                f"keep_model is true, and {self.task} has no model that predict can ask"
            )
        return self

    @property
    def source(self) -> str:
        """Name of the benchmark."""
        return self.benchmark or self.task

    @property
    def settings(self) -> dict[str, tuple[int, int]]:
        """The kinds of episodes, ways and shots of each by name, in the order of their names.

        A name also says whether the encoder has learnt from episodes.
        """
        ways, shots = (v if isinstance(v, list) else [v] for v in (self.ways, self.shots))
        how = f"{self.similarity} trained" if self.training_updates else self.similarity
        kinds = {f"{n}-way {k}-shot {how}": (n, k) for n in ways for k in shots}
        return dict(sorted(kinds.items()))

    def cell(self, setting: str | None = None) -> dict[str, Any]:
        """Return the columns that say which cell a row is of, in their order."""
        if setting is None:
            setting = "" if self.loss == "bce" else self.loss
        return {
            "task": self.task,
            "benchmark": self.source,
            "encoder": self.encoder_name or self.encoder or DEFAULT,
            "setting": setting,
            "input_format": self.input_format,
            "fraction": 0.0 if self.task == "fewrel" else self.fraction,
            "seed": self.seed,
        }

    @property
    def cells(self) -> list[dict[str, Any]]:
        """All cells that rows are of: one, or one a kind of episodes."""
        return [self.cell(name) for name in (self.settings if self.task == "fewrel" else [None])]


def split_of(splits: dict[str, list[Example]], name: str, config: CellConfig) -> list[Example]:
    """Return the examples of a split.

    Raises:
        SourceError: If the benchmark has no such split, or one without labels.
    """
    place = place_of(config, name)
    if name not in splits:
        raise SourceError(
            f"{config.source} has no {name} split", mend=f"Name its file: --set {place}=PATH"
        )
    if any(example.relation is None for example in splits[name]):
        raise SourceError(
            f"{config.source} has no labels in its {name} split",
            mend=f"Give a labelled file: --set {place}=PATH",
        )
    return splits[name]


def curve(config: CellConfig, inputs: Inputs, setting: str | None = None) -> list[tuple[Any, ...]]:
    """Return the `curves` rows of the training that has been."""
    from stages.model.finetuning import course_of_values

    cell = tuple(config.cell(setting).values())
    return [(*cell, *point) for point in sorted(course_of_values(inputs.scratch))]


def count_lost(config: CellConfig, split: str, lost: Mapping[str, int], inputs: Inputs) -> None:
    """Count examples that cannot be shown."""
    for reason, count in lost.items():
        if count:
            inputs.drop(reason, f"{config.source} {split}", count)


def settings_of(config: CellConfig, task: Task) -> Settings:
    """Return the values that the kit takes."""
    from stages.model.finetuning import Settings

    return Settings(form=config.input_format, **values_of(config, task, Settings))


def values_of(config: CellConfig, task: Task, kind: Any) -> dict[str, Any]:
    """Return those values of the config that a kit's settings have, by name."""
    values = {name: value for name, value in config if name in kind.__dataclass_fields__}
    return values | {"max_pieces": config.max_pieces or task.max_pieces}


def prediction(
    cell: Mapping[str, Any],
    split: str,
    example: Example,
    answer: str,
    probability: float | None,
    episode: int | None = None,
) -> tuple[Any, ...]:
    """Return the `predictions` row of an example."""
    return (
        *cell.values(),
        split,
        example.id if episode is None else f"{episode}/{example.id}",
        None if episode is None else str(episode),
        example.relation,
        answer,
        probability,
        example.marked() if episode is None else "",
        None,
    )


def place_of(config: CellConfig, split: str) -> str:
    """Return the value of the recipe that names the file of a split."""
    return f"fetch_benchmarks.benchmarks.{config.source}.files.{split}"
