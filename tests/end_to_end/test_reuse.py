"""What a change makes anew, and what it leaves alone."""

from __future__ import annotations

import bz2
import json
import shutil
from pathlib import Path

import pytest

from pipeline.dag import stage
from stages.sample import SampleWorld, write_world
from storage.warehouse import Warehouse
from tests.end_to_end.kit import (
    WITHOUT_NER,
    Silent,
    artifacts_in,
    done,
    from_files,
    make,
    newest,
    parts_of,
    plan_of,
)

PARSERS = {"parse_wikidata", "parse_wikipedia"}
BELOW = {"align", "count_relations", "hold_out"}
"""The steps that read the links."""


def tables_of(steps: set[str]) -> set[str]:
    return {table.name for step in steps for table in stage(step).writes}


@pytest.fixture(scope="module")
def ruler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spaCy pipeline that finds what a few rules say."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    rules = nlp.add_pipe("entity_ruler")
    years = {"label": "DATE", "pattern": [{"SHAPE": "dddd"}]}
    names = {"label": "PERSON", "pattern": [{"IS_TITLE": True}, {"IS_TITLE": True}]}
    rules.add_patterns([years, names])
    folder = tmp_path_factory.mktemp("model") / "rules"
    nlp.to_disk(folder)
    return folder


def item_changed(world: SampleWorld, folder: Path) -> Path:
    """A Wikidata dump in which one item has another label and description."""
    lines = bz2.decompress(world.wikidata.read_bytes()).decode().splitlines()
    for number, line in enumerate(lines):
        if '"type":"item"' in line.replace(" ", "") and '"labels"' in line:
            entity = json.loads(line.rstrip(","))
            if entity.get("type") == "item" and "en" in entity.get("labels", {}):
                entity["labels"]["en"]["value"] = "Another Label Altogether"
                entity.setdefault("descriptions", {})["en"] = {
                    "language": "en",
                    "value": "changed by a test",
                }
                lines[number] = json.dumps(entity) + ("," if line.endswith(",") else "")
                break
    path = folder / "wikidata-20260202-all.json.bz2"
    path.write_bytes(bz2.compress("\n".join(lines).encode()))
    return path


def test_another_model_reruns_recognize_and_what_reads_it_and_never_the_parsers(
    mine: Path, world: SampleWorld, ruler: Path
) -> None:
    before = parts_of(mine)
    overrides = [*from_files(world), f"recognize.model={ruler}"]
    plan = plan_of(mine, *overrides)
    assert {s.stage.name for s in plan.stale} == {"recognize", "segment", "link", *BELOW}
    assert plan.step("recognize").reasons[0].startswith('model: "blank" -> ')
    run = make(mine, *overrides)
    assert run.made[0] == "recognize"
    assert set(run.made) == {"recognize", "link", *BELOW}
    after = parts_of(mine)
    changed = {table for table in before if before[table] != after[table]}
    changed -= {table for table in changed if table.startswith("file dropped-")}
    assert {"mentions", "links"} <= changed
    assert changed <= tables_of({"recognize", "link"} | BELOW)


def test_going_back_to_an_earlier_config_makes_nothing_and_shows_its_tables(
    mine: Path, world: SampleWorld
) -> None:
    first, before = newest(mine), parts_of(mine)
    wide = [*from_files(world), "segment.min_words=60"]
    assert set(make(mine, *wide).made) == {"segment", *BELOW}
    assert parts_of(mine) != before
    artifacts = artifacts_in(mine)
    assert plan_of(mine, *from_files(world)).stale == []
    back = make(mine, *from_files(world))
    assert (back.made, back.steps) == ([], first.steps)
    assert artifacts_in(mine) == artifacts
    assert parts_of(mine) == before


