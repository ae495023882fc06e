"""Questions that cannot be answered: wrong SQL, unknown tables, tags, titles, places to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.kit import Desk, dump, page, pages
from tests.bad_input.test_disk import command_line

TABLES = "The tables are aliases, benchmark_files, document_splits, documents, drops, entities, "


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT * FROM nope", "Table with name nope does not exist"),
        ("SELECT nope FROM links", 'Referenced column "nope" not found'),
        ("SELECT CAST('a' AS INT)", "Could not convert string 'a' to INT32"),
        ("SELECT error('too late')", "too late"),
        ("DROP TABLE links", 'Existing object "links" is of type View'),
        ("", "the query asks for nothing"),
    ],
)
@pytest.mark.parametrize("format", ["table", "csv"])
def test_a_query_that_is_refused_is_told_in_the_databases_words(
    format: str, query: str, says: str, made: Desk
) -> None:
    made.look("sql", query, "--format", format).refuses("QueryError: ", says, TABLES)


@pytest.mark.parametrize("name", ["nope", "", "__init__", "trace_page"])
def test_an_unknown_saved_question_is_answered_with_those_there_are(name: str, made: Desk) -> None:
    answer = made.look("sql", f"@{name}")
    answer.refuses(f"there is no saved question {name!r}", "Saved: @dropped_rows, ")
    assert "@__init__" not in answer.text


def test_two_columns_of_one_name_are_both_shown(made: Desk) -> None:
    answer = made.look("sql", "SELECT 1 AS a, 2 AS a").succeeds()
    assert answer.text.splitlines()[2].split() == ["1", "2"]


def test_an_unknown_table_is_answered_with_those_there_are(made: Desk) -> None:
    made.look("show", "link").refuses("towns has no table 'link'", "It has: sources, site, ")


def test_an_unknown_tag_is_answered_with_those_there_are(made_desk: Desk) -> None:
    made_desk.look("tag", "best", "towns", recipe=False).succeeds()
    for arguments in (["show"], ["sql", "SELECT 1"], ["trace", "Town 3"]):
        answer = made_desk.look(*arguments, "--tag", "bets")
        answer.refuses("there is no tag 'bets'", "The tags are: best")


@pytest.mark.parametrize("arguments", [["show"], ["sql", "SELECT 1"], ["trace", "Town 3"]])
def test_a_tag_and_a_value_exclude_each_other(arguments: list[str], made: Desk) -> None:
    answer = made.look(*arguments, "--tag", "best", "--set", "seed=1")
    answer.refuses("--tag and --set exclude each other", "Leave one of them out")


@pytest.mark.parametrize("arguments", [["show"], ["sql", "SELECT 1"], ["trace", "Town 3"]])
def test_tables_that_were_not_made_are_told_with_the_command_that_makes_them(
    arguments: list[str], made: Desk, desk: Desk
) -> None:
    answer = desk.look(*arguments)
    answer.refuses("no successful run of towns", f"relmill run {desk.recipe} --root {desk.root}")


def test_a_table_under_other_values_is_told_with_the_command_that_makes_it(made: Desk) -> None:
    answer = made.look("sql", "SELECT * FROM tuples", "--set", "align.min_triples=3")
    answer.refuses(
        "MissingArtifactError: ",
        "has no table tuples yet",
        f"Make it: relmill run {made.recipe} --root {made.root} --set align.min_triples=3",
    )


class TestTrace:
    @pytest.mark.parametrize(
        ("title", "says"),
        [
            ("Town 33", "Near it: Town 3"),
            ("town 3", "Near it: Town 3"),
            ("Somewhere else", "Titles are written as on Wikipedia"),
            ("", "there is no page ''"),
        ],
    )
    def test_an_unknown_title_is_answered_with_the_nearest(
        self, title: str, says: str, made: Desk
    ) -> None:
        made.look("trace", title).refuses(f"there is no page {title!r}", says)

    def test_a_redirect_is_answered_with_where_it_leads(self, desk: Desk) -> None:
        redirect = page(30, "Old town", "#REDIRECT [[Town 3]]", redirect="Town 3")
        desk.write("towns.xml", dump([*pages(), redirect]))
        desk.run().succeeds()
        answer = desk.look("trace", "Old town")
        answer.refuses("'Old town' is a redirect", "It leads to 'Town 3'")

    def test_a_page_that_was_damaged_is_unknown(self, desk: Desk) -> None:
        desk.write("towns.xml", dump([*pages()[:5], page(6).replace("<ns>0</ns>", "")]))
        desk.run().succeeds()
        desk.look("trace", "Town 6").refuses("there is no page 'Town 6'")


class TestDiff:
    def artifact(self, desk: Desk, stage: str) -> str:
        return f"{stage}/{desk.one(f'artifacts/{stage}/*').name}"

    def test_tables_of_two_stages_are_unlike(self, made: Desk) -> None:
        link, align = self.artifact(made, "link"), self.artifact(made, "align")
        answer = made.look("diff", link, align, recipe=False)
        answer.refuses(f"{link} and {align} have no table in common", "two versions of one stage")

    @pytest.mark.parametrize("name", ["link/0123456789abcdef", "nowhere/x", "/", "../.."])
    def test_an_artifact_that_is_not_there_is_told(self, name: str, made: Desk) -> None:
        answer = made.look("diff", name, self.artifact(made, "link"), recipe=False)
        answer.refuses(f"MissingArtifactError: {name} is not complete")

    def test_what_is_no_version_is_told_with_where_to_look(self, made: Desk) -> None:
        answer = made.look("diff", "old", "new", recipe=False)
        answer.refuses("'old' is neither stage/fingerprint nor a tag nor a run", "`relmill log`")

    def test_a_run_has_many_tables(self, made: Desk) -> None:
        run = made.one("runs/*").name
        made.look("diff", run, run, recipe=False).refuses("has many tables", "--table tuples")

    def test_a_table_that_neither_has_is_told_with_those_in_both(self, made: Desk) -> None:
        run = made.one("runs/*").name
        answer = made.look("diff", run, run, "--table", "tuple", recipe=False)
        answer.refuses("no table in both 'tuple'", "Did you mean tuples?")


class TestTags:
    @pytest.mark.parametrize("name", ["../best", "my best", "-", "x/y"])
    def test_what_cannot_be_a_name_is_refused(self, name: str, made: Desk) -> None:
        answer = made.look("tag", "--", name, "towns", recipe=False)
        assert answer.code == 2, answer.text
        assert not (made.root / "tags").exists()

    def test_a_name_of_another_run_is_not_taken_from_it(self, made_desk: Desk) -> None:
        made_desk.look("tag", "best", "towns", recipe=False).succeeds()
        made_desk.run("--set=align.min_triples=2", to="").succeeds()
        answer = made_desk.look("tag", "best", "towns", recipe=False)
        answer.refuses("the tag best names the run ", "relmill tag --remove best")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["tag", "best", "--run", "nope"], "there is no run 'nope'"),
            (["tag", "best", "nope"], "no successful run of nope"),
            (["tag", "best", "--remove"], "there is no tag 'best'"),
            (["verify", "nope"], "no successful run of nope"),
        ],
    )
    def test_a_run_or_tag_that_is_not_there_is_told(
        self, arguments: list[str], says: str, made: Desk
    ) -> None:
        made.look(*arguments, recipe=False).refuses("MissingArtifactError: ", says)

    @pytest.mark.parametrize("command", [["verify"], ["log"], ["tag", "best"]])
    def test_a_recipe_of_ones_own_is_known_by_its_path_too(
        self, command: list[str], made_desk: Desk
    ) -> None:
        answer = made_desk.look(*command, made_desk.recipe, recipe=False).succeeds()
        assert answer.text.strip()


class TestOutput:
    @pytest.mark.parametrize("format", ["table", "csv", "json", "parquet"])
    def test_a_missing_folder_is_made(self, format: str, made: Desk, tmp_path: Path) -> None:
        output = tmp_path / "missing" / "rows"
        query = "SELECT qid FROM items ORDER BY qid LIMIT 3"
        answer = made.look("sql", query, "--format", format, "--output", output).succeeds()
        assert answer.text == f"3 rows in {output}\n"
        assert [path.name for path in output.parent.iterdir()] == ["rows"]

    @pytest.mark.parametrize("format", ["table", "csv", "json", "parquet"])
    @pytest.mark.parametrize("place", ["a folder", "below a file"])
    def test_a_place_that_cannot_hold_a_file_is_refused(
        self, place: str, format: str, made: Desk, tmp_path: Path
    ) -> None:
        file = tmp_path / "file"
        file.write_text("kept")
        output = tmp_path if place == "a folder" else file / "rows"
        answer = made.look("sql", "SELECT 1", "--format", format, "--output", output)
        answer.refuses(f"ConfigError: --output is {output}, ", "Name a file: --output ")
        assert file.read_text() == "kept"

    def test_a_refused_query_leaves_the_file_as_it_was(self, made: Desk, tmp_path: Path) -> None:
        output = tmp_path / "rows.csv"
        output.write_text("kept")
        made.look("sql", "SELEC 1", "--format", "csv", "--output", output).refuses("QueryError")
        assert output.read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["sql", "RECIPE", "SELEC 1"], 2, "QueryError: DuckDB refuses the query"),
        (["run", "RECIPE", "--in-process", "--to", "aling"], 2, "ConfigError: there is no stage"),
        (["run", "RECIPE", "--in-process", "--set=fetch.wikipedia=x"], 2, "SourceError: fetch: "),
        (["nope"], 2, "No such command"),
    ],
)
def test_a_process_ends_with_the_status_and_words_of_its_error(
    arguments: list[str], code: int, says: str, made: Desk
) -> None:
    given = [str(made.recipe) if each == "RECIPE" else each for each in arguments]
    root = [] if arguments == ["nope"] else ["--root", made.root]
    ended = command_line(made, *given, *root)
    assert ended.returncode == code
    assert says in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


def test_an_error_that_nobody_foresaw_ends_in_one_sentence_that_names_its_traceback(
    made: Desk,
) -> None:
    code = "import flows.cli, flows.look; flows.look.select = 3; flows.cli.main()"
    ended = command_line(made, "show", made.recipe, "--root", made.root, code=code)
    assert ended.returncode == 1
    assert ended.stdout == ""
    said, _, log = ended.stderr.strip().rpartition(" ")
    assert said.startswith("TypeError: ")
    assert "This should not happen: please report it with" in said
    assert "Traceback" not in said
    kept = Path(log)
    assert "Traceback" in kept.read_text("utf-8")
    kept.unlink()


def test_through_prefect_a_wrong_dump_is_told_in_the_same_words(desk: Desk) -> None:
    dump = desk.write("towns.xml", "<html>")
    ended = command_line(
        desk, "run", desk.recipe, "--root", desk.root, "--workers", 2, "--to", "fetch"
    )
    assert ended.returncode == 2, ended.stderr
    assert f"SourceError: fetch, wikipedia-0, {dump}, byte 0: this is no " in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    desk.was_not_made("fetch")
