"""import_annotated: an annotated corpus becomes the tables that dumps would give."""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from stages.import_annotated import (
    IMPORT_ANNOTATED,
    ImportAnnotatedConfig,
    check,
    facts,
    page_id_of,
)
from storage.artifact import Shard, Shards
from storage.errors import ConfigError, SourceError
from storage.tables import (
    ANNOTATIONS,
    DOCUMENTS,
    ENTITIES,
    LINKS,
    MENTIONS,
    PAGES,
    PARAGRAPHS,
    SENTENCES,
    TUPLES,
)
from tests.conftest import Outcome, RunStage

Json = dict[str, Any]

BRIDGE: Json = {
    "title": "Bridge",
    "sents": [["The", "old", "bridge", "crosses", "the", "Ure", "."], ["Ure", "\u00a0", "flows"]],
    "vertexSet": [
        [
            {"name": "Ure", "sent_id": 1, "pos": [0, 1], "type": "LOC"},
            {"name": "the Ure", "sent_id": 0, "pos": [4, 6], "type": "LOC"},
            {"name": "Ure", "sent_id": 0, "pos": [5, 6], "type": "MISC"},
        ],
        [{"name": "old bridge", "sent_id": 0, "pos": [1, 3], "type": "LOC"}],
        [{"name": "flows", "sent_id": 1, "pos": [2, 3], "type": "MISC"}],
    ],
    "labels": [
        {"h": 1, "t": 0, "r": "P177", "evidence": [1, 0]},
        {"h": 1, "t": 0, "r": "P131", "evidence": []},
    ],
}
LINES: list[Json] = [
    {
        "token": ["Ada", "left", "Kent"],
        "h": {"name": "ada", "id": "Q7", "pos": [0, 1], "type": "PERSON"},
        "t": {"name": "kent", "id": "Q9", "pos": [2, 3], "type": "GPE"},
        "relation": "left",
    },
    {
        "token": ["Ada", "saw", "Kent"],
        "h": {"name": "ada", "id": "Q7", "pos": [0, 1], "type": "PERSON"},
        "t": {"name": "kent", "id": "Q9", "pos": [2, 3], "type": "GPE"},
        "relation": "NA",
    },
]


def config(name: str, *paths: Path, **more: Any) -> ImportAnnotatedConfig:
    return ImportAnnotatedConfig(format=name, path=[str(path) for path in paths], **more)


@pytest.fixture
def bridge(tmp_path: Path) -> Path:
    path = tmp_path / "bridge.json"
    path.write_text(json.dumps([BRIDGE]), "utf-8")
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), "utf-8")
    return path


def exported(outcome: Outcome) -> list[Json]:
    """DocRED's JSON out of the tables, written here with plain loops."""
    texts = {row["page_id"]: row for row in outcome.rows(PAGES)}
    starts = defaultdict(list)
    for row in outcome.rows(SENTENCES):
        starts[row["page_id"]].append((row["char_start"], row["char_end"]))
    entities = defaultdict(list)
    for row in outcome.rows(ENTITIES):
        entities[row["document_id"]].append(row)
    pids = {
        (row["document_id"], row["head_entity"], row["tail_entity"]): row["pids"]
        for row in outcome.rows(TUPLES)
    }
    found = []
    for row in outcome.rows(ANNOTATIONS):
        text = texts[row["page_id"]]["text"]
        sents = [[text[t["char_start"] : t["char_end"]] for t in s] for s in row["tokens"]]
        vertex_set = []
        for entity, names, types in zip(
            entities[row["document_id"]], row["names"], row["types"], strict=True
        ):
            vertex = []
            for mention, name, kind in zip(entity["mentions"], names, types, strict=True):
                tokens = row["tokens"][mention["sentence"]]
                first = [t["char_start"] for t in tokens].index(mention["char_start"])
                last = [t["char_end"] for t in tokens].index(mention["char_end"])
                pos = [first, last + 1]
                vertex.append(
                    {"name": name, "sent_id": mention["sentence"], "pos": pos, "type": kind}
                )
            vertex_set.append(vertex)
        item: Json = {
            "title": texts[row["page_id"]]["title"],
            "sents": sents,
            "vertexSet": vertex_set,
        }
        borders = [(s[0]["char_start"], s[-1]["char_end"]) for s in row["tokens"]]
        assert borders == starts[row["page_id"]]
        if row["labels"] is not None:
            item["labels"] = [
                {
                    "h": label["head_entity"],
                    "t": label["tail_entity"],
                    "r": label["relation"],
                    "evidence": label["evidence"],
                }
                for label in row["labels"]
            ]
            for label in item["labels"]:
                assert label["r"] in pids[row["document_id"], label["h"], label["t"]]
        found.append(item)
    return found


