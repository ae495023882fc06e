"""One encoder for every objective and task: from a ragged batch to a state for each piece.

Shapes: T pieces, B sequences, M mentions, E entities, P pairs, N rows, V vocabulary, D width.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from stages.model.batch import Batch
from stages.model.markers import Markers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Attention = Literal["padded", "packed"]
Readout = Literal["mean", "marker", "first"]


class Encoded:
    """States of a batch, and what is pooled from them when it is asked for.

    Attributes:
        hidden_TD: State of each piece.
        batch: The batch that they are of.
    """

    hidden_TD: Tensor
    batch: Batch[Tensor]

    def mention_MD(self) -> Tensor:
        """Return the mean over the pieces of each mention."""
        raise NotImplementedError

    def entity_ED(self, readout: Readout = "mean") -> Tensor:
        """Return a vector for each entity.

        Args:
            readout: mean: mean over mentions of means over pieces; marker: mean over start
                markers.
        """
        raise NotImplementedError

    def pair_P2D(self, readout: Readout = "mean") -> Tensor:
        """Return head beside tail for each pair, (P, 2 D)."""
        raise NotImplementedError

    def sequence_BD(self) -> Tensor:
        """Return a vector for each sequence: the state of [CLS], or the maximum of a CNN."""
        raise NotImplementedError


class Encoder(nn.Module):
    """An encoder with its tokenizer.

    Attributes:
        tokenizer: With all markers.
        markers: Their ids.
        width: D.
        max_pieces: Pieces that a sequence may have, [CLS] and [SEP] included.
        has_mlm_head: Whether masked pieces can be predicted.
    """

    tokenizer: PreTrainedTokenizerBase
    markers: Markers
    width: int
    max_pieces: int
    has_mlm_head: bool

    def encode(self, batch: Batch[Tensor]) -> Encoded:
        """Return the states of a batch; the batch lies on the encoder's device.

        Raises:
            StageError: If a sequence is longer than the encoder can take.
        """
        raise NotImplementedError

    def mlm_logits(self, hidden_ND: Tensor) -> Tensor:
        """Return logits over the vocabulary for some states, (N, V)."""
        raise NotImplementedError

    def forward_flops(self, lengths_B: object) -> float:
        """Return FLOPs of the forward pass for sequences of these lengths, without heads."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write a plain Hugging Face folder: config, safetensors, tokenizer with its markers."""
        raise NotImplementedError


def load_encoder(
    name: str | Path,
    *,
    revision: str | None = None,
    attention: Attention = "padded",
) -> Encoder:
    """Return a pre-trained encoder with markers, of a local folder or of a hub id.

    Raises:
        ConfigError: If there is none, or it is no encoder.
    """
    raise NotImplementedError
