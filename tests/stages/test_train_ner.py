"""train_ner: what the stage takes from the tables and from gold files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.ner.pipeline import load, split
from stages.recognize import RECOGNIZE, RecognizeConfig
from stages.train_ner import MODEL, TRAIN_NER, TrainNerConfig, check, facts
from storage.errors import ConfigError, SourceError
from storage.table import Table
from storage.tables import (
    HYPERLINKS,
    ITEMS,
    MENTIONS,
    NER_SCORES,
    PAGES,
    PARAGRAPHS,
    SITE,
    TITLES,
    TRIPLES,
)
from tests.conftest import Outcome, RunStage

SHORT = {"max_steps": 30, "patience": 20, "evaluate_every": 10, "held_out": 0.25, "gpu": False}
TOWNS = ("Oslo", "Bergen", "Narvik", "Voss", "Hamar", "Molde", "Skien", "Moss")
SITE_ROWS = [{"language": "en"}]


def corpus(*, rank: str = "normal", redirected: bool = False) -> dict[Table, list[dict[str, Any]]]:
    """Pages that each link a town, whose item is below "human settlement", and a person."""
    given: dict[Table, list[dict[str, Any]]] = {
        SITE: SITE_ROWS,
        PAGES: [],
        PARAGRAPHS: [],
        HYPERLINKS: [],
        TITLES: [{"title": "Kim Berg", "qid": "Q900"}],
        ITEMS: [{"qid": "Q900", "instance_of": ["Q5"]}],
        TRIPLES: [
            {
                "head_qid": "Q1001",
                "statement": 0,
                "pid": "P279",
                "tail_qid": "Q486972",
                "rank": rank,
            },
            {"head_qid": "Q1002", "statement": 0, "pid": "P361", "tail_qid": "Q5", "rank": rank},
        ],
    }
    for number, town in enumerate(TOWNS, start=1):
        text = f"Kim Berg moved to {town} last year."
        page = {"page_id": number}
        given[PAGES].append({**page, "title": f"Story {number}", "text": text})
        given[PARAGRAPHS].append({**page, "kind": "prose", "char_start": 0, "char_end": len(text)})
        for place, name in enumerate(("Kim Berg", town)):
            start = text.index(name)
            span = {"char_start": start, "char_end": start + len(name)}
            given[HYPERLINKS].append(
                {**page, "hyperlink": place, **span, "surface": name, "target_title": name}
            )
        given[TITLES].append({"title": town, "qid": f"Q{number}"})
        given[ITEMS].append({"qid": f"Q{number}", "instance_of": ["Q1001"]})
    return given


def config(**values: Any) -> TrainNerConfig:
    return TrainNerConfig(**{**SHORT, **values})


def scores(outcome: Outcome) -> dict[str, tuple[int, int]]:
    return {r["type"]: (r["learnt"], r["gold"]) for r in outcome.rows(NER_SCORES)}


def test_anchors_have_the_type_of_their_item_and_the_model_finds_new_names(
    run_stage: RunStage,
) -> None:
    outcome = run_stage(TRAIN_NER, config(), corpus())
    assert scores(outcome) == {"LOC": (6, 2), "PERSON": (6, 2), "all": (12, 4)}
    (model,) = {r["model"] for r in outcome.rows(NER_SCORES)}
    assert len(model) == 64
    nlp = load(str(outcome.files[MODEL]), "en")
    ((_, found),) = split(nlp, ["Kim Berg moved to Bodin last year."], 1)
    assert found == [((0, 8), "PERSON"), ((18, 23), "LOC")]


def test_recognize_takes_the_trained_model(run_stage: RunStage) -> None:
    trained = run_stage(TRAIN_NER, config(), corpus()).given(NER_SCORES)
    text = "Kim Berg moved to Bodin last year."
    given = {
        PAGES: [{"page_id": 1, "title": "Nobody", "text": text}],
        PARAGRAPHS: [{"page_id": 1, "char_start": 0, "char_end": len(text)}],
        HYPERLINKS: [],
        SITE: SITE_ROWS,
        NER_SCORES: trained,
    }
    outcome = run_stage(RECOGNIZE, RecognizeConfig(model="trained"), given)
    found = [(r["surface"], r["type"], r["source"]) for r in outcome.rows(MENTIONS)]
    assert found == [("Kim Berg", "PERSON", "ner"), ("Bodin", "LOC", "ner")]


def test_the_same_seed_gives_the_same_model_and_another_seed_another(run_stage: RunStage) -> None:
    one, again, other = (
        run_stage(TRAIN_NER, config(seed=seed), corpus()).files[MODEL].read_bytes()
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_a_class_counts_only_by_subclass_statements_that_are_not_deprecated(
    run_stage: RunStage,
) -> None:
    outcome = run_stage(TRAIN_NER, config(), corpus(rank="deprecated"))
    assert scores(outcome) == {"PERSON": (6, 2), "all": (6, 2)}


def test_pages_are_drawn_and_tables_and_links_to_sections_are_left_alone(
    run_stage: RunStage,
) -> None:
    given = corpus()
    given[PARAGRAPHS][0]["kind"] = "caption"
    given[HYPERLINKS][3]["fragment"] = "History"
    given[PAGES][2]["disambiguation"] = True
    outcome = run_stage(TRAIN_NER, config(), given)
    learnt, gold = scores(outcome)["all"]
    assert learnt + gold == 2 * len(TOWNS) - 2 - 1 - 2
    drawn = run_stage(TRAIN_NER, config(pages=4), corpus())
    assert sum(scores(drawn)["all"]) == 2 * 4


@pytest.mark.parametrize("emptied", [HYPERLINKS, ITEMS, TITLES, PAGES])
def test_a_corpus_without_typed_anchors_is_refused_with_what_to_do(
    emptied: Table, run_stage: RunStage
) -> None:
    with pytest.raises(SourceError, match="have a mention to learn from") as caught:
        run_stage(TRAIN_NER, config(), {**corpus(), emptied: []})
    assert "--set recognize.model=blank" in str(caught.value)


def gold(*, documents: int = 8, extra: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Documents of DocRED's format, each with a person and a town."""
    return [
        {
            "title": f"Story {number}",
            "sents": [["Kim", "moved", "to", TOWNS[number], "last", "year", "."]],
            "vertexSet": [
                [{"sent_id": 0, "pos": [0, 1], "name": "Kim", "type": "PER"}],
                [{"sent_id": 0, "pos": [3, 4], "name": TOWNS[number], "type": "LOC"}],
                *([[extra]] if extra else []),
            ],
        }
        for number in range(documents)
    ]