def stripped(item: Json) -> Json:
    """A document without the keys that say nothing new."""
    keys = ("name", "sent_id", "pos", "type")
    vertex = [[{key: mention[key] for key in keys} for mention in v] for v in item["vertexSet"]]
    return {**item, "vertexSet": vertex}


def test_docred_comes_out_as_it_went_in(run_stage: RunStage, bridge: Path) -> None:
    assert exported(run_stage(IMPORT_ANNOTATED, config("docred", bridge), {})) == [BRIDGE]


@pytest.mark.parametrize(
    "file", ["re-docred/dev_revised.json.gz", "docred-test-unlabelled/test.json.gz"]
)
def test_released_docred_comes_out_as_it_went_in(run_stage: RunStage, file: str) -> None:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if folder is None:
        pytest.skip("RELMILL_REAL_DATA names no folder of real corpora")
    path = Path(folder) / file
    outcome = run_stage(IMPORT_ANNOTATED, config("docred", path), {})
    with gzip.open(path) as packed:
        given = json.load(packed)
    found = {item["title"]: item for item in exported(outcome)}
    assert found == {item["title"]: stripped(item) for item in given}
    assert outcome.drops.keys() == {"overlaps_mention"}


def test_of_overlapping_mentions_entities_keep_both_and_mentions_the_first(
    run_stage: RunStage, bridge: Path
) -> None:
    outcome = run_stage(IMPORT_ANNOTATED, config("docred", bridge), {})
    assert [row["surface"] for row in outcome.rows(MENTIONS)] == [
        "old bridge",
        "the Ure",
        "Ure",
        "flows",
    ]
    assert [len(row["mentions"]) for row in outcome.rows(ENTITIES)] == [3, 1, 1]
    assert outcome.drops == {"overlaps_mention": 1}
    assert outcome.rows(LINKS) == []


def test_pairs_without_a_label_are_na_where_the_corpus_is_complete(
    run_stage: RunStage, bridge: Path
) -> None:
    rows = run_stage(IMPORT_ANNOTATED, config("docred", bridge), {}).rows(TUPLES)
    assert len(rows) == 6
    (positive,) = [row for row in rows if row["pids"]]
    assert (positive["head_entity"], positive["tail_entity"]) == (1, 0)
    assert positive["pids"] == ["P131", "P177"]
    assert (positive["head_qid"], positive["sentence_distance"], positive["intra"]) == (
        None,
        0,
        True,
    )


def test_a_page_and_a_document_hold_the_text(run_stage: RunStage, bridge: Path) -> None:
    outcome = run_stage(IMPORT_ANNOTATED, config("docred", bridge), {})
    (page,), (document,) = outcome.rows(PAGES), outcome.rows(DOCUMENTS)
    (paragraph,) = outcome.rows(PARAGRAPHS)
    size = len(page["text"])
    assert page["text"] == "The old bridge crosses the Ure . Ure \u00a0 flows"
    assert (document["char_start"], document["char_end"], document["unit"]) == (
        0,
        size,
        "paragraph",
    )
    assert document["document_id"] == f"{page['page_id']}:0-{size}"
    assert document["words"] == 10
    assert (paragraph["kind"], paragraph["char_end"]) == ("prose", size)


def test_sentences_with_one_pair_bring_that_pair_alone(run_stage: RunStage, lines: Path) -> None:
    outcome = run_stage(IMPORT_ANNOTATED, config("opennre", lines), {})
    assert [row["pids"] for row in outcome.rows(TUPLES)] == [["left"], []]
    assert {(r["head_qid"], r["tail_qid"]) for r in outcome.rows(TUPLES)} == {("Q7", "Q9")}
    assert {row["unit"] for row in outcome.rows(DOCUMENTS)} == {"sentence"}
    links = outcome.rows(LINKS)
    assert {(row["qid"], row["method"], row["score"]) for row in links} == {
        ("Q7", "gold", 1.0),
        ("Q9", "gold", 1.0),
    }
    assert [row["labels"][0]["relation"] for row in outcome.rows(ANNOTATIONS)] == ["left", "NA"]


