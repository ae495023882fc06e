"""A WordPiece vocabulary of the corpus's own, for an encoder that starts from scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stages.model.markers import NAMES, save_bert_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ALPHABET = 1000
"""Characters that the vocabulary knows, the most frequent ones; words with others are unknown."""
INSIDE = "##"


def train_vocabulary(
    texts: Callable[[], Iterable[str]],
    folder: Path,
    *,
    size: int,
    lowercase: bool,
    min_frequency: int,
) -> list[str]:
    """Train a WordPiece tokenizer with BERT's rules for words, and save it with all markers.

    The same texts, in any order, give the same pieces.

    Args:
        texts: Gives the texts; called twice.
        folder: Where tokenizer.json and tokenizer_config.json are written.
        size: Pieces that the vocabulary may have, special pieces included.
        lowercase: Whether case and accents are taken off.
        min_frequency: How often a piece must occur.

    Returns:
        The pieces by id.
    """
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = wordpiece({}, lowercase)
    letters = alphabet(tokenizer, texts())
    # The trainer breaks ties by id, and would number pieces within words in the order of a hash
    # table, which differs from run to run. Named beforehand, they have the same ids each time.
    inside = [f"{INSIDE}{letter}" for letter in letters]
    trainer = WordPieceTrainer(
        vocab_size=max(size, len(SPECIAL) + len(NAMES) + 2 * len(letters)),
        min_frequency=min_frequency,
        special_tokens=[*SPECIAL, *NAMES, *inside],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda each: each[1])
    clean = wordpiece(dict(pieces), lowercase)
    clean.add_special_tokens([*SPECIAL, *NAMES])
    save_bert_tokenizer(clean.to_str(), folder)
    return [piece for piece, _ in pieces]


def wordpiece(vocabulary: dict[str, int], lowercase: bool) -> Tokenizer:
    """Return a tokenizer that cuts words as BERT's does."""
    from tokenizers import Tokenizer
    from tokenizers.decoders import WordPiece as Decoder
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = Decoder(prefix=INSIDE)
    return tokenizer


def alphabet(tokenizer: Tokenizer, texts: Iterable[str]) -> list[str]:
    """Return the most frequent characters of texts, as the tokenizer normalises them, sorted."""
    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    normal: Counter[str] = Counter()
    for letter, count in raw.items():
        for each in tokenizer.normalizer.normalize_str(letter).replace(" ", ""):
            normal[each] += count
    frequent = sorted(normal.items(), key=lambda each: (-each[1], each[0]))[:ALPHABET]
    return sorted(letter for letter, _ in frequent)
