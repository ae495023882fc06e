"""The newest dumps of a recipe, and which tables stay when a newer dump was made."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.config import load_recipe
from pipeline.newest import name_by_date, newest_dumps, retire
from storage.errors import ConfigError
from storage.refs import Refs, RunRecord
from storage.warehouse import Warehouse

AT_ONCE = timedelta(0)


def test_the_newest_of_each_dump_goes_over_the_recipe(tmp_path: Path) -> None:
    for name in ("a-20260901.xml", "a-20261001.xml", "b-20260901.xml", "w-20261005.json"):
        (tmp_path / name).write_text("a dump")
    recipe = tmp_path / "towns.toml"
    recipe.write_text(
        f'[fetch]\nwikipedia = ["{tmp_path}/a-20260901.xml", "{tmp_path}/b-20260901.xml"]\n'
        f'wikidata = "{tmp_path}/w-20261001.json"\n'
    )
    found = newest_dumps(load_recipe(str(recipe)))
    assert found.date == "20261001"
    made = load_recipe(str(recipe), found.overrides).configs["fetch"]
    both = [f"{tmp_path}/a-20261001.xml", f"{tmp_path}/b-20260901.xml"]
    assert made.model_dump()["wikipedia"] == both
    assert made.model_dump()["wikidata"] == f"{tmp_path}/w-20261005.json"


def test_a_recipe_without_dates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiny names no dump whose folder or name has a date"):
        newest_dumps(load_recipe("tiny"))


@pytest.fixture
def refs(tmp_path: Path) -> Refs:
    """Five runs, oldest first, each with an artifact of its own: four of towns, one of ponds."""
    refs = Refs(Warehouse(tmp_path))
    for number, recipe in enumerate(["ponds", "towns", "towns", "towns", "towns"]):
        folder = refs.runs_folder / f"2026112{number}-000000-{recipe}"
        folder.mkdir(parents=True)
        name = f"fetch/{number:016x}"
        (tmp_path / "artifacts" / name).mkdir(parents=True)
        steps = {"fetch": name}
        run = RunRecord(folder.name, recipe, [], "fetch", "", "succeeded", steps=steps)
        refs.save(folder, run)
    return refs


def there(refs: Refs) -> list[int]:
    """The numbers of the artifacts that are there."""
    return sorted(int(a.name.partition("/")[2], 16) for a in refs.warehouse.artifacts())


def test_tables_stay_for_the_newest_dumps_and_whatever_others_hold(refs: Refs) -> None:
    newest, *older = [run for run in refs.runs() if run.recipe == "towns"]
    for run, date in zip([*reversed(older), newest], ("07", "08", "09", "10"), strict=True):
        assert name_by_date(refs, run, f"2026{date}01") == f"towns-2026{date}01"
    refs.tag("paper", older[-1])
    assert there(refs) == [0, 1, 2, 3, 4]
    retire(refs, "towns", 2, AT_ONCE)
    # 0 is of another recipe, 1 is what a person tagged, 3 and 4 are the newest.
    assert there(refs) == [0, 1, 3, 4]
    assert [tag.name for tag in refs.tags()] == ["paper", "towns-20260901", "towns-20261001"]


def test_a_second_run_of_one_dump_takes_its_tag(refs: Refs) -> None:
    newest, before, *_ = refs.runs()
    name_by_date(refs, before, "20261001")
    name_by_date(refs, newest, "20261001")
    assert [(tag.name, tag.run) for tag in refs.tags()] == [("towns-20261001", newest.id)]
