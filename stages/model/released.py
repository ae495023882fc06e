"""Encoders that the authors of MTB, CP, ERICA and FineCL released, as plain Hugging Face folders.

Their files hold weights alone, those of the encoder under `bert-base` whatever its kind. How texts
are cut and how large everything is comes from the encoder that they trained from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stages.model.card import MARKED, Card
from stages.model.encoder import TransformerEncoder, with_rows
from stages.model.markers import (
    BLANK,
    ENTITIES,
    HEAD_END,
    HEAD_START,
    TAIL_END,
    TAIL_START,
    UNUSED,
    add_markers,
    load_tokenizer,
)
from storage.errors import ConfigError, SourceError
from storage.fingerprint import file_digest

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Weights = dict[str, Tensor]

ENCODER, WHOLE = "bert-base", "model"
"""What their files call the encoder, and FineCL's all of the model."""
NESTED = "model."
"""In front of each name of the whole model: it is a part of what computes the losses."""
NO_WEIGHTS = ("embeddings.position_ids",)
"""Saved by some versions of transformers, and computed by newer ones."""
TWINS = {"lm_head.decoder.bias": "lm_head.bias"}
"""Names of the same numbers, of which a version of transformers may save the second alone."""

MEAN = (
    "The mean over the pieces of a mention, then over the mentions of an entity, stands for the "
    "entity; head beside tail stands for their relation. No marker was seen in training."
)
STARTS = (
    "The mean over the start markers of its mentions stands for an entity; head beside tail stands "
    "for their relation. A text's entities had markers drawn at random, one pair each."
)
HEAD_AND_TAIL = {
    "[unused0]": HEAD_START,
    "[unused1]": HEAD_END,
    "[unused2]": TAIL_START,
    "[unused3]": TAIL_END,
    "[unused4]": BLANK,
}
TAIL_BLANK = "[unused5]"
"""MTB and CP tell a blank tail from a blank head; our blank is theirs of the head."""
CONTEXT_OR_NAMES = "https://github.com/thunlp/RE-Context-or-Names"


@dataclass(frozen=True)
class Release:
    """What a system's released code trains.

    Attributes:
        name: What the authors call it.
        code: Address of their code.
        kinds: Model types of transformers that it trains.
        markers: Pieces that it learns as markers, and our names of them.
        kept: Pieces that it learns and we have no name for.
        pairs: What stands for a pair.
    """

    name: str
    code: str
    kinds: tuple[str, ...]
    markers: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    pairs: str = MEAN


RELEASES = {
    "mtb": Release(
        "MTB, as CP's authors trained it",
        CONTEXT_OR_NAMES,
        ("bert",),
        HEAD_AND_TAIL,
        (TAIL_BLANK,),
        MARKED,
    ),
    "cp": Release("CP", CONTEXT_OR_NAMES, ("bert",), HEAD_AND_TAIL, (TAIL_BLANK,), MARKED),
    "erica": Release("ERICA", "https://github.com/thunlp/ERICA", ("bert", "roberta")),
    "finecl": Release("FineCL", "https://github.com/wphogan/finecl", ("roberta",)),
}


def import_released(
    system: str,
    checkpoint: Path,
    base: str,
    folder: Path,
    *,
    revision: str | None = None,
    entity_markers: bool = False,
) -> TransformerEncoder:
    """Write a released checkpoint as a folder that recipes and transformers load, and return it.

    Args:
        system: Key of RELEASES.
        checkpoint: File that the system's code saved.
        base: Encoder that it was trained from, a folder or a hub id: its config and tokenizer are
            taken, its weights are not read.
        folder: Where config, weights, tokenizer and model card are written.
        revision: Commit of the hub's repository.
        entity_markers: Whether entities stood between markers (ERICA's `start_end_token`).

    Raises:
        ConfigError: If the base has no config or tokenizer, or is not what the system trains.
        SourceError: If the file cannot be read, or its weights are not those of such an encoder.
    """
    release = RELEASES[system]
    if entity_markers and system != "erica":
        raise ConfigError(
            f"{release.name} has no markers around entities", mend="Leave --entity-markers out"
        )
    config = base_config(base, revision, release)
    tokenizer = load_tokenizer(base, revision)
    markers = entity_pieces(config) if entity_markers else dict(release.markers)
    require_pieces(tokenizer, config.vocab_size, [*markers, *release.kept], base)
    model = filled(read_weights(checkpoint), config, checkpoint, base)
    encoder = with_markers(model, tokenizer, markers, release)
    encoder.save(
        folder,
        Card(
            release.name,
            f"{base}{f' at {revision}' if revision else ''}",
            [f"Whatever its authors trained it on: {release.code}."],
            {
                "system": system,
                "checkpoint": checkpoint.name,
                "sha256": file_digest(checkpoint),
                "base": base,
                "revision": revision,
                "markers": {ours: theirs for theirs, ours in markers.items()},
            },
            made=f"trained by the code of {release.name} ({release.code}) and brought into this "
            f"form with relmill from the file `{checkpoint.name}`",
            pairs=STARTS if entity_markers else release.pairs,
        ),
    )
    return encoder


def base_config(base: str, revision: str | None, release: Release) -> PreTrainedConfig:
    """Return the config of the encoder that a system trained from."""
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(base, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"there is no config of {base!r}: {str(error).splitlines()[0]}",
            mend="Name with --base the encoder that the checkpoint was trained from: a folder with "
            "config.json and tokenizer.json, or a hub id with --revision",
        ) from error
    if config.model_type not in release.kinds:
        raise ConfigError(
            f"{base!r} is a {config.model_type}; {release.name} is trained from "
            f"{' or '.join(release.kinds)}",
            mend="Name with --base the encoder that the checkpoint was trained from",
        )
    return config


