"""What a task is: examples out of documents, and scores out of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from stages.annotated.document import Document
from storage.errors import SourceError
from storage.spans import Span

__all__ = ["NA_NAMES", "Example", "Head", "PairTask", "Task", "pair_examples"]

Head = Literal["linear", "prototype", "document"]
"""What answers: a linear layer over a marked pair, the nearest prototype, or a bilinear form over
all pairs of a document."""
NA_NAMES = ("NA", "no_relation", "Na", "P0", "Other", "none", "None")
"""What files call it when there is no relation."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text with a head and a tail, and the relation between them.

    Attributes:
        id: Of its own among the examples of a benchmark: "train/17".
        head: Span of the head's first mention in the text.
        tail: Likewise.
        relation: Name of the relation; None where unlabelled.
    """

    id: str
    text: str
    head: Span
    tail: Span
    head_type: str | None
    tail_type: str | None
    relation: str | None

    def marked(self) -> str:
        """Return the text with [E1] [/E1] around the head and [E2] [/E2] around the tail."""
        text = self.text
        sides = sorted([(self.head, "E1"), (self.tail, "E2")], reverse=True)
        for (start, end), name in sides:
            text = f"{text[:start]}[{name}]{text[start:end]}[/{name}]{text[end:]}"
        return text


class Task(Protocol):
    """One downstream benchmark.

    Attributes:
        name: As in TASKS.
        metric: Which of the scores counts.
        head: What stands on the encoder.
        na: Names that say that there is no relation; the first that occurs counts.
        max_pieces: Word pieces of an input where the config names none.
    """

    name: str
    metric: str
    head: Head
    na: tuple[str, ...]
    max_pieces: int

    def kind(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what scores need to know of a row of `predictions`: gold and predicted first."""

    def scores(self, counts: Mapping[Any, int]) -> dict[str, float]:
        """Return every score of this task by name, each in [0, 1].

        Args:
            counts: How many predictions there are of each kind.
        """


class PairTask:
    """What tasks have in common in which each example is one pair with one relation."""

    na: tuple[str, ...] = ()
    max_pieces = 100

    def examples(self, documents: Iterable[Document]) -> Iterator[Example]:
        """Yield the examples of a split."""
        return pair_examples(documents)

    def kind(self, row: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return gold and predicted relation."""
        return row["gold"], row["predicted"]


def pair_examples(documents: Iterable[Document]) -> Iterator[Example]:
    """Yield one example a labelled pair; an unlabelled document of two entities is one too.

    Raises:
        SourceError: If an unlabelled document does not hold just two entities: then nothing says
            which pair is meant.
    """
    for document in documents:
        name = f"{document.split}/{document.id}" if document.split else document.id
        pairs: list[tuple[int, int, str | None]] = [
            (relation.head, relation.tail, relation.name) for relation in document.relations
        ]
        if not pairs:
            if len(document.entities) != 2:
                raise SourceError(
                    f"document {name} has {len(document.entities)} entities and no relation",
                    mend="A text to be classified has two entities: the head, then the tail",
                )
            pairs = [(0, 1, None)]
        for ordinal, (head, tail, relation) in enumerate(pairs):
            first, second = document.entities[head], document.entities[tail]
            yield Example(
                name if len(pairs) == 1 else f"{name}/{ordinal}",
                document.text,
                first.mentions[0].span,
                second.mentions[0].span,
                first.type,
                second.type,
                relation,
            )
