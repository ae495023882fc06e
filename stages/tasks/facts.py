"""What is told of the facts of documents: rows of predictions, and the threshold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stages.annotated.document import Document
from stages.tasks.docred import NO_RELATION, Fact, Names, facts_of, tags_of

if TYPE_CHECKING:
    from stages.model.relating import Answers, Related

__all__ = ["chosen_threshold", "rows_of_facts"]


def rows_of_facts(
    split: str, documents: Sequence[Document], answers: Answers, names: Names
) -> Iterator[tuple[Any, ...]]:
    """Yield for each fact that is true or was predicted what a prediction says behind its split.

    Args:
        names: Facts that the training data state.
    """
    found: dict[str, dict[Fact, float]] = {document.id: {} for document in documents}
    for document, fact, probability in answers.facts:
        found[document.id][fact] = probability
    for document in documents:
        own, true = found[document.id], facts_of(document)
        for fact in true | own.keys():
            head, tail = document.entities[fact.head], document.entities[fact.tail]
            yield (
                f"{split}/{document.id}/{fact.head}-{fact.tail}/{fact.relation}",
                f"{split}/{document.id}",
                fact.relation if fact in true else NO_RELATION,
                fact.relation if fact in own else NO_RELATION,
                own.get(fact),
                f"[E1]{head.name}[/E1] [E2]{tail.name}[/E2]",
                tags_of(document, fact, names),
            )


def chosen_threshold(found: Related, choosing: Sequence[Document]) -> str:
    """Return the threshold as JSON, and what chose it."""
    told = {"threshold": found.threshold, "f1": found.f1, "chosen_on": [d.id for d in choosing]}
    return json.dumps(told, ensure_ascii=False, indent=1)
