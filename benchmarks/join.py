"""The join of pairs with statements, against one SQLite lookup a pair, on generated data.

`python -m benchmarks.join` makes 20 million statements between 5 million items, in 64 shards as
parse_wikidata keeps them, and 1 million pairs in documents of 12.5 linked entities on average, a
share of them stated. All sides answer the same pairs; the answers are compared.

SQLite is asked with one prepared SELECT a pair, in three ways: of a table with an index on (head,
tail) in the cache that it has by default, as one uses it commonly; of the same table when all of it
lies in its cache; and so of a table clustered by its primary key (WITHOUT ROWID), which is the best
that it can do.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from stages.align import PAIR_BYTES, AlignConfig
from stages.alignment.merged import Merged
from stages.alignment.pairs import labels_of
from stages.alignment.statements import COLUMNS, Statements, keep_statements
from storage.artifact import Shards
from storage.lookup import pair_keys

Array = npt.NDArray[np.uint64]
CUT = Shards(64, 1000)
ITEMS = 5_000_000
COLUMNS_OF_EDGES = "head INTEGER, tail INTEGER, pid INTEGER, statement INTEGER"
PEERS = {
    "index": (
        f"CREATE TABLE edges ({COLUMNS_OF_EDGES})",
        "CREATE INDEX pair ON edges (head, tail)",
    ),
    "clustered": (
        f"CREATE TABLE edges ({COLUMNS_OF_EDGES}, "
        "PRIMARY KEY (head, tail, pid, statement)) WITHOUT ROWID",
    ),
}
"""How SQLite's table is made, by what is told of it."""


def main() -> None:
    """Make the data, measure both sides in turn, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=20_000_000)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=13)
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        edges = made_edges(random, args.edges)
        documents = made_documents(random, edges, args.pairs)
        size = sum(len(items) * (len(items) - 1) for items in documents)
        print(f"{args.edges:,} statements, {size:,} pairs in {len(documents):,} documents")
        statements = write_statements(Path(folder), edges)
        bases = {
            name: write_sqlite(Path(folder) / f"{name}.sqlite", edges, tables)
            for name, tables in PEERS.items()
        }
        bases["default"] = sqlite3.connect(Path(folder) / "index.sqlite")
        del edges
        capacity = AlignConfig().memory_mb * 2**20 // PAIR_BYTES
        sides: dict[str, Callable[[], int]] = {
            "join": lambda: joined(statements, documents, capacity),
            "labels": lambda: ours(statements, documents, capacity),
        }
        sides |= {n: partial(theirs, base, documents) for n, base in bases.items()}
        runs: dict[str, list[float]] = {name: [] for name in sides}
        answers = {}
        for _ in range(args.repeats):
            for name, ask in sides.items():
                ask()  # so that what it reads is mapped: the others have had the memory since
                seconds, answers[name] = timed(ask)
                runs[name].append(seconds)
        assert len({answers[name] for name in ("labels", *bases)}) == 1, "the sides differ"
        report(runs, list(bases), size, answers["labels"])
        tracemalloc.start()
        ours(statements, documents, capacity)
        peak = tracemalloc.get_traced_memory()[1]
        print(
            f"peak of the join with memory_mb = {AlignConfig().memory_mb}: {peak / 2**20:,.0f} MiB"
        )
        print(f"a pair takes {peak / min(capacity, size):,.0f} bytes of {PAIR_BYTES} allowed")


def made_edges(random: np.random.Generator, count: int) -> Array:
    """Return statements as rows of head, PID, tail: some items have thousands, as in Wikidata."""
    heads = (ITEMS * random.random(count) ** 2).astype(np.uint64) + np.uint64(1)
    tails = (ITEMS * random.random(count) ** 4).astype(np.uint64) + np.uint64(1)
    pids = (1 + random.zipf(1.4, count) % 1500).astype(np.uint64)
    return np.stack([heads, pids, tails])


def made_documents(random: np.random.Generator, edges: Array, pairs: int) -> list[Array]:
    """Return items of documents, as many as have so many ordered pairs; some are related."""
    documents, made = [], 0
    while made < pairs:
        size = int(random.integers(5, 21))
        chosen = random.integers(0, edges.shape[1], size // 2)
        items = np.unique(np.concatenate([edges[0, chosen], edges[2, chosen]]))
        documents.append(items)
        made += len(items) * (len(items) - 1)
    return documents


def write_statements(folder: Path, edges: Array) -> Statements:
    """Keep the statements as parse_wikidata does, and open them."""
    heads, pids, tails = edges
    place = (heads // np.uint64(CUT.block)) % np.uint64(CUT.count)
    for shard in range(CUT.count):
        own = np.flatnonzero(place == shard)
        rows = {"pid": pids[own], "rank": np.ones(len(own)), "statement": own, "times": own * 0}
        values = {name: rows[name].astype(kind) for name, kind in COLUMNS.items()}
        order = np.argsort(pids[own], kind="stable")
        keys = pair_keys(heads[own], tails[own])
        order = order[np.argsort(keys[order], kind="stable")]
        stretch = keys[order], {n: v[order] for n, v in values.items()}
        keep_statements(lambda n: folder / n, shard, [stretch])
    files = {path.name: path for path in folder.iterdir()}
    return Statements(files, CUT, Merged([], []))


def write_sqlite(path: Path, edges: Array, tables: Sequence[str]) -> sqlite3.Connection:
    """Write the statements into a SQLite table, and read it into the cache."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA mmap_size = 4000000000")
    base.execute("PRAGMA cache_size = -2000000")
    base.execute(tables[0])
    heads, pids, tails = edges
    # Sorted by a clustered table's key, as a dump by the item where only an index sorts.
    order = np.lexsort((pids, tails, heads) if "WITHOUT" in tables[0] else (heads,))
    for start in range(0, len(order), 1_000_000):
        own = order[start : start + 1_000_000]
        rows = zip(*(c[own].tolist() for c in (heads, tails, pids)), own.tolist(), strict=True)
        base.executemany("INSERT INTO edges VALUES (?, ?, ?, ?)", rows)
    for then in tables[1:]:
        base.execute(then)
    base.commit()
    base.execute("ANALYZE")
    base.execute("SELECT sum(pid) FROM edges").fetchall()
    return base


