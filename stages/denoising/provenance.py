"""provenance: trust by how a label came about, as learnt from labels that people judged.

Only who builds a corpus knows this: how surely each end was linked, how far apart they stand, and
whether the time of the statement fits that of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.base import StageConfig
from stages.denoising.ranking import auc
from stages.denoising.records import Flags, Floats
from stages.denoising.sheet import read_sheet, verdict
from storage.errors import SourceError

Columns = Mapping[str, np.ndarray[Any, Any]]
SIDES = ("head", "tail")
FLAGS = ("preferred", "dated", "ended", "year_in_text", "text_in_time")
"""Whether a statement of the label is of preferred rank, says a time, says an end; whether the text
states a year of it; and whether the text states a year within its time."""
QUERY = "provenance.sql"
JUDGED = pa.schema([("tuple_id", pa.string()), ("pid", pa.string()), ("is_right", pa.bool_())])
FOLDS = 5
STEPS, TOLERANCE = 100, 1e-10


class Provenance(StageConfig):
    """Trust by a logistic model of link methods and scores, distance and time.

    It is fitted to the labels of a sheet that people judged, with no regard to the relation.
    """

    name: Literal["provenance"] = "provenance"
    sheet: str = Field(
        min_length=1,
        description="sheet that `relmill sample RECIPE` wrote of this corpus, judged; yes and no "
        "have to occur",
    )
    penalty: float = Field(
        1.0, gt=0.0, description="how strongly coefficients are drawn to 0 (ridge)"
    )


@dataclass(frozen=True)
class Fitted:
    """A logistic model over standardised features.

    Attributes:
        methods: Ways of linking that the judged labels have.
        coefficients_F: The intercept first, then one for each feature.
    """

    methods: tuple[str, ...]
    mean_F: Floats
    scale_F: Floats
    coefficients_F: Floats

    def trust(self, columns: Columns) -> Floats:
        """Return the probability that each label is right, (N,), in [0, 1]."""
        features_NF = features(columns, self.methods)
        standard_NF = (features_NF - self.mean_F) / self.scale_F
        return logistic(with_ones(standard_NF) @ self.coefficients_F)

    def by_name(self) -> dict[str, float]:
        """Return what a standard deviation more of each feature adds to the log odds."""
        names = ["intercept", *feature_names(self.methods)]
        return {n: float(value) for n, value in zip(names, self.coefficients_F, strict=True)}


def query() -> str:
    """Return SQL for how each label came about: the columns of `features`, and `is_right`.

    Beside the tables of a corpus it asks one of JUDGED, and gives null for labels not in it.
    """
    return Path(__file__).with_name(QUERY).read_text("utf-8")


def read_judged(path: Path) -> pa.Table:
    """Return the judged lines of a sheet, a table of JUDGED.

    Raises:
        SourceError: If there is none.
        ConfigError: If the sheet cannot be read.
    """
    lines = [(line.tuple_id, line.pid, verdict(line)) for line in read_sheet(path)]
    judged = [dict(zip(JUDGED.names, line, strict=True)) for line in lines if line[2] is not None]
    if not judged:
        raise SourceError(
            "no line of the sheet is judged",
            where=str(path),
            mend="Write yes or no into its column judgement, for each text whether it states the "
            "relation",
        )
    return pa.Table.from_pylist(judged, JUDGED)


def columns_of(labels: pa.Table | pa.RecordBatch) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of `query` that `features` takes."""
    names = [name for name in labels.schema.names if name not in JUDGED.names]
    return {name: labels[name].to_numpy(zero_copy_only=False) for name in names}


def taught(
    batches: Sequence[pa.RecordBatch], judged: int, path: Path, penalty: float
) -> tuple[Fitted, dict[str, Any]]:
    """Return the model of judged labels, and what there is to tell of it.

    Args:
        batches: Rows of `query` that are judged.
        judged: Lines of the sheet that are.
        path: The sheet.

    Raises:
        SourceError: If none of them is a label of the corpus, or all are right, or all wrong.
    """
    if not sum(map(len, batches)):
        raise SourceError(
            f"none of its {judged:,} judged labels is one of these tuples",
            where=str(path),
            mend="Draw a sheet of this very corpus with `relmill sample RECIPE`, and judge it",
        )
    labels = pa.Table.from_batches(batches)
    columns, right_N = columns_of(labels), labels["is_right"].to_numpy()
    if right_N.all() or not right_N.any():
        raise SourceError(
            f"all {len(right_N):,} judged labels are {'right' if right_N.all() else 'wrong'}: they "
            "do not teach how right ones differ from wrong ones",
            where=str(path),
            mend="Judge more of them",
        )
    model = fit(columns, right_N, penalty)
    return model, {
        "judged": len(right_N),
        "right": int(right_N.sum()),
        "held_out_auc": held_out_auc(columns, right_N, penalty),
        "log_odds_by_deviation": model.by_name(),
    }


