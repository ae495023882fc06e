"""A fine-tuned model as a folder: the encoder as Hugging Face has it, head and names beside it.

`AutoModel.from_pretrained` reads the encoder; `relmill predict` reads all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stages.model.card import Card
from stages.model.classify import Classifier
from stages.model.encoder import load_encoder
from stages.model.finetuning import Answer, Settings, answered, prepared
from stages.tasks.base import Example
from storage.errors import ConfigError

__all__ = ["HEAD", "NAMES", "RelationModel", "load_relation_model"]

HEAD = "head.safetensors"
"""File of the head's weights."""
NAMES = "relations.json"
"""File of what the classes are called and how a text is shown."""


@dataclass(frozen=True)
class RelationModel:
    """An encoder with its head, and all that it takes to ask it.

    Attributes:
        relations: By class.
        types: Entity types by number; other types count as none.
        settings: How a text is shown; of the rest nothing counts here.
    """

    model: Classifier
    relations: Sequence[str]
    types: Sequence[str]
    settings: Settings

    def save(self, folder: Path, card: Card) -> None:
        """Write everything into a folder."""
        self.model.encoder.save(folder, card)
        head = {name: value.contiguous() for name, value in self.model.head.state_dict().items()}
        save_file(head, folder / HEAD)
        told = {
            "relations": list(self.relations),
            "types": list(self.types),
            "input_format": self.settings.form,
            "readout": self.settings.readout,
            "max_pieces": self.settings.max_pieces,
        }
        (folder / NAMES).write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")

    def answer(self, examples: Sequence[Example]) -> tuple[list[Answer | None], dict[str, int]]:
        """Return the relation of each example, and how many could not be shown, by reason.

        An example whose head and tail do not fit into the input together has None.
        """
        if not examples:
            return [], {}
        unlabelled = [replace(example, relation=None) for example in examples]
        classes = {name: number for number, name in enumerate(self.relations)}
        encoder = self.model.encoder
        data = prepared(self.settings, encoder, unlabelled, classes, self.types)
        tokens = self.settings.micro_tokens
        answers = answered(self.model, data, self.relations, len(examples), tokens, encoder.device)
        return answers, {reason: count for reason, count in data.lost.items() if count}


def load_relation_model(folder: Path, *, micro_tokens: int = 4096) -> RelationModel:
    """Return what `RelationModel.save` wrote, on a GPU where there is one.

    Args:
        micro_tokens: Word pieces that are encoded at once.

    Raises:
        ConfigError: If the folder holds no such model, or its parts do not fit together.
    """
    told = read_names(folder)
    encoder = load_encoder(folder)
    settings = Settings(told["input_format"], told["readout"], told["max_pieces"], micro_tokens, 0)
    model = Classifier(encoder, len(told["relations"]), settings.readout)
    try:
        model.head.load_state_dict(load_file(folder / HEAD))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ConfigError(
            f"{folder / HEAD} does not fit the encoder beside it: {str(error).splitlines()[0]}",
            mend="Take the folder as it was written, or fine-tune again",
        ) from error
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return RelationModel(model, told["relations"], told["types"], settings)


def read_names(folder: Path) -> Mapping[str, Any]:
    """Return what the classes are called and how a text is shown.

    Raises:
        ConfigError: If the folder does not say so.
    """
    path = folder / NAMES
    if not path.is_file():
        raise ConfigError(
            f"{folder} holds no fine-tuned model: there is no {NAMES}",
            mend="Fine-tune with keep_model = true, and name that step or its folder",
        )
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"relations": list, "types": list, "input_format": str, "readout": str}
        sound = all(isinstance(told[name], kind) for name, kind in wanted.items())
        if not sound or not isinstance(told["max_pieces"], int):
            raise ValueError("a value is of another type")
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is not as relmill writes it: {error}",
            mend="Take the folder as it was written, or fine-tune again",
        ) from error
    return told
