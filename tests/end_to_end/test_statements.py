"""The statements behind the labels of `tiny`: those of its triples, with rank and time."""

from __future__ import annotations

import pytest

from pipeline.selection import select
from storage.reading import Tables
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made


@pytest.fixture(scope="module")
def tiny(made: Made) -> Tables:
    return select(Warehouse(made.root), "tiny")


def test_each_is_a_statement_of_the_dump_as_it_stands_there(tiny: Tables) -> None:
    columns = 'head_qid, statement, pid, rank, "start", "end", point'
    unknown = tiny.sql(
        f"SELECT {columns} FROM tuple_statements EXCEPT SELECT {columns} FROM triples"
    )
    assert unknown.to_pylist() == []
    timed = 'SELECT count(*) AS n FROM tuple_statements WHERE "end" IS NOT NULL'
    assert tiny.sql(timed).to_pylist()[0]["n"] > 20


def test_together_they_give_every_label_and_no_other(tiny: Tables) -> None:
    labels = "SELECT tuple_id, unnest(pids) AS pid FROM tuples"
    stated = "SELECT DISTINCT tuple_id, pid FROM tuple_statements"
    for one, other in ((labels, stated), (stated, labels)):
        assert tiny.sql(f"{one} EXCEPT {other}").num_rows == 0


def test_no_statement_of_a_labelled_pair_is_passed_over(tiny: Tables) -> None:
    expected = """SELECT t.tuple_id, s.head_qid, s.statement FROM tuples t
        JOIN triples s ON s.head_qid = t.head_qid AND s.tail_qid = t.tail_qid
        WHERE s.rank <> 'deprecated'"""
    found = "SELECT tuple_id, head_qid, statement FROM tuple_statements"
    assert tiny.sql(f"{expected} EXCEPT {found}").num_rows == 0
