"""Memory of the indexes of names: built and asked in processes of their own, then extrapolated.

    python -m benchmarks.linking_memory [--titles N] [--folder DIR]

Makes N items with an article (a million unless said otherwise), N / 2 redirects among their titles
and names: a label and four aliases an item, drawn so that some names are shared. Of each process it
prints the peak of its memory ("all"), and what of it is its "own": pages of mapped files, which
all workers of a machine share, do not count there. The same is measured with a quarter of them;
the line through both gives 18 million titles and 100 million aliases.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.base import Inputs, InputTable
from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from stages.link import Names
from storage.artifact import Shard, Shards
from storage.tables import ALIASES, HYPERLINKS, ITEMS, PAGES, REDIRECTS, TITLES, TRIPLES
from storage.warehouse import Artifact, Warehouse

ALIASES_AN_ITEM = 4
ROWS = 50_000
WANTED_TITLES, WANTED_ALIASES = 18e6, 100e6
SURFACES = 200_000
READS = (PAGES, HYPERLINKS, REDIRECTS, ITEMS, TRIPLES)


def made_items(count: int) -> Iterator[pa.RecordBatch]:
    """Yield items, each with a title of about twenty letters, a label and four aliases."""
    for first in range(0, count, ROWS):
        rows = range(first, min(first + ROWS, count))
        yield ITEMS.batch(
            [
                (
                    f"Q{n + 1}",
                    f"Name {n % (count * 4 // 5)} of some length",
                    None,
                    [
                        f"Other {(n * 7 + k * 13) % (count * 3)} name"
                        for k in range(ALIASES_AN_ITEM)
                    ],
                    f"Title {n} of the article",
                    ["Q5"],
                )
                for n in rows
            ]
        )


def made_redirects(count: int) -> Iterator[pa.RecordBatch]:
    """Yield redirects to every other article."""
    for first in range(0, count // 2, ROWS):
        rows = range(first, min(first + ROWS, count // 2))
        yield REDIRECTS.batch(
            [(n, f"Redirect {n} to it", f"Title {2 * n} of the article", "") for n in rows]
        )


def stage_inputs(paths: dict[str, Path], files: dict[str, Path], folder: Path) -> Inputs:
    """Return what a run function sees: one part a table where there is one, else no rows."""
    tables = {
        name: InputTable(paths=[paths[name]] if name in paths else [], files=files)
        for name in [*(table.name for table in READS), TITLES.name, ALIASES.name]
    }
    return Inputs(
        tables,
        shard=Shard(0, Shards()),
        scratch=folder / "scratch",
        files=folder / "files",
        downloads=folder,
        threads=1,
    )


def build(folder: Path, paths: dict[str, Path]) -> dict[str, Any]:
    """Build the indexes, and write both tables as the engine does."""
    inputs = stage_inputs(paths, {}, folder)
    made = Artifact(folder / "made")
    counts = {}
    rows = INDEX_ALIASES.run(IndexAliasesConfig(), inputs)
    waiting = next(rows, None)
    while waiting is not None:
        table = waiting[0]

        def own(table: Any = table) -> Iterator[pa.RecordBatch]:
            nonlocal waiting
            while waiting is not None and waiting[0] is table:
                yield waiting[1]
                waiting = next(rows, None)

        counts[table.name] = made.put_part(table, 0, own()).rows
    return counts


def ask(folder: Path, count: int) -> dict[str, Any]:
    """Ask for names and titles all over the indexes, as `link` does."""
    files = {path.name: path for path in (folder / "files").iterdir()}
    names = Names(stage_inputs({}, files, folder))
    chance = np.random.default_rng(1)
    found = 0
    for n in chance.integers(0, count, SURFACES).tolist():
        found += bool(names.candidates(f"Other {n} name"))
    titles = [f"Title {n} of the article" for n in chance.integers(0, count, SURFACES).tolist()]
    return {"found": found + len(names.items_of_titles(titles))}


def measured(work: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """Run work in a process of its own; return what it returns, with its peaks in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(watched, (work, given))


def watched(work: Callable[..., dict[str, Any]], given: tuple[Any, ...]) -> dict[str, Any]:
    """Do work and watch the memory of the process."""
    peaks = {"RssAnon": 0, "VmRSS": 0}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for line in Path("/proc/self/status").read_text("ascii").splitlines():
                name, _, value = line.partition(":")
                if name in peaks:
                    peaks[name] = max(peaks[name], int(value.split()[0]) // 1024)

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.process_time()
    made = work(*given)
    done.set()
    watcher.join()
    return {
        **made,
        "own": peaks["RssAnon"],
        "all": peaks["VmRSS"],
        "cpu": time.process_time() - began,
    }


def at_size(count: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Build and ask indexes of so many items."""
    folder.mkdir(parents=True)
    source = Warehouse(folder).artifact("made_up", "0" * 16)
    paths = {}
    for table, rows in ((ITEMS, made_items(count)), (REDIRECTS, made_redirects(count))):
        source.put_part(table, 0, rows)
        paths[table.name] = source.part(table.name, 0)
    built = measured(build, folder, paths)
    asked = measured(ask, folder, count)
    asked["mapped"] = sum(path.stat().st_size for path in (folder / "files").iterdir()) >> 20
    for name, row in (("build", built), ("ask", asked)):
        figures = "  ".join(f"{k} {v:,.0f}" for k, v in row.items())
        print(f"{count:>10,} items  {name:<6} {figures}", flush=True)
    return {"build": built, "ask": asked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=int, default=1_000_000, help="items with an article")
    parser.add_argument("--folder", type=Path, help="where files lie for a while")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        small, large = given.titles // 4, given.titles
        low = at_size(small, Path(folder) / "small")
        high = at_size(large, Path(folder) / "large")
    made = high["build"]
    wanted = large * max(WANTED_TITLES / made["titles"], WANTED_ALIASES / made["aliases"])
    print(f"18 million titles and 100 million aliases are {wanted:,.0f} items of this kind:")
    for step in ("build", "ask"):
        for kind in ("own", "all") if step == "build" else ("own", "mapped"):
            a, b = low[step].get(kind, 0), high[step].get(kind, 0)
            slope = (b - a) / (large - small)
            print(f"  {step:<6} {kind:<7} {b + slope * (wanted - large):,.0f} MB")


if __name__ == "__main__":
    main()
