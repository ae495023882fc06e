"""Real dumps, from raw file to tuples: counts that others found too, and every oddity of theirs.

They are read from the folder that RELMILL_REAL_DATA names.
"""

from __future__ import annotations

import bz2
import os
import re
from pathlib import Path
from typing import Any

import pytest

from stages.sample import SampleWorld
from storage.artifact import Manifest
from storage.reading import Tables, open_warehouse
from tests.end_to_end.kit import make

DATA = Path(os.environ.get("RELMILL_REAL_DATA", ""))
SLICE = "enwiki-slice/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
ASSEMBLED = "wikidata-assembled/assembled-wikidata.json.bz2"
HEAD = "wikidata-dump-head/latest-all-head50.json.gz"
LANGUAGES = ("ar", "de", "fa", "fr", "he", "hi", "ja", "ko", "ru", "zh")

pytestmark = pytest.mark.skipif(
    "RELMILL_REAL_DATA" not in os.environ,
    reason="RELMILL_REAL_DATA names no folder with real dumps",
)

ENTITIES = """
WITH RECURSIVE ends AS (
    SELECT title, title AS target, 0 AS hops FROM pages
    UNION ALL SELECT title, target_title, 1 FROM redirects WHERE fragment = ''
    UNION ALL
    SELECT ends.title, r.target_title, hops + 1
    FROM ends JOIN redirects r ON r.title = ends.target AND r.fragment = ''
    WHERE hops BETWEEN 1 AND 4
),
named AS (
    SELECT DISTINCT h.page_id, h.target_title AS title FROM hyperlinks h
    WHERE h.fragment = '' AND {where}
),
mapped AS (
    SELECT page_id, named.title, i.qid FROM named
    LEFT JOIN (SELECT title, arg_max(target, hops) AS target FROM ends GROUP BY 1) e
        ON e.title = named.title
    JOIN items i ON i.sitelink_title = coalesce(e.target, named.title)
),
entities AS (
    SELECT page_id, qid FROM mapped
    UNION
    SELECT page_id, qid FROM pages JOIN items ON sitelink_title = title
),
positives AS (
    SELECT DISTINCT h.page_id, h.qid AS head, t.qid AS tail, s.pid
    FROM entities h JOIN triples s ON s.head_qid = h.qid
    JOIN entities t ON t.page_id = h.page_id AND t.qid = s.tail_qid
    WHERE s.rank != 'deprecated' AND s.snak = 'value' AND h.qid != t.qid
)
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM entities GROUP BY page_id HAVING count(*) > 1))
        AS articles,
    (SELECT count(DISTINCT title) FROM mapped) AS targets,
    (SELECT count(*) FROM (SELECT DISTINCT page_id, head, tail FROM positives)) AS positives,
    (SELECT count(DISTINCT page_id) FROM positives) AS with_positive,
    (SELECT count(DISTINCT pid) FROM positives) AS properties
"""


def made(root: Path, wikipedia: str | Path, wikidata: str | Path, *more: str) -> Tables:
    sources = [f"fetch.wikipedia={wikipedia}", f"fetch.wikidata={wikidata}"]
    make(root, *sources, "recognize.model=blank", *more, to="align")
    return open_warehouse(root).tables("tiny")


