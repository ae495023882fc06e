"""Methods of denoising, tried on labels of which it is known whether they are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.errors import ConfigError

if TYPE_CHECKING:
    from stages.model.observing import Observed

__all__ = ["Score", "Subset", "Trial", "set_names", "try_methods"]

TELL_EVERY = 25
LEAST_SHARE = 0.02
"""Share of the labels that a subset has to have to count in the correlation."""


@dataclass(frozen=True)
class Score:
    """How well one method ranks.

    Attributes:
        method: Its name.
        by: Which pass it looks at, batch or epoch; empty where it looks at none.
        auc: Chance that a right label is trusted more than a wrong one.
        low, high: Its bootstrap interval at 95 %.
        within: The same among labels of one relation.
    """

    method: str
    by: str
    auc: float
    low: float
    high: float
    within: float


@dataclass(frozen=True)
class Subset:
    """Labels that were learnt in one epoch: the share of all, and how many are right."""

    by: str
    order: int
    share: float
    precision: float


@dataclass(frozen=True)
class Trial:
    """One set of labels with one seed."""

    name: str
    seed: int
    labels: int
    right: float
    left_out: dict[str, int]
    scores: Sequence[Score]
    subsets: Sequence[Subset]


def set_names() -> list[str]:
    """Return the names of all sets."""
    from stages.denoising.judged import SETS

    return list(SETS)


def try_methods(
    names: Sequence[str],
    seeds: Sequence[int],
    data: Path,
    encoder: Path,
    work: Path,
    values: dict[str, Any],
    trained_layers: int | None,
    tell: Callable[[str], None],
) -> Iterator[Trial]:
    """Yield a trial for each set and seed: one classifier, and every method on its records.

    Args:
        data: Folder with the released files of the sets.
        encoder: Folder of the encoder that the classifier begins from.
        work: Where a training that was stopped goes on from.
        values: Fields of `ObserveSettings`.

    Raises:
        ConfigError: If there is no set of a name.
        SourceError: If a file is missing.
    """
    from stages.denoising.judged import SETS, Left

    for name in names:
        if name not in SETS:
            raise ConfigError(f"there is no set {name!r}", mend=f"There are: {', '.join(SETS)}")
    for name in names:
        for seed in seeds:
            left = Left()
            judged = SETS[name](data, seed, left)
            folder = work / f"{name}-{seed}"
            start = (encoder, trained_layers, {**values, "seed": seed})
            seen, right = observed(judged, start, folder, partial(told, tell, f"{name} {seed}"))
            yield trial(name, seed, seen, right, dict(left.drops + Counter(seen.lost)))


def told(tell: Callable[[str], None], name: str, step: int, metrics: dict[str, float]) -> None:
    """Say now and then how far a training is."""
    if step % TELL_EVERY == 0:
        tell(f"{name}: update {step}, loss {metrics.get('loss/relation', float('nan')):.2f}")


def observed(
    judged: Any,
    start: tuple[Path, int | None, dict[str, Any]],
    folder: Path,
    tell: Callable[[int, dict[str, float]], None],
) -> tuple[Observed, list[bool | None]]:
    """Return what a classifier showed of judged labels, and whether each is right."""
    from stages.denoising.judged import JudgedSentences
    from stages.model.encoder import load_encoder
    from stages.model.observing import ObserveSettings, observe_documents, observe_sentences
    from stages.tasks.docred import NO_RELATION

    path, trained_layers, values = start
    encoder = load_encoder(path)
    if trained_layers is not None:
        encoder.freeze_below(trained_layers)
    settings = ObserveSettings(**values)

    if isinstance(judged, JudgedSentences):
        seen = observe_sentences(encoder, judged.examples, settings, folder, tell)
        return seen, [judged.right_N[place] for place in seen.place_N.tolist()]
    seen = observe_documents(encoder, judged.documents, settings, folder, tell)
    pairs = [{(f.head, f.tail) for f in facts} for facts in judged.complete]
    # Asked is NA alone: it is right where no fact was missed.
    right = [
        (fact.head, fact.tail) not in pairs[place] if fact.relation == NO_RELATION else None
        for fact, place in zip(seen.fact_N, seen.place_N.tolist(), strict=True)
    ]
    return seen, right


def trial(
    name: str, seed: int, seen: Observed, right: Sequence[bool | None], left_out: dict[str, int]
) -> Trial:
    """Return how well every method ranks the labels that were judged."""
    import numpy as np

    from stages.denoising.ranking import auc, auc_within, interval, precision_by_order

    asked = np.array([each is not None for each in right])
    is_right = np.array([bool(each) for each in right])[asked]
    relations = seen.records.relation_N[asked]
    scores, subsets = [], []
    for method in methods():
        trust = method.trust(seen.records, np.random.default_rng(seed))[asked]
        bounds = interval(trust, is_right, np.random.default_rng(seed), draws=200)
        own = auc(trust, is_right), *bounds, auc_within(trust, is_right, relations)
        scores.append(Score(method.name, getattr(method, "by", ""), *own))
    for by in ("batch", "epoch"):
        orders = seen.records.seen(by).order_N()[asked]
        for order, count, precision in precision_by_order(orders, is_right):
            subsets.append(Subset(by, order, count / len(is_right), precision))
    share = float(is_right.mean())
    return Trial(name, seed, len(is_right), share, left_out, scores, subsets)


def methods() -> list[Any]:
    """Return every method that ranks, once for each pass that it can look at.

    Nothing is up-sampled: that puts wrong labels among the learnt on purpose.
    """
    from stages.denoising import METHODS

    found = []
    for kind in METHODS.values():
        values: dict[str, Any] = {"upsample": 0.0} if "upsample" in kind.model_fields else {}
        passes = ("batch", "epoch") if "by" in kind.model_fields else (None,)
        found += [kind(**values | ({"by": by} if by else {})) for by in passes]
    return found


def correlation(subsets: Sequence[Subset], by: str) -> float:
    """Return the rank correlation of order and precision over subsets that are large enough."""
    import numpy as np

    from stages.denoising.records import by_rank

    large = [s for s in subsets if s.by == by and s.share >= LEAST_SHARE]
    if len(large) < 2:
        return float("nan")
    ranks = [by_rank(np.array([getattr(s, n) for s in large])) for n in ("order", "precision")]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
