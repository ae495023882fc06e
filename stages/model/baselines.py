"""Encoders from before transformers, behind the same call: a CNN and a bidirectional LSTM.

They start from random weights, over the word pieces of whatever tokenizer they are given.

Shapes: T pieces, B sequences, L longest sequence, C channels that come in, D width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.model.batch import Batch
from stages.model.card import Card
from stages.model.encoder import Encoded, Encoder, places
from stages.model.markers import add_markers, load_tokenizer
from storage.errors import ConfigError

if TYPE_CHECKING:
    from stages.model.markers import Tokenizer

Kind = Literal["cnn", "bilstm"]
PREFIX = "relmill-"
FURTHEST = 50
"""Pieces from head or tail from which on distances are the same."""


class Baseline(Encoder):
    """What both share: pieces and their distances to head and tail become vectors, then states.

    Distances count where each sequence has one pair, and are left out elsewhere.

    Args:
        pieces: Width of the vector of a piece.
        distances: Width of the vector of a distance.
        dropout: Share of the vectors' values that is left out in training.
    """

    kind: Kind

    def __init__(
        self, tokenizer: Tokenizer, width: int, *, pieces: int, distances: int, dropout: float
    ) -> None:
        super().__init__(add_markers(tokenizer), width, max_pieces=1 << 30)
        self.sizes: dict[str, Any] = {
            "pieces": pieces,
            "distances": distances,
            "dropout": dropout,
        }
        self.words = nn.Embedding(
            len(self.tokenizer), pieces, padding_idx=self.tokenizer.pad_token_id
        )
        self.near = nn.ModuleList(nn.Embedding(2 * FURTHEST + 1, distances) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def states(self, batch: Batch[Tensor]) -> Encoded:
        """Return the states of a batch; a sequence's own vector is the maximum over its pieces.

        Paper: Zeng et al., "Relation Classification via Convolutional Deep Neural Network" (COLING
        2014), section 3.4: vectors of distances to head and tail.
        """
        place_T, sequence_T = places(batch)
        parts = [self.words(batch.ids_T), *self._distances(batch, sequence_T)]
        given_TC = torch.cat(parts, dim=1)
        given_BLC = given_TC.new_zeros(len(batch), batch.longest, given_TC.shape[1])
        given_BLC[sequence_T, place_T] = self.dropout(given_TC)
        hidden_BLD = self.layers(given_BLC, batch.lengths_B)
        shown_BL = torch.arange(batch.longest, device=place_T.device) < batch.lengths_B.unsqueeze(1)
        lowest = torch.finfo(hidden_BLD.dtype).min
        highest_BD = hidden_BLD.masked_fill(~shown_BL.unsqueeze(2), lowest).amax(dim=1)
        return Encoded(hidden_BLD[sequence_T, place_T], batch, highest_BD)

    def _distances(self, batch: Batch[Tensor], sequence_T: Tensor) -> list[Tensor]:
        sequences = torch.arange(len(batch), device=sequence_T.device)
        pair_of = batch.entity_sequence_E[batch.pair_head_P]
        single = torch.equal(pair_of, sequences)
        piece_T = torch.arange(batch.pieces, device=sequence_T.device)
        made = []
        for table, entity_P in zip(self.near, (batch.pair_head_P, batch.pair_tail_P), strict=True):
            if not single:
                made.append(self.words.weight.new_zeros(batch.pieces, self.sizes["distances"]))
                continue
            mention_B = torch.searchsorted(batch.mention_entity_M, entity_P)
            start_T = batch.mention_start_M[mention_B][sequence_T]
            last_T = batch.mention_end_M[mention_B][sequence_T] - 1
            before, behind = (start_T - piece_T).clamp(min=0), (piece_T - last_T).clamp(min=0)
            made.append(table((behind - before).clamp(-FURTHEST, FURTHEST) + FURTHEST))
        return made

    def layers(self, given_BLC: Tensor, lengths_B: Tensor) -> Tensor:
        """Return states of padded sequences, (B, L, D); what comes in is 0 where padded."""
        raise NotImplementedError

    def save(self, folder: Path, card: Card) -> None:
        """Write config, safetensors and tokenizer; `load_baseline` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {"model_type": f"{PREFIX}{self.kind}", **self.sizes}
        (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        save_file(self.state_dict(), folder / "model.safetensors")
        self.tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card.text(own=False), encoding="utf-8")


