"""Distant labels against gold: the text of Re-DocRED dev, its mentions given, aligned with facts.

    RELMILL_REAL_DATA=FOLDER python -m benchmarks.distant_labels [--seed N]

The facts, names and sitelinks of the assembled Wikidata dump go through index_aliases, link and
align as they are, with the defaults of their configs. Nothing is chosen on these documents. A label
is right where Re-DocRED's complete labels have it for the same two entities; only the relations
that DocRED has count. Two ways of knowing which mentions are one entity: ours, mentions linked to
one item; and Re-DocRED's own clusters, all mentions of which take the item that most of them have.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.articles import data_folder
from benchmarks.linking import DUMP, knowledge
from benchmarks.stage_runs import run_stage
from stages.align import ALIGN, AlignConfig
from stages.base import Inputs, InputTable, Rows, ShardCounts, Stage, StageConfig
from stages.import_annotated import IMPORT_ANNOTATED, ImportAnnotatedConfig
from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from stages.link import LINK, LinkConfig
from stages.parse_wikidata import StatementLookup
from storage.table import Table
from storage.tables import (
    ALIASES,
    ANNOTATIONS,
    DOCUMENTS,
    ENTITIES,
    HYPERLINKS,
    ITEM_REDIRECTS,
    ITEMS,
    LINKS,
    MENTIONS,
    PAGES,
    REDIRECTS,
    SENTENCES,
    SITE,
    TITLES,
    TRIPLES,
    TUPLES,
)

GOLD = "re-docred/dev_revised.json.gz"
RELATIONS = "docred-test-unlabelled/rel_info.json.gz"
RESAMPLES = 2000
SURENESS = ("title", "page", "part", "alias")
"""Methods of linking, the surest first; a label has the less sure one of its two ends."""

Label = tuple[str, int, int, str]
"""Document, head, tail and relation."""


class Trial:
    """The documents, the facts, and what link and align make of them."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._folder = folder
        config = ImportAnnotatedConfig(format="docred", path=str(data / GOLD))
        self.corpus = run_stage(IMPORT_ANNOTATED, config, {}, folder / "corpus")
        with gzip.open(data / RELATIONS, "rt", encoding="utf-8") as stream:
            self.relations = set(json.load(stream))
        items, triples = knowledge(data / DUMP)
        given: dict[Table, Any] = {
            PAGES: [],
            REDIRECTS: [],
            HYPERLINKS: [],
            ITEMS: list(items.values()),
            TRIPLES: InputTable(rows=triples),
        }
        self._index = run_stage(INDEX_ALIASES, IndexAliasesConfig(), given, folder / "index")
        self._facts = run_stage(facts_stage(triples), StageConfig(), {}, folder / "facts")
        self.entity_of = {
            (row["document_id"], m["char_start"]): row["entity"]
            for row in rows(self.corpus[ENTITIES])
            for m in row["mentions"]
        }
        self.gold = {
            (row["document_id"], label["head_entity"], label["tail_entity"], label["relation"])
            for row in rows(self.corpus[ANNOTATIONS])
            for label in row["labels"]
        }

    def links(self) -> list[dict[str, Any]]:
        """Return the links of the mentions."""
        given: dict[Table, Any] = {
            **{table: self.corpus[table] for table in (PAGES, MENTIONS)},
            **{table: self._index[table] for table in (TITLES, ALIASES)},
            HYPERLINKS: [],
            SITE: [{"ordinal": 0, "language": "en"}],
        }
        return rows(run_stage(LINK, LinkConfig(), given, self._folder / "link")[LINKS])

    def spread(self, links: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return links by gold clusters: of each, all mentions take the item with most links.

        Of items with equally many, the one with the surest link counts, then the lower number.
        """
        document = {row["page_id"]: row["document_id"] for row in rows(self.corpus[DOCUMENTS])}
        votes: dict[tuple[str, int], dict[str, list[Mapping[str, Any]]]] = {}
        for link in links:
            name = document[link["page_id"]]
            entity = (name, self.entity_of[name, link["char_start"]])
            votes.setdefault(entity, {}).setdefault(link["qid"], []).append(link)
        chosen = {
            entity: min(
                found.values(), key=lambda own: (-len(own), sureness(own[0]), own[0]["qid"])
            )
            for entity, found in votes.items()
        }
        made = []
        for mention in rows(self.corpus[MENTIONS]):
            name = document[mention["page_id"]]
            entity = (name, self.entity_of[name, mention["char_start"]])
            if entity in chosen:
                best = min(chosen[entity], key=sureness)
                place = {k: mention[k] for k in ("page_id", "char_start", "char_end")}
                made.append({**best, **place})
        return made

    def labels(self, links: Sequence[Mapping[str, Any]]) -> dict[Label, str]:
        """Return the labels that align gives with some links, each with its method of linking."""
        given: dict[Table, Any] = {
            **{table: self.corpus[table] for table in (PAGES, DOCUMENTS, SENTENCES, MENTIONS)},
            LINKS: links,
            TITLES: self._index[TITLES],
            TRIPLES: self._facts[TRIPLES],
            ITEM_REDIRECTS: [],
        }
        config = AlignConfig(min_entities=0, min_triples=0, shards=ShardCounts(item=1))
        made = run_stage(ALIGN, config, given, self._folder / "align")
        linked = {(link["page_id"], link["char_start"]): link for link in links}
        entities = {(e["document_id"], e["entity"]): e for e in rows(made[ENTITIES])}
        found: dict[Label, str] = {}
        for row in rows(made[TUPLES]):
            ends = [
                entities[row["document_id"], row[side]] for side in ("head_entity", "tail_entity")
            ]
            head, tail = (self.vertex(end) for end in ends)
            method = max((method_of(end, linked) for end in ends), key=SURENESS.index)
            for pid in self.relations & set(row["pids"]):
                label = (row["document_id"], head, tail, pid)
                if head != tail:
                    found[label] = min(method, found.get(label, method), key=SURENESS.index)
        return found

    def vertex(self, entity: Mapping[str, Any]) -> int:
        """Return the gold entity that most mentions of one of ours belong to."""
        name = entity["document_id"]
        votes = Counter(self.entity_of[name, m["char_start"]] for m in entity["mentions"])
        vertex: int = votes.most_common(1)[0][0]
        return vertex


def facts_stage(triples: pa.Table) -> Stage:
    """Return a stage that keeps statements as parse_wikidata does."""

    def keep(config: StageConfig, inputs: Inputs) -> Iterator[Rows]:
        lookup = StatementLookup(inputs.scratch)
        for batch in triples.to_batches():
            lookup.add(batch)
            yield TRIPLES, batch
        lookup.write(inputs)

    return Stage("facts", 1, StageConfig, (), (TRIPLES,), keep)


def rows(given: InputTable) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    assert given.rows is not None
    found: list[dict[str, Any]] = given.rows.to_pylist()
    return found


def sureness(link: Mapping[str, Any]) -> int:
    """Return how far down a link's method stands."""
    return SURENESS.index(link["method"])


def method_of(
    entity: Mapping[str, Any], linked: Mapping[tuple[int, int], Mapping[str, Any]]
) -> str:
    """Return the surest method by which a mention of an entity was linked."""
    places = [(entity["page_id"], m["char_start"]) for m in entity["mentions"]]
    methods: list[str] = [linked[place]["method"] for place in places]
    return min(methods, key=SURENESS.index)


def figures(right: float, found: float, gold: float) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    precision, recall = right / max(found, 1), right / gold
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def tell(name: str, found: Mapping[Label, str], gold: set[Label], seed: int) -> None:
    """Print the figures with intervals of 95 %: documents are drawn with replacement."""
    documents = sorted({label[0] for label in gold} | {label[0] for label in found})
    place = {document: i for i, document in enumerate(documents)}
    counts = np.zeros((len(documents), 3))
    for column, labels in enumerate((set(found) & gold, set(found), gold)):
        for label in labels:
            counts[place[label[0]], column] += 1
    chance = np.random.default_rng(seed)
    size = len(documents)
    drawn = np.array(
        [figures(*counts[chance.integers(size, size=size)].sum(axis=0)) for _ in range(RESAMPLES)]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    shown = "   ".join(
        f"{label} {value:.3f} [{a:.3f}, {b:.3f}]"
        for label, value, a, b in zip(
            ("precision", "recall", "F1"), figures(*counts.sum(axis=0)), low, high, strict=True
        )
    )
    print(f"{name:<28} {len(found):>6,} labels   {shown}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=13, help="seed of the intervals (13)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(data_folder(), Path(folder))
        links = trial.links()
        mentions = trial.corpus[MENTIONS].rows
        assert mentions is not None
        print(f"{len(links):,} of {mentions.num_rows:,} mentions linked", end=": ")
        print(", ".join(f"{m} {n:,}" for m, n in Counter(k["method"] for k in links).most_common()))
        print(f"{len(trial.gold):,} gold labels of {len(trial.relations)} relations")
        for clusters, used in (("our clusters", links), ("gold clusters", trial.spread(links))):
            labels = trial.labels(used)
            tell(clusters, labels, trial.gold, given.seed)
            for method in SURENESS:
                own = {label: m for label, m in labels.items() if m == method}
                if own:
                    tell(f"  less sure end by {method}", own, trial.gold, given.seed)
    print(
        "Beside it, and not comparable, being of another corpus judged by people: ERICA, F1 0.254"
    )


if __name__ == "__main__":
    main()
