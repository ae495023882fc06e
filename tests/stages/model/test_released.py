"""released: files as the authors' code saves them become encoders; others are refused by name."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
)
from typer.testing import CliRunner

from flows.cli import app
from stages.model.encoder import load_encoder
from stages.model.markers import load_tokenizer, markers_of
from tests.stages.model.made import TEXT
from tests.stages.model.test_markers import bert_folder

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
POSITIONS = {"embeddings.position_ids": torch.arange(40).unsqueeze(0)}


def bert(folder: Path, unused: int = 400) -> tuple[Path, BertModel]:
    """The base of a checkpoint, without weights, and the model that was trained from it."""
    base = bert_folder(folder / "bert", unused)
    torch.manual_seed(5)
    model = BertModel(BertConfig(**SIZE, vocab_size=len(load_tokenizer(base)))).eval()
    model.config.save_pretrained(base)
    return base, model


def roberta(folder: Path) -> tuple[Path, RobertaForMaskedLM, RobertaModel]:
    """Likewise with bytes for a vocabulary; the encoder of FineCL's code has a pooler."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator([TEXT], BpeTrainer(vocab_size=300, special_tokens=own))
    names = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
    made = PreTrainedTokenizerFast(tokenizer_object=backend, **dict(zip(names, own, strict=True)))
    made.save_pretrained(folder / "roberta")
    torch.manual_seed(6)
    config = RobertaConfig(**SIZE, vocab_size=len(made), pad_token_id=1)
    config.save_pretrained(folder / "roberta")
    whole, encoder = RobertaForMaskedLM(config).eval(), RobertaModel(config).eval()
    encoder.load_state_dict(whole.roberta.state_dict(), strict=False)
    return folder / "roberta", whole, encoder


def told(*words: object) -> tuple[int, str]:
    """Status and words of the command."""
    found = CliRunner().invoke(app, ["import-checkpoint", *map(str, words)])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def same_states(folder: Path, model: BertModel | RobertaModel, ids: list[int]) -> None:
    asked = torch.tensor([ids])
    with torch.no_grad():
        found = AutoModel.from_pretrained(folder).eval()(input_ids=asked).last_hidden_state
        assert torch.equal(found, model(input_ids=asked).last_hidden_state)


@pytest.mark.parametrize("system", ["mtb", "cp"])
def test_an_encoder_of_context_or_names_is_itself_with_its_markers(
    system: str, tmp_path: Path
) -> None:
    base, model = bert(tmp_path)
    file, out = tmp_path / "ckpt_of_step_3500", tmp_path / "out"
    torch.save({"bert-base": model.state_dict() | POSITIONS}, file)
    code, text = told(system, file, "--base", base, "--out", out)
    assert code == 0, text
    plain = load_tokenizer(base)
    theirs = plain.convert_tokens_to_ids([f"[unused{i}]" for i in range(6)])
    special = markers_of(load_tokenizer(out))
    ours = [special.head_start, special.head_end, special.tail_start, special.tail_end]
    assert [*ours, special.blank] == theirs[:5]
    # The blank of a tail was learnt too: it is nobody else's marker.
    assert AutoTokenizer.from_pretrained(out).convert_tokens_to_ids("[unused5]") == theirs[5]
    assert theirs[5] not in {*special.head_types.tolist(), *special.entity_starts.tolist()}
    same_states(out, model, [2, *theirs, 3])
    assert not load_encoder(out).has_mlm_head
    card = (out / "README.md").read_text()
    assert "https://github.com/thunlp/RE-Context-or-Names" in card
    assert "`ckpt_of_step_3500`" in card
    assert '"[E1]": "[unused0]"' in card


def test_ericas_entity_markers_are_found_again_and_are_none_without_being_asked_for(
    tmp_path: Path,
) -> None:
    base, model = bert(tmp_path)
    file = tmp_path / "ckpt"
    torch.save({"bert-base": model.state_dict()}, file)
    plain = load_tokenizer(base)
    for flags in ([], ["--entity-markers"]):
        out = tmp_path / f"out{len(flags)}"
        code, text = told("erica", file, "--base", base, "--out", out, *flags)
        assert code == 0, text
        special = markers_of(load_tokenizer(out))
        starts = plain.convert_tokens_to_ids([f"[unused{101 + i}]" for i in range(100)])
        ends = plain.convert_tokens_to_ids([f"[unused{201 + i}]" for i in range(100)])
        found = (special.entity_starts.tolist(), special.entity_ends.tolist())
        assert (found == (starts, ends)) == bool(flags)
        same_states(out, model, [2, starts[0], ends[3], 3])


