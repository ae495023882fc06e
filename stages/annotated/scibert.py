"""scibert: text classification files of SciBERT with marked entities (ChemProt, SciERC).

A JSON line holds `text` with one `<< >>` and one `[[ ]]`, `label` and `metadata`. In the files of
SciERC metadata holds the token spans of head and tail, and `[[ ]]` is the head. In ChemProt's it is
empty, and the marks stand in the order of the text: `<< >>` counts as head. The marks are taken out
with their inner spaces. Released files hold a few examples twice.
Paper: Beltagy et al., SciBERT (EMNLP 2019), section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from stages.annotated.document import Document
from stages.annotated.files import Record, decode, lines
from stages.annotated.pair import Side, of_text
from storage.spans import Span, overlaps

FORM = '{"text": "... << words >> ... [[ words ]] ...", "label": ..., "metadata": []}, one a line'
ANGLES = re.compile(r"<< (\S.*?) >>")
BRACKETS = re.compile(r"\[\[ (\S.*?) \]\]")


class Item(msgspec.Struct):
    """One line."""

    text: str
    label: str | None = None
    metadata: list[int] = []


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document a line."""
    for record in lines(path):
        item = decode(record, Item, FORM)
        text, angles, brackets = unmarked(record, item.text)
        head, tail = (brackets, angles) if item.metadata else (angles, brackets)
        yield (
            record,
            of_text(str(record.number), text, Side((head,)), Side((tail,)), item.label),
        )


def unmarked(record: Record, text: str) -> tuple[str, Span, Span]:
    """Return the text without marks, the span in angles and the span in brackets.

    Raises:
        SourceError: If a mark is missing, or one stands inside the other.
    """
    angles, brackets = ANGLES.search(text), BRACKETS.search(text)
    if angles is None or brackets is None or overlaps(angles.span(), brackets.span()):
        raise record.error(
            f"{text[:80]!r} does not hold one << >> and one [[ ]] apart", f"A record is {FORM}"
        )
    first, second = sorted((angles, brackets), key=lambda match: match.start())
    plain = text[: first.start()]
    spans = []
    for match, following in ((first, second.start()), (second, len(text))):
        spans.append((len(plain), len(plain) + len(match[1])))
        plain += match[1] + text[match.end() : following]
    return plain, spans[first is brackets], spans[first is angles]
