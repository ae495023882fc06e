"""config: a recipe's values are typed, checked, and reduced to what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipeline.checking import Origin, checked
from pipeline.config import RecipeWide, builtin_recipes, find_recipe, load_recipe
from pipeline.describe import describe
from pipeline.overrides import parse_override, put_override
from stages.base import ShardCounts, Share, StageConfig, runtime
from storage.errors import ConfigError
from storage.fingerprint import fingerprint


class Example(StageConfig):
    name: str = Field("x", min_length=1, description="what it is called")
    share: Share = Field(0.5, description="how much is kept")
    most: int | None = Field(None, ge=0, description="how many at most")
    unit: Literal["page", "lead"] = "page"
    types: tuple[str, ...] = ("A", "B")
    place: str | list[str] = "here"
    shards: ShardCounts = ShardCounts()
    threads: int = runtime(4, ge=1, description="threads at work")


def refused(*overrides: str, recipe: str = "tiny") -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_values_equal_to_their_default_do_not_count() -> None:
    assert Example().meaningful() == {}
    assert Example(name="x", share=0.5, types=("A", "B")).meaningful() == {}


def test_other_values_count_as_json() -> None:
    config = Example(types=("C",), most=0, shards=ShardCounts(page=2))
    assert config.meaningful() == {"types": ["C"], "most": 0, "shards": {"page": 2}}


class Cat(StageConfig):
    name: Literal["cat"] = "cat"
    lives: int = 9


class Dog(StageConfig):
    name: Literal["dog"] = "dog"


class House(StageConfig):
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="name")], ...] = ()


def test_which_of_several_classes_a_part_is_of_counts_where_all_else_is_a_default() -> None:
    assert House(pets=(Cat(),)).meaningful() == {"pets": [{"name": "cat"}]}
    assert House(pets=(Dog(),)).meaningful() == {"pets": [{"name": "dog"}]}


def test_runtime_fields_do_not_count() -> None:
    assert Example(threads=99).meaningful() == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(min_size=1),
            "share": st.floats(0, 1),
            "most": st.none() | st.integers(0, 9),
            "unit": st.sampled_from(["page", "lead"]),
            "types": st.lists(st.text()),
            "threads": st.integers(1, 9),
        },
    ),
    st.randoms(use_true_random=False),
)
def test_order_of_keys_and_spelt_out_defaults_change_no_fingerprint(
    values: dict[str, Any], random: Any
) -> None:
    full = {name: Example.model_fields[name].default for name in Example.model_fields} | values
    keys = list(full)
    random.shuffle(keys)
    some = checked(Example, values, Origin(Path("r.toml"), ()), "example")
    whole = Example(**{k: tuple(full[k]) if k == "types" else full[k] for k in keys})
    assert fingerprint(some.meaningful()) == fingerprint(whole.meaningful())


def test_a_config_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Example().name = "y"  # type: ignore[misc]


def test_every_builtin_recipe_loads() -> None:
    assert set(builtin_recipes()) >= {"tiny", "simplewiki", "enwiki", "papers/cp", "papers/finecl"}
    for name in builtin_recipes():
        recipe = load_recipe(name)
        assert recipe.name == name.replace("/", "-")
        assert recipe.wide.description


def test_an_unknown_recipe_is_answered_with_the_nearest_and_the_list() -> None:
    message = refused(recipe="enwki")
    assert "no recipe 'enwki'. Did you mean enwiki? There are: demo, enwiki, papers/cp, " in message


def test_a_recipe_file_that_is_not_there_is_named() -> None:
    assert "there is no recipe file nowhere/my.toml" in refused(recipe="nowhere/my.toml")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[fetch]\nwikipedia = "a.xml"\nwikidata = ["b.json", "c.json"]\n')
    recipe = load_recipe(str(path))
    assert recipe.name == "mine"
    assert recipe.configs["fetch"].wikidata == ["b.json", "c.json"]  # type: ignore[attr-defined]
    assert find_recipe(str(path)) == path


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[fetch\n")
    assert f"{path}: no TOML: " in refused(recipe=str(path))
    path.write_bytes(b"\xff\xfe")
    assert f"{path}: no TOML: " in refused(recipe=str(path))


def test_an_unknown_section_is_answered_with_the_nearest_and_the_list() -> None:
    message = refused("recogniz.model=blank")
    assert "no section or value 'recogniz'. Did you mean recognize?" in message
    assert (
        "There are: description, seed, shards, launch, runner, cluster, keep_dumps, fetch, "
        in message
    )


def test_an_unknown_key_is_answered_with_the_nearest_and_the_list() -> None:
    message = refused("recognize.modle=blank")
    assert "no value 'recognize.modle'. Did you mean recognize.model?" in message
    assert "There are: recognize.model, recognize.batch_size, recognize.gpu, " in message


def test_an_unknown_key_inside_a_value_is_answered_with_the_keys_that_stand_there() -> None:
    message = refused("shards.pages=3")
    assert "no value 'shards.pages'. Did you mean shards.page?" in message
    assert "shards.item_block" in message


@pytest.mark.parametrize(
    ("override", "name", "value", "says"),
    [
        ("segment.min_words=many", "segment.min_words", "'many'", "valid integer"),
        ("segment.min_words=0", "segment.min_words", "0", "greater than or equal to 1"),
        ("align.keep_na=1.5", "align.keep_na", "1.5", "less than or equal to 1"),
        ("align.keep_na=-0.5", "align.keep_na", "-0.5", "greater than or equal to 0"),
        ("segment.unit='page '", "segment.unit", "'page '", "'paragraph', 'lead', 'page'"),
        ("align.max_sentence_distance=-1", "align.max_sentence_distance", "-1", "equal to 0"),
        ("shards.page=0", "shards.page", "0", "greater than or equal to 1"),
        ("seed=-1", "seed", "-1", "greater than or equal to 0"),
        ("recognize.batch_size=true", "recognize.batch_size", "True", "valid integer"),
        ("shards=3", "shards", "3", "input should be"),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_it_may_be(
    override: str, name: str, value: str, says: str
) -> None:
    message = refused(override)
    assert f"{name} is {value}: " in message
    assert says in message
    assert "tiny.toml: " in message


def test_a_wrong_value_where_several_types_may_stand_goes_by_the_fields_own_name() -> None:
    assert "fetch.wikipedia is 3: " in refused("fetch.wikipedia=3")


def test_values_that_exclude_each_other_are_told() -> None:
    assert "min_words 600 is above max_words 510" in refused("segment.min_words=600")


def test_a_missing_value_is_told_with_the_option_that_sets_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[fetch]\nwikipedia = "a.xml"\n')
    message = refused(recipe=str(path))
    assert "fetch: wikidata is missing: --set fetch.wikidata=PATH, or for files of" in message


def test_a_section_written_as_a_value_is_told(tmp_path: Path) -> None:
    assert "recognize is 'blank', but it is a section. Write [recognize]" in refused(
        "recognize=blank"
    )


@pytest.mark.parametrize("override", ["recognize.model", "=3", "recognize.=3", ".model=3", ""])
def test_an_override_of_another_form_is_refused(override: str) -> None:
    assert "is not stage.field=value" in refused(override)


def test_an_override_into_a_value_is_refused() -> None:
    assert "seed is a value, not a section" in refused("seed.x=1")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("'3'", "3"),
        ("[1, 2]", [1, 2]),
        ("{ a = 1 }", {"a": 1}),
        ("/data/dump.xml", "/data/dump.xml"),
        ("en_core_web_trf==3.8.0", "en_core_web_trf==3.8.0"),
        (" blank ", "blank"),
        ("", ""),
    ],
)
def test_an_override_is_read_as_toml_or_else_as_a_string(raw: str, value: Any) -> None:
    values: dict[str, Any] = {}
    put_override(values, parse_override(f"stage.field={raw}"))
    assert values == {"stage": {"field": value}}


def test_the_last_override_of_a_field_wins_and_others_stay() -> None:
    recipe = load_recipe("tiny", ["segment.min_words=3", "segment.min_words=4"])
    assert recipe.configs["segment"].min_words == 4  # type: ignore[attr-defined]
    assert recipe.configs["fetch"].wikipedia == "sample:13"  # type: ignore[attr-defined]
    assert recipe.overrides == ("segment.min_words=3", "segment.min_words=4")


def test_stages_inherit_the_shards_of_the_recipe() -> None:
    recipe = load_recipe("tiny", ["shards.page=7"])
    assert recipe.wide.shards.page == 7
    for config in recipe.configs.values():
        if hasattr(config, "shards"):
            assert config.shards == recipe.wide.shards


def test_stages_that_have_a_seed_inherit_that_of_the_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Seeded(StageConfig):
        seed: int = 0

    import dataclasses

    from stages.segment import SEGMENT

    monkeypatch.setattr(
        "pipeline.dag.DAG", (dataclasses.replace(SEGMENT, config=Seeded, reads=()),)
    )
    path = Path(__file__).parent / "seeded.toml"
    monkeypatch.setattr("pipeline.config.find_recipe", lambda name: path)
    monkeypatch.setattr("pipeline.config.read_toml", lambda path: {"seed": 21})
    assert load_recipe("seeded").configs["segment"] == Seeded(seed=21)


def test_an_axis_is_cut_as_the_recipe_says() -> None:
    counts = ShardCounts(page=3, page_block=10, item=5, item_block=2)
    cuts = [counts.along(axis) for axis in ("page", "item", "whole", "source")]
    assert [(c.count, c.block) for c in cuts] == [(3, 10), (5, 2), (1, 1), (1, 1)]


def test_every_field_is_described_with_type_range_and_meaning() -> None:
    fields = {f.name: f for f in describe(Example(name="y"))}
    assert (fields["name"].value, fields["name"].default) == ("y", "x")
    assert fields["share"].kind == "float >= 0 <= 1"
    assert fields["unit"].kind == '"page" | "lead"'
    assert fields["types"].kind == "tuple of str"
    assert fields["place"].kind == "str | list of str"
    assert fields["threads"].runtime
    assert not fields["name"].runtime
    assert fields["name"].meaning == "what it is called"


def test_every_field_of_every_stage_has_a_meaning() -> None:
    recipe = load_recipe("tiny")
    for name, config in {"": recipe.wide, **recipe.configs}.items():
        for field in describe(config):
            assert field.meaning, f"{name}.{field.name}"


def test_the_command_of_a_recipe_repeats_its_overrides() -> None:
    recipe = load_recipe("tiny", ["recognize.model=blank"])
    words = recipe.command("run", "--to link")
    assert words == "relmill run tiny --set recognize.model=blank --to link"


def test_the_command_of_a_recipe_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[fetch]\nwikipedia = "a.xml"\nwikidata = "b.json"\n')
    assert load_recipe(str(path)).command("run") == f"relmill run {path}"


def test_a_recipe_wide_value_has_a_default() -> None:
    assert RecipeWide().seed == 13