def one(tables: Tables, query: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = tables.sql(query).to_pylist()
    assert len(rows) == 1
    return rows[0]


def manifest(tables: Tables, stage: str) -> Manifest:
    return tables.manifests[stage]


def offsets_that_do_not_cut_their_surface(tables: Tables) -> int:
    """How many hyperlinks and mentions say another thing than their page at their place."""
    query = """
        SELECT count(*) FILTER (
            substring(text, char_start + 1, char_end - char_start) IS DISTINCT FROM surface
        ) AS wrong
        FROM (
            SELECT page_id, char_start, char_end, surface FROM hyperlinks
            WHERE char_start IS NOT NULL
            UNION ALL SELECT page_id, char_start, char_end, surface FROM mentions
        ) JOIN pages USING (page_id)
    """
    wrong = one(tables, query)["wrong"]
    assert isinstance(wrong, int)
    return wrong


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The slice of English Wikipedia with the assembled facts of Wikidata."""
    root = tmp_path_factory.mktemp("english") / "warehouse"
    return made(root, DATA / SLICE, DATA / ASSEMBLED, "segment.min_words=128", "shards.page=4")


def test_every_page_of_the_slice_is_accounted_for(english: Tables) -> None:
    assert one(english, "SELECT records FROM sources WHERE source = 'wikipedia'")["records"] == 206
    assert one(english, "SELECT count(*) AS n FROM pages")["n"] == 106
    assert one(english, "SELECT count(*) AS n FROM redirects")["n"] == 99
    step = manifest(english, "parse_wikipedia")
    assert step.drops() == {"namespace": 1}
    assert step.damage().counts == {}


def test_hyperlinks_anywhere_give_what_an_independent_count_over_the_markup_gives(
    english: Tables,
) -> None:
    found = one(english, ENTITIES.format(where="true"))
    independent = {
        "articles": 98,
        "targets": 1965,
        "positives": 5972,
        "with_positive": 81,
        "properties": 141,
    }
    for name, expected in independent.items():
        assert found[name] == pytest.approx(expected, rel=0.01), (name, found)


def test_hyperlinks_in_the_text_lie_between_prose_alone_and_all_markup(english: Tables) -> None:
    found = one(english, ENTITIES.format(where="h.char_start IS NOT NULL"))
    assert 4250 <= found["positives"] <= 4800, found
    assert 1400 <= found["targets"] <= 1965


def test_every_offset_of_the_slice_cuts_its_surface_out_of_the_text(english: Tables) -> None:
    counts = one(
        english,
        "SELECT count(char_start) AS placed, count(*) FILTER ((char_start IS NULL) != "
        "(char_end IS NULL)) AS half FROM hyperlinks",
    )
    assert counts["placed"] > 15_000
    assert counts["half"] == 0
    assert offsets_that_do_not_cut_their_surface(english) == 0


def test_tuples_of_the_slice_have_the_labels_that_the_triples_give(english: Tables) -> None:
    query = """
        WITH given AS (
            SELECT tuple_id, list_sort(list_distinct(list(s.pid))) AS pids
            FROM tuples JOIN triples s ON s.head_qid = tuples.head_qid
                AND s.tail_qid = tuples.tail_qid
            WHERE s.rank != 'deprecated' AND s.snak = 'value' GROUP BY 1
        )
        SELECT count(*) AS tuples, count(*) FILTER (len(t.pids) > 0) AS labelled,
            count(*) FILTER (list_sort(t.pids) != coalesce(g.pids, [])) AS other
        FROM tuples t LEFT JOIN given g USING (tuple_id)
    """
    found = one(english, query)
    assert found["other"] == 0
    assert found["tuples"] > 1000
    assert found["labelled"] > 100


@pytest.mark.parametrize(
    ("dump", "options", "pages", "redirects"),
    [
        ("zhwiki-sample/zhwiki-test-pages.xml.bz2", [], (20, 23), (0, 10)),
        ("bgwiki-tiny/bgwiki-latest-pages-articles-shortened.xml.bz2", [], (1, 1), (0, 0)),
        ("enwiki-tiny/enwiki-pages-articles-sample.xml.bz2", [], (2, 2), (1, 1)),
        ("ltgwiki-full/smallwiki-latest-pages-articles.xml.bz2", [], (700, 1200), (100, 195)),
    ],
)
def test_a_real_wiki_goes_all_the_way(
    dump: str,
    options: list[str],
    pages: tuple[int, int],
    redirects: tuple[int, int],
    tmp_path: Path,
) -> None:
    tables = made(tmp_path, DATA / dump, DATA / HEAD, *options)
    counts = one(
        tables,
        "SELECT (SELECT count(*) FROM pages) AS pages, (SELECT count(*) FROM redirects) AS gone, "
        "(SELECT count(*) FROM hyperlinks) AS links, (SELECT min(length(text)) FROM pages) AS text",
    )
    assert pages[0] <= counts["pages"] <= pages[1], counts
    assert redirects[0] <= counts["gone"] <= redirects[1], counts
    assert counts["links"] > 5 * counts["pages"]
    step = manifest(tables, "parse_wikipedia")
    assert step.damage().counts == {}
    total = counts["pages"] + counts["gone"] + sum(step.drops().values())
    assert total == one(tables, "SELECT records FROM sources WHERE source = 'wikipedia'")["records"]
    assert offsets_that_do_not_cut_their_surface(tables) == 0
    for table, (stage,) in tables.stages.items():
        assert tables.arrow(table).num_rows == manifest(tables, stage).rows(table)


def test_utf_16_is_read_as_what_it_says(world: SampleWorld, tmp_path: Path) -> None:
    dump = DATA / "bgwiki-tiny/bgwiki-latest-pages-articles-shortened.xml.bz2"
    tables = made(tmp_path, dump, world.wikidata)
    page = one(tables, "SELECT title, text FROM pages")
    assert page["title"] in bz2.decompress(dump.read_bytes()).decode("utf-16")
    assert len(re.findall("[\u0430-\u044f]", page["text"])) > 1000
    assert one(tables, "SELECT language, dbname FROM site") == {
        "language": "bg",
        "dbname": "bgwiki",
    }


@pytest.fixture(scope="module")
def minidumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One warehouse for all small dumps, so that Wikidata is fetched once."""
    return tmp_path_factory.mktemp("mini") / "warehouse"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_the_recipe_outweighs_a_header_that_lies(
    language: str, minidumps: Path
) -> None:
    dump = DATA / f"minidumps/{language}wiki-mini.xml.bz2"
    tables = made(minidumps, dump, DATA / HEAD, f"fetch.language={language}")
    site = one(tables, "SELECT language, dbname FROM site")
    assert site == {"language": language, "dbname": f"{language}wiki"}
    pages = tables.sql("SELECT length(text) AS size FROM pages")["size"].to_pylist()
    assert pages
    assert min(pages) > 100
    assert manifest(tables, "parse_wikipedia").damage().counts == {}
    # Links into the file and category namespaces of that language are no hyperlinks.
    native = {"de": "Datei:|Kategorie:", "fr": "Fichier:|Catégorie:", "ru": "Файл:|Категория:"}
    pattern = native.get(language, "File:|Category:")
    linked = tables.sql("SELECT DISTINCT target_title FROM hyperlinks")["target_title"].to_pylist()
    assert not [title for title in linked if re.match(pattern, title)]
    assert offsets_that_do_not_cut_their_surface(tables) == 0
    # Labels come in the language of the recipe.
    germany = {"de": "Schottland", "fr": "Écosse", "ru": "Шотландия"}
    if language in germany:
        label = one(tables, "SELECT label FROM items WHERE qid = 'Q22'")["label"]
        assert label == germany[language]


@pytest.mark.parametrize(
    ("dump", "missing"), [("zhwiki-broken-1", "title"), ("zhwiki-broken-2", "namespace|ns")]
)
def test_a_page_without_title_or_namespace_is_counted_as_damage_with_a_sample(
    dump: str, missing: str, world: SampleWorld, tmp_path: Path
) -> None:
    path = DATA / f"zhwiki-malformed/{dump}.xml.bz2"
    tables = made(tmp_path, path, world.wikidata)
    damage = manifest(tables, "parse_wikipedia").damage()
    assert sum(damage.counts.values()) == 1
    assert re.search(missing, next(iter(damage.counts)))
    assert damage.samples[0]["sample"]
    assert damage.samples[0]["where"]
    # The other two pages are none of namespace 0.
    assert manifest(tables, "parse_wikipedia").drops() == {"namespace": 2}
    assert one(tables, "SELECT count(*) AS n FROM pages")["n"] == 0


@pytest.mark.parametrize(
    ("dump", "items", "properties", "triples"),
    [(HEAD, 49, 0, 1900), ("wikidata-dump-2014/testDump.json.bz2", 400, 1304, 5000)],
)
def test_old_and_new_dialects_of_wikidata_are_read(
    dump: str, items: int, properties: int, triples: int, world: SampleWorld, tmp_path: Path
) -> None:
    tables = made(tmp_path, world.wikipedia, DATA / dump)
    found = one(
        tables,
        "SELECT (SELECT count(*) FROM items) AS items, (SELECT count(*) FROM properties) AS "
        "properties, (SELECT count(*) FROM triples) AS triples, (SELECT count(label) FROM items) "
        "AS labels, (SELECT count(DISTINCT pid) FROM triples) AS pids",
    )
    assert (found["items"], found["properties"]) == (items, properties)
    assert found["triples"] >= triples, found
    assert found["labels"] >= 0.9 * items
    assert found["pids"] > 20
    bad = "NOT regexp_full_match(head_qid, 'Q[0-9]+') OR NOT regexp_full_match(tail_qid, 'Q[0-9]+')"
    assert one(tables, f"SELECT count(*) AS n FROM triples WHERE {bad}")["n"] == 0
    assert manifest(tables, "parse_wikidata").damage().counts == {}
