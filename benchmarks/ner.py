"""NER that relmill trains, on gold documents it never saw: exact spans, by type and overall.

    python -m benchmarks.ner [gold] [anchors] [--seed N] [--root WAREHOUSE]

gold: learnt from the development part of Re-DocRED, beside a gazetteer of the names there.
anchors: learnt from the hyperlinks of enwiki-slice and enwiki-tables.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.articles import data_folder
from benchmarks.ner_scores import Score, Typed, gazetteer, scores, untyped
from pipeline.config import load_recipe
from pipeline.plan import make_plan
from pipeline.pool import Pool
from pipeline.run import execute
from stages.annotated import Document, read
from stages.base import Inputs, InputTable
from stages.ner.pipeline import load, split
from stages.train_ner import MODEL, TrainNerConfig, train_ner
from storage.artifact import Shard, Shards
from storage.refs import Refs
from storage.tables import SITE
from storage.warehouse import Warehouse

DEV, TEST = "re-docred/dev_revised.json.gz", "re-docred/test_revised.first250.json.gz"
SLICE = "enwiki-slice/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
TABLES = "enwiki-tables/enwiki-table-markup.xml.bz2"
FACTS = "wikidata-assembled/assembled-wikidata.json.bz2"
LITERALS = ("TIME", "NUM")
AS_IN_DOCRED = {"PERSON": "PER", "ORG": "ORG", "LOC": "LOC"}
ERICA = """ERICA's authors put the F1 of the NER behind their corpus at 84.7 %, as people judged a
sample: other texts, other types, another model. It stands here for scale and is not comparable."""


class Silent:
    """Takes note of nothing."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Nothing."""

    def count(self, name: str, count: int = 1) -> None:
        """Nothing."""


class Watcher:
    """Prints what each step took."""

    def step_begins(self, *_: object) -> None:
        """Nothing."""

    def shard_done(self, *_: object) -> None:
        """Nothing."""

    def step_ends(self, step: object, artifact: object, made: bool) -> None:
        """Nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="gold, anchors; both if none is named")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--root", type=Path, help="warehouse to keep for anchors")
    asked = parser.parse_args()
    data = data_folder()
    test = list(read("docred", data / TEST, Silent()))
    parts = asked.parts or ["gold", "anchors"]
    with tempfile.TemporaryDirectory() as folder:
        if "gold" in parts:
            from_gold(data, test, asked.seed, Path(folder))
        if "anchors" in parts:
            from_anchors(data, test, asked.seed, asked.root or Path(folder) / "warehouse")
    print(ERICA)


def from_gold(data: Path, test: Sequence[Document], seed: int, folder: Path) -> None:
    began = time.process_time()
    inputs = Inputs(
        {SITE.name: InputTable(rows=pa.Table.from_pylist([english()], SITE.schema))},
        shard=Shard(0, Shards()),
        scratch=folder,
        files=folder / "files",
        downloads=folder / "downloads",
    )
    config = TrainNerConfig(source="docred", gold=str(data / DEV), seed=seed)
    for _ in train_ner(config, inputs):
        pass
    print(f"trained in {time.process_time() - began:.0f} CPU seconds: {inputs.counts}")
    found = found_by(folder / "files" / MODEL, test)
    table("Learnt from Re-DocRED dev", zip(map(mentions, test), found, strict=True))
    dev = [(d.text, d.tokens, mentions(d)) for d in read("docred", data / DEV, Silent())]
    for share in (0.0, 0.5):
        names = gazetteer(dev, share)
        what = f"Gazetteer of the {len(names.names):,} names of dev"
        what += f" that are mentions at least {share:.0%} of the time" if share else ""
        table(what, ((mentions(d), list(names.find(d.text, d.tokens))) for d in test))


def english() -> dict[str, object]:
    """Return a row of `site`."""
    return {"ordinal": 0, "language": "en", "dbname": "enwiki", "site": "{}"}


def from_anchors(data: Path, test: Sequence[Document], seed: int, root: Path) -> None:
    dumps = ", ".join(f'"{data / name}"' for name in (SLICE, TABLES))
    # tiny learns for a few seconds only: here the stage's own defaults count.
    learnt = TrainNerConfig()
    overrides = [
        f"fetch.wikipedia=[{dumps}]",
        f"fetch.wikidata={data / FACTS}",
        "recognize.model=trained",
        f"seed={seed}",
        *(f"train_ner.{n}={getattr(learnt, n)}" for n in ("max_steps", "evaluate_every", "pages")),
    ]
    warehouse = Warehouse(root)
    plan = make_plan(load_recipe("tiny", overrides), warehouse, to="train_ner")
    folder = Refs(warehouse).new_run("tiny")
    with Pool(1, folder) as pool:
        record = execute(plan, warehouse, folder, pool, Watcher())
    artifact = warehouse.named(record.steps["train_ner"])
    manifest = artifact.manifest()
    print(f"trained in {manifest.seconds:.0f} s: {manifest.counts()}, left out {manifest.drops()}")
    found = found_by(artifact.file(MODEL), test)
    gold = [mentions(document) for document in test]
    pairs = list(zip(gold, found, strict=True))
    title = "Learnt from anchors of enwiki-slice and enwiki-tables"
    table(f"{title}: boundaries only", ((untyped(g), untyped(f)) for g, f in pairs))
    table(
        f"{title}: boundaries only, without TIME and NUM, which anchors do not name",
        ((untyped(g, LITERALS), untyped(f)) for g, f in pairs),
    )
    as_docred = [[(s, AS_IN_DOCRED.get(t, "MISC")) for s, t in f] for f in found]
    table(f"{title}: typed, all but PERSON, ORG and LOC as MISC", zip(gold, as_docred, strict=True))


def mentions(document: Document) -> list[Typed]:
    """Return the gold mentions of a document."""
    return [(m.span, m.type) for e in document.entities for m in e.mentions if m.type]


def found_by(model: Path, documents: Iterable[Document]) -> list[list[Typed]]:
    """Return what a pipeline finds in each document."""
    pieces = split(load(str(model), "en"), (d.text for d in documents), 64)
    return [found for _, found in pieces]


def table(title: str, pairs: Iterable[tuple[Sequence[Typed], Sequence[Typed]]]) -> None:
    """Print the scores of pairs of gold and found mentions."""
    print(f"\n{title}")
    print(f"{'type':<8}{'gold':>7}{'found':>7}{'P':>8}{'R':>8}{'F1':>8}")
    for kind, score in scores(pairs).items():
        print(line(kind, score))
    print(flush=True)


def line(kind: str, score: Score) -> str:
    """Return a line of the table, shares in percent."""
    shares = "".join(f"{100 * s:>8.1f}" for s in (score.precision, score.recall, score.f1))
    return f"{kind:<8}{score.gold:>7,}{score.found:>7,}{shares}"


if __name__ == "__main__":
    main()
