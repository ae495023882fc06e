"""pretrain: train an encoder on tuples, through one or several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from stages.base import Inputs, Read, Rows, Stage, runtime, select
from stages.objectives import Config as ObjectiveConfig
from stages.start import StartConfig, check_start, start, start_facts
from storage.errors import ConfigError
from storage.fingerprint import file_digest
from storage.tables import ENCODERS, FEATURES, PROPERTIES, UPDATES, WEIGHTS, WORD_PIECES

if TYPE_CHECKING:
    from stages.model.corpus import Corpus
    from stages.model.encoder import Encoder


class PretrainConfig(StartConfig):
    """Which encoder learns what, and how it is stepped.

    The defaults are those that MTB, CP and ERICA share. With `steps = 0` the encoder is saved as it
    began: what a task compares pre-training with.
    """

    weights: str | None = select(
        WEIGHTS, "which of several denoise steps; read where an objective has weights = true"
    )
    objectives: tuple[ObjectiveConfig, ...] = Field(
        (), description="what is paid for: one table, or a list of them"
    )
    relation_names: Literal["properties", "ids"] = Field(
        "properties",
        description="what the objective ed calls a relation: the label of its Wikidata property, "
        "or what stands in tuples.pids",
    )
    steps: int = Field(0, ge=0, description="updates of the weights")
    schedule_steps: int | None = Field(
        None, ge=1, description="updates that the learning rate is laid out for; null for `steps`"
    )
    batch: int = Field(
        32, ge=1, description="groups in an update, over all processes: pairs of texts, documents"
    )
    learning_rate: float = Field(3e-5, gt=0.0, description="the highest")
    warmup_steps: int = Field(500, ge=0, description="updates until it is reached")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="its way down")
    weight_decay: float = Field(1e-5, ge=0.0, description="of matrices; not of biases and norms")
    bias_correction: bool = Field(False, description="Adam's; BERT's own optimiser has none")
    clip_norm: float = Field(1.0, gt=0.0, description="largest norm of the gradient")
    attention: Literal["padded", "packed"] = Field(
        "padded",
        description="padded sequences of like length, or packed ones without padding (CUDA, bf16; "
        "no dropout of attention)",
    )
    recompute: bool = runtime(
        False, description="keep each layer's input alone and compute the rest again: less memory"
    )
    micro_tokens: int = runtime(
        16_384, ge=16, description="tokens that are encoded at once; lower it when memory runs out"
    )
    checkpoint_minutes: float = runtime(10.0, gt=0.0, description="time between checkpoints")

    @field_validator("objectives", mode="before")
    @classmethod
    def one_table_is_a_list(cls, value: Any) -> Any:
        """Take one table for a list of one."""
        return unchanging([value] if isinstance(value, Mapping) else value)


def unchanging(value: Any) -> Any:
    """Return a value with tuples for lists: behind a validator strict mode takes no list."""
    if isinstance(value, Mapping):
        return {name: unchanging(inner) for name, inner in value.items()}
    return tuple(map(unchanging, value)) if isinstance(value, list) else value


def pretrain(config: PretrainConfig, inputs: Inputs) -> Iterator[Rows]:
    """Train, and keep the encoder as a plain Hugging Face folder beside the rows of `encoders`.

    Drops: "overlapping_mentions", "too_far_apart" (sentences that MTB and CP cannot show),
    "labels_of_weight_0" (labels that denoise leaves out: no objective sees them).
    """
    from stages.model.loop import begin
    from stages.model.markers import require_tokenizer

    accelerator = begin(config.seed)
    inputs.require_world(accelerator.num_processes)
    encoder = make_encoder(config, inputs).to(accelerator.device)
    if config.steps:
        require_tokenizer(encoder.tokenizer, inputs.rows(FEATURES)["tokenizer"], "pretrain")
        with accelerator.main_process_first():
            path = packed_corpus(config, inputs)
        train_on(path, encoder, config, inputs, accelerator)
    if inputs.rank.index == 0:
        yield ENCODERS, ENCODERS.batch(list(saved(encoder, config, inputs)))
        yield UPDATES, UPDATES.batch(list(updates(inputs.scratch)))


def make_encoder(config: PretrainConfig, inputs: Inputs) -> Encoder:
    """Return the encoder that training begins from."""
    encoder = start(config, inputs, attention=config.attention)
    if config.recompute:
        encoder.checkpoint()
    return encoder


def packed_corpus(config: PretrainConfig, inputs: Inputs) -> Path:
    """Write the features as the one file that every rank maps into memory; return its path."""
    from stages.model.store import relations_of, types_of, write_corpus

    path, told = inputs.scratch / "corpus.arrow", inputs.scratch / "corpus.json"
    if not told.exists():
        features = inputs.rows(FEATURES)
        weights = inputs.rows(WEIGHTS) if WEIGHTS in reads(config) else None
        made = write_corpus(
            path, [features], relations_of([features]), types_of([features]), weights
        )
        told.write_text(json.dumps(made), encoding="utf-8")
    counts = json.loads(told.read_text(encoding="utf-8"))
    if left_out := counts.get("labels_of_weight_0"):
        inputs.drop("labels_of_weight_0", config.weights or "weights", left_out)
    if without := counts.get("labels_without_weight"):
        inputs.count("labels_without_weight", without)
    return path


def train_on(
    path: Path, encoder: Encoder, config: PretrainConfig, inputs: Inputs, accelerator: Any
) -> None:
    """Train an encoder on a corpus that lies in a file."""
    from stages.model.course import PretrainCourse
    from stages.model.loop import LoopSettings, train
    from stages.model.store import open_corpus
    from stages.objectives import make_objective
    from stages.objectives.setting import Setting

    corpus = open_corpus(path, encoder.markers)
    setting = Setting(corpus, encoder, config.seed, names_of(corpus, config, inputs))
    objectives = []
    for own in config.objectives:
        objective = make_objective(own, setting)
        for reason, count in objective.dropped.items():
            if count:
                inputs.drop(reason, own.name, count)
        objectives.append((objective, groups_of(own.share, config, inputs)))
    train(
        encoder,
        PretrainCourse(objectives, steps=config.steps, micro_tokens=config.micro_tokens),
        LoopSettings(
            learning_rate=config.learning_rate,
            total_steps=config.schedule_steps or config.steps,
            warmup_steps=config.warmup_steps,
            schedule=config.schedule,
            weight_decay=config.weight_decay,
            bias_correction=config.bias_correction,
            clip_norm=config.clip_norm,
            checkpoint_minutes=config.checkpoint_minutes,
        ),
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    encoder.eval()


def groups_of(share: float, config: PretrainConfig, inputs: Inputs) -> int:
    """Return how many groups of an update an objective takes, one a process at least.

    Raises:
        ConfigError: If there are fewer than processes.
    """
    count = round(share * config.batch)
    if count < inputs.rank.world:
        raise ConfigError(
            f"an update has {count} groups for an objective, and {inputs.rank.world} processes "
            "share them",
            mend="Raise pretrain.batch, or launch fewer processes",
        )
    return count


def names_of(corpus: Corpus, config: PretrainConfig, inputs: Inputs) -> list[str]:
    """Return what the relations of a corpus are called, by id."""
    labels: dict[str, str] = {}
    if PROPERTIES in reads(config):
        rows = inputs.rows(PROPERTIES)
        labels = dict(zip(rows["pid"].to_pylist(), rows["label"].to_pylist(), strict=True))
    return [labels.get(name) or name for name in corpus.relations]


def saved(
    encoder: Encoder, config: PretrainConfig, inputs: Inputs
) -> Iterator[tuple[str, int, str, int]]:
    """Keep the encoder's files and yield a row for each."""
    from stages.model.card import Card

    folder = inputs.scratch / "encoder"
    names = [own.name for own in config.objectives] if config.steps else []
    card = Card(
        name=" + ".join(names) or "No pre-training",
        start=config.encoder if config.revision is None else f"{config.encoder}@{config.revision}",
        data=("Distantly supervised tuples of a corpus made with relmill.",) if names else (),
        config=config.model_dump(mode="json"),
        fingerprints=inputs.made_from,
    )
    encoder.save(folder, card)
    for path in sorted(folder.iterdir()):
        kept = inputs.keep(path.name)
        kept.write_bytes(path.read_bytes())
        yield path.name, kept.stat().st_size, file_digest(kept), config.steps


