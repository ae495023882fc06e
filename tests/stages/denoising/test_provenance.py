"""provenance: what is known of a label, the model that judgements teach, and sheets that do not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.sampling import write_sheet
from stages.denoise import DENOISE, DenoiseConfig, check, facts, reads
from stages.denoising.provenance import (
    FLAGS,
    JUDGED,
    coefficients,
    columns_of,
    feature_names,
    features,
    fit,
    held_out_auc,
    query,
)
from stages.denoising.sheet import Judged
from storage.errors import ConfigError, SourceError
from storage.table import Table
from storage.tables import (
    DOCUMENTS,
    ENTITIES,
    LINKS,
    LITERAL_MENTIONS,
    TUPLE_STATEMENTS,
    TUPLES,
    WEIGHTS,
)
from tests.conftest import Outcome, RunStage

LINE = Judged("alias", 9, "", "P1", "Ada", "country", "York", "Ada", "[Ada] of {York}")
BY_HAND = {"weighting": {"shape": "trust", "na": "learned"}}


def drawn(seed: int, labels: int = 200) -> tuple[dict[str, np.ndarray[Any, Any]], Any]:
    """Labels with features of which only the head's link and the distance matter."""
    dice = np.random.default_rng(seed)
    methods = dice.choice(np.array(["alias", "title", None], dtype=object), (2, labels))
    columns: dict[str, np.ndarray[Any, Any]] = {
        "head_method": methods[0],
        "tail_method": methods[1],
        "head_score": dice.random(labels),
        "tail_score": dice.random(labels),
        "sentence_distance": dice.integers(0, 6, labels),
        "intra": dice.random(labels) < 0.5,
        **{name: dice.random(labels) < 0.3 for name in FLAGS},
    }
    odds = 1.5 - 3.0 * (methods[0] == "alias") - 0.8 * np.log1p(columns["sentence_distance"])
    return columns, dice.random(labels) < 1 / (1 + np.exp(-odds))


def test_coefficients_are_where_a_plain_loop_finds_no_slope() -> None:
    columns, right = drawn(3)
    given = features(columns, ("alias", "title"))
    found = coefficients(given, right, 0.7)
    for f in range(len(found)):
        slope = 0.7 * found[f] if f else 0.0
        for n in range(len(right)):
            row = [1.0, *given[n]]
            odds = sum(c * x for c, x in zip(found, row, strict=True))
            slope += (1 / (1 + math.exp(-odds)) - float(right[n])) * row[f]
        assert abs(slope) < 1e-6


def test_one_feature_has_the_odds_that_were_counted() -> None:
    # 8 of 10 are right with the flag, 3 of 10 without: log odds 1.386 and -0.847.
    flag = np.array([[1.0]] * 10 + [[0.0]] * 10)
    right = np.array([True] * 8 + [False] * 2 + [True] * 3 + [False] * 7)
    intercept, slope = coefficients(flag, right, 1e-12)
    assert intercept == pytest.approx(math.log(3 / 7), abs=1e-6)
    assert slope == pytest.approx(math.log(8 / 2) - math.log(3 / 7), abs=1e-6)


def test_a_planted_signal_is_found_and_chance_is_not() -> None:
    columns, right = drawn(4, 400)
    values = fit(columns, right, 1.0).by_name()
    assert min(values, key=values.__getitem__) == "head_alias"
    assert values["log_distance"] < -0.2
    held_out = held_out_auc(columns, right, 1.0)
    assert held_out is not None
    assert held_out > 0.75
    unrelated = np.random.default_rng(0).permutation(right)
    chance = held_out_auc(columns, unrelated, 1.0)
    assert chance is not None
    assert abs(chance - 0.5) < 0.12
    assert held_out_auc(columns, np.arange(400) < 4, 1.0) is None


def test_labels_that_one_feature_tells_apart_have_chances_short_of_certainty() -> None:
    columns, _ = drawn(5)
    right = columns["head_method"] == "title"
    model = fit(columns, right, 1.0)
    trust = model.trust(columns)
    assert trust[right].min() > 0.8
    assert trust[~right].max() < 0.2
    assert 0.0 < trust.min() < trust.max() < 1.0


