"""dag and draw: edges follow from what stages read and write."""

from __future__ import annotations

import pytest

from pipeline.config import Recipe
from pipeline.dag import Node, ancestry, parents, stage, wanted, writers
from pipeline.draw import mermaid
from stages.base import Read
from storage.errors import ConfigError
from tests.pipeline import toy
from tests.pipeline.toy import Mill, changed


@pytest.fixture(autouse=True)
def toy_dag() -> object:
    with toy.installed():
        yield


@pytest.fixture
def recipe(mill: Mill) -> Recipe:
    return mill.recipe()


def test_a_stage_is_found_by_name() -> None:
    assert stage("mark") is toy.MARK


def test_an_unknown_stage_is_answered_with_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigError) as caught:
        stage("indx")
    assert str(caught.value) == (
        "there is no stage 'indx'. "
        "Did you mean index? There are: gather, read, tally, mark, index, join."
    )


def test_a_name_like_none_of_them_is_answered_with_the_list_alone() -> None:
    with pytest.raises(ConfigError) as caught:
        stage("zzz")
    assert "Did you mean" not in str(caught.value)


def node_of(name: str, recipe: Recipe) -> Node:
    (found,) = recipe.find(name)
    return found


def parents_of(name: str, recipe: Recipe) -> list[str]:
    return [node.name for node in parents(node_of(name, recipe), recipe.nodes)]


def ancestry_of(name: str, recipe: Recipe) -> list[str]:
    return [node.name for node in ancestry([node_of(name, recipe)], recipe.nodes)]


def test_parents_are_the_writers_of_what_a_stage_reads_in_the_order_of_the_dag(
    recipe: Recipe,
) -> None:
    assert parents_of("join", recipe) == ["read", "mark", "index"]
    assert parents_of("gather", recipe) == []
    assert parents_of("read", recipe) == ["gather"]
    assert [node.stage for node in writers(toy.INDEX, recipe.nodes)] == [toy.INDEX_STAGE]


def test_ancestry_is_all_that_a_stage_depends_on_and_itself(recipe: Recipe) -> None:
    assert ancestry_of("index", recipe) == ["gather", "read", "tally", "index"]
    assert ancestry_of("gather", recipe) == ["gather"]


def with_optional_marks(mill: Mill) -> None:
    """Let join do without marks unless it has glue, and mark be optional."""

    def reads(config: toy.JoinConfig) -> tuple[Read, ...]:
        return (toy.INDEX, toy.WORDS, *((toy.MARKS,) if config.glue else ()))

    mill.dag = changed(changed(mill.dag, "join", reads=reads), "mark", optional=True)


def test_what_a_stage_reads_may_hang_on_its_config(mill: Mill) -> None:
    with_optional_marks(mill)
    assert parents_of("join", mill.recipe()) == ["read", "mark", "index"]
    assert parents_of("join", mill.recipe(join={"glue": ""})) == ["read", "index"]


def test_an_optional_stage_that_nothing_reads_is_left_out_unless_it_is_named(mill: Mill) -> None:
    with_optional_marks(mill)
    without = mill.recipe(join={"glue": ""})
    assert [node.name for node in wanted(mill.recipe().nodes)] == [s.name for s in toy.DAG]
    assert "mark" not in [node.name for node in wanted(without.nodes)]
    assert ancestry_of("mark", without) == ["gather", "read", "mark"]
    assert "mark" not in mill.verdicts(join={"glue": ""})
    assert "mark" in mill.verdicts(to="mark", join={"glue": ""})


def test_an_arrow_is_dashed_where_one_of_the_recipes_does_without(mill: Mill) -> None:
    with_optional_marks(mill)
    recipes = [mill.recipe(), mill.recipe(join={"glue": ""})]
    with toy.installed(mill.dag):
        lines = mermaid(recipes).splitlines()
    assert "    mark -. marks .-> join" in lines
    assert "    read -- words --> join" in lines


def test_the_diagram_has_a_box_a_stage_and_an_arrow_a_dependency(recipe: Recipe) -> None:
    lines = mermaid([recipe]).splitlines()
    assert lines[0] == "flowchart TD"
    assert '    join["<b>join</b><br>joined"]' in lines
    assert "    read -- words --> join" in lines
    assert "    gather -- raw --> read" in lines
    arrows = sum(len(parents(n, recipe.nodes)) for n in recipe.nodes)
    assert len(lines) == 1 + 6 + arrows
