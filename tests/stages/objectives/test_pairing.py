"""pairing: against enumerations of what may be drawn."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.objectives.pairing import Negatives, negative_pairs, neighbours, same_pair

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=40)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(st.lists(st.integers(0, 5), max_size=50), st.integers(0, 3))
def test_neighbours_use_every_row_once_but_the_odd_one_of_a_label(
    labels: list[int], seed: int
) -> None:
    pairs = neighbours(np.array(labels, dtype=np.int64), np.random.default_rng(seed))
    used = pairs.flatten().tolist()
    assert len(used) == len(set(used))
    assert all(labels[a] == labels[b] for a, b in pairs)
    by_label = Counter(labels[a] for a, _ in pairs)
    assert all(by_label[label] == n // 2 for label, n in Counter(labels).items())


def test_neighbours_differ_by_epoch_and_repeat_by_seed() -> None:
    labels = np.repeat(np.arange(5), 20)
    first, again, other = (neighbours(labels, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(ROWS, st.integers(1, 5))
def test_same_pair_is_the_enumeration(rows: list[tuple[int, int]], most: int) -> None:
    found = {tuple(sorted(pair)) for pair in same_pair(*columns(rows), most=most).tolist()}
    counted: dict[tuple[int, int], list[int]] = {}
    for index, row in enumerate(rows):
        counted.setdefault(row, []).append(index)
    expected = {pair for same in counted.values() for pair in combinations(same[:most], 2)}
    assert found == expected
    assert len(found) == len(same_pair(*columns(rows), most=most))


@pytest.mark.parametrize("kind", ["hard", "random", "mixed"])
@given(rows=ROWS, seed=st.integers(0, 3))
def test_negatives_never_speak_of_the_same_pair(
    kind: Negatives, rows: list[tuple[int, int]], seed: int
) -> None:
    found = negative_pairs(*columns(rows), 30, kind, np.random.default_rng(seed))
    assert len(found) <= 30
    for a, b in found.tolist():
        assert rows[a] != rows[b]
        if kind == "hard":
            assert (rows[a][0] == rows[b][0]) != (rows[a][1] == rows[b][1])


def test_hard_negatives_are_drawn_evenly_from_all_there_are() -> None:
    rows = [(0, 0), (0, 0), (0, 1), (1, 1), (2, 2), (0, 3)]
    possible = {
        pair
        for pair in combinations(range(6), 2)
        if (rows[pair[0]][0] == rows[pair[1]][0]) != (rows[pair[0]][1] == rows[pair[1]][1])
    }
    found = negative_pairs(*columns(rows), 6000, "hard", np.random.default_rng(0))
    drawn = Counter(tuple(sorted(pair)) for pair in found.tolist())
    assert set(drawn) == possible
    assert all(abs(n / 6000 - 1 / len(possible)) < 0.03 for n in drawn.values())


def test_where_nothing_is_shared_there_are_no_hard_negatives() -> None:
    assert len(negative_pairs(*columns([(0, 0), (1, 1)]), 5, "hard", np.random.default_rng(0))) == 0
