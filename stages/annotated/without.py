"""A corpus without some of its relations, for a benchmark of relations that nobody has seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from difflib import get_close_matches

from stages.annotated.document import Document, Tally
from storage.errors import ConfigError

__all__ = ["Without"]


class Without:
    """Takes relations out of documents, and says at the end whether all of them occurred.

    Args:
        relations: Names or PIDs, as the files write them.
        na: Names that mean that there is no relation.
    """

    def __init__(self, relations: Collection[str], na: Collection[str] = ()) -> None:
        self._relations = set(relations)
        self._na = set(na)
        self._seen: set[str] = set()

    def see(self, document: Document) -> None:
        """Note which relations occur."""
        if self._relations:
            self._seen.update(relation.name for relation in document.relations)

    def left(self, document: Document, tally: Tally) -> Document | None:
        """Return what is left of a document; None where it stated nothing but these relations.

        A pair whose label is taken out is no NA pair: its relation is only unsaid.

        Drops: "left_out_document" (documents), "left_out_relation" (labels of other documents).
        """
        kept = tuple(r for r in document.relations if r.name not in self._relations)
        if len(kept) == len(document.relations):
            return document
        if all(relation.name in self._na for relation in kept):
            tally.drop("left_out_document", document.id)
            return None
        tally.drop("left_out_relation", document.id, len(document.relations) - len(kept))
        return replace(document, relations=kept, na=unlabelled(document))

    def require_all_seen(self) -> None:
        """Check that every relation that is to be left out stands in the corpus.

        Raises:
            ConfigError: For the first that does not: a slip of the pen would leave it in.
        """
        for name in sorted(self._relations - self._seen):
            near = get_close_matches(name, self._seen, n=1)
            guess = f"Did you mean {near[0]!r}? " if near else ""
            raise ConfigError(
                f"{name!r} is to be left out, and the corpus has no such relation",
                mend=f"{guess}It has {len(self._seen):,}, such as "
                f"{', '.join(map(repr, sorted(self._seen)[:5]))}",
            )


def unlabelled(document: Document) -> tuple[tuple[int, int], ...]:
    """Return the ordered pairs that hold no relation, spelt out."""
    if document.na is not None:
        return document.na
    labelled = {(relation.head, relation.tail) for relation in document.relations}
    ordinals = range(len(document.entities))
    pairs = ((head, tail) for head in ordinals for tail in ordinals if head != tail)
    return tuple(pair for pair in pairs if pair not in labelled)
