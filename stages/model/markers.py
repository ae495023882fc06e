"""The one registry of special pieces: markers of head and tail, blank, types, entity markers.

A vocabulary with unused rows, as BERT's, gives them to these pieces under new names; every other
one gets rows of its own. Either way they are saved with the tokenizer, so a marker has the same id
in pre-training and in every task: whoever needs it asks the tokenizer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stages.model.ragged import Ints
from storage.errors import ConfigError
from storage.fingerprint import fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer: TypeAlias = PreTrainedTokenizerBase

HEAD_START, HEAD_END, TAIL_START, TAIL_END = "[E1]", "[/E1]", "[E2]", "[/E2]"
BLANK = "[BLANK]"
TYPES = 50
"""Types that a head or a tail may have; a task says which type is which number."""
ENTITIES = 100
"""Pairs of markers that stand around the mentions of one entity each."""
NAMES: tuple[str, ...] = (
    HEAD_START,
    HEAD_END,
    TAIL_START,
    TAIL_END,
    BLANK,
    *(f"[HEAD-{i}]" for i in range(TYPES)),
    *(f"[TAIL-{i}]" for i in range(TYPES)),
    *(f"[ENTITY-{i}]" for i in range(ENTITIES)),
    *(f"[/ENTITY-{i}]" for i in range(ENTITIES)),
)
UNUSED = re.compile(r"\[unused(\d+)\]")


@dataclass(frozen=True)
class Markers:
    """Ids of the special pieces of one tokenizer.

    Attributes:
        classify, separate: [CLS] and [SEP], or what takes their place.
        mask: The piece that masked language modelling puts in.
        blank: What takes the place of a mention.
        head_types, tail_types: What takes the place of a mention of a type, (TYPES,).
        entity_starts, entity_ends: Markers around mentions of one entity, (ENTITIES,).
        special: All ids that no text gives, sorted.
        ordinary: All others, sorted: what a random piece is drawn from.
        vocabulary: Number of ids.
    """

    classify: int
    separate: int
    mask: int
    head_start: int
    head_end: int
    tail_start: int
    tail_end: int
    blank: int
    head_types: Ints
    tail_types: Ints
    entity_starts: Ints
    entity_ends: Ints
    special: Ints
    ordinary: Ints
    vocabulary: int


def load_tokenizer(name: str | Path, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a local folder or of a Hugging Face hub id, as it lies there.

    Args:
        revision: Commit of the hub's repository.

    Raises:
        ConfigError: If there is none, or it has no fast version: only those know offsets.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name), revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"there is no tokenizer {str(name)!r}: {str(error).splitlines()[0]}",
            mend="Name a folder with a tokenizer.json, a hub id with its revision, or scratch",
        ) from error
    if not tokenizer.is_fast:
        raise ConfigError(
            f"the tokenizer {str(name)!r} does not say where in the text its pieces stand",
            mend="Take an encoder that has a fast tokenizer (a tokenizer.json)",
        )
    return tokenizer


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return 16 hex digits for how a tokenizer cuts text and numbers its pieces.

    Markers, and the unused pieces that they take the place of, do not count.
    """
    state = backend_state(tokenizer)
    vocabulary = state["model"]["vocab"]
    if isinstance(vocabulary, dict):
        vocabulary = [piece for piece, _ in sorted(vocabulary.items(), key=lambda each: each[1])]
    known = set(NAMES)
    pieces = ["" if is_spare(piece, known) else piece for piece in vocabulary]
    while pieces and pieces[-1] == "":
        pieces.pop()
    return fingerprint(
        {name: state[name] for name in ("normalizer", "pre_tokenizer")} | {"pieces": pieces}
    )


def require_tokenizer(tokenizer: PreTrainedTokenizerBase, digests: Any, stage: str) -> None:
    """Check that features were cut by an encoder's own tokenizer.

    Args:
        digests: `features.tokenizer`, an Arrow column.
        stage: Name of the stage that trains, for the error.

    Raises:
        ConfigError: If not: every id would name another piece.
    """
    own = tokenizer_digest(tokenizer)
    if any(digest != own for digest in digests.unique().to_pylist()):
        raise ConfigError(
            "the features were cut by another tokenizer than the encoder's",
            mend=f"Set featurize.tokenizer and {stage}.encoder to the same encoder",
        )


