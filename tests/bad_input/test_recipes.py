"""Recipes and options that are wrong: each is refused with the name, the value and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.kit import Desk

STAGES = "parse_wikipedia, index_aliases, train_ner, recognize, segment, link, align"

VALUES = {
    "segment.min_words=0": ("segment.min_words is 0: ", "greater than or equal to 1"),
    "segment.min_words=many": ("segment.min_words is 'many': ", "valid integer"),
    "segment.min_words=1.5": ("segment.min_words is 1.5: ", "valid integer"),
    "segment.min_words=true": ("segment.min_words is True: ", "valid integer"),
    "segment.min_words=[1, 2]": ("segment.min_words is [1, 2]: ", "valid integer"),
    "segment.min_words=nan": ("segment.min_words is nan: ", "valid integer"),
    "segment.min_words=": ("segment.min_words is '': ", "valid integer"),
    "segment.min_words=511": ("min_words 511 is above max_words 510", "segment"),
    "segment.unit=book": ("segment.unit is 'book': ", "'paragraph', 'lead', 'page' or 'sentence'"),
    "parse_wikipedia.max_damaged_share=1.5": ("max_damaged_share is 1.5: ", "equal to 1"),
    "parse_wikidata.max_damaged_share=0,1%": ("max_damaged_share is '0,1%': ", "valid number"),
    "fetch.limit_pages=0": ("fetch.limit_pages is 0: ", "greater than or equal to 1"),
    "fetch.wikipedia=3": ("fetch.wikipedia is 3: ", "valid string"),
    "recognize.model=''": ("recognize.model is '': ", "at least 1 character"),
    "shards.page=0": ("shards.page is 0: ", "greater than or equal to 1"),
    "shards=3": ("shards is 3: ", "a section: set shards.NAME"),
    "seed=-1": ("seed is -1: ", "greater than or equal to 0"),
    "segment=3": ("segment is 3, but it is a section", "Write [segment]"),
    "segment.min_word=3": ("no value 'segment.min_word'", "Did you mean segment.min_words?"),
    "shards.pages=3": ("no value 'shards.pages'", "Did you mean shards.page?"),
    "segmen.min_words=3": ("no section or value 'segmen'", "Did you mean segment?"),
    "align.shards.page=3": ("align.shards is the same for all stages", "Set it for the whole"),
}


@pytest.mark.parametrize("override", VALUES)
@pytest.mark.parametrize("command", ["run", "plan", "config"])
def test_a_wrong_value_is_refused_where_it_was_set(command: str, override: str, desk: Desk) -> None:
    what, mend = VALUES[override]
    arguments = [desk.recipe, "--set", override]
    if command != "config":
        arguments += ["--root", desk.root]
    answer = desk.ask(command, *arguments)
    answer.refuses("ConfigError: ", f"--set {override}: ", what, mend)
    assert not desk.root.exists()


@pytest.mark.parametrize("override", ["segment", "=3", "segment..unit=lead", ".=3", ""])
def test_a_set_of_another_form_is_refused_with_an_example(override: str, desk: Desk) -> None:
    answer = desk.run("--set", override)
    answer.refuses(f"--set {override!r} is not stage.field=value", "For example: --set ")


def test_a_value_below_a_value_is_refused(desk: Desk) -> None:
    answer = desk.run("--set=segment.min_words.x=3")
    answer.refuses("min_words is a value, not a section", "For example: --set ")


def test_a_wrong_value_of_the_file_is_refused_with_the_file(desk: Desk) -> None:
    text = desk.recipe.read_text().replace("min_words = 3", "min_words = 0")
    desk.write("towns.toml", text)
    desk.run().refuses(f"ConfigError: {desk.recipe}: segment.min_words is 0: ")
    assert not desk.root.exists()


def test_bounds_the_wrong_way_round_are_refused_with_both(desk: Desk) -> None:
    answer = desk.run("--set=segment.max_words=2")
    answer.refuses("segment: min_words 3 is above max_words 2", "relmill config tiny segment")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[fetch\nwikipedia = 3", "(at line 1, column 7)"),
        ("seed = 1\nseed = 2\n", "(at line 2, column 9)"),
        ('description = "x\n', "line 1"),
        (b"\xff\xfe[fetch]", "byte 0xff in position 0"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_its_line(
    text: str | bytes, says: str, desk: Desk
) -> None:
    desk.write("towns.toml", text)
    desk.run().refuses(f"ConfigError: {desk.recipe}: no TOML: ", says, "Mend the file there")
    assert not desk.root.exists()


def test_a_recipe_without_dumps_is_refused_with_the_option_that_names_them(desk: Desk) -> None:
    desk.write("towns.toml", "")
    desk.run().refuses(f"{desk.recipe}: fetch: wikipedia is missing", "--set fetch.wikipedia=")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tini", "Did you mean tiny? There are: demo, enwiki, papers/cp, "),
        ("towns", "a path that ends in .toml"),
        ("", "there is no recipe ''"),
        ("towns.tml", "a path that ends in .toml"),
        ("nowhere/towns.toml", "there is no recipe file nowhere/towns.toml"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan", "show", "config"])
def test_an_unknown_recipe_is_refused(command: str, name: str, says: str, desk: Desk) -> None:
    root = [] if command == "config" else ["--root", desk.root]
    desk.ask(command, name, *root).refuses("ConfigError: there is no recipe ", says)


def test_a_folder_is_no_recipe(desk: Desk) -> None:
    folder = desk.folder / "folder.toml"
    folder.mkdir()
    desk.ask("config", folder).refuses(f"there is no recipe file {folder}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "RECIPE", "--to", "aling", "--root", "ROOT"),
        ("run", "RECIPE", "--only", "aling", "--root", "ROOT"),
        ("run", "RECIPE", "--force", "aling", "--root", "ROOT"),
        ("plan", "RECIPE", "--to", "aling", "--root", "ROOT"),
        ("explain", "RECIPE", "aling", "--root", "ROOT"),
        ("config", "RECIPE", "aling"),
        ("stages", "bump", "aling", "--lock", "LOCK"),
        ("stages", "accept", "aling", "--lock", "LOCK"),
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_an_unknown_stage_is_refused_with_the_nearest(
    arguments: tuple[str, ...], desk: Desk
) -> None:
    lock = desk.write("stages.lock", "")
    given = {"RECIPE": desk.recipe, "ROOT": desk.root, "LOCK": lock}
    answer = desk.ask(*(given.get(argument, argument) for argument in arguments))
    answer.refuses("there is no stage 'aling'", "Did you mean align?", STAGES)
    assert not desk.root.exists()
    assert lock.read_text() == ""


def test_stages_are_bumped_in_a_checkout_only(desk: Desk) -> None:
    lock = desk.folder / "nowhere.lock"
    answer = desk.ask("stages", "bump", "align", "--lock", lock)
    answer.refuses(f"there is no {lock} here", "in a checkout of relmill")


def test_a_damaged_lock_is_refused_with_its_line(desk: Desk) -> None:
    lock = desk.write("stages.lock", "# head\nalign one\n")
    answer = desk.ask("stages", "accept", "align", "--lock", lock)
    answer.refuses(f"{lock}, line 2: 'align one' is not `name version digest`")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--only", "align"], "align depends on fetch, parse_wikidata, "),
        (["--only", "align", "--to", "link"], "--to and --only exclude each other"),
        (["--to", "link", "--force", "align"], "--force align has no effect"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], says: str, desk: Desk
) -> None:
    desk.look("run", "--in-process", *options).refuses("PlanError: ", says)
    assert not desk.root.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "tiny", "--workers", "0"], "'--workers'"),
        (["run", "tiny", "--workers", "all"], "'--workers'"),
        (["run", "tiny", "--bogus"], "No such option: --bogus"),
        (["run"], "Missing argument 'RECIPE'"),
        (["explain", "tiny"], "Missing argument"),
        (["rnu", "tiny"], "No such command 'rnu'"),
        (["sql", "tiny", "SELECT 1", "--format", "xml"], "'xml' is not one of"),
        (["prune", "--keep", "-1"], "'--keep'"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(
    arguments: list[str], says: str, desk: Desk
) -> None:
    desk.ask(*arguments).refuses(says)


class TestModels:
    """A spaCy model that is not as the recipe wants it is refused before anything runs."""

    @pytest.mark.parametrize(
        ("model", "says"),
        [
            ("no_such_model", "Install it: python -m spacy download no_such_model"),
            ("no_such_model==3.8.0", "download no_such_model-3.8.0 --direct"),
            ("nowhere/model", "the spaCy model 'nowhere/model' is not installed"),
        ],
    )
    def test_a_missing_one(self, model: str, says: str, desk: Desk) -> None:
        answer = desk.run(f"--set=recognize.model={model}", to="")
        answer.refuses("ConfigError: ", "is not installed", says)
        assert not desk.root.exists()

    def test_a_missing_one_where_everything_before_it_is_made(self, made: Desk) -> None:
        answer = made.look("plan", "--set=recognize.model=no_such_model")
        answer.refuses("ConfigError: ", "Install it: python -m spacy download no_such_model")

    def test_one_of_another_version(self, desk: Desk) -> None:
        # Any installed package will do: what is compared is its version.
        answer = desk.run("--set=recognize.model=spacy==0.1", to="")
        answer.refuses(
            "recognize: the spaCy model spacy is installed in version ",
            "the recipe wants 0.1",
            "python -m spacy download spacy-0.1 --direct",
        )
        assert not desk.root.exists()

    def test_a_folder_of_something_else(self, desk: Desk, tmp_path: Path) -> None:
        answer = desk.run(f"--set=recognize.model={tmp_path}", to="")
        answer.refuses("ConfigError: ", f"{str(tmp_path)!r}", "config.cfg", "no spaCy model")
        assert not desk.root.exists()

    def test_a_model_is_not_asked_for_by_what_does_not_need_it(self, desk: Desk) -> None:
        desk.run("--set=recognize.model=no_such_model", to="parse_wikipedia").succeeds()
