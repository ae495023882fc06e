"""reading and catalog: the tables of a run as Arrow, as SQL, and in any DuckDB client."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from storage import catalog, open_warehouse
from storage.errors import MissingArtifactError, QueryError
from storage.reading import OpenWarehouse, Tables, refresh_catalog
from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.storage import made
from tests.storage.made import put_run


@pytest.fixture
def tables(warehouse: Warehouse) -> Tables:
    put_run(warehouse)
    return open_warehouse(warehouse.root).tables("toy")


def test_all_parts_of_a_table_come_as_one_in_their_order(tables: Tables) -> None:
    links = tables.arrow("links")
    assert links["qid"].to_pylist() == ["Q1", "Q2"]
    assert [path.name for path in tables.paths("links")] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ], "a part without rows is not read"


def test_a_table_without_rows_keeps_its_schema(warehouse: Warehouse) -> None:
    artifact = warehouse.artifact("link", "cc")
    made.put(artifact, made.LINKS, [[], []])
    tables = Tables({artifact.stage: artifact}, "toy")
    assert tables.arrow("links").schema.equals(made.LINKS.schema)
    assert tables.sql("SELECT count(*) AS n FROM links")["n"].to_pylist() == [0]


def test_tables_are_asked_in_sql_with_parameters(tables: Tables) -> None:
    query = """
        SELECT l.method, t.pids FROM links l JOIN tuples t ON t.head_qid = l.qid
        WHERE l.score >= $least
    """
    assert tables.sql(query, {"least": 0.5}).to_pylist() == [
        {"method": "title", "pids": ["P1", "P2"]}
    ]
    assert tables.sql(query, {"least": 2.0}).num_rows == 0


def test_drops_are_a_table_of_their_own(tables: Tables) -> None:
    rows = tables.sql("SELECT * FROM drops WHERE stage = 'link'").to_pylist()
    assert rows == [{"stage": "link", "reason": "short", "rows": 6, "sample": "sample2"}]


def test_rows_keep_the_order_that_a_query_asks_for(tables: Tables) -> None:
    answer = tables.sql("SELECT range AS n FROM range(100000) ORDER BY n DESC LIMIT 3")
    assert answer["n"].to_pylist() == [99999, 99998, 99997]


@pytest.mark.parametrize("query", ["SELEKT 1", "SELECT * FROM nothing", "SELECT nope FROM links"])
def test_a_wrong_query_is_told_in_duckdbs_words_with_the_tables(tables: Tables, query: str) -> None:
    with pytest.raises(QueryError, match="DuckDB refuses the query: ") as caught:
        tables.sql(query)
    assert "The tables are aliases, drops" in str(caught.value) or "links" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("query", ["", "  ", "-- only a comment"])
def test_a_query_that_asks_for_nothing_is_refused(tables: Tables, query: str) -> None:
    with pytest.raises(QueryError, match="the query asks for nothing"):
        tables.sql(query)


def test_a_part_that_is_gone_is_an_error_of_ours(tables: Tables) -> None:
    tables.paths("links")[0].unlink()
    for ask in (lambda: tables.sql("SELECT count(*) FROM links"), lambda: tables.arrow("links")):
        with pytest.raises(MissingArtifactError, match=r"part-00000\.parquet is gone"):
            ask()


def test_a_table_that_is_not_there_is_told_with_those_there_are(tables: Tables) -> None:
    with pytest.raises(MissingArtifactError, match=r"toy has no table 'pages'\. It has: titles, "):
        tables.arrow("pages")


def test_a_tag_names_tables_that_later_runs_do_not_move(warehouse: Warehouse) -> None:
    Refs(warehouse).tag("first", put_run(warehouse, "aa"))
    put_run(warehouse, "bb")
    opened = OpenWarehouse(warehouse.root)
    assert opened.tables("toy").arrow("titles")["qid"].to_pylist() == [f"Q{0xBB}"]
    assert opened.tagged("first").arrow("titles")["qid"].to_pylist() == [f"Q{0xAA}"]


def test_the_root_may_come_from_the_environment(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(warehouse)
    monkeypatch.setenv("RELMILL_ROOT", str(warehouse.root))
    assert open_warehouse().tables("toy").arrow("links").num_rows == 2


def test_a_recipe_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="no successful run of tiny"):
        open_warehouse(tmp_path).tables("tiny")


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=True)


def test_the_catalog_has_a_schema_for_each_recipe_and_tag(warehouse: Warehouse) -> None:
    Refs(warehouse).tag("paper-1.0", put_run(warehouse, "aa"))
    put_run(warehouse, "bb")
    put_run(warehouse, "cc", recipe="o'ther-one")
    put_run(warehouse, "dd", status="failed")
    with opened(refresh_catalog(warehouse)) as connection:
        found = [
            connection.sql(f'SELECT qid FROM "{schema}".titles').fetchall()
            for schema in ("paper-1.0", "toy", "o'ther-one")
        ]
    assert found == [[(f"Q{0xAA}",)], [(f"Q{0xBB}",)], [(f"Q{0xCC}",)]]


def test_the_catalog_shows_no_strays_and_nothing_unfinished(warehouse: Warehouse) -> None:
    run = put_run(warehouse)
    folder = warehouse.named(run.steps["link"]).folder / "links"
    stray = folder / ".aside-1-part-00009.parquet"
    stray.write_bytes((folder / "part-00000.parquet").read_bytes())
    (warehouse.named(run.steps["align"]).folder / "manifest.json").unlink()
    with opened(refresh_catalog(warehouse)) as connection:
        assert connection.sql("SELECT count(*) FROM toy.links").fetchall() == [(2,)]
        with pytest.raises(duckdb.CatalogException):
            connection.sql("SELECT * FROM toy.tuples")


def test_the_catalog_shows_the_manifests(warehouse: Warehouse) -> None:
    put_run(warehouse)
    with opened(refresh_catalog(warehouse)) as connection:
        rows = connection.sql(
            "SELECT stage, version, config->>'$.add', libraries['pyarrow'] FROM manifests "
            "ORDER BY stage"
        ).fetchall()
    assert rows == [(stage, 1, "1", "1") for stage in ("align", "index_aliases", "link")]


def test_a_catalog_of_an_empty_warehouse_opens(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with opened(refresh_catalog(Warehouse(tmp_path / "root"))) as connection:
        assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_a_reader_keeps_its_catalog_while_it_is_written_anew(warehouse: Warehouse) -> None:
    put_run(warehouse, "aa")
    path = refresh_catalog(warehouse)
    with opened(path) as reader:
        put_run(warehouse, "bb", recipe="later")
        refresh_catalog(warehouse)
        assert reader.sql("SELECT qid FROM toy.titles").fetchall() == [(f"Q{0xAA}",)]
        schemas = reader.sql("SELECT schema_name FROM duckdb_schemas()").fetchall()
        assert ("later",) not in schemas
    assert list(warehouse.root.glob(".aside-*")) == []


@pytest.mark.parametrize("name", ["it's a 'root'; --", "root [1]", "ro*t", "Wurzel ä"])
def test_a_root_with_odd_characters_works(tmp_path: Path, name: str) -> None:
    warehouse = Warehouse(tmp_path / name)
    put_run(warehouse)
    with opened(refresh_catalog(warehouse)) as connection:
        assert connection.sql("SELECT count(*) FROM toy.links").fetchall() == [(2,)]
    assert OpenWarehouse(warehouse.root).tables("toy").sql("FROM links").num_rows == 2


def test_a_session_takes_rows_parts_and_nothing(tables: Tables) -> None:
    views = {"links": tables.paths("links"), "mine": pa.table({"a": [1, 2]}), "titles": []}
    with catalog.session(views) as connection:
        batches = catalog.batches(
            connection, "SELECT (SELECT count(*) FROM links) + sum(a) AS n FROM mine"
        )
        assert [row for batch in batches for row in batch.to_pylist()] == [{"n": 5}]
        assert connection.sql("SELECT count(*) FROM titles").fetchall() == [(0,)]


def test_times_do_not_depend_on_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with catalog.session({}) as connection:
        query = "SELECT CAST(TIMESTAMPTZ '2026-01-01 00:00:00+00' AS VARCHAR) AS t"
        (batch,) = catalog.batches(connection, query)
    assert batch.to_pylist() == [{"t": "2026-01-01 00:00:00+00"}]
