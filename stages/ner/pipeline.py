"""The spaCy pipelines that cut text into sentences and find mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import spacy
from spacy.language import Language
from thinc.api import prefer_gpu

from stages.ner.archive import unpack
from storage.errors import ConfigError
from storage.spans import Span

WITHOUT_SPACES = frozenset({"bo", "dz", "gan", "ja", "km", "lo", "lzh", "my", "th", "wuu", "yue"})
"""Languages whose words stand without spaces."""

Found = tuple[Span, str]
"""Span of a mention in code points, and its entity type."""


@lru_cache(maxsize=2)
def load(model: str, language: str, *, gpu: bool = False) -> Language:
    """Load a pipeline once a process.

    Args:
        model: `blank` (sentence borders by punctuation, no entities), the name of an installed
            pipeline, the folder of one, or that folder zipped.
        language: Language code for `blank`; one that spaCy does not know takes its generic rules.
        gpu: Use a GPU where spaCy finds one.

    Raises:
        ConfigError: If spaCy cannot load the pipeline.
    """
    if gpu and model != "blank":
        prefer_gpu()
    if model == "blank":
        nlp = blank(language)
    else:
        try:
            nlp = load_saved(model)
        except (OSError, ValueError, ImportError) as error:
            raise ConfigError(
                f"spaCy cannot load the model {model!r}: {error}",
                mend="Install it (python -m spacy download NAME), or name the folder that "
                "`nlp.to_disk` wrote, or that folder zipped",
            ) from error
    if not any(nlp.has_pipe(name) for name in ("parser", "senter", "sentencizer")):
        nlp.add_pipe("sentencizer", first=True)
    return nlp


def load_saved(model: str) -> Language:
    """Load a pipeline that is installed, or saved as a folder or a zip file.

    Raises:
        OSError, ValueError, ImportError: If there is none.
    """
    path = Path(model)
    if path.is_file():
        return unpack(path)
    return spacy.load(path if path.is_dir() else model)


def blank(language: str) -> Language:
    """Return a pipeline that only cuts words, by the rules of a language.

    Args:
        language: Language code; one that spaCy does not know takes its generic rules. Where words
            stand without spaces and spaCy has no segmenter at hand, each character is a word.
    """
    try:
        return spacy.blank(language)
    except ImportError:
        return spacy.blank("zh" if language in WITHOUT_SPACES else "xx")


def split(
    nlp: Language, texts: Iterable[str], batch_size: int
) -> Iterator[tuple[list[Span], list[Found]]]:
    """Yield the sentences and the mentions of each text, as spans in code points of that text."""
    for doc in nlp.pipe(texts, batch_size=batch_size):
        sentences = [(sent.start_char, sent.end_char) for sent in doc.sents]
        mentions = [((ent.start_char, ent.end_char), ent.label_) for ent in doc.ents]
        yield sentences, mentions
