"""FewRel: N-way K-shot episodes, answered by the nearest prototype.

Shapes: N relations, K supports and Q queries of each, E width of an example's vector.
Papers: Han et al., FewRel (EMNLP 2018); Snell et al., prototypical networks (NeurIPS 2017),
equations 1 (prototype) and 2 (scores); with the dot product in place of the distance: Peng et al.,
CP (EMNLP 2020), section 4.1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stages.tasks.base import Head, PairTask
from stages.tasks.scores import Z_95, Confusion, Interval, accuracy
from storage.errors import ConfigError

__all__ = ["Episode", "Episodes", "FewRel", "Similarity", "answers", "nearest", "prototype_scores"]

Similarity = Literal["dot", "euclid", "cosine"]
Vectors = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


class FewRel(PairTask):
    """FewRel 1.0 and 2.0: accuracy over episodes."""

    name = "fewrel"
    metric = "accuracy"
    head: Head = "prototype"

    def scores(self, counts: Confusion) -> dict[str, float]:
        """Return the accuracy."""
        return {"accuracy": accuracy(counts)}


@dataclass(frozen=True, slots=True)
class Episode:
    """One question: which of N relations does each query have?

    Attributes:
        support_NK: Places of the supports among the examples.
        query_NQ: Places of the queries; those of row n have relation n.
    """

    support_NK: Places
    query_NQ: Places


class Episodes:
    """Draws episodes. Number i is always the same, whoever draws it and in whatever order.

    Args:
        relations: Relation of each example.
        ways: N, relations of an episode.
        shots: K, supports of a relation.
        queries: Q, queries of a relation.

    Raises:
        ConfigError: If there are too few relations, or too few examples of one.
    """

    def __init__(
        self, relations: Sequence[str], *, ways: int, shots: int, queries: int, seed: int
    ) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        for place, relation in enumerate(relations):
            places[relation].append(place)
        if min(ways, shots, queries) < 1 or ways > len(places):
            raise ConfigError(
                f"{ways}-way {shots}-shot with {queries} queries cannot be drawn from "
                f"{len(places)} relations",
                mend=f"Take 1 to {len(places)} ways, and at least one shot and query",
            )
        for relation, own in places.items():
            if len(own) < shots + queries:
                raise ConfigError(
                    f"{relation} has {len(own)} examples, fewer than {shots} + {queries}",
                    mend="Take fewer shots or queries, or leave the relation out",
                )
        self._places = [np.array(places[relation]) for relation in sorted(places)]
        self._ways, self._shots, self._size = ways, shots, shots + queries
        self._seed = seed

    def episode(self, number: int) -> Episode:
        """Return an episode by its number, from 0."""
        rng = np.random.default_rng([self._seed, number])
        chosen = rng.choice(len(self._places), size=self._ways, replace=False)
        drawn = np.stack(
            [rng.choice(self._places[each], size=self._size, replace=False) for each in chosen]
        )
        return Episode(drawn[:, : self._shots], drawn[:, self._shots :])


def prototype_scores(
    support_NKE: Vectors,
    query_BE: Vectors,
    similarity: Similarity,
) -> Vectors:
    """Return how near each query is to the prototype, the mean support, of each relation.

    Shape:
        support_NKE: (N, K, E).
        query_BE: (B, E).
        Result: (B, N), higher is nearer: dot product, minus the squared distance, or cosine.
    """
    prototype_NE = support_NKE.mean(axis=1)
    if similarity == "euclid":
        difference_BNE = query_BE[:, None, :] - prototype_NE[None, :, :]
        distance_BN: Vectors = np.square(difference_BNE).sum(axis=-1)
        return -distance_BN
    if similarity == "cosine":
        query_BE, prototype_NE = unit(query_BE), unit(prototype_NE)
    scores_BN: Vectors = query_BE @ prototype_NE.T
    return scores_BN


def unit(vectors: Vectors) -> Vectors:
    """Return vectors of length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = vectors / np.where(lengths == 0, 1, lengths)
    return scaled


def answers(vectors_ME: Vectors, episode: Episode, similarity: Similarity) -> Places:
    """Return for each query the row of the episode whose prototype is nearest, (N, Q).

    Shape:
        vectors_ME: (M, E), one vector an example.
    """
    queries = episode.query_NQ
    scores_BN = prototype_scores(
        vectors_ME[episode.support_NK], vectors_ME[queries.ravel()], similarity
    )
    rows_NQ: Places = scores_BN.argmax(axis=1).reshape(queries.shape)
    return rows_NQ


@dataclass(frozen=True, slots=True)
class Nearest:
    """Accuracy over episodes with its interval at 95 %."""

    accuracy: float
    interval: Interval
    episodes: int


def nearest(
    vectors_ME: Vectors,
    drawn: Episodes,
    count: int,
    similarity: Similarity,
) -> Nearest:
    """Answer episodes by the nearest prototype.

    The interval takes each episode as one measurement, because queries share their supports.

    Shape:
        vectors_ME: (M, E), one vector an example, in the order of the relations that `drawn` got.
    """
    shares = np.empty(count)
    for number in range(count):
        rows_NQ = answers(vectors_ME, drawn.episode(number), similarity)
        shares[number] = (rows_NQ == np.arange(len(rows_NQ))[:, None]).mean()
    middle = float(shares.mean())
    half = Z_95 * float(shares.std(ddof=1)) / sqrt(count) if count > 1 else 1.0
    return Nearest(middle, Interval(max(middle - half, 0.0), min(middle + half, 1.0)), count)
