"""encoder: padded and packed alike, saved as a plain Hugging Face folder, new rows as the mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from stages.model import padded
from stages.model.batch import Batch
from stages.model.card import Card
from stages.model.chance import Chance
from stages.model.encoder import (
    TransformerEncoder,
    load_encoder,
    new_encoder,
    with_rows,
)
from stages.model.markers import add_markers, load_tokenizer
from stages.model.views import mark_entities
from storage.errors import ConfigError, StageError
from tests.stages.model.made import corpus, markers, tokenizer
from tests.stages.model.test_markers import bert_folder

SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def batch() -> Batch[torch.Tensor]:
    documents = corpus(4).take(np.arange(6))
    return mark_entities(documents, markers(), Chance(1, 0)).to("cpu")


def small(attention: str = "padded") -> TransformerEncoder:
    made = new_encoder(tokenizer(), layers=2, width=16, heads=2, attention=attention)  # type: ignore[arg-type]
    return made.eval()


def roberta(attention: str = "padded") -> TransformerEncoder:
    torch.manual_seed(3)
    config = RobertaConfig(
        **SIZE,
        vocab_size=len(tokenizer()),
        intermediate_size=32,
        max_position_embeddings=130,
        pad_token_id=tokenizer().pad_token_id,
    )
    # Its positions count from one behind the padding piece's id.
    return TransformerEncoder(RobertaForMaskedLM(config), tokenizer(), attention).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [small, roberta])
def test_packed_states_are_those_of_padded_sequences_and_of_each_alone(make) -> None:  # type: ignore[no-untyped-def]
    whole = batch()
    padded, packed = (make(attention).encode(whole) for attention in ("padded", "packed"))
    torch.testing.assert_close(packed.hidden_TD, padded.hidden_TD, rtol=1e-4, atol=1e-5)
    alone = make()
    for b in range(len(whole)):
        begin, end = whole.cu_seqlens[b : b + 2].tolist()
        one = alone.base(input_ids=whole.ids_T[begin:end].unsqueeze(0)).last_hidden_state[0]
        torch.testing.assert_close(padded.hidden_TD[begin:end], one, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(padded.sequence_BD[b], one[0], rtol=1e-4, atol=1e-5)


def test_packed_gradients_are_those_of_padded_sequences() -> None:
    whole, gradients = batch(), []
    for attention in ("padded", "packed"):
        made = small(attention)
        made.encode(whole).pair_P2D().pow(2).mean().backward()
        gradients.append([p.grad for p in made.base.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_attention_in_training_is_the_plain_form(kind: torch.dtype, dropout: float) -> None:
    generator = torch.Generator().manual_seed(3)
    given = [torch.randn(2, 4, 7, 8, generator=generator).to(kind) for _ in range(3)]
    shown = torch.ones(2, 1, 7, 7, dtype=torch.bool)
    shown[1, :, :, 5:] = False
    found = []
    for attend in (partial(padded.attend, fused=unwanted), plainly):
        query, key, value = (states.clone().requires_grad_() for states in given)
        torch.manual_seed(11)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind is torch.bfloat16):
            out, _ = attend(torch.nn.Module(), query, key, value, shown, dropout, 0.3)
        (out.float() ** 2).sum().backward()
        assert out.dtype == kind
        found.append([out, query.grad, key.grad, value.grad])
    close = {"rtol": 3e-2, "atol": 3e-2} if kind is torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, **close)


def unwanted(*_: object, **__: object) -> tuple[torch.Tensor, None]:
    raise AssertionError("the fused kernel was called")


@pytest.mark.parametrize("case", ["no gradient", "looks back", "bias by distance"])
def test_what_is_not_plain_training_is_left_to_transformers(case: str) -> None:
    query = torch.zeros(1, 1, 2, 4, requires_grad=case != "no gradient")
    module = torch.nn.Module()
    module.is_causal = case == "looks back"
    given = {"position_bias": torch.ones(1, 1, 2, 2)} if case == "bias by distance" else {}
    shown = None if case == "looks back" else torch.ones(1, 1, 2, 2, dtype=torch.bool)
    called = []

    def fused(*arguments: object, **named: object) -> tuple[torch.Tensor, None]:
        called.append((arguments[-1], named))
        return torch.zeros(1, 2, 1, 4), None

    padded.attend(module, query, query, query, shown, 0.1, 0.5, fused=fused, **given)
    assert called == [(shown, {"dropout": 0.1, "scaling": 0.5, **given})]


def plainly(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    shown: torch.Tensor,
    dropout: float,
    scaling: float,
) -> tuple[torch.Tensor, None]:
    scores = (query.float() @ key.float().transpose(2, 3)) * scaling
    weights = scores.masked_fill(~shown, float("-inf")).softmax(dim=-1)
    dropped = torch.nn.functional.dropout(weights, dropout)
    return (dropped @ value.float()).to(query.dtype).transpose(1, 2), None


def test_an_encoder_in_training_attends_as_transformers_does() -> None:
    whole, gradients = batch(), []
    for name in (padded.NAME, "sdpa"):
        made = small()
        made.model.set_attn_implementation(name)
        made.encode(whole).pair_P2D().pow(2).mean().backward()
        gradients.append([p.grad for p in made.base.parameters() if p.grad is not None])
    for ours, own in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-7)


def test_only_the_layers_on_top_are_trained_and_those_below_drop_nothing() -> None:
    made = new_encoder(tokenizer(), layers=3, width=16, heads=2, dropout=0.3)
    made.freeze_below(1)
    made.train()
    below = (made.base.embeddings, *made.base.encoder.layer[:2])
    assert not any(p.requires_grad for part in below for p in part.parameters())
    assert all(p.requires_grad for p in made.base.encoder.layer[2].parameters())
    dropped = [
        {m.p for m in part.modules() if isinstance(m, torch.nn.Dropout)}
        for part in (*below, made.base.encoder.layer[2])
    ]
    assert dropped == [{0.0}, {0.0}, {0.0}, {0.3}]
    with pytest.raises(ConfigError, match="4 layers are to be trained, and the encoder has 3"):
        made.freeze_below(4)


def test_pairs_are_head_beside_tail() -> None:
    whole = batch()
    found = small().encode(whole)
    for readout in ("mean", "marker"):
        each, pairs = found.entity_ED(readout), found.pair_P2D(readout)  # type: ignore[arg-type]
        assert torch.equal(pairs[:, :16], each[whole.pair_head_P])
        assert torch.equal(pairs[:, 16:], each[whole.pair_tail_P])
    assert torch.equal(
        found.mention_MD()[0],
        found.hidden_TD[whole.mention_start_M[0] : whole.mention_end_M[0]].mean(dim=0),
    ) or torch.allclose(
        found.mention_MD()[0],
        found.hidden_TD[whole.mention_start_M[0] : whole.mention_end_M[0]].mean(dim=0),
    )


def test_a_sequence_that_is_too_long_is_refused() -> None:
    short = new_encoder(tokenizer(), layers=1, width=8, heads=1, max_pieces=16)
    with pytest.raises(StageError, match=r"the encoder takes 16"):
        short.encode(batch())


def test_a_saved_encoder_is_a_plain_folder_that_transformers_loads(tmp_path: Path) -> None:
    made = small("packed")
    made.save(tmp_path, Card("small", data=["Made-up documents."], scores={"semeval": 0.5}))
    whole = batch()
    with torch.no_grad():
        wanted = made.encode(whole).hidden_TD
        plain = AutoModel.from_pretrained(tmp_path).eval()
        end = int(whole.cu_seqlens[1])
        states = plain(input_ids=whole.ids_T[:end].unsqueeze(0)).last_hidden_state[0]
        torch.testing.assert_close(states, wanted[:end], rtol=1e-4, atol=1e-5)
        again = load_encoder(tmp_path).eval()
        torch.testing.assert_close(again.encode(whole).hidden_TD, wanted, rtol=1e-4, atol=1e-5)
        assert torch.equal(again.mlm_logits(wanted[:3]), made.mlm_logits(wanted[:3]))
    pieces = AutoTokenizer.from_pretrained(tmp_path).tokenize("[E1] Ada [/E1]")
    assert (pieces[0], pieces[-1]) == ("[E1]", "[/E1]")
    assert (tmp_path / "model.safetensors").is_file()
    card = (tmp_path / "README.md").read_text()
    assert "semeval: 0.5000" in card
    assert "Nothing else was evaluated" in card


def test_rows_for_markers_are_the_mean_of_the_rows_before_and_old_rows_stay(tmp_path: Path) -> None:
    plain = load_tokenizer(bert_folder(tmp_path, 7))
    torch.manual_seed(1)
    model = BertModel(BertConfig(**SIZE, vocab_size=len(plain), intermediate_size=32))
    before = model.get_input_embeddings().weight.detach().clone()
    with_rows(model, add_markers(plain))
    after = model.get_input_embeddings().weight
    assert len(after) == len(plain) > len(before)
    assert torch.equal(after[: len(before)], before)
    torch.testing.assert_close(
        after[len(before) :], before.mean(dim=0).expand(len(after) - len(before), -1)
    )


def test_an_encoder_without_a_head_for_masked_pieces_says_so(tmp_path: Path) -> None:
    plain = load_tokenizer(bert_folder(tmp_path, 400))
    BertModel(BertConfig(**SIZE, vocab_size=len(plain), intermediate_size=32)).save_pretrained(
        tmp_path
    )
    found = load_encoder(tmp_path)
    assert not found.has_mlm_head
    with pytest.raises(ConfigError, match="no head"):
        found.mlm_logits(torch.zeros(1, 16))


def test_weights_do_not_depend_on_what_was_drawn_before() -> None:
    first = small()
    torch.manual_seed(99)
    second = small()
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)


def test_flops_are_those_that_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made = new_encoder(tokenizer(), layers=3, width=32, heads=4)
    made.model.set_attn_implementation("eager")
    ids = torch.randint(0, 300, (4, 40))
    with FlopCounterMode(display=False) as counter:
        hidden = made.base(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        made.mlm_logits(hidden.reshape(-1, 32)[:7])
    assert made.flops([40] * 4, masked=7) == 3 * counter.get_total_flops()


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    bert_folder(tmp_path, 0)
    with pytest.raises(ConfigError, match="there is no encoder"):
        load_encoder(tmp_path)


def test_a_batch_of_tensors_knows_its_sizes_without_asking_their_device() -> None:
    plain = corpus(4).take(np.arange(6))
    moved = plain.to("meta")
    assert moved.longest == plain.lengths_B.max()
    assert moved.mention_pieces == (plain.mention_end_M - plain.mention_start_M).sum()
    assert not moved.marked


@pytest.mark.parametrize("attention", ["padded", "packed"])
def test_checkpointed_layers_have_the_same_gradients(attention: str) -> None:
    whole, gradients = batch(), []
    for checkpointed in (False, True):
        made = small(attention).train()
        for module in made.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if checkpointed:
            made.checkpoint()
        made.encode(whole).pair_P2D().pow(2).mean().backward()
        gradients.append([p.grad for p in made.base.parameters() if p.grad is not None])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain)