def is_spare(piece: object, known: set[str]) -> bool:
    """Whether a piece of a vocabulary is a marker or unused."""
    return isinstance(piece, str) and (piece in known or UNUSED.fullmatch(piece) is not None)


def backend_state(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what a tokenizer.json holds."""
    state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return state


def add_markers(
    tokenizer: PreTrainedTokenizerBase,
    given: Mapping[str, str] | None = None,
    kept: Collection[str] = (),
) -> PreTrainedTokenizerBase:
    """Return a tokenizer that has every marker, each of them one piece in a text too.

    Unused pieces are renamed in their order; where they run out, rows are added at the end. A
    tokenizer that has the markers is returned as it is.

    Args:
        given: Unused pieces that were learnt as markers, each with the marker that it becomes.
        kept: Unused pieces that keep their names.
    """
    known, names = tokenizer.get_vocab(), dict(given or {})
    missing = [name for name in NAMES if name not in known and name not in names.values()]
    if not missing and not names:
        return tokenizer
    free = {piece for piece in known if UNUSED.fullmatch(piece)} - {*names, *kept}
    names |= zip(sorted(free, key=known.__getitem__), missing, strict=False)
    if names:
        from tokenizers import Tokenizer

        state = backend_state(tokenizer)
        vocabulary = state["model"]["vocab"]
        state["model"]["vocab"] = {names.get(p, p): i for p, i in vocabulary.items()}
        for added in state["added_tokens"]:
            added["content"] = names.get(added["content"], added["content"])
        tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens({"extra_special_tokens": list(NAMES)})
    return tokenizer


def markers_of(tokenizer: PreTrainedTokenizerBase) -> Markers:
    """Return the ids of the markers.

    Raises:
        ConfigError: If the tokenizer lacks one; it was not saved by relmill.
    """
    known = tokenizer.get_vocab()
    missing = [name for name in NAMES if name not in known]
    own = {
        "[CLS]": tokenizer.cls_token_id,
        "[SEP]": tokenizer.sep_token_id,
        "[MASK]": tokenizer.mask_token_id,
    }
    missing += [name for name, i in own.items() if i is None]
    if missing:
        raise ConfigError(
            f"the tokenizer has no {missing[0]} ({len(missing)} of its special pieces are missing)",
            mend="Take an encoder that relmill saved, or start from a bidirectional one of the hub",
        )

    def numbered(form: str, count: int) -> Ints:
        return np.array([known[form.format(i)] for i in range(count)])

    unused = [i for piece, i in known.items() if UNUSED.fullmatch(piece)]
    special = {*tokenizer.all_special_ids, *unused, *(known[name] for name in NAMES)}
    return Markers(
        classify=tokenizer.cls_token_id,
        separate=tokenizer.sep_token_id,
        mask=tokenizer.mask_token_id,
        head_start=known[HEAD_START],
        head_end=known[HEAD_END],
        tail_start=known[TAIL_START],
        tail_end=known[TAIL_END],
        blank=known[BLANK],
        head_types=numbered("[HEAD-{}]", TYPES),
        tail_types=numbered("[TAIL-{}]", TYPES),
        entity_starts=numbered("[ENTITY-{}]", ENTITIES),
        entity_ends=numbered("[/ENTITY-{}]", ENTITIES),
        special=np.array(sorted(special)),
        ordinary=np.setdiff1d(np.arange(len(tokenizer)), np.array(sorted(special))),
        vocabulary=len(tokenizer),
    )


def save_bert_tokenizer(state: str, folder: Path) -> None:
    """Save a tokenizer with BERT's special pieces so that `load_tokenizer` finds it.

    Args:
        state: Content of a tokenizer.json.
        folder: Where tokenizer.json and tokenizer_config.json are written.
    """
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(state)
    ends = [(piece, backend.token_to_id(piece)) for piece in ("[CLS]", "[SEP]")]
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        extra_special_tokens=list(NAMES),
    )
    tokenizer.save_pretrained(folder)
