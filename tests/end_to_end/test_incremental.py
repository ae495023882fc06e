"""A newer dump: rows of unchanged pages are carried over, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.incremental import Changes, second_dump
from pipeline.carry import carry_of
from stages.recognize import RECOGNIZE, RecognizeConfig
from stages.sample import SampleWorld
from storage.artifact import Input, Manifest
from storage.refs import RunRecord
from storage.tables import PAGES
from storage.warehouse import Warehouse, read_part
from tests.end_to_end.kit import copied, done, make, parts_of, plan_of

STAGES = ("recognize", "segment")
BLANK = "recognize.model=blank"
"""A model that stays the same: one that is trained on the dump changes with it."""


def as_made(root: Path, run: RunRecord) -> Manifest:
    return Warehouse(root).named(run.steps["recognize"]).manifest()


@pytest.fixture(scope="module")
def newer(world: SampleWorld, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Changes]:
    """A second dump: 5 % of the articles edited, 1 % deleted, 1 % added, 5 % only touched."""
    path = tmp_path_factory.mktemp("newer") / "wiki.xml.bz2"
    return path, second_dump(world.wikipedia, path)


@pytest.fixture(scope="module")
def settings(newer: tuple[Path, Changes], world: SampleWorld) -> list[str]:
    return [f"fetch.wikipedia={newer[0]}", f"fetch.wikidata={world.wikidata}", BLANK]


@pytest.fixture(scope="module")
def grown(
    made_from_files: Path, settings: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The warehouse of the first dump, in which the second is parsed and no more."""
    root = copied(made_from_files, tmp_path_factory.mktemp("grown") / "warehouse")
    make(root, *settings, to="parse_wikipedia")
    return root


