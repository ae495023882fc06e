"""What training begins from: random weights, the folder of an encoder, or one of a hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.base import Inputs, StageConfig, located
from storage.errors import ConfigError
from storage.fingerprint import file_digest, fingerprint
from storage.tables import WORD_PIECES

if TYPE_CHECKING:
    from stages.model.encoder import Encoder

SCRATCH = "scratch"
UNTRAINED = (SCRATCH, "cnn", "bilstm")
"""Encoders with random weights and the corpus's own vocabulary."""


class StartConfig(StageConfig):
    """The encoder that training begins from."""

    encoder: str = located(
        SCRATCH,
        min_length=1,
        description="what training begins from: scratch, cnn or bilstm (random weights), the "
        "folder of an encoder, or a hub id of Hugging Face; featurize.tokenizer has to be the same "
        "(scratch for random weights)",
    )
    revision: str | None = Field(None, description="commit of the hub's repository")
    layers: int = Field(4, ge=1, description="of an encoder from scratch")
    width: int = Field(256, ge=64, multiple_of=64, description="of an encoder from scratch")
    trained_layers: int | None = Field(
        None, ge=0, description="only the top ones are trained, and no embeddings; null for all"
    )
    seed: int = Field(13, ge=0, description="set by the recipe's own `seed`, or by a variant's")

    @property
    def untrained(self) -> bool:
        """Whether the weights are random, over the corpus's own vocabulary."""
        return self.encoder in UNTRAINED

    @property
    def folder(self) -> Path | None:
        """The folder of an encoder on this machine."""
        folder = Path(self.encoder).expanduser()
        return folder if not self.untrained and folder.is_dir() else None


def start(
    config: StartConfig, inputs: Inputs, *, attention: Literal["padded", "packed"] = "padded"
) -> Encoder:
    """Return the encoder that training begins from, with the layers frozen that do not learn."""
    encoder = loaded(config, inputs, attention)
    if config.trained_layers is not None:
        encoder.freeze_below(config.trained_layers)
    return encoder


def loaded(config: StartConfig, inputs: Inputs, attention: Literal["padded", "packed"]) -> Encoder:
    """Return the encoder as its folder or its random weights make it."""
    from stages.model.baselines import KINDS, new_baseline
    from stages.model.encoder import load_encoder, new_encoder
    from stages.model.markers import load_tokenizer

    if not config.untrained:
        return load_encoder(config.encoder, revision=config.revision, attention=attention)
    tokenizer = load_tokenizer(inputs.files(WORD_PIECES)["tokenizer.json"].parent)
    for kind in KINDS:
        if config.encoder == kind:
            return new_baseline(kind, tokenizer, seed=config.seed)
    return new_encoder(
        tokenizer,
        layers=config.layers,
        width=config.width,
        heads=config.width // 64,
        seed=config.seed,
        attention=attention,
    )


def start_facts(config: StartConfig) -> dict[str, str]:
    """Return the digest of a local encoder's files; a hub id is known by its revision."""
    if config.folder is None:
        return {}
    files = sorted(path for path in config.folder.iterdir() if path.is_file())
    return {"encoder": fingerprint([[path.name, file_digest(path)] for path in files])}


def check_start(config: StartConfig, stage: str) -> None:
    """Check that training can begin on this machine.

    Raises:
        ConfigError: If torch is not installed, or a hub id has no revision.
    """
    if find_spec("torch") is None:
        raise ConfigError(
            "training needs torch, which is not installed",
            mend='Install what training needs: pip install "relmill[train]"',
        )
    if not config.untrained and config.folder is None and config.revision is None:
        raise ConfigError(
            f"{stage}.encoder is {config.encoder!r}: no folder, and no revision says which one of "
            "the hub it is",
            mend=f"Name a folder that is there, or set {stage}.revision to the commit",
        )