def test_a_way_of_linking_that_nobody_judged_counts_as_none() -> None:
    columns, right = drawn(6)
    model = fit(columns, right, 1.0)
    unlinked = {**columns, "head_method": np.full(200, None, dtype=object)}
    unheard = {**columns, "head_method": np.full(200, "gold", dtype=object)}
    assert np.array_equal(model.trust(unlinked), model.trust(unheard))


def moment(year: str, precision: int = 9) -> dict[str, Any]:
    return {"time": f"{year}-00-00T00:00:00Z", "precision": precision, "calendar": "Q1985727"}


def corpus(pairs: int = 40) -> dict[Table, list[Mapping[str, Any]]]:
    """Pages of two entities each: the head of every second one is linked by its alias alone."""
    tables: dict[Table, list[Mapping[str, Any]]] = {
        table: [] for table in (TUPLES, ENTITIES, LINKS, DOCUMENTS, *STATED)
    }
    for page in range(pairs):
        name, own = f"{page}:0-90", {"page_id": page, "document_id": f"{page}:0-90"}
        tables[DOCUMENTS].append({**own, "char_end": 90})
        for entity, method in enumerate(("alias" if page % 2 else "title", "hyperlink")):
            spans = [
                {"char_start": 20 * entity + at, "char_end": 20 * entity + at + 5, "sentence": 0}
                for at in (0, 10)
            ]
            tables[ENTITIES].append({**own, "entity": entity, "mentions": spans})
            for span, how in zip(spans, ("alias", method), strict=True):
                score = 0.25 if how == "alias" else 1.0
                at = {n: span[n] for n in ("char_start", "char_end")}
                tables[LINKS].append({"page_id": page, **at, "method": how, "score": score})
        ends = {"head_entity": 0, "tail_entity": 1}
        pair = {**own, **ends, "tuple_id": f"{name}/0-1", "intra": True}
        tables[TUPLES].append({**pair, "pids": ["P1"], "sentence_distance": page % 3})
        tables[TUPLES].append({**own, "tuple_id": f"{name}/1-0", "pids": [], "head_entity": 1})
    return tables


STATED = (TUPLE_STATEMENTS, LITERAL_MENTIONS)


def sheet(path: Path, verdicts: Mapping[int, str]) -> str:
    """A judged sheet of the label of each of some pages."""
    lines = [
        replace(LINE, tuple_id=f"{page}:0-90/0-1", judgement=word)
        for page, word in verdicts.items()
    ]
    write_sheet(lines, path)
    return str(path)


def run(
    run_stage: RunStage, path: str, tables: Mapping[Table, Any] | None = None, **values: Any
) -> Outcome:
    config = DenoiseConfig(method={"name": "provenance", "sheet": path}, **{**BY_HAND, **values})
    return run_stage(DENOISE, config, corpus() if tables is None else tables)


def test_a_sheet_teaches_which_links_to_trust(run_stage: RunStage, tmp_path: Path) -> None:
    verdicts = {page: "no" if page % 2 else "yes" for page in range(24)}
    verdicts |= {24: "", 25: "?"}
    path = sheet(tmp_path / "sheet.csv", verdicts)
    found = run(run_stage, path)
    weight = {r["tuple_id"]: r["weight"] for r in found.rows(WEIGHTS)}
    assert len(weight) == 80
    assert list(weight) == sorted(weight)
    # Pages from 26 on were not judged: they are trusted by what the others teach.
    trusted = [weight[f"{page}:0-90/0-1"] for page in range(40)]
    assert min(trusted[0::2]) > 0.8 > 0.2 > max(trusted[1::2])
    assert {weight[f"{page}:0-90/1-0"] for page in range(40)} == {0.5}
    told = json.loads(found.files["provenance.json"].read_text())
    assert (told["judged"], told["right"], told["held_out_auc"]) == (24, 12, 1.0)
    assert told["log_odds_by_deviation"]["head_alias"] < -0.5
    assert told["log_odds_by_deviation"]["tail_hyperlink"] == 0.0
    again = run(run_stage, path)
    assert again.batches == found.batches
    half = run(run_stage, path, weighting={"best_share": 0.5})
    assert half.counts["labels_left_out"] == 20


