"""baselines: a CNN and an LSTM behind the encoder's call; padding changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.model.baselines import Baseline, ConvolutionEncoder, Kind, new_baseline
from stages.model.batch import Batch
from stages.model.card import Card
from stages.model.encoder import load_encoder
from stages.model.examples import pairs_in_sentences
from stages.model.views import mark
from storage.errors import ConfigError
from tests.stages.model.made import corpus, markers, tokenizer

SMALL = {"pieces": 8, "distances": 3}
EACH = pytest.mark.parametrize("kind", ["cnn", "bilstm"])


def small(kind: Kind) -> Baseline:
    sizes = {"cnn": {"filters": 5}, "bilstm": {"hidden": 6}}[kind]
    return new_baseline(kind, tokenizer(), **SMALL, **sizes).eval()


def sentences(count: int = 8) -> Batch[np.ndarray]:  # type: ignore[type-arg]
    made = corpus(4)
    found, _ = pairs_in_sentences(made, 64, labelled=False)
    return mark(made.take_examples(found[np.arange(count)]), markers())


@EACH
def test_a_sequence_has_the_same_states_alone_and_beside_longer_ones(kind: Kind) -> None:
    made = corpus(4)
    found, _ = pairs_in_sentences(made, 64, labelled=False)
    encoder, whole = small(kind), sentences().to("cpu")
    states = encoder.encode(whole)
    assert states.hidden_TD.shape == (whole.pieces, encoder.width)
    for b in range(len(whole)):
        own = mark(made.take_examples(found[np.array([b])]), markers()).to("cpu")
        alone = encoder.encode(own)
        begin, end = whole.cu_seqlens[b : b + 2].tolist()
        torch.testing.assert_close(alone.hidden_TD, states.hidden_TD[begin:end])
        torch.testing.assert_close(alone.sequence_BD[0], states.sequence_BD[b])
        torch.testing.assert_close(states.sequence_BD[b], alone.hidden_TD.amax(dim=0))


@EACH
def test_where_head_and_tail_stand_counts(kind: Kind) -> None:
    encoder, batch = small(kind), sentences().to("cpu")
    swapped = replace(batch, pair_head_P=batch.pair_tail_P, pair_tail_P=batch.pair_head_P)
    first, second = encoder.encode(batch), encoder.encode(swapped)
    assert not torch.allclose(first.sequence_BD, second.sequence_BD)


@EACH
def test_documents_with_many_pairs_go_through_without_distances(kind: Kind) -> None:
    batch = corpus(4).take(np.arange(5)).to("cpu")
    encoder = small(kind)
    assert encoder.encode(batch).pair_P2D().shape == (len(batch.pair_head_P), 2 * encoder.width)


@EACH
def test_it_learns_and_comes_back_from_its_folder(kind: Kind, tmp_path: Path) -> None:
    encoder, batch = small(kind), sentences().to("cpu")
    encoder.encode(batch).pair_P2D().pow(2).mean().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    encoder.save(tmp_path, Card(kind))
    again = load_encoder(tmp_path).eval()
    assert torch.equal(again.encode(batch).hidden_TD, encoder.encode(batch).hidden_TD)
    assert "transformers" not in (tmp_path / "README.md").read_text()


def test_a_filter_sees_its_window_and_nothing_else() -> None:
    encoder = ConvolutionEncoder(tokenizer(), windows=(3,), filters=2, **SMALL).eval()  # type: ignore[arg-type]
    batch = corpus(4).take(np.arange(1)).to("cpu")
    ids = batch.ids_T.clone()
    ids[10] = ids[10] + 1
    other = replace(batch, ids_T=ids)
    change = (encoder.encode(batch).hidden_TD != encoder.encode(other).hidden_TD).any(dim=1)
    assert change.nonzero().flatten().tolist() == [9, 10, 11]


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    small("cnn").save(tmp_path, Card("cnn"))
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"filters": 5', '"filters": 6'))
    with pytest.raises(ConfigError, match="no cnn that can be read"):
        load_encoder(tmp_path)
