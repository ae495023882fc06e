"""markers: the same ids wherever a tokenizer goes, in unused rows where there are some."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from stages.model.markers import (
    NAMES,
    add_markers,
    load_tokenizer,
    markers_of,
    tokenizer_digest,
)
from storage.errors import ConfigError
from tests.stages.model.made import TEXT, tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bert_folder(folder: Path, unused: int) -> Path:
    """A tokenizer as BERT's checkpoints have it: WordPiece, with unused rows in between."""
    words = sorted(set(TEXT.lower().replace(".", " .").replace(",", " ,").split()))
    pieces = ["[PAD]", *(f"[unused{i}]" for i in range(unused)), *SPECIAL[1:], *words]
    backend = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, **dict(zip(names, SPECIAL, strict=True))
    )
    made.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "BertTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return folder


@pytest.mark.parametrize("unused", [0, 7, 400])
def test_unused_rows_become_markers_and_the_rest_gets_rows_of_its_own(
    tmp_path: Path, unused: int
) -> None:
    plain = load_tokenizer(bert_folder(tmp_path, unused))
    before, text = len(plain), plain(TEXT)["input_ids"]
    marked = add_markers(plain)
    assert len(marked) == before + max(0, len(NAMES) - unused)
    assert marked(TEXT)["input_ids"] == text
    ids = marked.convert_tokens_to_ids(list(NAMES))
    assert len(set(ids)) == len(NAMES)
    assert ids[: min(unused, len(NAMES))] == list(range(1, min(unused, len(NAMES)) + 1))


@pytest.mark.parametrize("unused", [0, 400])
def test_marker_ids_survive_saving_and_are_one_piece_in_a_text(tmp_path: Path, unused: int) -> None:
    marked = add_markers(load_tokenizer(bert_folder(tmp_path / "bert", unused)))
    marked.save_pretrained(tmp_path / "saved")
    again = load_tokenizer(tmp_path / "saved")
    for first, second in zip(
        vars(markers_of(marked)).values(), vars(markers_of(again)).values(), strict=True
    ):
        assert np.array_equal(first, second)
    assert again.tokenize("[E1] Ada [/E1] was [BLANK]") == [
        "[E1]",
        "ada",
        "[/E1]",
        "was",
        "[BLANK]",
    ]
    assert add_markers(again) is again
    assert len(again) == len(marked)


def test_no_two_markers_share_an_id_and_head_and_tail_are_not_swapped() -> None:
    special = markers_of(tokenizer())
    names = ["[E1]", "[/E1]", "[E2]", "[/E2]"]
    ids = [special.head_start, special.head_end, special.tail_start, special.tail_end]
    assert tokenizer().convert_ids_to_tokens(ids) == names
    assert len(set(ids)) == 4


def test_a_tokenizer_without_markers_is_refused(tmp_path: Path) -> None:
    plain = load_tokenizer(bert_folder(tmp_path, 5))
    with pytest.raises(ConfigError, match=r"has no \[E1\]"):
        markers_of(plain)


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no tokenizer"):
        load_tokenizer(tmp_path)


def test_markers_fit_a_vocabulary_of_bytes_too() -> None:
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"]
    backend.train_from_iterator([TEXT], BpeTrainer(vocab_size=300, special_tokens=own))
    names = ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")
    marked = add_markers(
        PreTrainedTokenizerFast(tokenizer_object=backend, **dict(zip(names, own, strict=True)))
    )
    special = markers_of(marked)
    assert marked.convert_ids_to_tokens([special.classify, special.separate]) == ["<s>", "</s>"]
    assert special.vocabulary == len(marked)


def test_the_digest_tells_tokenizers_apart_by_how_they_cut(tmp_path: Path) -> None:
    plain = load_tokenizer(bert_folder(tmp_path / "a", 5))
    same = load_tokenizer(bert_folder(tmp_path / "b", 5))
    other = load_tokenizer(bert_folder(tmp_path / "c", 6))
    assert tokenizer_digest(plain) == tokenizer_digest(same) != tokenizer_digest(other)


@pytest.mark.parametrize("unused", [0, 3, 400])
def test_markers_do_not_change_how_a_tokenizer_is_known(tmp_path: Path, unused: int) -> None:
    tokenizer = load_tokenizer(bert_folder(tmp_path / "a", unused))
    before = tokenizer_digest(tokenizer)
    assert tokenizer_digest(add_markers(tokenizer)) == before
    assert tokenizer_digest(load_tokenizer(bert_folder(tmp_path / "b", unused))) == before
