"""train_tokenizer: learn a WordPiece vocabulary from the corpus, for encoders from scratch."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig
from storage.tables import DOCUMENTS, PAGES, WORD_PIECES

TEXTS = """
SELECT substring(p.text, d.char_start + 1, d.char_end - d.char_start) AS text
FROM documents d JOIN pages p USING (page_id)
"""
FILES = ("tokenizer.json", "tokenizer_config.json")


class TrainTokenizerConfig(StageConfig):
    """What the vocabulary is like."""

    pieces: int = Field(
        30_522,
        ge=500,
        description="pieces of the vocabulary, special ones included; more where the alphabet "
        "alone takes more",
    )
    lowercase: bool = Field(True, description="whether case and accents are taken off")
    min_frequency: int = Field(2, ge=1, description="how often a piece must occur")


def train_tokenizer(config: TrainTokenizerConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the pieces by id, and keep the tokenizer as a Hugging Face folder of two files.

    It is trained on the text of all documents; all markers are among its special pieces.
    """
    from stages.model.vocabulary import train_vocabulary

    folder = inputs.scratch
    pieces = train_vocabulary(
        lambda: texts(inputs),
        folder,
        size=config.pieces,
        lowercase=config.lowercase,
        min_frequency=config.min_frequency,
    )
    for name in FILES:
        inputs.keep(name).write_bytes((folder / name).read_bytes())
    rows = [(i, piece, piece.startswith("[") and piece != "[") for i, piece in enumerate(pieces)]
    yield WORD_PIECES, WORD_PIECES.batch(rows)


def texts(inputs: Inputs) -> Iterator[str]:
    """Yield the text of each document."""
    for batch in inputs.sql(TEXTS):
        yield from batch["text"].to_pylist()


TRAIN_TOKENIZER = Stage(
    "train_tokenizer",
    version=1,
    config=TrainTokenizerConfig,
    reads=(PAGES, DOCUMENTS),
    writes=(WORD_PIECES,),
    run=train_tokenizer,
    optional=True,
)
