"""A warehouse that somebody else laid hands on: what is damaged is named, and can be mended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.kit import Desk, jsonable

MANIFEST = "artifacts/link/*/manifest.json"
READING = {
    "run": ["run", "RECIPE", "--in-process", "--workers", "1"],
    "plan": ["plan", "RECIPE"],
    "explain": ["explain", "RECIPE", "link"],
    "show": ["show", "RECIPE", "links"],
    "sql": ["sql", "RECIPE", "SELECT count(*) FROM links"],
    "trace": ["trace", "RECIPE", "Town 3"],
    "verify": ["verify"],
}
KEEPING = {
    "tag": ["tag", "best", "towns"],
    "log": ["log"],
    "prune": ["prune", "--grace", "0"],
    "diff": ["diff", "LINK", "LINK"],
}


def ask(desk: Desk, command: str) -> tuple[int, str]:
    """Give one of the commands above."""
    link = desk.one("artifacts/link/*")
    given = {"RECIPE": desk.recipe, "LINK": f"link/{link.name}"}
    arguments = (READING | KEEPING)[command]
    answer = desk.ask(*(given.get(each, each) for each in arguments), "--root", desk.root)
    return answer.code, answer.text


def newer(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"format": 99}).encode()


@pytest.mark.parametrize("command", READING)
def test_a_table_of_a_newer_relmill_is_refused(command: str, made_desk: Desk) -> None:
    manifest = made_desk.one(MANIFEST)
    manifest.write_bytes(newer(manifest.read_bytes()))
    code, text = ask(made_desk, command)
    assert text.startswith(f"ConfigError: {manifest} has format 99, this relmill reads up to 1.")
    assert "Install the newer relmill that wrote it, or name another --root" in text
    assert code == 2


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("data", [b"", b'{"stage": "li', b"\xff\xfe", b"[]", b'{"stage": 3}'])
def test_a_damaged_manifest_is_named(data: bytes, command: str, made_desk: Desk) -> None:
    manifest = made_desk.one(MANIFEST)
    manifest.write_bytes(data)
    code, text = ask(made_desk, command)
    assert text.startswith(f"SchemaError: {manifest} is damaged or of another version: ")
    assert "Remove its folder and run the step again" in text
    assert code == 1


def test_what_is_said_of_a_damaged_manifest_mends_it(made_desk: Desk, made: Desk) -> None:
    manifest = made_desk.one(MANIFEST)
    manifest.write_text("{")
    shutil.rmtree(manifest.parent)
    made_desk.run(to="").succeeds()
    assert made_desk.digests() == made.digests()


def test_a_damaged_record_of_an_unfinished_step_is_named_and_can_be_removed(
    made_desk: Desk, made: Desk
) -> None:
    manifest = made_desk.one(MANIFEST)
    manifest.unlink()
    record = manifest.parent / "records" / "00001.json"
    record.write_text('{"key": ')
    made_desk.run(to="").refuses(f"SchemaError: {record} is damaged", "Remove this file", code=1)
    record.unlink()
    made_desk.run(to="").succeeds()
    assert made_desk.digests() == made.digests()


@pytest.mark.parametrize("command", ["run", "plan", "show", "sql", "log", "tag", "prune"])
def test_a_damaged_run_is_named_and_can_be_removed(command: str, made_desk: Desk) -> None:
    run = made_desk.one("runs/*/run.json")
    run.write_text('{"id": ')
    code, text = ask(made_desk, command)
    assert text.startswith(f"SchemaError: {run} is damaged or of another version: ")
    assert f"Remove the folder {run.parent}: it only tells what that run did" in text
    assert code == 1
    shutil.rmtree(run.parent)
    made_desk.run(to="").succeeds()
    made_desk.look("sql", "SELECT count(*) FROM links").succeeds()


def test_a_damaged_tag_is_named(made_desk: Desk) -> None:
    made_desk.look("tag", "best", "towns", recipe=False).succeeds()
    tag = made_desk.one("tags/best.json")
    tag.write_text("{")
    for arguments in (["tag"], ["tag", "best", "towns"], ["sql", made_desk.recipe, "SELECT 1"]):
        tagged = ["--tag", "best"] if arguments[0] == "sql" else []
        answer = made_desk.look(*arguments, *tagged, recipe=False)
        answer.refuses(f"SchemaError: {tag} is damaged", code=1)


@pytest.mark.parametrize("harm", ["removed", "garbage"])
def test_a_catalog_is_made_anew(harm: str, made_desk: Desk) -> None:
    catalog = made_desk.root / "catalog.duckdb"
    if harm == "removed":
        catalog.unlink()
        made_desk.run(to="").succeeds()
    else:
        catalog.write_text("no database")
        made_desk.look("tag", "best", "towns", recipe=False).succeeds()
    assert catalog.stat().st_size > 10_000


def removed(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"PAR1")


class TestPart:
    """A part or a file of a table is gone, or is not what was written."""

    @pytest.fixture(params=[removed, emptied])
    def part(self, request: pytest.FixtureRequest, made_desk: Desk) -> Path:
        path = made_desk.one("artifacts/link/*/links/part-00000.parquet")
        harm: Callable[[Path], None] = request.param
        harm(path)
        return path

    def test_a_run_that_does_not_read_it_has_nothing_to_do(
        self, part: Path, made_desk: Desk
    ) -> None:
        assert "Everything is current" in made_desk.run(to="").succeeds().text

    @pytest.mark.parametrize("command", ["sql", "trace"])
    def test_reading_names_it_and_the_mend(self, command: str, part: Path, made_desk: Desk) -> None:
        code, text = ask(made_desk, command)
        assert text.startswith(f"MissingArtifactError: {part} ")
        assert "`relmill verify`" in text
        assert "--force link" in text
        assert code == 2

    def test_verify_lists_it(self, part: Path, made_desk: Desk) -> None:
        answer = made_desk.look("verify", recipe=False)
        shown = part.relative_to(made_desk.root / "artifacts")
        answer.refuses(f"{shown} is ", "1 file of link is not as made", "--force link")

    def test_the_stage_that_reads_it_stops_with_its_name(self, part: Path, made_desk: Desk) -> None:
        answer = made_desk.run("--set=align.min_triples=2", to="")
        answer.refuses("MissingArtifactError: align, shard ", str(part), "--force link")
        manifests = [jsonable(path) for path in made_desk.root.glob("artifacts/align/*/man*")]
        assert len(manifests) == 1

    def test_making_the_stage_again_mends_it(self, part: Path, made_desk: Desk, made: Desk) -> None:
        made_desk.run("--force", "link", to="").succeeds()
        made_desk.look("sql", "SELECT count(*) FROM links").succeeds()
        made_desk.run("--set=align.min_triples=2", to="").succeeds()
        assert made_desk.rows("links") == made.rows("links")

    def test_a_tag_can_still_be_given(self, part: Path, made_desk: Desk) -> None:
        made_desk.look("tag", "best", "towns", recipe=False).succeeds()


@pytest.mark.parametrize(
    ("pattern", "again"),
    [
        ("artifacts/fetch/*/files/wikipedia-0.frames", "parse_wikipedia"),
        ("artifacts/index_aliases/*/files/titles.key.npy", "link"),
        ("artifacts/parse_wikidata/*/files/*.npy", "align"),
    ],
)
@pytest.mark.parametrize("harm", [removed, emptied])
def test_a_file_beside_the_parts_is_missed_by_the_stage_that_reads_it(
    harm: Callable[[Path], None], pattern: str, again: str, made_desk: Desk, made: Desk
) -> None:
    path = made_desk.one(pattern)
    harm(path)
    writer = path.parent.parent.parent.name
    answer = made_desk.run("--force", again, to="")
    answer.refuses(f"MissingArtifactError: {again}, shard ", str(path), f"--force {writer}")
    made_desk.run("--force", writer, "--force", again, to="").succeeds()
    made_desk.look("verify", "towns", recipe=False).succeeds()
    assert made_desk.rows("tuples") == made.rows("tuples")


def test_a_dump_that_went_away_is_told_once_it_is_needed(desk: Desk) -> None:
    desk.run(to="parse_wikipedia").succeeds()
    dump = desk.folder / "towns.xml"
    dump.unlink()
    answer = desk.run(to="parse_wikipedia")
    answer.refuses(f"there is no file {dump}", "--set fetch.wikipedia=PATH")
    desk.look("sql", "SELECT count(*) FROM pages").succeeds()