@pytest.fixture(scope="module")
def rebuilt(grown: Path, settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copied(grown, tmp_path_factory.mktemp("rebuilt") / "warehouse")
    make(root, *settings, to="segment")
    return root


@pytest.fixture(scope="module")
def fresh(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The second dump, built from nothing."""
    root = tmp_path_factory.mktemp("fresh") / "warehouse"
    return root, as_made(root, make(root, *settings, to="segment"))


def test_the_plan_says_how_many_pages_it_will_compute(
    grown: Path, settings: list[str], newer: tuple[Path, Changes]
) -> None:
    changes = newer[1]
    step = plan_of(grown, *settings, to="recognize").step("recognize")
    wanted = changes.edited + changes.added
    assert step.pages == (wanted, changes.articles - changes.deleted - changes.edited)
    pages = changes.articles - changes.deleted + changes.added
    assert f"{wanted} of {pages} pages to compute, the others carried over" in step.reasons
    sets = [word for each in settings for word in ("--set", each)]
    told = json.loads(done("plan", "tiny", *sets, "--json", "--root", grown))
    shown = {each["step"]: each["pages"] for each in told["steps"]}
    assert shown["recognize"] == list(step.pages)
    assert shown["segment"] is None


def test_few_pages_are_computed_and_the_manifest_counts_them(
    rebuilt: Path, newer: tuple[Path, Changes]
) -> None:
    changes = newer[1]
    manifest = Warehouse(rebuilt).complete("recognize")[0].manifest()
    computed, carried, rows = manifest.pages()
    assert computed == changes.edited + changes.added
    assert computed + carried == changes.articles - changes.deleted + changes.added
    assert computed <= 0.08 * (computed + carried)
    made = sum(manifest.rows(table) for table in manifest.tables)
    assert 0.8 * made < rows < made


def test_all_bytes_are_those_of_a_build_from_nothing(
    rebuilt: Path, fresh: tuple[Path, Manifest]
) -> None:
    assert parts_of(rebuilt, stages=STAGES) == parts_of(fresh[0], stages=STAGES)
    mine = Warehouse(rebuilt).complete("recognize")[0].manifest()
    assert [(r.drops, r.drop_samples) for r in mine.records] == [
        (r.drops, r.drop_samples) for r in fresh[1].records
    ]
    assert fresh[1].drops()["disambiguation"] > 0
    assert fresh[1].pages()[1:] == (0, 0)


def test_a_third_dump_carries_over_what_was_carried_over(
    rebuilt: Path, settings: list[str], world: SampleWorld, tmp_path: Path
) -> None:
    root = copied(rebuilt, tmp_path / "warehouse")
    third = tmp_path / "third.xml.bz2"
    changes = second_dump(Path(settings[0].partition("=")[2]), third, seed=14)
    again = [f"fetch.wikipedia={third}", *settings[1:]]
    manifest = as_made(root, make(root, *again, to="segment"))
    assert manifest.pages()[0] == changes.edited + changes.added
    other = tmp_path / "other"
    make(other, *again, to="segment")
    assert parts_of(root, stages=STAGES) == parts_of(other, stages=STAGES)


def test_force_computes_every_page(rebuilt: Path, settings: list[str], tmp_path: Path) -> None:
    root = copied(rebuilt, tmp_path / "warehouse")
    before = as_made(root, make(root, *settings, to="recognize"))
    make(root, *settings, to="recognize", force=["recognize"])
    found = Warehouse(root).complete("recognize")[0].manifest()
    # Equal bytes keep the old artifact, with its own counts.
    assert found.fingerprint == before.fingerprint
    specs = sorted((root / "runs").glob("*/steps/recognize.json"))
    assert json.loads(specs[-1].read_text())["carry"]["before"] == ""


def test_what_else_differs_leaves_nothing_to_carry_over(grown: Path, settings: list[str]) -> None:
    warehouse = Warehouse(grown)
    step = plan_of(grown, *settings, to="recognize").step("recognize")
    assert step.build is not None
    build, cut = step.build, step.shards[0].shards

    def before(inputs: dict[str, Input], facts: dict[str, str], config: RecognizeConfig) -> str:
        found = carry_of(RECOGNIZE, config, cut, inputs, facts, warehouse)
        assert found is not None
        return found.before

    same = RecognizeConfig()
    assert before(build.inputs, {}, same) != ""
    assert before(build.inputs, {"model": "2"}, same) == ""
    assert before(build.inputs, {}, RecognizeConfig(model="trained", gpu=False)) == ""
    site = build.inputs["site"]
    other = {**build.inputs, "site": Input(site.artifact, site.stage, "0" * 16)}
    assert before(other, {}, same) == ""
    # Speed is no difference.
    assert before(build.inputs, {}, RecognizeConfig(batch_size=7)) != ""


def test_pages_that_are_gone_leave_nothing_to_carry_over(
    grown: Path, settings: list[str], tmp_path: Path
) -> None:
    root = copied(grown, tmp_path / "warehouse")
    old = next(iter(Warehouse(root).complete("recognize"))).manifest().inputs["pages"].artifact
    (Warehouse(root).named(old).folder / "manifest.json").unlink()
    assert plan_of(root, *settings, to="recognize").step("recognize").pages is None


def test_a_gpu_carries_rows_over_only_where_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    local = RECOGNIZE.row_local
    assert local is not None
    monkeypatch.setattr("stages.recognize.find_spec", lambda name: object())
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    assert not local(RecognizeConfig(model="x"))
    assert local(RecognizeConfig(model="x", carry_over_on_gpu=True))
    assert local(RecognizeConfig(model="x", gpu=False))
    assert local(RecognizeConfig(model="blank"))


def test_a_digest_tells_other_words_from_another_revision(grown: Path) -> None:
    versions = [
        {
            row["title"]: row
            for record in artifact.manifest().records
            for row in read_part(artifact.part("pages", record.shard), PAGES).to_pylist()
        }
        for artifact in Warehouse(grown).complete("parse_wikipedia")
    ]
    new, old = versions
    both = new.keys() & old.keys()
    assert len(both) > 200
    for title in both:
        words = new[title]["text"] == old[title]["text"]
        assert (new[title]["digest"] == old[title]["digest"]) == words
    assert any(new[t]["revision_id"] != old[t]["revision_id"] for t in both if
               new[t]["digest"] == old[t]["digest"])  # fmt: skip
