"""Facts and texts of one's own: the same tables as dumps give, and clear errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.base import ShardCounts
from stages.fetch import FETCH, FetchConfig, check, pieces
from stages.own.facts import OwnFacts
from stages.own.numbers import Numbers
from stages.own.texts import texts
from stages.parse_wikidata import PARSE_WIKIDATA, ParseWikidataConfig
from stages.parse_wikipedia import PARSE_WIKIPEDIA, ParseWikipediaConfig
from storage.artifact import Shard, Shards
from storage.errors import ConfigError, SourceError
from storage.tables import (
    HYPERLINKS,
    ITEMS,
    OWN_IDS,
    PAGES,
    PARAGRAPHS,
    PROPERTIES,
    REDIRECTS,
    SITE,
    SOURCES,
    TEMPLATE_REDIRECTS,
    TRIPLES,
)
from tests.conftest import Outcome, RunStage

FACTS = "mario\tborn_in\tlirona\nlirona\tlies_in\tvaldoria\n\nmario\tborn_in\tlirona\n"
LABELS = "mario\tMario Brun\tBrun\t\tM. Brun\nborn_in\tplace of birth\nlone\tLone Hill\n"
ONE = ShardCounts(page=1, item=1)


def written(folder: Path, **files: str) -> FetchConfig:
    given = {}
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.write_bytes(text.encode())
        given[name] = str(path)
    both = {"wikipedia": "a.xml", "wikidata": "a.json"}
    other = {"wikipedia": "text", "wikidata": "facts"}
    rest = {kind: path for kind, path in both.items() if other[kind] not in given}
    return FetchConfig(**given, **rest, shards=ONE)


def fetched(run_stage: RunStage, config: FetchConfig, label: str) -> Outcome:
    return run_stage(FETCH, config, {}, shard=Shard(0, Shards(), label))


@pytest.fixture
def graph(run_stage: RunStage, tmp_path: Path) -> Any:
    def run(facts: str = FACTS, labels: str | None = LABELS) -> tuple[Outcome, Outcome]:
        files = {"facts": facts} | ({"labels": labels} if labels is not None else {})
        raw = fetched(run_stage, written(tmp_path, **files), "wikidata-0")
        site = [{"ordinal": 0, "language": "en", "dbname": "enwiki"}]
        given = {SOURCES: raw.given(SOURCES), SITE: site}
        return raw, run_stage(PARSE_WIKIDATA, ParseWikidataConfig(shards=ONE), given)

    return run


def test_facts_give_items_properties_and_statements(graph: Any) -> None:
    raw, parsed = graph()
    assert [
        (r["qid"], r["label"], r["aliases"], r["sitelink_title"]) for r in parsed.rows(ITEMS)
    ] == [
        ("Q500000001", "Mario Brun", ["Brun", "M. Brun"], "mario"),
        ("Q500000002", "lirona", [], "lirona"),
        ("Q500000003", "valdoria", [], "valdoria"),
        ("Q500000004", "Lone Hill", [], "lone"),
    ]
    assert [(r["pid"], r["label"]) for r in parsed.rows(PROPERTIES)] == [
        ("P500001", "place of birth"),
        ("P500002", "lies_in"),
    ]
    columns = ("head_qid", "pid", "tail_qid", "rank", "snak")
    assert [tuple(r[c] for c in columns) for r in parsed.rows(TRIPLES)] == [
        ("Q500000001", "P500001", "Q500000002", "normal", "value"),
        ("Q500000002", "P500002", "Q500000003", "normal", "value"),
    ]
    assert {(r["kind"], r["id"], r["own_id"]) for r in raw.rows(OWN_IDS)} >= {
        ("entity", "Q500000001", "mario"),
        ("relation", "P500002", "lies_in"),
    }
    assert [(r["ordinal"], r["name"], r["records"]) for r in raw.rows(SOURCES)] == [
        (0, "facts.txt", 6),
        (1, "labels.txt", None),
    ]


def test_ids_like_wikidatas_stay_what_they_are(graph: Any) -> None:
    raw, parsed = graph("Q7\tP19\tQ5\nQ5\tP17\tQ7\n", None)
    assert {r["qid"] for r in parsed.rows(ITEMS)} == {"Q5", "Q7"}
    assert [(r["head_qid"], r["pid"]) for r in parsed.rows(TRIPLES)] == [
        ("Q7", "P19"),
        ("Q5", "P17"),
    ]
    assert raw.rows(OWN_IDS) == []


def test_entities_and_relations_are_numbered_each_for_itself(graph: Any) -> None:
    _, parsed = graph("Q7\tborn\tQ5\n", None)
    assert {r["qid"] for r in parsed.rows(ITEMS)} == {"Q5", "Q7"}
    assert [r["pid"] for r in parsed.rows(PROPERTIES)] == ["P500001"]


def test_one_other_id_makes_all_of_its_kind_others() -> None:
    numbers = Numbers("entity")
    for name in ("Q7", "seven", "Q7"):
        numbers.add(name)
    assert numbers.numbers() == [500_000_001, 500_000_002]
    assert not numbers.kept


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("a\tb\tc\na\tb\n", "line 2: 'a.tb' has 2 columns.*head <tab> relation <tab> tail"),
        ("a\tb\tc\td\n", "line 1: .*has 4 columns"),
        ("a\t\tc\n", "line 1: .*lacks one"),
        ("\n\n", "holds no fact"),
    ],
)
def test_a_wrong_line_of_facts_is_named(tmp_path: Path, facts: str, message: str) -> None:
    path = tmp_path / "facts.tsv"
    path.write_text(facts)
    with pytest.raises(SourceError) as raised:
        OwnFacts(path, None)
    assert re.search(message, str(raised.value).replace("\\t", ".t"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"a\n", "line 1.*'a' has no label"),
        (b"a\tA\nb\tB\na\tC\n", "line 3.*'a' has names already, in line 1"),
        (b"\tA\n", "begins without an id"),
        (b"a\t\xff\n", "is no UTF-8"),
    ],
)
def test_a_wrong_line_of_names_is_named(tmp_path: Path, labels: bytes, message: str) -> None:
    facts, names = tmp_path / "facts.tsv", tmp_path / "names.tsv"
    facts.write_text("a\tb\tc\n")
    names.write_bytes(labels)
    with pytest.raises(SourceError, match=message):
        OwnFacts(facts, names)


TEXT = "Mario Brun was a baker.\n\n  He was born in Lirona. "


@pytest.fixture
def pages(run_stage: RunStage, tmp_path: Path) -> Any:
    def run(*lines: dict[str, Any], **more: Any) -> tuple[Outcome, Outcome]:
        config = written(tmp_path, text="\n".join(map(json.dumps, lines)))
        raw = fetched(run_stage, config.model_copy(update=more), "wikipedia-0")
        given: dict[Any, Any] = {SOURCES: raw.given(SOURCES)}
        given |= {table: raw.given(table) for table in (SITE, TEMPLATE_REDIRECTS)}
        return raw, run_stage(PARSE_WIKIPEDIA, ParseWikipediaConfig(shards=ONE), given)

    return run


def test_texts_give_pages_paragraphs_and_hyperlinks(pages: Any) -> None:
    start = TEXT.index("Lirona")
    mention = {"start": start, "end": start + 6, "entity": "lirona"}
    raw, parsed = pages(
        {"id": "a1", "title": "Mario Brun", "entity": "mario", "text": TEXT, "mentions": [mention]},
        {"id": 7, "text": "Nothing else."},
        language="de",
    )
    (known,) = raw.rows(OWN_IDS)
    first, second = sorted(parsed.rows(PAGES), key=lambda r: r["text"])
    assert (first["title"], first["text"]) == ("Mario Brun", TEXT)
    assert (second["page_id"], second["title"]) == (7, "7")
    assert (known["kind"], known["id"], known["own_id"]) == ("page", str(first["page_id"]), "a1")
    spans = [
        TEXT[r["char_start"] : r["char_end"]]
        for r in parsed.rows(PARAGRAPHS)
        if r["page_id"] == first["page_id"]
    ]
    assert spans == ["Mario Brun was a baker.", "He was born in Lirona."]
    (link,) = parsed.rows(HYPERLINKS)
    assert (link["surface"], link["target_title"], link["char_start"]) == (
        "Lirona",
        "lirona",
        start,
    )
    (redirect,) = parsed.rows(REDIRECTS)
    assert (redirect["title"], redirect["target_title"]) == ("Mario Brun", "mario")
    assert raw.rows(SITE)[0]["language"] == "de"


def test_so_many_texts_are_read_as_the_recipe_says(pages: Any) -> None:
    lines = [{"id": f"t{i}", "text": "x"} for i in range(5)]
    raw, parsed = pages(*lines, limit_pages=2)
    assert len(parsed.rows(PAGES)) == len(raw.rows(OWN_IDS)) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a"}', "line 2.*missing required field `text`.*one a line"),
        ('{"id": 0, "text": "x"}', "line 2"),
        ('{"id": "a", "text": "x", "titel": "y"}', "titel"),
        ("no json", "line 2: 'no json'"),
        ('{"id": "z", "text": "x"}', "the id 'z' stands in line 1 already"),
        ('{"id": "a", "text": " \\n "}', "is white space"),
        (
            '{"id": "a", "text": "x\\ny", "mentions": [{"start": 0, "end": 3, "entity": "e"}]}',
            r"\[0, 3\) of 'a' is no span of one line",
        ),
        (
            '{"id": "a", "text": "xyz", "mentions": [{"start": 0, "end": 2, "entity": "e"},'
            '{"start": 1, "end": 3, "entity": "e"}]}',
            r"\[1, 3\) of 'a' overlaps",
        ),
    ],
)
def test_a_wrong_text_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "text.jsonl"
    path.write_text('{"id": "z", "text": "x"}\n' + line)
    with pytest.raises(SourceError, match=f"(?s){message}"):
        list(texts(path))


def test_a_dump_and_files_of_ones_own_exclude_each_other(tmp_path: Path) -> None:
    config = written(tmp_path, facts=FACTS, text='{"id": 1, "text": "x"}')
    check(config)
    assert set(pieces(config)) == {"wikipedia-0", "wikidata-0"}
    with pytest.raises(ConfigError, match="wikidata and facts are both named"):
        check(config.model_copy(update={"wikidata": "x"}))
    with pytest.raises(ValidationError, match=r"wikidata is missing.*fetch\.facts=PATH"):
        FetchConfig(text="text.jsonl")
    with pytest.raises(SourceError, match=r"facts is 'no\.tsv'.*fetch\.facts=PATH"):
        check(config.model_copy(update={"facts": "no.tsv"}))
    with pytest.raises(SourceError, match=r"labels is 'no\.tsv'"):
        check(config.model_copy(update={"labels": "no.tsv"}))


def test_other_names_for_the_same_facts_are_noticed(tmp_path: Path) -> None:
    config = written(tmp_path, facts=FACTS, labels=LABELS, text='{"id": 1, "text": "x"}')
    before = pieces(config)
    (tmp_path / "labels.txt").write_text("mario\tMario\n")
    after = pieces(config)
    assert before["wikidata-0"] != after["wikidata-0"]
    assert before["wikipedia-0"] == after["wikipedia-0"]
