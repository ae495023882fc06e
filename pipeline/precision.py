"""What a judged sheet says: precision by stratum with its interval, and of the whole corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from stages.denoising.sheet import Judged, read_sheet, verdict
from storage.errors import ConfigError

__all__ = ["Precision", "Score", "Stratum", "read_sheet", "score", "weighted", "wilson"]

Z95 = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Precision:
    """A share of right labels with its interval of 95 %, each in [0, 1]."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Stratum:
    """What was judged of one stratum.

    Attributes:
        labels: Labels of the stratum in the whole corpus.
        precision: None where nothing was judged.
    """

    name: str
    labels: int
    judged: int
    right: int
    precision: Precision | None


@dataclass(frozen=True)
class Score:
    """What a sheet says.

    Attributes:
        precision: Of the corpus, each stratum weighted by its labels there.
        covered: Share of the corpus's labels that lies in strata of which something was judged.
        open: Lines without a judgement.
    """

    strata: list[Stratum]
    precision: Precision
    covered: float
    open: int


def wilson(right: int, judged: int) -> Precision:
    """Return a share with Wilson's score interval of 95 %.

    Paper: Wilson, Journal of the American Statistical Association 22 (1927).
    """
    share, z2 = right / judged, Z95**2
    middle = (share + z2 / (2 * judged)) / (1 + z2 / judged)
    half = Z95 * sqrt(share * (1 - share) / judged + z2 / (4 * judged**2)) / (1 + z2 / judged)
    return Precision(
        share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)
    )


def weighted(parts: Iterable[tuple[float, Precision]]) -> Precision:
    """Return the weighted mean of shares; its interval is put together from theirs.

    With one part this is that part's own interval.

    Args:
        parts: Weight and precision of each stratum; the weights sum to 1.

    Paper: Zou, Huang and Zhang, Computational Statistics & Data Analysis 53 (2009): the limits of a
    sum lie as far off as the root of the summed squares of its parts' distances.
    """
    parts = list(parts)
    share = sum(w * p.share for w, p in parts)
    below = sqrt(sum((w * (p.share - p.low)) ** 2 for w, p in parts))
    above = sqrt(sum((w * (p.high - p.share)) ** 2 for w, p in parts))
    return Precision(share, max(share - below, 0.0), min(share + above, 1.0))


def score(lines: Iterable[Judged]) -> Score:
    """Return what the judgements say.

    Raises:
        ConfigError: If no line is judged.
    """
    by_stratum: dict[str, list[Judged]] = {}
    for each in lines:
        by_stratum.setdefault(each.stratum, []).append(each)
    strata = []
    for name, found in by_stratum.items():
        judged = [verdict(each) for each in found if verdict(each) is not None]
        right = sum(1 for each in judged if each)
        precision = wilson(right, len(judged)) if judged else None
        strata.append(Stratum(name, found[0].labels, len(judged), right, precision))
    known = [(s.labels, s.precision) for s in strata if s.precision is not None]
    if not known:
        raise ConfigError(
            "no line of the sheet is judged",
            mend="Write yes or no into its column judgement, for each text whether it states the "
            "relation",
        )
    total = sum(labels for labels, _ in known)
    return Score(
        strata,
        weighted((labels / total, precision) for labels, precision in known),
        total / sum(s.labels for s in strata),
        sum(len(found) for found in by_stratum.values()) - sum(s.judged for s in strata),
    )
