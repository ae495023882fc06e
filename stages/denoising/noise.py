"""Noise of a known kind: examples with one relation, some of them labelled wrongly on purpose.

Wrong labels fit the entity types of their sentence, as those of distant supervision do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stages.tasks.base import Example
from storage.errors import ConfigError

__all__ = ["NO_RELATION", "Planted", "Planting", "planted"]

NO_RELATION = "NA"
Types = tuple[str | None, str | None]


@dataclass(frozen=True)
class Planting:
    """How noise is planted.

    Attributes:
        relations: Relations that are labelled; the sentences of all others serve as NA.
        each: Sentences of each.
        wrong: Share of the labels that is wrong, [0, 1).
        swapped: Share of the wrong ones that are another of the relations, seen with the same
            entity types; the others are sentences of no labelled relation at all.
        na: Sentences labelled NA.
        na_wrong: Share of these that have one of the relations.
    """

    relations: int = 30
    each: int = 98
    wrong: float = 0.4
    swapped: float = 0.7
    na: int = 330
    na_wrong: float = 0.1


@dataclass(frozen=True)
class Planted:
    """An example with the label that it was given, and whether that is right."""

    example: Example
    right: bool


def planted(examples: Sequence[Example], plan: Planting, seed: int) -> list[Planted]:
    """Return labelled examples, in random order.

    Args:
        examples: With relation and entity types; of equal texts one counts.

    Raises:
        ConfigError: If there are too few examples for the plan.
    """
    dice = np.random.default_rng(seed)
    pool = by_relation(examples, dice)
    large = sorted(name for name, own in pool.items() if len(own) >= plan.each)
    if len(large) < plan.relations:
        raise ConfigError(
            f"{len(large)} relations have {plan.each} examples, and {plan.relations} are wanted",
            mend="Give more data",
        )
    kept = sorted(dice.choice(large, size=plan.relations, replace=False).tolist())
    fitting = relations_by_types(pool, kept)
    inside = shuffled([each for name in kept for each in pool[name][: plan.each]], dice)
    spare = [each for name in kept for each in pool[name][plan.each :]]
    outside = shuffled([e for name in sorted(set(pool) - set(kept)) for e in pool[name]], dice)
    wrong = round(plan.wrong * len(inside))
    swaps = [e for e in inside if other_fitting(e, fitting)][: round(plan.swapped * wrong)]
    strange = [e for e in outside if fitting[types_of(e)]][: wrong - len(swaps)]
    swapped, used = {e.id for e in swaps}, {e.id for e in strange}
    rest = [e for e in inside if e.id not in swapped][: len(inside) - wrong]
    missed = shuffled(spare, dice)[: round(plan.na_wrong * plan.na)]
    absent = [e for e in outside if e.id not in used][: plan.na - len(missed)]
    if len(swaps) + len(strange) < wrong or len(absent) + len(missed) < plan.na:
        raise ConfigError(
            "too few examples have entity types that fit another relation",
            mend="Plant less noise, or give more data",
        )
    found = [Planted(e, True) for e in rest]
    found += [Planted(labelled(e, dice.choice(other_fitting(e, fitting))), False) for e in swaps]
    found += [Planted(labelled(e, dice.choice(fitting[types_of(e)])), False) for e in strange]
    found += [Planted(labelled(e, NO_RELATION), True) for e in absent]
    found += [Planted(labelled(e, NO_RELATION), False) for e in missed]
    return [found[i] for i in dice.permutation(len(found))]


def by_relation(examples: Sequence[Example], dice: np.random.Generator) -> dict[str, list[Example]]:
    """Return examples by relation, in random order; of equal ones the first."""
    distinct = {(e.text, e.head, e.tail): e for e in reversed(examples)}
    pool: dict[str, list[Example]] = defaultdict(list)
    for example in shuffled(list(distinct.values()), dice):
        if example.relation is not None:
            pool[example.relation].append(example)
    return dict(pool)


def shuffled(examples: list[Example], dice: np.random.Generator) -> list[Example]:
    """Return examples in random order."""
    return [examples[i] for i in dice.permutation(len(examples))]


def relations_by_types(
    pool: dict[str, list[Example]], kept: Sequence[str]
) -> dict[Types, list[str]]:
    """Return the labelled relations that occur with each pair of entity types."""
    fitting: dict[Types, list[str]] = defaultdict(list)
    for name in kept:
        for types in sorted({types_of(e) for e in pool[name]}, key=str):
            fitting[types].append(name)
    return fitting


def other_fitting(example: Example, fitting: dict[Types, list[str]]) -> list[str]:
    """Return relations that fit the types of an example and are not its own."""
    return [name for name in fitting[types_of(example)] if name != example.relation]


def types_of(example: Example) -> Types:
    """Return the entity types of head and tail."""
    return example.head_type, example.tail_type


def labelled(example: Example, relation: str) -> Example:
    """Return an example with another label."""
    return replace(example, relation=str(relation))
