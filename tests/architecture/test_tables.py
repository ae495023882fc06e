"""Tables: one writer each, every column explained, every stage and table wired up."""

from __future__ import annotations

import re

import pytest

from pipeline.config import builtin_recipes, load_recipe
from pipeline.dag import DAG, may_lack, parents, stages_of
from pipeline.plan import read_name
from stages.base import Stage, is_located, table_of
from storage.table import Table
from storage.tables import TABLES

EACH_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
EACH_STAGE = pytest.mark.parametrize("stage", DAG, ids=[s.name for s in DAG])


@EACH_TABLE
def test_a_table_has_one_writer_in_every_recipe(table: Table) -> None:
    shapes = [stages_of([]), *(stages_of([s.name]) for s in DAG if s.replaces)]
    counts = [sum(table in s.writes for s in stages) for stages in shapes]
    assert max(counts) == 1


@EACH_STAGE
def test_a_stage_stands_in_the_place_of_stages_that_there_are(stage: Stage) -> None:
    assert set(stage.replaces) <= {s.name for s in DAG} - {stage.name}


@EACH_TABLE
def test_every_column_has_a_meaning_and_every_row_a_name(table: Table) -> None:
    assert table.one_row_per
    for column in table.columns:
        assert column.meaning, f"{table.name}.{column.name}"


@EACH_TABLE
def test_key_and_identity_are_columns_that_are_never_null(table: Table) -> None:
    columns = {c.name: c for c in table.columns}
    assert len(columns) == len(table.columns)
    assert table.key
    assert all(not columns[name].nullable for name in table.key)
    assert set(table.identity) <= set(columns)


@EACH_TABLE
def test_names_of_tables_are_plural_nouns_and_those_of_columns_plain(table: Table) -> None:
    assert re.fullmatch(r"[a-z_]+s|site", table.name)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", c.name) for c in table.columns)


@EACH_STAGE
def test_every_table_that_a_stage_writes_is_known_by_name(stage: Stage) -> None:
    assert all(TABLES.get(table.name) is table for table in stage.writes)


@EACH_STAGE
def test_a_stage_writes_tables_of_one_axis(stage: Stage) -> None:
    assert {table.axis for table in stage.writes} == {stage.axis}
    assert (stage.axis == "source") == (stage.pieces is not None)


@pytest.mark.parametrize("recipe", builtin_recipes())
def test_a_stage_reads_only_what_an_earlier_one_writes(recipe: str) -> None:
    nodes = load_recipe(recipe).nodes
    for place, node in enumerate(nodes):
        earlier = nodes[:place]
        written = {table.name for n in earlier for table in n.stage.writes}
        assert {table_of(read).name for read in node.reads if not may_lack(read)} <= written
        assert all(parent in earlier for parent in parents(node, nodes))
        assert len({read_name(read) for read in node.reads}) == len(node.reads)


@EACH_STAGE
def test_a_stage_says_what_it_drops_and_counts_from_1(stage: Stage) -> None:
    assert stage.version >= 1
    assert stage.run.__doc__
    assert stage.run.__module__ == f"stages.{stage.name}"


@EACH_STAGE
def test_a_stage_that_is_given_a_place_says_what_lies_there(stage: Stage) -> None:
    fields = stage.config.model_fields.values()
    assert stage.facts is not None or not any(is_located(field) for field in fields)


def test_names_of_stages_are_their_own() -> None:
    assert len({s.name for s in DAG}) == len(DAG)
