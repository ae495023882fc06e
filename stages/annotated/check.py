"""What must hold of every document, in whatever format it came."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Literal

from stages.annotated.document import Document, Entity, Relation, Tally
from stages.annotated.files import Record
from storage.spans import Span, overlaps

__all__ = ["Bounds", "Overlaps", "overlapping", "require_labels", "require_sound", "token_bounds"]

Overlaps = Literal["refuse", "drop", "keep"]
"""What becomes of a document with overlapping mentions: an error, a counted drop, or kept."""

Bounds = tuple[int, int]


def token_bounds(
    record: Record, what: str, bounds: Sequence[int], tokens: int, *, inclusive: bool = False
) -> Bounds:
    """Return the bounds `[first, end)` of a mention.

    Args:
        what: Whose bounds they are, for the message: "head".
        tokens: Number of tokens of its sentence, or of code points where bounds count those.
        inclusive: Whether the second bound is the last token and not the one behind it.

    Raises:
        SourceError: If they lie outside the sentence, or are empty.
    """
    first, end = bounds[0], bounds[-1] + (1 if inclusive else 0)
    if len(bounds) != 2 or not 0 <= first < end <= tokens:
        raise record.error(
            f"the position of {what} is {list(bounds)}, but its sentence has a length of {tokens}",
            "Positions count from 0: "
            + ("[first, last]" if inclusive else "[first, one behind the last]"),
        )
    return first, end


def overlapping(entities: Sequence[Entity]) -> tuple[Span, Span] | None:
    """Return two mentions of a document that share a code point; None where there are none."""
    spans = sorted(mention.span for entity in entities for mention in entity.mentions)
    furthest: Span | None = None
    for span in spans:
        if furthest is not None and overlaps(furthest, span):
            return furthest, span
        if furthest is None or span[1] > furthest[1]:
            furthest = span
    return None


def require_labels(record: Record, document: Document, known: Collection[str]) -> None:
    """Check that every relation is a known one.

    Raises:
        SourceError: For the first that is not; it names the nearest one.
    """
    for relation in document.relations:
        if relation.name not in known:
            near = get_close_matches(relation.name, list(known), n=1)
            guess = f"Did you mean {near[0]!r}? " if near else ""
            raise record.error(
                f"the relation {relation.name!r} is none of the {len(known)} known ones",
                f"{guess}Mend the label, or add it to the list of relations",
            )


def require_sound(record: Record, document: Document, tally: Tally) -> Document:
    """Return a document whose spans and ordinals are all in range.

    Drops: "self_relation" (head and tail are one entity), "repeated_relation".

    Raises:
        SourceError: For a span, an ordinal or a sentence that does not exist.
    """
    for span in mention_spans(document):
        if not 0 <= span[0] < span[1] <= len(document.text):
            raise record.error(
                f"the mention {list(span)} is not within the {len(document.text)} characters of "
                f"the text",
                "Offsets count code points from 0: [start, one behind the end]",
            )
    for relation in document.relations:
        require_ordinals(record, document, relation)
    for head, tail in document.na or ():
        require_ordinals(record, document, Relation(head, tail, "no relation"))
    return replace(document, relations=tuple(distinct(document, tally)))


def mention_spans(document: Document) -> Iterator[Span]:
    """Yield the spans of all mentions."""
    return (mention.span for entity in document.entities for mention in entity.mentions)


def require_ordinals(record: Record, document: Document, relation: Relation) -> None:
    """Check that a relation names entities and sentences that exist.

    Raises:
        SourceError: If it does not.
    """
    entities, sentences = len(document.entities), len(document.sentences)
    for what, value in (("head", relation.head), ("tail", relation.tail)):
        if not 0 <= value < entities:
            raise record.error(
                f"the {what} of {relation.name} is entity {value}, but there are {entities}",
                "Entities count from 0",
            )
    for value in relation.evidence or ():
        if not 0 <= value < sentences:
            raise record.error(
                f"the evidence of {relation.name} is sentence {value}, but there are {sentences}",
                "Sentences count from 0",
            )


def distinct(document: Document, tally: Tally) -> Iterator[Relation]:
    """Yield the relations between two entities, each once."""
    seen = set()
    for relation in document.relations:
        key = (relation.head, relation.tail, relation.name)
        if relation.head == relation.tail:
            tally.drop("self_relation", f"{document.id}: {key}")
        elif key in seen:
            tally.drop("repeated_relation", f"{document.id}: {key}")
        else:
            seen.add(key)
            yield relation
