"""A rebuild from a newer dump: how many pages does recognize compute, and are the tables the same?

    python -m benchmarks.incremental                            the made-up world
    python -m benchmarks.incremental DATA/ltgwiki-full/*.bz2    a real dump

A second dump is made of the first: 5 % of its articles are edited, 1 % deleted, 1 % added, and
another 5 % get a new revision without other words. NER is a spaCy pipeline that learns a little
from the first dump's hyperlinks. The second dump is built on top of the first and, in a fresh
warehouse, from nothing. Ends with status 1 if a part differs, or if more than 8 % of the pages were
computed.
"""

from __future__ import annotations

import argparse
import bz2
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import load_recipe
from pipeline.plan import make_plan
from pipeline.pool import Pool
from pipeline.run import execute
from stages.ner.archive import pack
from stages.ner.passage import Passage, Typed
from stages.ner.training import Settings, train
from stages.sample import write_world
from storage.artifact import Manifest, PartRecord
from storage.reading import tables_of
from storage.refs import Refs, RunRecord
from storage.warehouse import Warehouse

EDITED, DELETED, ADDED, TOUCHED = 0.05, 0.01, 0.01, 0.05
MOST = 0.08
"""Share of pages that a rebuild may compute."""

LONGEST = 4000
"""Characters of an article that the pipeline learns from."""

PAGE = re.compile(r"  <page>\n.*?  </page>\n", re.DOTALL)
REVISION = re.compile(r"(<revision>\s*<id>)(\d+)(</id>)")


@dataclass(frozen=True)
class Changes:
    """How many articles of a dump were changed in a second one."""

    articles: int
    edited: int
    deleted: int
    added: int
    touched: int


def second_dump(first: Path, second: Path, seed: int = 13) -> Changes:
    """Write a dump as it might be some days later.

    Args:
        first: MediaWiki XML, bzip2.
        second: Likewise, one stream.
    """
    text = bz2.decompress(first.read_bytes()).decode()
    pages = PAGE.findall(text)
    articles = [page for page in pages if "<ns>0</ns>" in page and "<redirect" not in page]
    rng = random.Random(seed)
    chosen = rng.sample(articles, len(articles))
    counts = [round(len(articles) * share) for share in (EDITED, DELETED, ADDED, TOUCHED)]
    kinds: list[list[str]] = []
    for count in counts:
        kinds.append(chosen[:count])
        chosen = chosen[count:]
    edited, deleted, copied, touched = kinds
    become = {page: with_words(page) for page in edited}
    become |= {page: with_revision(page) for page in touched}
    become |= dict.fromkeys(deleted, "")
    highest = max(int(found[1]) for page in pages if (found := re.search(r"<id>(\d+)</id>", page)))
    news = [anew(page, highest + number) for number, page in enumerate(copied, 1)]
    head, tail = text[: text.index(pages[0])], text[text.rindex(pages[-1]) + len(pages[-1]) :]
    body = "".join(become.get(page, page) for page in pages) + "".join(news)
    second.write_bytes(bz2.compress((head + body + tail).encode()))
    return Changes(len(articles), *counts)


def with_words(page: str) -> str:
    """Return an article with a sentence more."""
    before, behind = with_revision(page).rsplit("</text>", 1)
    return f"{before}\n\nOn the second day Ada Marr wrote a sentence more.\n</text>{behind}"


def with_revision(page: str) -> str:
    """Return an article under a newer revision, with the same words."""
    return REVISION.sub(lambda found: f"{found[1]}{int(found[2]) + 10**9}{found[3]}", page, count=1)


def anew(page: str, page_id: int) -> str:
    """Return an article under another title and id."""
    page = re.sub(r"<title>(.*?)</title>", rf"<title>\1 ({page_id})</title>", page, count=1)
    return re.sub(r"<id>\d+</id>", f"<id>{page_id}</id>", page, count=1)


class Quiet:
    """Counts and tells nothing; a tally of the training and a watcher of runs."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Nothing."""

    def report(self, doing: str) -> None:
        """Nothing."""

    def step_begins(self, step: object, todo: int, taken: int, folder: Path) -> None:
        """Nothing."""

    def shard_done(self, step: object, record: PartRecord) -> None:
        """Nothing."""

    def step_ends(self, step: object, artifact: object, made: bool) -> None:
        """Nothing."""


