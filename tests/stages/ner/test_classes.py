"""The class table, and the walk down P279."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.ner.classes import NO_ENTITY, ClassTypes, class_table, class_types

TABLE = {"PERSON": (1,), "ORG": (2, 20), NO_ENTITY: (3,)}


def walked(*edges: tuple[int, int]) -> ClassTypes:
    children = np.array([child for child, _ in edges], np.uint32)
    parents = np.array([parent for _, parent in edges], np.uint32)
    return class_types(children, parents, TABLE)


def test_the_table_names_every_class_once_and_ends_with_what_names_nothing() -> None:
    classes = [number for numbers in class_table().values() for number in numbers]
    assert len(classes) == len(set(classes))
    assert list(class_table())[-1] == NO_ENTITY
    assert all(re.fullmatch("[A-Z_]+", kind) for kind in list(class_table())[:-1])
    assert {"PERSON", "ORG", "LOC", "WORK_OF_ART", "EVENT", "PRODUCT"} <= set(class_table())


def test_a_class_below_another_has_its_type_however_far() -> None:
    types = walked((10, 1), (11, 10), (12, 11))
    assert [types.of_class(f"Q{n}") for n in (1, 10, 11, 12)] == ["PERSON"] * 4
    assert types.of_class("Q99") is None


def test_a_loop_ends_and_one_without_a_known_class_stays_unknown() -> None:
    types = walked((10, 1), (11, 10), (10, 11), (1, 11), (50, 51), (51, 50), (52, 52))
    assert types.of_class("Q11") == "PERSON"
    assert types.of_class("Q50") is types.of_class("Q52") is None


def test_the_nearest_class_of_the_table_counts_then_the_order_of_types() -> None:
    types = walked((10, 2), (11, 10), (11, 1), (12, 1), (12, 2))
    assert types.of_class("Q11") == "PERSON"
    assert types.of_class("Q12") == "PERSON"
    assert walked((10, 1), (11, 10), (11, 2)).of_class("Q11") == "ORG"


def test_a_class_of_the_table_is_not_overruled_from_above() -> None:
    assert walked((20, 1), (3, 2)).of_class("Q20") == "ORG"
    assert walked((20, 1), (3, 2)).of_class("Q3") == NO_ENTITY


def test_no_statements_leave_the_table_itself() -> None:
    types = walked()
    assert types.of_class("Q20") == "ORG"


def test_of_several_classes_of_an_item_the_first_type_counts_and_no_entity_last() -> None:
    types = walked()
    assert types.of_item(["Q2", "Q1"]) == "PERSON"
    assert types.of_item(["Q3", "Q2"]) == "ORG"
    assert types.of_item(["Q3", "Q77"]) == NO_ENTITY
    assert types.of_item(["Q77"]) is types.of_item([]) is None


def naive(edges: list[tuple[int, int]]) -> dict[int, str]:
    """The walk, one class and one step at a time."""
    names = list(TABLE)
    found = {number: place for place, kind in enumerate(names) for number in TABLE[kind]}
    while True:
        new: dict[int, int] = {}
        for child, parent in edges:
            if child not in found and parent in found:
                new[child] = min(new.get(child, len(names)), found[parent])
        if not new:
            return {number: names[place] for number, place in found.items()}
        found |= new


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=60))
def test_the_walk_is_as_the_naive_one_has_it(edges: list[tuple[int, int]]) -> None:
    types, expected = walked(*edges), naive(edges)
    assert {n: types.of_class(f"Q{n}") for n in range(1, 32)} == {
        n: expected.get(n) for n in range(1, 32)
    }