def entity_pieces(config: PreTrainedConfig) -> dict[str, str]:
    """Return the markers of ERICA's entities: a hundred pairs, and RoBERTa's ends of text."""
    if config.model_type == "roberta":
        return {"<s>": "[ENTITY-{}]", "</s>": "[/ENTITY-{}]"}
    starts = {f"[unused{101 + i}]": f"[ENTITY-{i}]" for i in range(ENTITIES)}
    return starts | {f"[unused{201 + i}]": f"[/ENTITY-{i}]" for i in range(ENTITIES)}


def require_pieces(
    tokenizer: PreTrainedTokenizerBase, size: int, pieces: list[str], base: str
) -> None:
    """Check that a tokenizer is that of a config, and has what a system learns as markers.

    Args:
        size: Pieces that the config says there are. Where a folder has no tokenizer, transformers
            gives one that knows next to nothing.
    """
    known = tokenizer.get_vocab()
    if len(known) != size:
        raise ConfigError(
            f"the tokenizer of {base!r} has {len(known):,} pieces, its config {size:,}",
            mend="Name with --base a folder that has tokenizer.json or vocab.txt beside its "
            "config.json, as the encoder's authors released them",
        )
    if missing := [piece for piece in pieces if piece not in known]:
        raise ConfigError(
            f"the tokenizer of {base!r} has no {missing[0]} ({len(missing)} of the pieces that "
            "were learnt as markers are missing)",
            mend="Name with --base the encoder that the checkpoint was trained from",
        )


def read_weights(path: Path) -> dict[str, Weights]:
    """Return the parts of a released file; no code in it runs.

    Raises:
        SourceError: If it is missing or damaged, holds more than tensors, or no encoder.
    """
    try:
        saved: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and file errors have no common base
        raise SourceError(
            f"the checkpoint cannot be read as tensors alone: {str(error).splitlines()[0]}",
            where=str(path),
            mend="Download it again. A file that holds Python objects is not opened",
        ) from error
    parts = saved if isinstance(saved, dict) else {}
    found = {name: parts[name] for name in (ENCODER, WHOLE) if isinstance(parts.get(name), dict)}
    if ENCODER not in found:
        there = ", ".join(list(map(str, parts))[:3]) or type(saved).__name__
        raise SourceError(
            f"there is no {ENCODER!r} in it, but: {there}",
            where=str(path),
            mend="Give the file that the system's code saved, ckpt_of_step_N",
        )
    return found


def filled(
    saved: dict[str, Weights], config: PreTrainedConfig, path: Path, base: str
) -> PreTrainedModel:
    """Return a model of a config with the weights of a file.

    FineCL saves the whole model beside the encoder; then the head for masked pieces comes too.
    """
    from transformers import AutoModel, AutoModelForMaskedLM

    whole = {
        name.removeprefix(NESTED): value
        for name, value in saved.get(WHOLE, {}).items()
        if name.startswith(NESTED)
    }
    headed = any(name.startswith("lm_head.") for name in whole)
    # Nothing of these random weights stays.
    made = (AutoModelForMaskedLM if headed else AutoModel).from_config(config)
    model: PreTrainedModel = made.float()
    given = {
        name: value.float()
        for name, value in (whole if headed else saved[ENCODER]).items()
        if not name.endswith(NO_WEIGHTS)
    }
    if headed:
        given |= {twin: given[name] for twin, name in TWINS.items() if name in given}
        own = model.state_dict()
        # The encoder within a model that predicts masked pieces has no pooler.
        given = {n: v for n, v in given.items() if n in own or ".pooler." not in n}
    require_fit({n: tuple(v.shape) for n, v in given.items()}, model, path, base)
    model.load_state_dict(given)
    return model


def require_fit(
    given: Mapping[str, tuple[int, ...]], model: PreTrainedModel, path: Path, base: str
) -> None:
    """Check that a file has every weight of a model in its size, and no other.

    Raises:
        SourceError: If not.
    """
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    wrong = [
        (name, f"is {sized(given[name])} in the file and {sized(wanted[name])} in {base!r}")
        for name in wanted
        if name in given and given[name] != wanted[name]
    ]
    wrong += [(name, f"is no weight of {base!r}") for name in given if name not in wanted]
    wrong += [(name, "is not in the file") for name in wanted if name not in given]
    if wrong:
        raise SourceError(
            f"{len(wrong)} weights do not fit: {wrong[0][0]} {wrong[0][1]}",
            where=str(path),
            mend="Name with --base the very encoder that the checkpoint was trained from: "
            "bert-base-uncased of MTB and CP, roberta-base of FineCL, one of them or "
            "bert-base-cased of ERICA",
        )


def sized(shape: tuple[int, ...]) -> str:
    """Return a shape as a person writes it."""
    return " x ".join(f"{size:,}" for size in shape)


def with_markers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    markers: Mapping[str, str],
    release: Release,
) -> TransformerEncoder:
    """Return an encoder whose markers have the vectors that the system learnt for them."""
    renamed = {theirs: ours for theirs, ours in markers.items() if UNUSED.fullmatch(theirs)}
    marked = with_rows(model, add_markers(tokenizer, renamed, release.kept))
    table: Any = model.get_input_embeddings().weight
    with torch.no_grad():
        for theirs, ours in markers.items():
            if theirs not in renamed:
                ids = marked.convert_tokens_to_ids([ours.format(i) for i in range(ENTITIES)])
                table[ids] = table[marked.convert_tokens_to_ids(theirs)].clone()
    return TransformerEncoder(model, marked)