def build(warehouse: Warehouse, dump: Path, model: str, to: str) -> RunRecord:
    """Make the tables of a dump as far as a stage."""
    plan = make_plan(load_recipe("tiny", overrides(dump, model)), warehouse, to=to)
    folder = Refs(warehouse).new_run("tiny")
    with Pool(1, folder) as pool:
        return execute(plan, warehouse, folder, pool, Quiet())


def overrides(dump: Path, model: str) -> list[str]:
    """Return what makes `tiny` a recipe for a dump."""
    return [f"fetch.wikipedia={dump}", f"recognize.model={model}"]


def learn(warehouse: Warehouse, dump: Path, path: Path, steps: int) -> None:
    """Train a small pipeline on the words of a dump's hyperlinks, and zip it."""
    run = build(warehouse, dump, "blank", "parse_wikipedia")
    tables = tables_of(warehouse, run.steps, "the first dump")
    rows = tables.sql(
        "SELECT p.text, list((h.char_start, h.char_end) ORDER BY h.char_start) AS links "
        "FROM pages p JOIN hyperlinks h USING (page_id) WHERE h.char_start IS NOT NULL "
        "GROUP BY ALL ORDER BY max(length(p.text)) DESC, p.text LIMIT 120"
    ).to_pylist()
    passages = [Passage(row["text"][:LONGEST], tuple(names(row["links"]))) for row in rows]
    settings = Settings(seed=13, max_steps=steps, patience=steps, evaluate_every=max(steps // 2, 1))
    with tempfile.TemporaryDirectory() as folder:
        train("en", passages[::2], passages[1::2], settings, Path(folder) / "nlp", Quiet())
        pack(Path(folder) / "nlp", path)


def names(links: list[dict[str, int]]) -> Iterator[Typed]:
    """Yield hyperlinks as mentions of one type."""
    for link in links:
        start, end = link.values()
        if end <= LONGEST:
            yield (start, end), "NAME"


def manifest_of(warehouse: Warehouse, run: RunRecord) -> Manifest:
    """Return how recognize was made."""
    return warehouse.named(run.steps["recognize"]).manifest()


def measure(dump: Path, work: Path, steps: int) -> tuple[list[str], bool]:
    """Return the figures as lines, and whether all is as it should be."""
    second, model = work / "second.xml.bz2", work / "model.zip"
    changes = second_dump(dump, second)
    grown, fresh = Warehouse(work / "grown"), Warehouse(work / "fresh")
    learn(grown, dump, model, steps)
    first = manifest_of(grown, build(grown, dump, str(model), "recognize"))
    build(grown, second, str(model), "parse_wikipedia")
    planned = make_plan(load_recipe("tiny", overrides(second, str(model))), grown, to="recognize")
    told = planned.step("recognize").pages
    carried = manifest_of(grown, build(grown, second, str(model), "recognize"))
    nothing = manifest_of(fresh, build(fresh, second, str(model), "recognize"))
    computed, kept, rows = carried.pages()
    same = [(r.parts, r.files, r.drops, r.drop_samples) for r in carried.records] == [
        (r.parts, r.files, r.drops, r.drop_samples) for r in nothing.records
    ]
    share = computed / (computed + kept)
    lines = [
        f"articles           {changes.articles:,}; edited {changes.edited}, deleted "
        f"{changes.deleted}, added {changes.added}, new revision only {changes.touched}",
        f"the plan says      {told}",
        f"pages computed     {computed:,} of {computed + kept:,} ({share:.1%}); carried {kept:,} "
        f"with {rows:,} rows",
        f"mentions by NER    {mentions(grown, carried):,}",
        f"recognize          {first.seconds:.2f} s for the first dump, {nothing.seconds:.2f} s for "
        f"the second from nothing, {carried.seconds:.2f} s on top of the first",
        f"parts, files and drops {'equal' if same else 'DIFFER'} to a build from nothing",
    ]
    return lines, same and share <= MOST and told == (computed, kept)


def mentions(warehouse: Warehouse, manifest: Manifest) -> int:
    """Return the number of mentions that only NER found."""
    steps = {"recognize": f"recognize/{manifest.fingerprint}"}
    tables = tables_of(warehouse, steps, "recognize")
    found: int = tables.sql("SELECT count(*) AS n FROM mentions WHERE source = 'ner'")["n"][
        0
    ].as_py()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dump", nargs="?", type=Path, help="MediaWiki XML, bzip2")
    parser.add_argument("--steps", type=int, default=60, help="batches that the pipeline learns")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relmill-incremental-") as name:
        work = Path(name)
        dump = options.dump or write_world(13, work / "world").wikipedia
        lines, good = measure(dump, work, options.steps)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