def test_one_changed_item_never_reruns_parse_wikipedia(
    mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    before = parts_of(mine)
    wikipedia, _, blank = from_files(world)
    run = make(mine, wikipedia, blank, f"fetch.wikidata={item_changed(world, tmp_path)}")
    assert run.made[:2] == ["fetch", "parse_wikidata"]
    assert not {"parse_wikipedia", "recognize", "segment"} & set(run.made)
    after = parts_of(mine)
    changed = {table for table in before if before[table] != after[table]}
    assert "items" in changed
    assert not changed & {"pages", "hyperlinks", "triples", "mentions", "documents"}


def test_the_wikidata_of_another_world_never_reruns_parse_wikipedia(
    mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    other = write_world(14, tmp_path / "other")
    wikipedia, _, blank = from_files(world)
    watcher = Silent()
    run = make(mine, wikipedia, blank, f"fetch.wikidata={other.wikidata}", watcher=watcher)
    assert {"fetch", "parse_wikidata", "index_aliases"} <= set(run.made)
    assert not {"parse_wikipedia", "recognize", "segment"} & set(run.made)
    # Of fetch itself only the new file is read.
    assert [shard for name, shard in watcher.made if name == "fetch"] == [1]


def test_a_moved_dump_reruns_fetch_alone(mine: Path, world: SampleWorld, tmp_path: Path) -> None:
    before = parts_of(mine)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(world.wikipedia.parent, elsewhere)
    overrides = [
        f"fetch.wikipedia={elsewhere / world.wikipedia.name}",
        f"fetch.wikidata={elsewhere / world.wikidata.name}",
        "recognize.model=blank",
    ]
    run = make(mine, *overrides)
    assert run.made == ["fetch"]
    assert parts_of(mine) == before


def test_a_touched_dump_reruns_fetch_alone(mine: Path, tmp_path: Path) -> None:
    world = write_world(13, tmp_path / "again")
    make(mine, *from_files(world))
    world.wikidata.touch()
    watcher = Silent()
    assert make(mine, *from_files(world), watcher=watcher).made == ["fetch"]
    assert watcher.made == [("fetch", 1)]


@pytest.mark.parametrize("name", ["parse_wikidata", "recognize", "index_aliases"])
def test_a_bumped_stage_whose_bytes_come_out_the_same_reruns_alone(
    name: str, mine: Path, world: SampleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = parts_of(mine)
    bumped = stage(name)
    version = bumped.version
    monkeypatch.setitem(bumped.__dict__, "version", version + 1)
    plan = plan_of(mine, *from_files(world))
    assert plan.step(name).reasons == [f"version: {version} -> {version + 1}"]
    run = make(mine, *from_files(world))
    assert run.made == [name]
    assert parts_of(mine) == before
    assert plan_of(mine, *from_files(world)).stale == []


def test_force_makes_a_current_stage_again_and_nothing_below_it(
    mine: Path, world: SampleWorld
) -> None:
    artifacts = artifacts_in(mine)
    watcher = Silent()
    run = make(mine, *from_files(world), force=["link"], watcher=watcher)
    assert [name for name, _ in watcher.made] == ["link"] * 4
    # The bytes are the same, so the old artifact stays.
    assert run.made == []
    assert artifacts_in(mine) == artifacts


def test_a_trial_run_reads_only_so_many_pages(
    mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    run = make(mine, *from_files(world), "fetch.limit_pages=40", to="parse_wikipedia")
    step = Warehouse(mine).named(run.steps["parse_wikipedia"])
    assert 10 < step.manifest().rows("pages") <= 40


def test_what_another_recipe_made_of_the_same_is_reused(
    mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    from tests.end_to_end.kit import done

    lines = Path(__file__).parents[2].joinpath("pipeline/recipes/tiny.toml").read_text("utf-8")
    recipe = tmp_path / "mine.toml"
    text = lines.replace('wikipedia = "sample:13"', f'wikipedia = "{world.wikipedia}"')
    recipe.write_text(text.replace('wikidata = "sample:13"', f'wikidata = "{world.wikidata}"'))
    out = done("run", recipe, "--set", "recognize.model=blank", "--root", mine)
    assert "Everything is current" in out
    assert newest(mine, "mine").steps == newest(mine).steps
    assert len(newest(mine, "mine").steps) == len(WITHOUT_NER)


def test_a_moved_warehouse_goes_on_at_its_new_place(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    done("run", "tiny", "--root", before, "--in-process", "--to", "fetch")
    before.rename(after)
    said = done("run", "tiny", "--root", after, "--in-process", "--to", "parse_wikipedia")
    assert "fetch            reused" in said
    assert "parse_wikipedia  made" in said