def ours(statements: Statements, documents: list[Array], capacity: int) -> int:
    """Return how many labels the pairs have, by align's own join."""
    return sum(labels.triples for labels in labels_of(statements, documents, capacity))


def joined(statements: Statements, documents: list[Array], capacity: int) -> int:
    """Return how many statements relate items of one document; the join without its objects."""
    owners = np.repeat(np.arange(len(documents)), [len(items) for items in documents])
    return len(statements.among(np.concatenate(documents), owners, capacity).head)


def theirs(base: sqlite3.Connection, documents: list[Array]) -> int:
    """Return the same by one query a pair."""
    query = "SELECT pid FROM edges WHERE head = ? AND tail = ?"
    found = 0
    for items in documents:
        numbers = items.tolist()
        for head in numbers:
            for tail in numbers:
                if head != tail:
                    found += len({pid for (pid,) in base.execute(query, (head, tail))})
    return found


def timed(ask: Callable[[], int]) -> tuple[float, int]:
    """Return CPU seconds and the answer."""
    start = time.process_time()
    answer = ask()
    return time.process_time() - start, answer


def report(runs: dict[str, list[float]], peers: Sequence[str], pairs: int, labels: int) -> None:
    """Print what each side took."""
    print(f"{labels:,} labels, the same on all sides")
    for name, seconds in runs.items():
        rate = pairs / median(seconds)
        shown = ", ".join(f"{s:.2f}" for s in seconds)
        print(f"{name:<10} {median(seconds):6.2f} s CPU ({shown}), {rate:,.0f} pairs a second")
    for peer in peers:
        for name in ("join", "labels"):
            ratios = [b / a for a, b in zip(runs[name], runs[peer], strict=True)]
            spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
            print(f"SQLite, {peer} / {name}: {median(ratios):.1f} ({spread})")


if __name__ == "__main__":
    main()
