"""The spaCy pipelines that cut text into sentences and find mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import spacy
from spacy.language import Language

from storage.errors import ConfigError
from storage.spans import Span

Found = tuple[Span, str]
"""Span of a mention in code points, and its entity type."""


@lru_cache(maxsize=2)
def load(model: str, language: str) -> Language:
    """Load a pipeline once a process.

    Args:
        model: `blank` (sentence borders by punctuation, no entities), the name of an installed
            pipeline, or the folder of one.
        language: Language code for `blank`; one that spaCy does not know takes its generic rules.

    Raises:
        ConfigError: If spaCy cannot load the pipeline.
    """
    if model == "blank":
        nlp = _blank(language)
    else:
        try:
            nlp = spacy.load(Path(model) if Path(model).is_dir() else model)
        except (OSError, ValueError, ImportError) as error:
            raise ConfigError(
                f"spaCy cannot load the model {model!r}: {error}",
                mend=f"Install it: python -m spacy download {model}",
            ) from error
    if not any(nlp.has_pipe(name) for name in ("parser", "senter", "sentencizer")):
        nlp.add_pipe("sentencizer", first=True)
    return nlp


def _blank(language: str) -> Language:
    try:
        # Chinese would want a segmenter of its own; characters serve for sentence borders.
        return spacy.blank(language)
    except ImportError:
        return spacy.blank("xx")


def split(
    nlp: Language, texts: Iterable[str], batch_size: int
) -> Iterator[tuple[list[Span], list[Found]]]:
    """Yield the sentences and the mentions of each text, as spans in code points of that text."""
    for doc in nlp.pipe(texts, batch_size=batch_size):
        sentences = [(sent.start_char, sent.end_char) for sent in doc.sents]
        mentions = [((ent.start_char, ent.end_char), ent.label_) for ent in doc.ents]
        yield sentences, mentions