def updates(scratch: Path) -> Iterator[tuple[int, str, float]]:
    """Yield what was logged: update, name, value."""
    path = scratch / "rank-0" / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        for name, value in sorted(row.items()):
            if name != "step":
                yield row["step"], name, float(value)


def reads(config: PretrainConfig) -> tuple[Read, ...]:
    """Return what the stage reads: features where it trains, a vocabulary from scratch."""
    tables: list[Read] = []
    if config.steps:
        tables.append(FEATURES)
    if config.steps and any(getattr(own, "weights", False) for own in config.objectives):
        tables.append(WEIGHTS)
    if config.untrained:
        tables.append(WORD_PIECES)
    asks = any(own.name == "ed" for own in config.objectives)
    if config.steps and asks and config.relation_names == "properties":
        tables.append(PROPERTIES)
    return tuple(tables)


def check(config: PretrainConfig) -> None:
    """Check that training can begin on this machine.

    Raises:
        ConfigError: If something is missing, or a hub id has no revision.
    """
    check_start(config, "pretrain")
    if config.steps and not config.objectives:
        raise ConfigError(
            f"pretrain.steps is {config.steps:,}, and there is no objective",
            mend='For example: objectives = { name = "cp" }; or steps = 0 for the encoder as it is',
        )


PRETRAIN = Stage(
    "pretrain",
    version=4,
    config=PretrainConfig,
    reads=reads,
    writes=(ENCODERS, UPDATES),
    run=pretrain,
    facts=start_facts,
    check=check,
    variants=True,
    launched=True,
)
