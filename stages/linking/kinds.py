"""Which items a mention may name, by the type that NER gave it and the types of the items."""

from __future__ import annotations

from collections.abc import Mapping

ADMITTED: Mapping[str, frozenset[str]] = {
    kind: frozenset(types.split())
    for kind, types in {
        "PERSON": "PERSON",
        "PER": "PERSON",
        "NORP": "NORP LOC ORG",
        "ORG": "ORG",
        "GPE": "LOC",
        "LOC": "LOC",
        "FAC": "LOC ORG",
        "EVENT": "EVENT",
        "AWARD": "AWARD",
        "LAW": "LAW",
        "LANGUAGE": "LANGUAGE NORP LOC",
        "PRODUCT": "PRODUCT WORK_OF_ART",
        "WORK_OF_ART": "WORK_OF_ART PRODUCT",
    }.items()
}
"""By entity type of a mention (OntoNotes, CoNLL) the types of the class table that it admits.

A nationality may name the country or the team ("the French"), but not the language: that is the
commonest slip of a name without context. What NER calls a language is often a nationality ("French
followers"), so that peoples and countries compete with it. A type that does not stand here admits
every item.
"""


def fits(item: str | None, mention: str | None) -> bool:
    """Whether an item of one entity type may be named by a mention of another.

    What is not known rules nothing out.

    Args:
        item: Type of the item by its classes.
        mention: Type that NER gave the mention.
    """
    admitted = ADMITTED.get(mention or "")
    return item is None or admitted is None or item in admitted or item == mention


PERSONS = frozenset(("PERSON", "PER"))
"""Entity types of people."""

VALUES = frozenset(
    ("CARDINAL", "DATE", "MONEY", "ORDINAL", "PERCENT", "QUANTITY", "TIME", "NUM", "NUMBER")
)
"""Entity types of values: dates and numbers are never items."""

DATES = frozenset(("DATE", "TIME"))
"""Those among them that are times."""

PAGES: Mapping[str, tuple[int, ...]] = {
    # Disambiguation pages, categories, templates and modules name nothing in the world.
    "page": (4167410, 4167836, 11266439, 15184295, 22808320),
    # Family and given names: who says "Curie" means a Curie, and not the name.
    "name": (101352, 202444, 12308941, 11879590),
}
"""Classes whose items no mention names: pages of the wiki's own, and names as names."""