def test_what_counts_as_no_relation_is_for_the_recipe_to_say(
    run_stage: RunStage, lines: Path
) -> None:
    outcome = run_stage(IMPORT_ANNOTATED, config("opennre", lines, na=["left"]), {})
    assert [row["pids"] for row in outcome.rows(TUPLES)] == [[], ["NA"]]


def numbered(number: int, labels: list[Json]) -> Json:
    sents = [*BRIDGE["sents"], [str(number)]]
    return {**BRIDGE, "title": str(number), "sents": sents, "labels": labels}


def test_the_number_of_shards_changes_no_row_and_no_count(
    run_stage: RunStage, lines: Path, bridge: Path
) -> None:
    label = BRIDGE["labels"][0]
    bridge.write_text(json.dumps([numbered(i, [label, label]) for i in range(20)]))
    one = run_stage(IMPORT_ANNOTATED, config("docred", bridge), {})
    cut = Shards(3, 7)
    given = config("docred", bridge)
    many = [run_stage(IMPORT_ANNOTATED, given, {}, shard=Shard(i, cut)) for i in range(3)]
    for table in IMPORT_ANNOTATED.writes:
        rows = sorted(repr(row) for each in many for row in each.rows(table))
        assert rows == sorted(repr(row) for row in one.rows(table))
    drops: dict[str, int] = defaultdict(int)
    for each in many:
        for reason, count in each.drops.items():
            drops[reason] += count
    assert drops == one.drops == {"overlaps_mention": 20, "repeated_relation": 20}


def test_page_ids_hang_on_file_and_id_alone() -> None:
    assert page_id_of("bridge.json:Bridge") == page_id_of("bridge.json:Bridge")
    assert page_id_of("bridge.json:Bridge") != page_id_of("other.json:Bridge")
    assert 0 <= page_id_of("x") < 2**53


def test_facts_do_not_tell_where_a_file_lies(tmp_path: Path, bridge: Path) -> None:
    before = facts(config("docred", bridge))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    assert facts(config("docred", bridge.rename(moved / bridge.name))) == before


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ConfigError, "no format or no path"),
        ({"format": "docred", "path": "/no/where"}, SourceError, "there is no file /no/where"),
        ({"format": "docred", "path": ["a/x", "b/x"]}, ConfigError, "two files.*one name: x, x"),
    ],
)
def test_a_corpus_that_is_not_there_is_refused_before_anything_runs(
    given: Json, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check(ImportAnnotatedConfig(**given))


def test_relations_are_left_out_and_their_pairs_are_no_na(
    run_stage: RunStage, bridge: Path, lines: Path
) -> None:
    half = run_stage(IMPORT_ANNOTATED, config("docred", bridge, without_relations=["P131"]), {})
    pids = {(row["head_entity"], row["tail_entity"]): row["pids"] for row in half.rows(TUPLES)}
    assert (pids.pop((1, 0)), set(map(tuple, pids.values()))) == (["P177"], {()})
    assert half.inputs.drops["left_out_relation"] == 1
    (row,) = half.rows(ANNOTATIONS)
    assert [label["relation"] for label in row["labels"]] == ["P177"]

    gone = config("docred", bridge, without_relations=["P131", "P177"])
    assert run_stage(IMPORT_ANNOTATED, gone, {}).rows(PAGES) == []
    left = run_stage(IMPORT_ANNOTATED, config("opennre", lines, without_relations=["left"]), {})
    assert [row["pids"] for row in left.rows(TUPLES)] == [[]]
    assert left.inputs.drops["left_out_document"] == 1


def test_a_pair_whose_only_label_is_left_out_is_gone(run_stage: RunStage, tmp_path: Path) -> None:
    other = {"h": 1, "t": 2, "r": "P9", "evidence": []}
    path = tmp_path / "more.json"
    path.write_text(json.dumps([{**BRIDGE, "labels": [*BRIDGE["labels"], other]}]), "utf-8")
    left = run_stage(IMPORT_ANNOTATED, config("docred", path, without_relations=["P9"]), {})
    pairs = {(row["head_entity"], row["tail_entity"]) for row in left.rows(TUPLES)}
    assert pairs == {(0, 1), (0, 2), (1, 0), (2, 0), (2, 1)}


def test_a_relation_to_leave_out_has_to_be_there(run_stage: RunStage, lines: Path) -> None:
    slip = config("opennre", lines, without_relations=["lefd"])
    with pytest.raises(ConfigError, match=r"'lefd' is to be left out.*Did you mean 'left'"):
        run_stage(IMPORT_ANNOTATED, slip, {})