def test_time_and_rank_of_a_statement_are_held_against_the_text(
    run_stage: RunStage, tmp_path: Path
) -> None:
    tables = corpus(6)
    statements: list[dict[str, Any]] = [
        {"start": moment("+1880"), "end": moment("+1890")},
        {"start": moment("+1900"), "rank": "preferred"},
        {"point": moment("+1885")},
        {"point": moment("+1700", precision=7)},
        {"end": moment("-0050")},
    ]
    for page, values in enumerate(statements):
        own = {"tuple_id": f"{page}:0-90/0-1", "page_id": page, "document_id": f"{page}:0-90"}
        tables[TUPLE_STATEMENTS].append({**own, "pid": "P1", **values})
        at = {"page_id": page, "char_start": 40, "char_end": 44, "kind": "time"}
        tables[LITERAL_MENTIONS].append({**at, "value": "+1885-03-02T00:00:00Z", "precision": 11})
    # A number and a year outside the document are none of its years.
    at = {"page_id": 1, "precision": 9, "value": "+1900-00-00T00:00:00Z"}
    tables[LITERAL_MENTIONS] += [
        {**at, "kind": "quantity", "value": "+1900", "char_start": 50, "char_end": 54},
        {**at, "kind": "time", "char_start": 100, "char_end": 104},
    ]
    asked: list[pa.RecordBatch] = []

    def ask(config: DenoiseConfig, inputs: Any) -> Any:
        asked.extend(inputs.sql(f"{query()} ORDER BY ALL", {"judged": JUDGED.empty_table()}))
        return []

    run_stage(replace(DENOISE, run=ask), DenoiseConfig(), tables)
    rows = {r["tuple_id"]: r for batch in asked for r in batch.to_pylist()}
    shown = {page: [n for n in FLAGS if rows[f"{page}:0-90/0-1"][n]] for page in range(6)}
    assert shown == {
        0: ["dated", "ended", "text_in_time"],
        1: ["preferred", "dated"],
        2: ["dated", "year_in_text", "text_in_time"],
        3: ["dated"],
        4: ["dated", "ended"],
        5: [],
    }
    first = rows["0:0-90/0-1"]
    assert (first["head_method"], first["head_score"]) == ("title", 1.0)
    assert (rows["1:0-90/0-1"]["head_method"], rows["1:0-90/0-1"]["head_score"]) == ("alias", 0.25)
    assert rows["0:0-90/1-0"]["pid"] == "NA"
    assert features(columns_of(asked[0]), ("alias",)).shape[1] == len(feature_names(("alias",)))


def test_an_annotated_corpus_has_no_statements_and_its_links_still_teach(
    run_stage: RunStage, tmp_path: Path
) -> None:
    tables = {t: rows for t, rows in corpus().items() if t not in STATED}
    path = sheet(tmp_path / "sheet.tsv", {p: "n" if p % 2 else "y" for p in range(10)})
    found = run(run_stage, path, tables)
    assert len(found.rows(WEIGHTS)) == 80


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ({0: "", 1: "?"}, "no line of the sheet is judged"),
        ({}, "no line of the sheet is judged"),
        ({0: "yes", 1: "yes"}, "all 2 judged labels are right"),
        ({0: "no", 1: "no", 2: "no"}, "all 3 judged labels are wrong"),
        ({100: "yes", 101: "no"}, "none of its 2 judged labels is one of these tuples"),
    ],
)
def test_a_sheet_that_teaches_nothing_is_refused(
    verdicts: dict[int, str], says: str, run_stage: RunStage, tmp_path: Path
) -> None:
    path = sheet(tmp_path / "sheet.csv", verdicts)
    with pytest.raises(SourceError, match=says) as caught:
        run(run_stage, path)
    assert path in str(caught.value)


def test_judged_labels_of_another_corpus_are_counted(run_stage: RunStage, tmp_path: Path) -> None:
    path = sheet(tmp_path / "sheet.csv", {0: "yes", 1: "no", 77: "no"})
    assert run(run_stage, path).drops == {"not_a_label": 1}


def test_the_sheet_counts_by_its_content_and_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    config = DenoiseConfig(method={"name": "provenance", "sheet": str(path)})
    with pytest.raises(ConfigError, match=r"denoise\.method\.sheet"):
        check(config)
    sheet(path, {0: "yes"})
    check(config)
    before = facts(config)
    path.write_text(path.read_text("utf-8").replace("yes", "no"), "utf-8")
    assert facts(config) != before
    assert {getattr(r, "table", r) for r in reads(config)} == set(corpus(1))
