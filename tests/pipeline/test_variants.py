"""Variants: how sections and matrices spell them out, what they read, and what goes stale."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Recipe
from storage.errors import ConfigError, MissingArtifactError
from storage.reading import refresh_catalog, tables_of
from storage.refs import RunRecord
from tests.pipeline import lab as made
from tests.pipeline import toy
from tests.pipeline.lab import CELLS, STUDY, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def recipe_of(lab: Lab, study: str = STUDY, sets: Sequence[str] = ()) -> Recipe:
    with toy.installed(lab.dag):
        return lab.recipe(study=study, sets=sets)


def rows_of(lab: Lab, run: RunRecord, table: str) -> list[dict[str, Any]]:
    with toy.installed(lab.dag):
        return tables_of(lab.warehouse, run.steps, "study").arrow(table).to_pylist()


def refused(lab: Lab, study: str = STUDY, sets: Sequence[str] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        recipe_of(lab, study, sets)
    assert str(lab.path) in str(caught.value)
    return str(caught.value)


def test_dotted_sections_and_a_matrix_are_the_variants(lab: Lab) -> None:
    names = [node.name for node in recipe_of(lab).nodes]
    cells = [f"{stage}.{cell}" for stage in ("tune", "score") for cell in CELLS]
    assert names == ["gauge", "train.cp", "train.mtb", *cells, "board"]


def test_a_plain_section_is_shared_and_a_variant_goes_over_it(lab: Lab) -> None:
    configs: Any = recipe_of(lab).configs
    assert (configs["train.cp"].add, configs["train.mtb"].add) == (1, 2)
    assert configs["train.cp"].loss.name == "cp"


def test_an_axis_sets_its_field_and_fills_placeholders(lab: Lab) -> None:
    config: Any = recipe_of(lab).configs["tune.mean-cp-2"]
    assert (config.task, config.model, config.seed, config.note) == ("mean", "cp", 2, "mean of cp")


def test_an_axis_may_be_a_placeholder_alone_and_keeps_its_type(lab: Lab) -> None:
    study = """
    [tune."{percent}%"]
    matrix = { percent = [0.5, 1] }
    share = "{percent}"
    note = "at {percent}"
    """.replace("{percent}%", "p{percent}")
    configs: Any = recipe_of(lab, study).configs
    assert configs["tune.p0.5"].share == 0.5
    assert configs["tune.p0.5"].note == "at 0.5"
    assert list(configs) == ["gauge", "tune.p0.5", "tune.p1"]


def test_a_section_without_variants_is_the_variant_default(lab: Lab) -> None:
    recipe = recipe_of(lab, "[train]\nadd = 3\n[tune]\ntask = 'x'\nmodel = 'default'\n")
    assert [node.name for node in recipe.nodes] == ["gauge", "train.default", "tune.default"]


def test_what_has_variants_is_no_part_of_a_recipe_that_does_not_name_it(lab: Lab) -> None:
    assert [node.name for node in recipe_of(lab, "seed = 1").nodes] == ["gauge"]
    named = recipe_of(lab, "seed = 1", ["train.add=2"])
    assert [node.name for node in named.nodes] == ["gauge", "train.default"]


def test_a_named_stage_whose_input_no_stage_writes_is_refused(lab: Lab) -> None:
    assert "score reads answers, which no stage of this recipe writes" in refused(lab, "[score]")


def test_the_seed_of_the_recipe_reaches_every_variant_that_sets_none(lab: Lab) -> None:
    study = STUDY.replace("[train.mtb]", "[train.mtb]\nseed = 3")
    configs: Any = recipe_of(lab, study).configs
    assert (configs["train.cp"].seed, configs["train.mtb"].seed) == (7, 3)


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("train.loss.temperature=0.5", ["train.cp", "train.mtb"]),
        ("train.cp.loss.temperature=0.5", ["train.cp"]),
        ("train.*.loss.temperature=0.5", ["train.cp", "train.mtb"]),
        ("tune.*-1.share=0.5", ["tune.sum-cp-1", "tune.sum-mtb-1", "tune.mean-cp-1"]),
        ("tune.share=0.5", [f"tune.{cell}" for cell in CELLS]),
    ],
)
def test_an_override_reaches_the_variants_that_it_names(
    lab: Lab, override: str, changed: list[str]
) -> None:
    before, after = recipe_of(lab).configs, recipe_of(lab, sets=[override]).configs
    assert [name for name in before if before[name] != after[name]] == changed


def test_an_override_of_part_of_a_value_leaves_the_rest_of_it(lab: Lab) -> None:
    config: Any = recipe_of(lab, sets=["train.cp.loss.temperature=0.5"]).configs["train.cp"]
    assert (config.loss.name, config.loss.temperature) == ("cp", 0.5)


def test_an_override_may_change_the_matrix_itself(lab: Lab) -> None:
    sets = ['tune."{task}-{model}-{seed}".matrix.task=["max"]']
    recipe = recipe_of(lab, STUDY.replace(', model = "mtb" }', ", seed = 9 }"), sets)
    assert next(n.variant for n in recipe.nodes if n.stage.name == "tune") == "max-cp-1"


def test_a_stage_reads_the_variant_that_its_field_names(lab: Lab) -> None:
    answers = {row["variant"]: row["answer"] for row in rows_of(lab, lab.run(), "answers")}
    assert answers["sum-cp-1"] == 4002 + 3
    assert answers["sum-mtb-1"] == 5003 + 3


def test_every_variant_of_a_table_comes_with_its_name(lab: Lab) -> None:
    lines = [row["line"] for row in lab.rows(lab.run(), made.BOARDS)]
    assert lines == sorted(lines)
    assert [line.partition(":")[0] for line in lines] == sorted(CELLS)


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ("[train]\nadd = 1\nlr = 2", "train.lr is 2: neither a value of train nor the section"),
        ("[train.a]\nlr = 2", "no value 'train.a.lr'"),
        ("[train.a]\nadd = 'x'", "train.a.add is 'x'"),
        ("[train.'a b']\nadd = 1", "'a b' cannot be the name of a variant"),
        ("[train]\nmatrix = { add = [1] }", "train.matrix belongs to a variant whose name"),
        ("[train.x]\nmatrix = { add = [1, 2] }", "train has two variants 'x'"),
        ("[train.'{add}']\nmatrix = { add = 1 }", "it has a list of values for each axis"),
        ("[train.'{add}']\nmatrix = { add = [1] }\nexclude = [{ z = 1 }]", "lists values of add"),
        ("[train.'{lr}']\nmatrix = { add = [1] }", "the matrix has no axis lr. Its axes are: add"),
        (
            "[train.mtb]\n[tune.x]\nmodel = 'mtc'",
            "x.model: there is no variant of train 'mtc'",
        ),
        ("train = 3", "train is 3, but it is a section"),
    ],
)
def test_a_wrong_variant_is_told(lab: Lab, study: str, says: str) -> None:
    if "no variant of train" in says:
        with pytest.raises(ConfigError) as caught:
            recipe_of(lab, study)
        assert says in str(caught.value)
        assert "Did you mean mtb?" in str(caught.value)
    else:
        assert says in refused(lab, study)


def test_an_override_of_an_unknown_variant_is_told(lab: Lab) -> None:
    message = refused(lab, sets=["tune.sum-cp-3.share=1"])
    assert "no value or variant of tune 'sum-cp-3.share'. Did you mean sum-cp-" in message


def test_it_may_not_stay_open_which_variant_is_read(lab: Lab) -> None:
    lab.dag = toy.changed(lab.dag, "tune", reads=(made.SAMPLES, made.MODELS))
    study = "[train.cp]\n[train.mtb]\n[tune.x]\ntask = 'sum'\n"
    with pytest.raises(ConfigError, match=r"tune\.x: which models are meant, of cp, mtb\?"):
        recipe_of(lab, study)
    assert recipe_of(lab, study.replace("tune.x", "tune.mtb")), "the variant of the same name"
    assert recipe_of(lab, study.replace("[train.mtb]", "")), "the only one"


def test_the_name_of_a_variant_does_not_count(lab: Lab) -> None:
    study = STUDY.replace("note =", "# note =")
    renamed = study.replace("[train.cp]", "[train.contrast]").replace('["cp", ', '["contrast", ')
    first, second = lab.run(study=study), lab.run(study=renamed)
    assert second.made == ["board"], "the board shows the names"
    assert first.steps["train.cp"] == second.steps["train.contrast"]


def test_variants_with_equal_values_are_made_once(lab: Lab) -> None:
    study = "[train.a]\nadd = 5\n[train.b]\nadd = 5\n"
    lab.run(study="seed = 13")
    plan = lab.plan(study=study)
    assert plan.step("train.b").reasons == ["the same as train.a, made once"]
    run = lab.run(study=study)
    assert run.made == ["train.a"]
    assert run.steps["train.a"] == run.steps["train.b"]
    assert lab.run(study=study, force=["train"]).made == []


@pytest.mark.parametrize(
    ("to", "steps"),
    [
        ("train", ["gauge", "train.cp", "train.mtb"]),
        ("train.cp", ["gauge", "train.cp"]),
        ("tune.*-mtb-1", ["gauge", "train.mtb", "tune.sum-mtb-1"]),
    ],
)
def test_a_plan_goes_to_the_steps_that_are_named(lab: Lab, to: str, steps: list[str]) -> None:
    assert [step.name for step in lab.plan(to=to).steps] == steps


def test_only_and_force_take_names_and_patterns(lab: Lab) -> None:
    lab.run()
    assert {s.name for s in lab.plan(force=["tune.*-2"], to="tune").stale} == {
        "tune.sum-cp-2",
        "tune.sum-mtb-2",
        "tune.mean-cp-2",
    }
    only = lab.plan(only="tune.mean-*", sets=["tune.task='z'"])
    assert {s.name for s in only.stale} == {"tune.mean-cp-1", "tune.mean-cp-2"}
    with pytest.raises(ConfigError, match=r"no step 'train\.cq'\. Did you mean train\.cp"):
        lab.plan(to="train.cq")


def test_a_changed_value_of_a_variant_is_told_under_its_name(lab: Lab) -> None:
    lab.run()
    plan = lab.plan(sets=["train.cp.add=9"])
    assert plan.step("train.cp").reasons == ["add: 1 -> 9"]
    assert plan.step("tune.sum-cp-1").reasons == [
        "waits for train.cp; reused if its output is unchanged"
    ]


def descendants(names: set[str], recipe: Recipe) -> set[str]:
    """A step and what reads it, found the naive way."""
    below = set(names)
    for node in recipe.nodes:
        config: Any = node.config
        above = {
            "tune": [f"train.{getattr(config, 'model', None)}"],
            "score": [f"tune.{getattr(config, 'answers', None)}"],
            "board": [n.name for n in recipe.nodes if n.stage.name == "score"],
        }.get(node.stage.name, ["gauge"])
        if below & set(above):
            below.add(node.name)
    return below


@settings(max_examples=15)
@given(data=st.data())
def test_what_a_change_of_a_variant_makes_stale_is_it_and_its_descendants(
    data: st.DataObject,
) -> None:
    trains = data.draw(st.integers(1, 3))
    tunes = data.draw(st.lists(st.integers(0, trains - 1), min_size=1, max_size=4))
    study = "".join(f"[train.m{i}]\nadd = {i}\n" for i in range(trains))
    study += "".join(f"[tune.t{i}]\nmodel='m{m}'\nseed={i}\n" for i, m in enumerate(tunes))
    study += "[score]\n"
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), study=study)
        lab.run()
        recipe = recipe_of(lab, study)
        changeable = [n for n in recipe.nodes if n.stage.name in ("train", "tune", "score")]
        node = data.draw(st.sampled_from(changeable))
        field = {"train": "add=99", "tune": "task='other'", "score": "scale=7"}[node.stage.name]
        sets = [f"{node.name}.{field}"]
        expected = descendants({node.name}, recipe)
        assert lab.stale(sets=sets) == expected
        assert set(lab.run(sets=sets).made) == expected
        assert lab.stale(sets=sets) == set()
        assert lab.stale() == set()


def test_a_table_of_variants_is_one_view_that_names_them_first(lab: Lab) -> None:
    run = lab.run()
    tables = tables_of(lab.warehouse, run.steps, "study")
    with toy.installed(lab.dag):
        rows = tables.sql("SELECT * FROM models ORDER BY variant")
        assert rows.column_names == ["variant", "weight"]
        assert rows["variant"].to_pylist() == ["cp", "mtb"]
        assert tables.sql("SELECT * FROM samples").column_names == ["value"]
        assert tables.arrow("models").sort_by("variant").to_pylist() == rows.to_pylist()
    assert tables.artifact("models", "cp").name == run.steps["train.cp"]
    with pytest.raises(MissingArtifactError, match="has several variants of models"):
        tables.artifact("models")
    with pytest.raises(MissingArtifactError, match="The variants are: cp, mtb"):
        tables.artifact("models", "x")


def test_the_catalog_has_the_same_views(lab: Lab) -> None:
    import duckdb

    lab.run()
    with toy.installed(lab.dag), duckdb.connect(str(refresh_catalog(lab.warehouse))) as catalog:
        rows = catalog.sql("SELECT variant, weight FROM study.models ORDER BY 1").fetchall()
    assert [row[0] for row in rows] == ["cp", "mtb"]


def test_a_stage_stands_in_the_place_of_others_where_the_recipe_names_it(lab: Lab) -> None:
    corpus = 'corpus = { format = "docred", path = "abc" }\n' + STUDY
    recipe = recipe_of(lab, corpus)
    assert [stage.name for stage in recipe.stages][:2] == ["import_annotated", "train"]
    assert "import_annotated" not in recipe_of(lab).configs
    run = lab.run(study=corpus)
    assert {"variant": "cp", "weight": (3 + 1) * 1000 + 2} in rows_of(lab, run, "models")
    longer: Any = recipe_of(lab, corpus, ["corpus.path=abcd"]).configs["import_annotated"]
    assert longer.path == "abcd"


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ("corpus = { format = 'x' }", "import_annotated.path is missing"),
        ("corpus = { format = 'x', path = 3 }", "import_annotated.path is 3"),
        ("corpus = { format = 'x', path = 'y' }\n[gauge]\nmost = 3", "[gauge] has no place"),
        ("corpus = { path = 'y' }\n[import_annotated]\npath = 'z'", "say the same"),
    ],
)
def test_what_does_not_go_with_the_stage_that_stands_in_is_told(
    lab: Lab, study: str, says: str
) -> None:
    assert says in refused(lab, study)


def test_the_error_for_a_step_that_this_recipe_does_not_have_lists_its_stages(lab: Lab) -> None:
    recipe = recipe_of(lab)
    with (
        toy.installed(lab.dag),
        pytest.raises(ConfigError, match="import_annotated has no place in this recipe"),
    ):
        recipe.find("import_annotated")