def feature_names(methods: Sequence[str]) -> list[str]:
    """Return the names of the features, in their order."""
    ends = [f"{side}_{what}" for side in SIDES for what in (*methods, "score")]
    return [*ends, "log_distance", "same_sentence", *FLAGS]


def features(columns: Columns, methods: Sequence[str]) -> Floats:
    """Return the features of labels.

    Args:
        columns: `head_method` and `tail_method` (None for an end that was not linked), `head_score`
            and `tail_score` (0 for it), `sentence_distance`, `intra`, and FLAGS.

    Shape:
        Result: (N, F).
    """
    found = []
    for side in SIDES:
        found += [columns[f"{side}_method"] == method for method in methods]
        found.append(columns[f"{side}_score"])
    found += [np.log1p(columns["sentence_distance"]), columns["intra"]]
    found += [columns[name] for name in FLAGS]
    return np.stack([np.asarray(each, dtype=np.float64) for each in found], axis=1)


def fit(columns: Columns, right_N: Flags, penalty: float) -> Fitted:
    """Return the model of judged labels.

    Args:
        columns: As `features` takes them.
        right_N: Whether each is right; both occur.
    """
    linked = {m for side in SIDES for m in columns[f"{side}_method"].tolist() if m is not None}
    methods = tuple(sorted(linked))
    features_NF = features(columns, methods)
    mean_F, spread_F = features_NF.mean(axis=0), features_NF.std(axis=0)
    scale_F = np.where(spread_F > 0, spread_F, 1.0)
    standard_NF = (features_NF - mean_F) / scale_F
    return Fitted(methods, mean_F, scale_F, coefficients(standard_NF, right_N, penalty))


def coefficients(features_NF: Floats, right_N: Flags, penalty: float) -> Floats:
    """Return the ridge-penalised maximum of the likelihood, by Newton's steps.

    What is minimised is the sum of log losses plus penalty / 2 times the squared coefficients
    without the intercept. That is convex, and a step is halved until it does not climb.

    Shape:
        Result: (1 + F,), the intercept first.
    """
    given_NF = with_ones(features_NF)
    ridge_F = np.full(given_NF.shape[1], penalty)
    ridge_F[0] = 0.0
    found = np.zeros(given_NF.shape[1])

    def cost(at: Floats) -> float:
        log_odds = given_NF @ at
        losses = np.logaddexp(0.0, log_odds) - right_N * log_odds
        return float(losses.sum() + (ridge_F * at**2).sum() / 2)

    for _ in range(STEPS):
        chance_N = logistic(given_NF @ found)
        slope_F = given_NF.T @ (chance_N - right_N) + ridge_F * found
        curve_FF = (given_NF.T * (chance_N * (1 - chance_N))) @ given_NF + np.diag(ridge_F)
        step = np.linalg.solve(curve_FF, slope_F)
        while cost(found - step) > cost(found) and np.abs(step).max() > TOLERANCE:
            step = step / 2
        found = found - step
        if np.abs(step).max() <= TOLERANCE:
            break
    return found


def held_out_auc(columns: Columns, right_N: Flags, penalty: float) -> float | None:
    """Return how well right labels are told from wrong ones that the model was not fitted to.

    Every fifth label of those that are right, and of those that are wrong, makes a fold.

    Returns:
        In [0, 1]; None where there are fewer right or wrong labels than folds.
    """
    if min(right_N.sum(), (~right_N).sum()) < FOLDS:
        return None
    fold_N = np.empty(len(right_N), dtype=np.int64)
    for kind_N in (right_N, ~right_N):
        fold_N[kind_N] = np.arange(kind_N.sum()) % FOLDS
    trust_N = np.empty(len(right_N))
    for fold in range(FOLDS):
        out_N = fold_N == fold
        model = fit(chosen(columns, ~out_N), right_N[~out_N], penalty)
        trust_N[out_N] = model.trust(chosen(columns, out_N))
    return auc(trust_N, right_N)


def chosen(columns: Columns, kept_N: Flags) -> dict[str, np.ndarray[Any, Any]]:
    """Return some of the labels."""
    return {name: values[kept_N] for name, values in columns.items()}


def with_ones(features_NF: Floats) -> Floats:
    """Return features with a 1 in front, which the intercept is multiplied by."""
    return np.concatenate([np.ones((len(features_NF), 1)), features_NF], axis=1)


def logistic(log_odds_N: Floats) -> Floats:
    """Return the chances of log odds, without overflow."""
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds_N))
    return found