class ConvolutionEncoder(Baseline):
    """A layer of convolutions of several widths.

    Args:
        windows: Widths of the filters, in pieces.
        filters: Filters of each width; D is their number over all widths.

    Paper: Nguyen and Grishman, "Relation Extraction: Perspective from Convolutional Neural
    Networks" (NAACL 2015 workshop on vector space modeling), section 3: windows 2 to 5 with 150
    filters each, tanh, maximum over the sentence.
    """

    kind = "cnn"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        windows: Sequence[int] = (2, 3, 4, 5),
        filters: int = 150,
        pieces: int = 300,
        distances: int = 50,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            tokenizer,
            filters * len(windows),
            pieces=pieces,
            distances=distances,
            dropout=dropout,
        )
        self.sizes |= {"windows": list(windows), "filters": filters}
        given = pieces + 2 * distances
        self.filters = nn.ModuleList(nn.Conv1d(given, filters, window) for window in windows)

    def layers(self, given_BLC: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the values of all filters at each piece, (B, L, D)."""
        given_BCL = given_BLC.transpose(1, 2)
        found = []
        for window, filters in zip(self.sizes["windows"], self.filters, strict=True):
            padded = functional.pad(given_BCL, ((window - 1) // 2, window // 2))
            found.append(filters(padded))
        return torch.cat(found, dim=1).tanh().transpose(1, 2)

    def flops(self, lengths: Sequence[int], masked: int = 0) -> float:
        """Return FLOPs of forward and backward pass, convolutions only."""
        given = self.sizes["pieces"] + 2 * self.sizes["distances"]
        windows = sum(self.sizes["windows"])
        return float(3 * 2 * sum(lengths) * given * windows * self.sizes["filters"])


class RecurrentEncoder(Baseline):
    """A bidirectional LSTM.

    Args:
        hidden: Width of each direction; D is twice as much.

    Paper: Zhang and Wang, "Relation Classification via Recurrent Neural Network" (2015): maximum
    over the sentence of a bidirectional network's states.
    """

    kind = "bilstm"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        hidden: int = 128,
        pieces: int = 300,
        distances: int = 50,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(tokenizer, 2 * hidden, pieces=pieces, distances=distances, dropout=dropout)
        self.sizes |= {"hidden": hidden}
        given = pieces + 2 * distances
        self.lstm = nn.LSTM(given, hidden, batch_first=True, bidirectional=True)

    def layers(self, given_BLC: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the states of both directions at each piece, (B, L, D)."""
        rows = pack_padded_sequence(
            given_BLC, lengths_B.cpu(), batch_first=True, enforce_sorted=False
        )
        hidden_BLD, _ = pad_packed_sequence(
            self.lstm(rows)[0], batch_first=True, total_length=given_BLC.shape[1]
        )
        return hidden_BLD

    def flops(self, lengths: Sequence[int], masked: int = 0) -> float:
        """Return FLOPs of forward and backward pass, products with matrices only."""
        given = self.sizes["pieces"] + 2 * self.sizes["distances"]
        hidden = self.sizes["hidden"]
        return float(3 * 2 * sum(lengths) * 2 * 4 * hidden * (given + hidden))


KINDS: Mapping[Kind, type[Baseline]] = {"cnn": ConvolutionEncoder, "bilstm": RecurrentEncoder}


def new_baseline(kind: Kind, tokenizer: Tokenizer, *, seed: int = 0, **sizes: Any) -> Baseline:
    """Return a CNN or a bidirectional LSTM with random weights.

    Args:
        seed: Seed of the weights.
        sizes: As the class of that kind takes them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[kind](tokenizer, **sizes)


def is_baseline(folder: Path) -> bool:
    """Whether a folder holds an encoder that `Baseline.save` wrote."""
    path = folder / "config.json"
    return path.is_file() and str(read_config(path).get("model_type", "")).startswith(PREFIX)


def load_baseline(folder: Path) -> Baseline:
    """Return an encoder that `Baseline.save` wrote.

    Raises:
        ConfigError: If it was written by another version, or its weights do not fit its config.
    """
    sizes = read_config(folder / "config.json")
    kind = str(sizes.pop("model_type")).removeprefix(PREFIX)
    known: Any = {str(name): made for name, made in KINDS.items()}
    try:
        made: Baseline = known[kind](load_tokenizer(folder), **sizes)
        made.load_state_dict(load_file(folder / "model.safetensors"))
    except (KeyError, TypeError, RuntimeError, OSError) as error:
        raise ConfigError(
            f"{folder} holds no {kind} that can be read: {str(error).splitlines()[0]}",
            mend="Train it again, or take the folder that relmill wrote as it was",
        ) from error
    return made


def read_config(path: Path) -> dict[str, Any]:
    """Return a config.json.

    Raises:
        ConfigError: If it is no JSON.
    """
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON", mend="Take the folder as it was written") from error
    return config
