"""finetune: an encoder learns a benchmark and answers it; or answers by the nearest prototype."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from stages.base import Inputs, Read, Rows, Share, Stage, StageConfig, runtime, select
from storage.errors import SourceError
from storage.tables import BENCHMARK_FILES, CURVES, ENCODERS, PREDICTIONS

if TYPE_CHECKING:
    from stages.annotated.document import Document
    from stages.model.encoder import Encoder
    from stages.model.finetuning import Classified, Settings
    from stages.tasks.base import Example, Task

    Splits = Mapping[str, Sequence[Document]]

Ways = Annotated[int, Field(ge=2)]
Shots = Annotated[int, Field(ge=1)]
DEFAULT = "default"
"""What tables call the encoder where a cell names no variant: there is only one."""
NOT_SHOWN = "(not shown)"
"""Answer to an example whose head and tail do not fit into the input together: always wrong."""


class FinetuneConfig(StageConfig):
    """One cell: one encoder, one benchmark, one share of its data, one seed."""

    task: str = Field(
        "relation_file",
        description="semeval, tacred, wiki80, chemprot, sciie, fewrel, docred, redocred, or "
        "relation_file for a file of your own",
    )
    benchmark: str | None = Field(
        None, description="benchmark of fetch_benchmarks; the one of the task's name if left out"
    )
    encoder: str | None = select(
        ENCODERS,
        "variant of pretrain that is fine-tuned, and tables name it so; one with steps = 0 is the "
        "encoder as it began",
    )
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
    def _can_be_kept(self) -> FinetuneConfig:
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


def reads(config: FinetuneConfig) -> tuple[Read, ...]:
    """Return what a cell reads: its encoder, and the files of its benchmark alone."""
    return (ENCODERS, BENCHMARK_FILES[config.source])


def facts(config: FinetuneConfig) -> dict[str, Any]:
    """Return the name of the encoder: it stands in the rows, so it counts."""
    name = config.encoder_name or config.encoder
    return {} if name is None else {"encoder": name}


def finetune(config: FinetuneConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the predictions of a cell on dev and test, and the course of its training.

    The subset of the training data that it saw is kept as `subset.json`, and with `keep_model` the
    model beside it; of documents the threshold, and answers as the official scorer takes them,
    which are all there is of a test split without labels.

    Drops: what `stages.annotated.read` drops; "overlapping_mentions", "too_far_apart",
    "no_pieces" and "behind_max_pieces" (examples whose head and tail cannot be shown together;
    those of dev and test count as wrong).
    Papers: Baldini Soares et al. (ACL 2019), section 5; Peng et al., CP (EMNLP 2020), section 4;
    Yao et al., DocRED (ACL 2019), section 5.

    Raises:
        SourceError: If the benchmark lacks a split that is needed, or has no labels there.
    """
    from stages.model.loop import begin
    from stages.tasks import task_named

    task = task_named(config.task)
    splits = read_splits(inputs)
    accelerator = begin(config.seed)
    inputs.require_world(accelerator.num_processes)
    encoder = load(config, inputs)
    yield from HEADS[task.head](config, task, splits, encoder, accelerator, inputs)


def load(config: FinetuneConfig, inputs: Inputs) -> Encoder:
    """Return the encoder that a variant of pretrain has left."""
    from stages.model.encoder import load_encoder

    encoder = load_encoder(inputs.files(ENCODERS)["config.json"].parent)
    if config.trained_layers is not None:
        encoder.freeze_below(config.trained_layers)
    return encoder


def read_splits(inputs: Inputs) -> Splits:
    """Return the documents of each split of the benchmark."""
    from stages.annotated import read

    files = inputs.files(BENCHMARK_FILES)
    return {
        row["split"]: list(read(row["format"], files[row["file"]], inputs, split=row["split"]))
        for row in inputs.rows(BENCHMARK_FILES).to_pylist()
    }


def split_of(splits: dict[str, list[Example]], name: str, config: FinetuneConfig) -> list[Example]:
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


def classification(
    config: FinetuneConfig,
    task: Any,
    documents: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Rows]:
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
        yield PREDICTIONS, PREDICTIONS.batch(in_order(rows))
    if config.keep_model:
        keep(config, task, found, examples, inputs)
    yield CURVES, CURVES.batch(curve(config, inputs))


