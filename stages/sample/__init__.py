"""The made-up world behind `tiny`: both dumps in their real formats, and the truth about them.

It is for tests and for seeing the system work. It is never evidence for a method, and no method
may be tuned to it: the sentences come out of a few hundred templates. All names of people, places,
organizations and works are invented; properties, classes and occupations have their real ids.

The noise model, fixed before any method was run on it:

* A paragraph is drawn sentence by sentence. A sentence states a fact, or names two entities that
  Wikidata relates while it says something else, or fills (the chances are `articles.KINDS`).
* A relation has four to eight patterns. Relations share words with one another and with the
  sentences that state nothing, so no keyword decides.
* Wikidata lacks `facts.MISSING` of the facts that hold, and texts state them all the same; it has
  a few deprecated statements that no text repeats.
* Entities of a paragraph that never meet in one sentence are related by Wikidata too.

About half of the distant labels are so not expressed by the text that they are given to (53 % in
Gao et al. 2021); `tests/stages/test_sample.py` measures the share and guards it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from stages.sample import special_pages, truth
from stages.sample.articles import Author
from stages.sample.facts import build_world
from stages.sample.pages import Page, article, held_out, published
from stages.sample.wikidata_json import write_wikidata
from stages.sample.wikipedia_xml import write_wikipedia
from stages.sample.world import Entity, World

__all__ = ["SampleWorld", "write_world"]

GOLD_DOCUMENTS = 30
GOLD_QUOTAS = {"person": 14, "city": 4, "university": 2, "company": 3, "book": 4, "film": 3}


@dataclass(frozen=True)
class SampleWorld:
    """Where the files of a made-up world lie.

    Args:
        wikipedia: MediaWiki XML in multistream bzip2.
        wikipedia_index: Its index, bzip2.
        wikidata: Wikidata JSON dump, bzip2.
        truth: JSON lines, one a sentence; `truth.truth_rows` says what is in it.
        gold: DocRED's JSON format, of pages that are not in `wikipedia`.
    """

    wikipedia: Path
    wikipedia_index: Path
    wikidata: Path
    truth: Path
    gold: Path


def write_world(seed: int, directory: Path) -> SampleWorld:
    """Write the made-up world of a seed: the same bytes for the same seed.

    Args:
        seed: Any integer.
        directory: Made if it is not there; files of the same names are replaced.
    """
    directory.mkdir(parents=True, exist_ok=True)
    world = build_world(seed)
    made = SampleWorld(
        directory / "samplewiki-20260101-pages-articles-multistream.xml.bz2",
        directory / "samplewiki-20260101-pages-articles-multistream-index.txt.bz2",
        directory / "wikidata-20260101-all.json.bz2",
        directory / "truth.jsonl",
        directory / "gold.json",
    )
    pages, documents = _compose(world, seed)
    write_wikipedia(pages, seed, made.wikipedia, made.wikipedia_index)
    write_wikidata(world, seed, made.wikidata)
    truth.write_truth(pages, made.truth)
    truth.write_gold(documents, made.gold)
    return made


def _compose(world: World, seed: int) -> tuple[list[Page], list[truth.Json]]:
    """Return all pages of the dump by ascending id, and the documents of the gold benchmark."""
    recorded = world.recorded()
    entities = published(world)
    pages = special_pages.redirects(world)
    pages += [article(world, Author(world, entity, recorded, seed)) for entity in entities]
    documents = []
    for entity in _held_out(world):
        sentences = held_out(Author(world, entity, recorded, seed))
        documents.append(truth.gold_document(entity.title, sentences, world))
    pages += special_pages.disambiguations(world)
    pages += special_pages.lists(world)
    pages += special_pages.without_item(world)
    pages += special_pages.others(world)
    special_pages.add_item_redirects(world)
    rng = random.Random(f"pages {seed}")
    rng.shuffle(pages)
    page_id = 100
    for page in pages:
        page_id += rng.randint(7, 60)
        page.page_id = page_id
    return pages, documents


def _held_out(world: World) -> list[Entity]:
    """Return what the gold benchmark is about: so many of each kind, filled up with any kind."""
    candidates = {kind: [e for e in world.of_kind(kind) if e.held_out] for kind in GOLD_QUOTAS}
    chosen = [e for kind, count in GOLD_QUOTAS.items() for e in candidates[kind][:count]]
    spare = [e for kind, count in GOLD_QUOTAS.items() for e in candidates[kind][count:]]
    return [*chosen, *spare][:GOLD_DOCUMENTS]
