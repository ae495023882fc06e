"""FewRel: episodes, and the nearest prototype against plain loops."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tasks.fewrel import Episodes, Similarity, nearest, prototype_scores
from storage.errors import ConfigError

RELATIONS = [f"r{i % 7}" for i in range(140)]
ROUNDS = st.tuples(st.integers(1, 7), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))


@given(ROUNDS)
def test_an_episode_has_n_relations_and_no_example_twice(
    form: tuple[int, int, int, int],
) -> None:
    ways, shots, queries, number = form
    drawn = Episodes(RELATIONS, ways=ways, shots=shots, queries=queries, seed=3)
    episode = drawn.episode(number)
    assert episode.support_NK.shape == (ways, shots)
    assert episode.query_NQ.shape == (ways, queries)
    rows = [
        {RELATIONS[i] for i in (*support, *query)}
        for support, query in zip(episode.support_NK, episode.query_NQ, strict=True)
    ]
    assert all(len(row) == 1 for row in rows)
    assert len(set.union(*rows)) == ways
    places = [*episode.support_NK.ravel(), *episode.query_NQ.ravel()]
    assert len(set(places)) == len(places)


def test_an_episode_hangs_on_seed_and_number_alone() -> None:
    def drawn(seed: int) -> Episodes:
        return Episodes(RELATIONS, ways=5, shots=1, queries=2, seed=seed)

    ahead = drawn(3)
    for number in range(4):
        ahead.episode(number)
    assert np.array_equal(ahead.episode(9).support_NK, drawn(3).episode(9).support_NK)
    assert not np.array_equal(drawn(3).episode(9).query_NQ, drawn(4).episode(9).query_NQ)
    assert not np.array_equal(drawn(3).episode(9).query_NQ, drawn(3).episode(8).query_NQ)


def test_every_relation_and_example_comes_up_evenly() -> None:
    drawn = Episodes(RELATIONS, ways=3, shots=2, queries=2, seed=0)
    seen = Counter(
        int(i)
        for number in range(700)
        for i in (
            *drawn.episode(number).support_NK.ravel(),
            *drawn.episode(number).query_NQ.ravel(),
        )
    )
    expected = 700 * 12 / len(RELATIONS)
    assert len(seen) == len(RELATIONS)
    assert max(abs(count - expected) for count in seen.values()) < 0.6 * expected


@pytest.mark.parametrize("similarity", ["dot", "euclid", "cosine"])
def test_prototype_scores_are_those_of_a_loop(similarity: Similarity) -> None:
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(4, 3, 6)), rng.normal(size=(5, 6))
    scores = prototype_scores(support, query, similarity)
    for b in range(5):
        for n in range(4):
            prototype = [sum(support[n, k, e] for k in range(3)) / 3 for e in range(6)]
            dot = sum(query[b, e] * prototype[e] for e in range(6))
            lengths = sum(x * x for x in prototype) ** 0.5 * sum(x * x for x in query[b]) ** 0.5
            expected = {
                "dot": dot,
                "euclid": -sum((query[b, e] - prototype[e]) ** 2 for e in range(6)),
                "cosine": dot / lengths,
            }[similarity]
            assert scores[b, n] == pytest.approx(expected)


@pytest.mark.parametrize("similarity", ["dot", "euclid", "cosine"])
def test_vectors_that_tell_relations_apart_answer_all(similarity: Similarity) -> None:
    vectors = np.eye(7)[[int(r[1:]) for r in RELATIONS]]
    drawn = Episodes(RELATIONS, ways=5, shots=2, queries=3, seed=1)
    found = nearest(vectors, drawn, 20, similarity)
    assert (found.accuracy, found.interval.low, found.episodes) == (1.0, 1.0, 20)


def test_vectors_of_chance_answer_one_in_n() -> None:
    vectors = np.random.default_rng(0).normal(size=(len(RELATIONS), 8))
    drawn = Episodes(RELATIONS, ways=5, shots=1, queries=5, seed=1)
    found = nearest(vectors, drawn, 600, "cosine")
    assert found.interval.low < 0.2 < found.interval.high
    assert found.interval.high - found.interval.low < 0.05


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"ways": 8, "shots": 1, "queries": 1}, "8-way .* from 7 relations"),
        ({"ways": 2, "shots": 0, "queries": 1}, "0-shot"),
        ({"ways": 2, "shots": 15, "queries": 10}, r"has 20 examples, fewer than 15 \+ 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused(form: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Episodes(RELATIONS, seed=0, **form)
