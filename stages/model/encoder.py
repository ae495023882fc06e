"""One encoder for every objective and task: from a ragged batch to a state for each piece.

Shapes: T pieces, B sequences, M mentions, E entities, P pairs, N rows, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from stages.model import packed, padded
from stages.model.batch import Batch
from stages.model.card import Card
from stages.model.markers import Markers, add_markers, load_tokenizer, markers_of
from stages.model.pooling import entity_means, first_pieces, mention_means, pool, start_markers
from storage.errors import ConfigError, StageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Attention = Literal["padded", "packed"]
Readout = Literal["mean", "marker"]
HEADS = (("cls",), ("lm_head",), ("head", "decoder"))
"""Where architectures keep what predicts masked pieces: modules, one behind the other."""
MULTIPLE = 8
"""On a GPU, sequences are padded to a multiple of so many pieces: tensor cores want that."""


@dataclass(frozen=True)
class Encoded:
    """States of a batch, and what is pooled from them when it is asked for.

    Attributes:
        hidden_TD: State of each piece.
        batch: The batch that they are of.
        sequence_BD: A vector for each sequence: the state of [CLS], or what stands in its place.
    """

    hidden_TD: Tensor
    batch: Batch[Tensor]
    sequence_BD: Tensor

    def mention_MD(self) -> Tensor:
        """Return the mean over the pieces of each mention."""
        return pool(self.hidden_TD, mention_means(self.batch))

    def entity_ED(self, readout: Readout = "mean") -> Tensor:
        """Return a vector for each entity.

        Args:
            readout: mean: mean over mentions of means over pieces; marker: mean over start markers.
        """
        index = entity_means if readout == "mean" else start_markers
        return pool(self.hidden_TD, index(self.batch))

    def pair_P2D(self, readout: Readout = "mean") -> Tensor:
        """Return head beside tail for each pair, (P, 2 D)."""
        entity_ED = self.entity_ED(readout)
        batch = self.batch
        return torch.cat([entity_ED[batch.pair_head_P], entity_ED[batch.pair_tail_P]], dim=1)


class Encoder(nn.Module):
    """What every encoder is: a tokenizer, its markers, and `encode`.

    Attributes:
        tokenizer: With all markers.
        markers: Their ids.
        width: D.
        max_pieces: Pieces that a sequence may have, [CLS] and [SEP] included.
        has_mlm_head: Whether masked pieces can be predicted.
        attention: Whether sequences are padded or stand in a row.
    """

    has_mlm_head = False
    attention: Attention = "padded"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, width: int, max_pieces: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.markers: Markers = markers_of(tokenizer)
        self.width, self.max_pieces = width, max_pieces

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def encode(self, batch: Batch[Tensor]) -> Encoded:
        """Return the states of a batch that lies on the encoder's device.

        Raises:
            StageError: If a sequence is longer than the encoder can take.
        """
        if batch.longest > self.max_pieces:
            raise StageError(
                f"a sequence has {batch.longest:,} pieces, the encoder takes {self.max_pieces:,}",
                mend="Cut it with stages.model.views.fit, or lower featurize.max_pieces",
            )
        return self.states(batch)

    def states(self, batch: Batch[Tensor]) -> Encoded:
        """Return the states of a batch whose sequences are short enough."""
        raise NotImplementedError

    def mlm_logits(self, hidden_ND: Tensor) -> Tensor:
        """Return logits over the vocabulary for some states, (N, V)."""
        raise NotImplementedError

    def flops(self, lengths: Sequence[int], masked: int = 0) -> float:
        """Return FLOPs of forward and backward pass for sequences of these lengths.

        Args:
            lengths: Pieces of each sequence.
            masked: Pieces that are predicted over the vocabulary.
        """
        raise NotImplementedError

    def freeze_below(self, trained: int) -> None:
        """Train only the top layers.

        Raises:
            ConfigError: If the encoder has none, or fewer.
        """
        raise ConfigError(
            "the encoder has no layers of which some could be trained",
            mend="Leave trained_layers out: all of it is trained",
        )

    def checkpoint(self) -> None:
        """Keep less for the way back; an encoder without layers has nothing to leave out."""

    def save(self, folder: Path, card: Card) -> None:
        """Write weights, tokenizer and model card into a folder."""
        raise NotImplementedError


class TransformerEncoder(Encoder):
    """Any bidirectional encoder of Hugging Face transformers.

    Args:
        model: With or without a head for masked pieces; its vocabulary is as large as the
            tokenizer's.
        attention: padded: sequences are padded to the longest one; packed: they stand in a row
            without padding, without dropout of attention weights. Packed attention has a kernel on
            CUDA in half precision; elsewhere a mask keeps sequences apart, which is exact and slow.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        attention: Attention = "padded",
    ) -> None:
        config, offset = model.config, position_offset(model)
        super().__init__(tokenizer, config.hidden_size, config.max_position_embeddings - offset)
        self.model = model
        self.attention = attention
        self._offset = offset
        heads = (names for names in HEADS if all(hasattr(model, name) for name in names))
        self._head: tuple[str, ...] = next(heads, ())
        self.has_mlm_head = bool(self._head)
        if attention == "packed":
            use_packed(model)
        elif model.config._attn_implementation == "sdpa":
            use_padded(model)

    @property
    def base(self) -> Any:
        """The encoder without what stands on it."""
        return self.model.base_model

    def states(self, batch: Batch[Tensor]) -> Encoded:
        """Return the states of a batch whose sequences are short enough."""
        place = self._packed if self.attention == "packed" else self._padded
        hidden_TD = place(batch)
        return Encoded(hidden_TD, batch, pool(hidden_TD, first_pieces(batch)))

    def _padded(self, batch: Batch[Tensor]) -> Tensor:
        longest = batch.longest
        if batch.ids_T.is_cuda:
            longest = min(-(-longest // MULTIPLE) * MULTIPLE, self.max_pieces)
        place_T, sequence_T = places(batch)
        ids_BL = batch.ids_T.new_full((len(batch), longest), self.tokenizer.pad_token_id)
        ids_BL[sequence_T, place_T] = batch.ids_T
        shown_BL = torch.arange(longest, device=ids_BL.device) < batch.lengths_B.unsqueeze(1)
        hidden_BLD = self.base(input_ids=ids_BL, attention_mask=shown_BL.long()).last_hidden_state
        hidden_TD: Tensor = hidden_BLD[sequence_T, place_T]
        return hidden_TD

    def _packed(self, batch: Batch[Tensor]) -> Tensor:
        place_T, sequence_T = places(batch)
        sequences = packed.Sequences(batch.cu_seqlens, batch.longest, sequence_T)
        found = self.base(
            input_ids=batch.ids_T.unsqueeze(0),
            position_ids=(place_T + self._offset).unsqueeze(0),
            sequences=sequences,
        )
        if not sequences.calls:
            raise StageError(
                f"{type(self.base).__name__} does not let its attention be replaced",
                mend="Take attention = padded",
            )
        hidden_TD: Tensor = found.last_hidden_state[0]
        return hidden_TD

    def mlm_logits(self, hidden_ND: Tensor) -> Tensor:
        """Return logits over the vocabulary for some states, (N, V).

        Raises:
            ConfigError: If the encoder came without a head for masked pieces.
        """
        if not self.has_mlm_head:
            raise ConfigError(
                "the encoder has no head that predicts masked pieces",
                mend="Give the objective mlm the weight 0, or start from an encoder that has one",
            )
        for name in self._head:
            hidden_ND = getattr(self.model, name)(hidden_ND)
        return hidden_ND

    def flops(self, lengths: Sequence[int], masked: int = 0) -> float:
        """Return FLOPs of forward and backward pass for sequences of these lengths.

        The backward pass counts twice the forward pass. A multiplication and an addition are two.
        Embeddings, layer norms, softmax and dropout are left out.

        Args:
            lengths: Pieces of each sequence.
            masked: Pieces that are predicted over the vocabulary.
        """
        config, width = self.model.config, self.width
        inner = getattr(config, "intermediate_size", 4 * width)
        tokens, squares = sum(lengths), sum(length**2 for length in lengths)
        layers = config.num_hidden_layers
        forward = layers * (tokens * (8 * width**2 + 4 * width * inner) + 4 * width * squares)
        head = masked * (2 * width**2 + 2 * width * config.vocab_size)
        return float(3 * (forward + head))

    def freeze_below(self, trained: int) -> None:
        """Train only the top layers: embeddings and lower layers stay, without dropout.

        Args:
            trained: How many layers learn.

        Raises:
            ConfigError: If the encoder has fewer.
        """
        layers = self.base.encoder.layer
        if trained > len(layers):
            raise ConfigError(
                f"{trained} layers are to be trained, and the encoder has {len(layers)}",
                mend="Lower trained_layers, or leave it out to train all",
            )
        for part in (self.base.embeddings, *layers[: len(layers) - trained]):
            part.requires_grad_(False)
            for module in part.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0

    def checkpoint(self) -> None:
        """Keep the input of each layer alone, and compute the rest again on the way back."""
        self.model.activation_checkpointing_enable({"use_reentrant": False})

    def save(self, folder: Path, card: Card) -> None:
        """Write a plain Hugging Face folder: config, safetensors, tokenizer with its markers."""
        folder.mkdir(parents=True, exist_ok=True)
        own, self.model.config._attn_implementation = self.model.config._attn_implementation, "sdpa"
        try:
            self.model.save_pretrained(folder)
        finally:
            self.model.config._attn_implementation = own
        self.tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card.text(), encoding="utf-8")


def places(batch: Batch[Tensor]) -> tuple[Tensor, Tensor]:
    """Return for each piece its place within its sequence, and the sequence."""
    piece_T = torch.arange(batch.pieces, device=batch.ids_T.device)
    sequence_T = torch.repeat_interleave(
        torch.arange(len(batch), device=piece_T.device), batch.lengths_B, output_size=batch.pieces
    )
    return piece_T - batch.cu_seqlens[sequence_T], sequence_T


def position_offset(model: PreTrainedModel) -> int:
    """Return the position that a sequence's first piece has: 0 for BERT, 2 for RoBERTa."""
    embeddings = getattr(model.base_model, "embeddings", None)
    table = getattr(embeddings, "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def use_packed(model: PreTrainedModel) -> None:
    """Have a model attend within packed sequences.

    Raises:
        ConfigError: If this torch has no kernel for it.
    """
    from transformers import AttentionInterface, AttentionMaskInterface

    if find_spec("torch.nn.attention.varlen") is None:
        raise ConfigError(
            f"torch {torch.__version__} has no attention over packed sequences",
            mend="Install a newer torch, or take attention = padded",
        )

    AttentionInterface.register(packed.NAME, packed.attend)
    # Sequences are told apart by the attention itself: transformers needs to make no mask.
    AttentionMaskInterface.register(packed.NAME, lambda *_, **__: None)
    model.set_attn_implementation(packed.NAME)
    model.config.attention_probs_dropout_prob = 0.0


def use_padded(model: PreTrainedModel) -> None:
    """Have a model attend in the way that is quick in training on this device."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    fused = AttentionInterface()["sdpa"]
    AttentionInterface.register(padded.NAME, partial(padded.attend, fused=fused))
    AttentionMaskInterface.register(padded.NAME, sdpa_mask)
    model.set_attn_implementation(padded.NAME)


def load_encoder(
    name: str | Path, *, revision: str | None = None, attention: Attention = "padded"
) -> Encoder:
    """Return a pre-trained encoder with markers, of a local folder or of a hub id.

    A CNN or LSTM of stages/model/baselines.py comes back from its folder likewise.

    Raises:
        ConfigError: If there is none, or it is no encoder of one text.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM

    from stages.model.baselines import is_baseline, load_baseline

    if is_baseline(Path(name)):
        return load_baseline(Path(name))
    tokenizer = load_tokenizer(name, revision)
    try:
        config = AutoConfig.from_pretrained(str(name), revision=revision)
        headed = has_mlm_weights(config.architectures)
        kind = AutoModelForMaskedLM if headed else AutoModel
        model = kind.from_pretrained(
            str(name), revision=revision, config=config, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"there is no encoder {str(name)!r}: {str(error).splitlines()[0]}",
            mend="Name a folder with config.json and model.safetensors, or a hub id",
        ) from error
    require_encoder(str(name), config)
    return TransformerEncoder(model, with_rows(model, add_markers(tokenizer)), attention)


def new_encoder(
    tokenizer: PreTrainedTokenizerBase,
    *,
    layers: int,
    width: int,
    heads: int,
    max_pieces: int = 512,
    dropout: float = 0.1,
    seed: int = 0,
    attention: Attention = "padded",
) -> TransformerEncoder:
    """Return a BERT with random weights and a head for masked pieces.

    Args:
        width: D, a multiple of `heads`; the inner layers have four times as much.
        seed: Seed of the weights.
    """
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = add_markers(tokenizer)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=max_pieces,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForMaskedLM(config)
    return TransformerEncoder(model, tokenizer, attention)


def has_mlm_weights(architectures: Sequence[str] | None) -> bool:
    """Whether a checkpoint says that it holds a head for masked pieces."""
    return any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in architectures or ())


def require_encoder(name: str, config: Any) -> None:
    """Check that a config is of a bidirectional encoder with positions.

    Raises:
        ConfigError: If it is of something else.
    """
    if getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False):
        raise ConfigError(
            f"{name!r} is a {config.model_type}: it has a decoder",
            mend="Take a bidirectional encoder, such as BERT or RoBERTa",
        )
    if not hasattr(config, "max_position_embeddings") or not hasattr(config, "hidden_size"):
        raise ConfigError(
            f"{name!r} is a {config.model_type}, whose size cannot be read",
            mend="Take an encoder such as BERT, RoBERTa or ModernBERT",
        )


def with_rows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedTokenizerBase:
    """Give a model a row for each piece of its tokenizer; new rows are the mean of the old."""
    table: Any = model.get_input_embeddings().weight
    before, needed = len(table), len(tokenizer)
    if needed > before:
        mean_D = table.detach().mean(dim=0)
        model.resize_token_embeddings(needed, mean_resizing=False)
        grown: Any = model.get_input_embeddings().weight
        with torch.no_grad():
            grown[before:] = mean_D
    return tokenizer