def keep(
    config: FinetuneConfig,
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


def learnt(
    config: FinetuneConfig,
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
    config: FinetuneConfig,
    task: Any,
    documents: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Rows]:
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
            yield PREDICTIONS, PREDICTIONS.batch(in_order(rows))
    if config.training_updates:
        yield CURVES, CURVES.batch(curve(config, inputs, episodes_learnt(config)))


def answered_episodes(
    config: FinetuneConfig, setting: str, split: str, shown: list[Example], vectors: Any
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


def episodes_learnt(config: FinetuneConfig) -> str:
    """Return what the training episodes of a cell are like."""
    return f"{config.training_ways}-way {config.training_shots}-shot {config.similarity} trained"


def curve(
    config: FinetuneConfig, inputs: Inputs, setting: str | None = None
) -> list[tuple[Any, ...]]:
    """Return the `curves` rows of the training that has been."""
    from stages.model.finetuning import course_of_values

    cell = tuple(config.cell(setting).values())
    return [(*cell, *point) for point in sorted(course_of_values(inputs.scratch))]


def in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return `predictions` rows by their key, which their first columns are."""
    return sorted(rows, key=lambda row: row[: len(PREDICTIONS.key)])


def count_lost(config: FinetuneConfig, split: str, lost: Mapping[str, int], inputs: Inputs) -> None:
    """Count examples that cannot be shown."""
    for reason, count in lost.items():
        if count:
            inputs.drop(reason, f"{config.source} {split}", count)


def settings_of(config: FinetuneConfig, task: Task) -> Settings:
    """Return the values that the kit takes."""
    from stages.model.finetuning import Settings

    return Settings(form=config.input_format, **values_of(config, task, Settings))


def values_of(config: FinetuneConfig, task: Task, kind: Any) -> dict[str, Any]:
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


def document_relations(
    config: FinetuneConfig,
    task: Task,
    splits: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Rows]:
    """Train a bilinear head and the encoder below it, and yield facts of dev and test."""
    from stages.model.relating import RelateSettings, relate
    from stages.tasks import docred
    from stages.tasks.facts import chosen_threshold, rows_of_facts

    for name in ("train", "dev"):
        what = f"the {name} split of {config.source}"
        mend = f"Name a labelled file: --set {place_of(config, name)}=PATH"
        docred.require_labels(splits.get(name, ()), what, mend)
    subset = docred.draw_documents(splits["train"], config.fraction, config.seed)
    choosing, dev = docred.parted(splits["dev"], config.threshold_share, config.seed)
    asked = {"dev": dev, "test": splits.get("test", ())}
    found = relate(
        encoder,
        RelateSettings(**values_of(config, task, RelateSettings)),
        docred.relations_of(splits.values()),
        subset,
        choosing,
        {split: own for split, own in asked.items() if own},
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    if found is None:
        return
    drawn = docred.manifest(subset, len(splits["train"]), config.fraction, config.seed)
    inputs.keep("subset.json").write_text(drawn, encoding="utf-8")
    inputs.keep("threshold.json").write_text(chosen_threshold(found, choosing), encoding="utf-8")
    count_lost(config, "train", found.lost, inputs)
    names = docred.names_of_facts(splits["train"])
    for split, answers in found.answers.items():
        count_lost(config, split, answers.lost, inputs)
        text = docred.submission((document, fact) for document, fact, _ in answers.facts)
        inputs.keep(f"submission-{split}.json").write_text(text, encoding="utf-8")
        if docred.is_labelled(asked[split]):
            cell = config.cell()
            told = rows_of_facts(split, asked[split], answers, names)
            rows = [(*cell.values(), split, *row) for row in told]
            yield PREDICTIONS, PREDICTIONS.batch(in_order(rows))
    yield CURVES, CURVES.batch(curve(config, inputs))


def place_of(config: FinetuneConfig, split: str) -> str:
    """Return the value of the recipe that names the file of a split."""
    return f"fetch_benchmarks.benchmarks.{config.source}.files.{split}"


HEADS: dict[str, Callable[..., Iterator[Rows]]] = {
    "linear": classification,
    "prototype": nearest_prototype,
    "document": document_relations,
}
"""What answers a task, by its head."""


FINETUNE = Stage(
    "finetune",
    version=4,
    config=FinetuneConfig,
    reads=reads,
    writes=(PREDICTIONS, CURVES),
    run=finetune,
    facts=facts,
    variants=True,
    launched=True,
)