def test_ericas_roberta_marks_every_entity_with_the_ends_of_a_text(tmp_path: Path) -> None:
    base, _, model = roberta(tmp_path)
    file, out = tmp_path / "ckpt", tmp_path / "out"
    torch.save({"bert-base": model.state_dict()}, file)
    code, text = told("erica", file, "--base", base, "--out", out, "--entity-markers")
    assert code == 0, text
    encoder = load_encoder(out)
    table = encoder.model.get_input_embeddings().weight  # type: ignore[attr-defined]
    special = encoder.markers
    assert torch.equal(table[special.entity_starts], table[special.classify].expand(100, -1))
    assert torch.equal(table[special.entity_ends], table[special.separate].expand(100, -1))
    same_states(out, model, [0, 7, 9, 2])


def test_finecls_whole_model_brings_its_head_for_masked_pieces(tmp_path: Path) -> None:
    base, whole, encoder = roberta(tmp_path)
    parts = whole.state_dict() | {
        f"roberta.{name}": value for name, value in encoder.state_dict().items()
    }
    # Its version of transformers saves one bias under one name.
    parts.pop("lm_head.decoder.bias")
    saved = {
        "bert-base": encoder.state_dict(),
        "model": {f"model.{name}": value for name, value in parts.items()},
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 3e-5}]},
        "scheduler_state_dict": {"last_epoch": 6000, "lr_lambdas": [None]},
    }
    for old in (False, True):
        file, out = tmp_path / f"ckpt{old}", tmp_path / f"out{old}"
        torch.save(saved, file, _use_new_zipfile_serialization=not old)
        code, text = told("finecl", file, "--base", base, "--out", out)
        assert code == 0, text
        again = load_encoder(out).eval()
        assert again.has_mlm_head
        hidden = torch.randn(3, 16)
        size = whole.config.vocab_size
        with torch.no_grad():
            assert torch.equal(again.mlm_logits(hidden)[:, :size], whole.lm_head(hidden))
        same_states(out, encoder, [0, 7, 9, 2])


def test_without_its_head_finecl_is_an_encoder_alone(tmp_path: Path) -> None:
    base, _, encoder = roberta(tmp_path)
    file, out = tmp_path / "ckpt", tmp_path / "out"
    torch.save({"bert-base": encoder.state_dict()}, file)
    assert told("finecl", file, "--base", base, "--out", out)[0] == 0
    assert not load_encoder(out).has_mlm_head


def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    base, model = bert(tmp_path)
    other, _, robertas = roberta(tmp_path)
    file, out = tmp_path / "ckpt", tmp_path / "out"
    weights = model.state_dict()

    def refused(saved: object, *words: object, system: str = "cp", on: Path = base) -> str:
        torch.save(saved, file)
        code, text = told(system, file, "--base", on, "--out", out, *words)
        assert code == 2, text
        assert not out.exists()
        return text

    assert "there is no 'bert-base' in it, but: state_dict" in refused({"state_dict": weights})
    assert "there is no 'bert-base' in it, but: list" in refused([1, 2])
    assert "tensors alone" in refused({"bert-base": weights, "args": datetime.date(2020, 1, 1)})
    unknown = weights | {"encoder.layer.2.output.dense.bias": torch.zeros(16)}
    assert "encoder.layer.2.output.dense.bias is no weight of" in refused({"bert-base": unknown})
    missing = {name: value for name, value in weights.items() if "pooler" not in name}
    text = refused({"bert-base": missing})
    assert "2 weights do not fit: pooler.dense.weight is not in the file" in text
    cased = weights | {"embeddings.word_embeddings.weight": torch.zeros(1000, 16)}
    assert "is 1,000 x 16 in the file and" in refused({"bert-base": cased})
    assert "CP is trained from bert" in refused({"bert-base": robertas.state_dict()}, on=other)
    assert "trained from roberta" in refused({"bert-base": weights}, system="finecl")
    assert "no markers around" in refused({"bert-base": weights}, "--entity-markers")
    few, _ = bert(tmp_path / "few", 3)
    assert "has no [unused3]" in refused({"bert-base": weights}, on=few)
    file.write_bytes(b"no zip, no pickle")
    assert "cannot be read" in told("cp", file, "--base", base, "--out", out)[1]


def test_a_base_without_config_or_tokenizer_and_places_that_are_wrong_are_named(
    tmp_path: Path,
) -> None:
    base, model = bert(tmp_path)
    file, out = tmp_path / "ckpt", tmp_path / "out"
    torch.save({"bert-base": model.state_dict()}, file)
    config = (base / "config.json").read_text()
    (base / "config.json").unlink()
    code, text = told("cp", file, "--base", base, "--out", out)
    assert code == 2
    assert "there is no config of" in text
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text(config)
    for system in ("cp", "erica"):
        code, text = told(system, file, "--base", bare, "--out", out)
        assert code == 2
        assert "the tokenizer of" in text
    code, text = told("cp", file, "--base", "bert-base-uncased", "--out", out)
    assert "no folder, and no revision" in text
    code, text = told("cp", tmp_path / "nope", "--base", base, "--out", out)
    assert "there is no file" in text
    code, text = told("cp", file, "--base", base, "--out", tmp_path)
    assert "which is not empty" in text