def written(documents: object, folder: Path) -> str:
    path = folder / "gold.json"
    path.write_text(json.dumps(documents))
    return str(path)


def test_gold_documents_teach_their_own_types(run_stage: RunStage, tmp_path: Path) -> None:
    path = written(gold(), tmp_path)
    outcome = run_stage(TRAIN_NER, config(source="docred", gold=path), {SITE: SITE_ROWS})
    assert scores(outcome) == {"LOC": (6, 2), "PER": (6, 2), "all": (12, 4)}


def test_overlapping_gold_mentions_are_counted(run_stage: RunStage, tmp_path: Path) -> None:
    extra = {"sent_id": 0, "pos": [0, 2], "name": "Kim moved", "type": "MISC"}
    path = written(gold(extra=extra), tmp_path)
    outcome = run_stage(TRAIN_NER, config(source="docred", gold=path), {SITE: SITE_ROWS})
    assert outcome.drops == {"overlapping_mention": 8}
    assert set(scores(outcome)) == {"LOC", "MISC", "all"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": 1}, "gold.json"),
        ([{"title": "x"}], "sents"),
        ([], "0 of 0 documents of the gold file have a mention"),
        (gold(documents=1), "1 of 1 documents"),
    ],
)
def test_a_gold_file_of_another_form_is_refused(
    content: object, says: str, run_stage: RunStage, tmp_path: Path
) -> None:
    path = written(content, tmp_path)
    with pytest.raises(SourceError) as caught:
        run_stage(TRAIN_NER, config(source="docred", gold=path), {SITE: SITE_ROWS})
    assert says in str(caught.value)


def test_gold_and_source_go_together(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="docred needs it"):
        config(source="docred")
    with pytest.raises(ValidationError, match="docred needs it"):
        config(gold="somewhere.json")


def test_a_missing_gold_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    missing = config(source="docred", gold=str(tmp_path / "none.json"))
    for asked in (check, facts):
        with pytest.raises(ConfigError, match="there is no such file"):
            asked(missing)


def test_a_gold_file_counts_by_its_content_not_its_place(tmp_path: Path) -> None:
    first = config(source="docred", gold=written(gold(), tmp_path))
    (tmp_path / "moved").mkdir()
    moved = config(source="docred", gold=written(gold(), tmp_path / "moved"))
    other = config(source="docred", gold=written(gold(documents=3), tmp_path / "moved"))
    assert first.meaningful() == moved.meaningful()
    assert facts(first) != facts(other)
    assert TRAIN_NER.reads_with(first) == (SITE,)


def test_recognize_reads_the_model_only_where_it_is_wanted() -> None:
    assert NER_SCORES in RECOGNIZE.reads_with(RecognizeConfig(model="trained"))
    assert NER_SCORES not in RECOGNIZE.reads_with(RecognizeConfig())
    assert TRAIN_NER.optional
