"""The newest dumps for a recipe, and what becomes of the runs that were made of older ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipeline.config import Recipe
from stages.wiki.editions import DATE, newest_edition
from storage.errors import ConfigError
from storage.refs import Refs, RunRecord, freed_bytes, remove

FIELDS = ("wikipedia", "wikidata")


@dataclass(frozen=True)
class NewestDumps:
    """The newest dumps that are there.

    Attributes:
        date: Of the Wikipedia dump, YYYYMMDD; of Wikidata where only that one has a date.
        overrides: `fetch.wikipedia=...` and its like, to be put over the recipe.
    """

    date: str
    overrides: tuple[str, ...]


def newest_dumps(recipe: Recipe) -> NewestDumps:
    """Look, on the mirror or in the folder that a recipe names, for its newest dumps.

    Raises:
        ConfigError: If the recipe has no dumps, or none whose place has a date.
        SourceError: If one of them is not there.
        PassingError: If a mirror cannot be reached.
    """
    fetch = recipe.configs.get("fetch")
    dates: list[str] = []
    overrides = []
    for field in FIELDS:
        given = getattr(fetch, field, None)
        locations: Sequence[str] = [given] if isinstance(given, str) else given or ()
        found = [newest_edition(location) for location in locations]
        dates += [edition.date for edition in found if edition]
        if any(found):
            newest = [e.location if e else old for e, old in zip(found, locations, strict=True)]
            value = newest[0] if isinstance(given, str) else newest
            overrides.append(f"fetch.{field}={json.dumps(value)}")
    if not dates:
        raise ConfigError(
            f"{recipe.name} names no dump whose folder or name has a date (20261101)",
            mend="Name one edition in full, the newest is then looked for beside it; a recipe "
            "without dates is made by `relmill run`",
        )
    return NewestDumps(dates[0], tuple(overrides))


def name_by_date(refs: Refs, run: RunRecord, date: str) -> str:
    """Tag a run with its recipe and the date of its dump; a later run of that dump takes the tag.

    Returns:
        The tag: "enwiki-20261101".
    """
    name = f"{run.recipe}-{date}"
    if any(tag.name == name and tag.run != run.id for tag in refs.tags()):
        refs.remove_tag(name)
    refs.tag(name, run)
    return name


def retire(refs: Refs, recipe: str, keep: int, grace: timedelta) -> int:
    """Remove what only older runs of a recipe hold: its tables stay for the newest `keep` dumps.

    Tags that people gave hold theirs as ever, and so do the runs of other recipes.

    Returns:
        Bytes that were freed.
    """
    dated = re.compile(re.escape(recipe) + "-" + DATE.pattern)
    old = sorted(tag.name for tag in refs.tags() if dated.fullmatch(tag.name))[:-keep]
    for name in old:
        refs.remove_tag(name)
    freed = 0
    for artifact in refs.prunable(keep, grace, recipe):
        freed += freed_bytes(artifact)
        remove(artifact)
    return freed
