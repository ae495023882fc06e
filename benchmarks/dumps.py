"""Readers of dumps against their peers: CPU seconds, same input, one run, the best of several.

    python -m benchmarks.dumps [--rounds N] [--peers PYTHON] [ROW ...]

A row is one of: xml, wikidata, parquet, memory, workers. Without one all are measured. `--peers`
names the Python that mwxml, wikiextractor and gensim are installed for; the real dumps are looked
for in the folder that RELMILL_REAL_DATA names.
"""

from __future__ import annotations

import argparse
import bz2
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import zstandard

from benchmarks.entity_loop import LoopRows, read_line
from stages.wiki.compression import open_dump
from stages.wiki.dump import page_records, parse_page
from stages.wiki.wikidata import EntityReader, claim_columns, entity_records
from storage.tables import ITEMS, LITERALS, PROPERTIES, TRIPLES

DATA = Path(os.environ.get("RELMILL_REAL_DATA", "data"))
SLICE = "enwiki-slice/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
HEAD = "wikidata-dump-head/latest-all-head50.json.gz"
OLD = "wikidata-dump-2014/testDump.json.bz2"
HEAD_TIMES = 10
"""Real lines of today are 49 only: each is read as several items, so that batches fill up."""
LEAN = "wikidata-assembled/assembled-wikidata.json.bz2"
LEAN_LINES = 12_000
ROWS_AT_ONCE = 20_000
TABLES = (ITEMS, PROPERTIES, TRIPLES, LITERALS)
BLOCK = 1000
PAGE_ID = rb"(<ns>\d+</ns>\s*<id>)\d+"

MWXML = """
import io, sys, time, mwxml
data = sys.stdin.buffer.read()
began = time.process_time()
for page in mwxml.Dump.from_file(io.BytesIO(data)):
    for revision in page:
        revision.text
print(time.process_time() - began)
"""
WIKIEXTRACTOR = """
import sys
from wikiextractor import WikiExtractor
sys.argv[1:] = [sys.argv[1], "-o", sys.argv[2], "--json", "--links", "--no-templates", "-q",
                "--processes", "1"]
WikiExtractor.main()
"""
SEGMENT_WIKI = """
import sys
from gensim.scripts.segment_wiki import segment_and_write_all_articles
segment_and_write_all_articles(sys.argv[1], sys.argv[2] + ".json.gz", workers=1,
                               include_interlinks=True)
"""


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of a call in this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def child_seconds(*words: str) -> float:
    """CPU seconds of a command and the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)[:200]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(title: str, size: float, rounds: int, ways: dict[str, Callable[[], float]]) -> None:
    """Measure ways in turn and print MB/s of each, and how many times faster the first one is."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            best[name] = min(best[name], way())
    ours = next(iter(best.values()))
    for name, took in best.items():
        print(f"{title:34} {name:28} {size / took / 1e6:8.1f} MB/s {took / ours:6.2f}x", flush=True)


def xml(rounds: int, peers: str, folder: Path) -> None:
    """Pages of a dump that is in memory: all fields and the text."""
    data = bz2.decompress((DATA / SLICE).read_bytes())
    plain = folder / "slice.xml"
    plain.write_bytes(data)

    def read() -> None:
        for record in page_records(io.BytesIO(data), "slice")[1]:
            parse_page(record.data)

    def mwxml() -> float:
        words = [peers, "-c", MWXML]
        with plain.open("rb") as file:
            done = subprocess.run(words, stdin=file, capture_output=True, text=True, check=True)
        return float(done.stdout)

    compare("XML reader", len(data), rounds, {"relmill": lambda: seconds(read), "mwxml": mwxml})


def wikidata(rounds: int, peers: str, folder: Path) -> None:
    """Lines in memory to Arrow batches with all columns of items, properties, triples, literals."""
    for path, limit, times in ((HEAD, None, HEAD_TIMES), (OLD, None, 1), (LEAN, LEAN_LINES, 1)):
        with open_dump(DATA / path) as stream:
            lines = [record.data for record in entity_records(stream, path)][:limit]
        if times > 1:
            lines = [line for n in range(times) for line in renumbered(lines, n)]
        require_same_rows(lines)
        ways = {
            "relmill": lambda lines=lines: seconds(lambda: list(batches(lines))),
            "json loop": lambda lines=lines: seconds(lambda: list(loop(json.loads, lines))),
            "orjson loop": lambda lines=lines: seconds(lambda: list(loop(orjson.loads, lines))),
        }
        compare(path.partition("/")[0], sum(map(len, lines)), rounds, ways)


def batches(lines: list[bytes]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches of items, properties, triples and literals as relmill makes them."""
    reader = EntityReader("en", "enwiki")
    for n, line in enumerate(lines, 1):
        reader.read(line)
        if len(reader.rows) >= ROWS_AT_ONCE or n == len(lines):
            rows = reader.rows
            triples, literals = claim_columns(rows.claims)
            yield [
                ITEMS.batch(rows.items),
                PROPERTIES.batch(rows.properties),
                pa.RecordBatch.from_arrays(triples, schema=TRIPLES.schema),
                pa.RecordBatch.from_arrays(literals, schema=LITERALS.schema),
            ]
            rows.clear()


def loop(loads: Callable[[bytes], Any], lines: list[bytes]) -> Iterator[list[pa.RecordBatch]]:
    """Yield the same as a loop over dicts makes them."""
    rows = LoopRows()
    for n, line in enumerate(lines, 1):
        read_line(loads, line, rows)
        if len(rows) >= ROWS_AT_ONCE or n == len(lines):
            yield rows.take()


def require_same_rows(lines: list[bytes]) -> None:
    """Stop if a way makes other rows than ours."""
    ours = [pa.Table.from_batches(parts) for parts in zip(*batches(lines), strict=True)]
    for loads in (json.loads, orjson.loads):
        theirs = [pa.Table.from_batches(parts) for parts in zip(*loop(loads, lines), strict=True)]
        for table, mine, other in zip(TABLES, ours, theirs, strict=True):
            if not mine.equals(other):
                raise SystemExit(f"{table.name} differ")


def repeated(folder: Path, times: int) -> Path:
    """Write the slice several times behind itself, each time with the ids of another block."""
    path = folder / f"slice-{times}.xml.bz2"
    if path.is_file():
        return path
    data = bz2.decompress((DATA / SLICE).read_bytes())
    start, end = data.index(b"<page>"), data.rindex(b"</mediawiki>")
    pages = data[start:end]
    with bz2.open(path, "wb") as file:
        file.write(data[:start])
        for n in range(times):
            ids = count(n * BLOCK)
            numbered = re.sub(PAGE_ID, lambda m, ids=ids: b"%b%d" % (m[1], next(ids)), pages)
            file.write(numbered)
        file.write(data[end:])
    return path


def repeated_lines(folder: Path, times: int) -> Path:
    """Write the real head of a Wikidata dump several times, each time with other item ids."""
    path = folder / f"head-{times}.json.zst"
    packed = zstandard.ZstdCompressor(level=1)
    with (
        open_dump(DATA / HEAD) as stream,
        path.open("wb") as file,
        packed.stream_writer(file) as out,
    ):
        lines = [record.data for record in entity_records(stream, HEAD)]
        out.write(b"[\n")
        for n in range(times):
            out.writelines(line + b",\n" for line in renumbered(lines, n))
        out.write(b"]\n")
    return path


def renumbered(lines: list[bytes], block: int) -> Iterator[bytes]:
    """Yield lines with the ids of items of another block."""
    for n, line in enumerate(lines, block * BLOCK + 1):
        yield re.sub(rb'"id":"Q\d+"', b'"id":"Q%d"' % n, line, count=1)


def one_entity(folder: Path) -> Path:
    """Write a Wikidata dump with next to nothing in it."""
    path = folder / "one.json"
    path.write_text('[\n{"type":"item","id":"Q1","labels":{}}\n]\n')
    return path


def build(root: Path, dumps: tuple[Path, Path], pages: int, *more: str) -> tuple[str, ...]:
    """Return the command that makes the tables of the two dumps."""
    recipe = root.with_suffix(".toml")
    recipe.write_text(
        f'description = "benchmark"\nseed = 1\nshards = {{ page = {pages}, item = {pages} }}\n'
        f'[fetch]\nwikipedia = "{dumps[0]}"\nwikidata = "{dumps[1]}"\n'
        '[recognize]\nmodel = "blank"\n'
    )
    command = (sys.executable, "-m", "flows.cli", "run", str(recipe), "--root", str(root))
    return *command, "--in-process", *(more or ("--to", "parse_wikipedia", "--workers", "1"))


def parquet(rounds: int, peers: str, folder: Path) -> None:
    """From a dump on disk to text with links: Parquet with offsets here, JSON lines of the peers.

    Whole commands with their start-up; of the peers one worker, and no templates expanded.
    """
    dump, one = repeated(folder, 8), one_entity(folder)
    attempts = iter(range(1000))

    def ours() -> float:
        return child_seconds(*build(folder / f"root-{next(attempts)}", (dump, one), 1))

    def peer(script: str) -> float:
        return child_seconds(peers, "-c", script, str(dump), str(folder / f"p{next(attempts)}"))

    ways = {
        "relmill (offsets)": ours,
        "wikiextractor --json --links": lambda: peer(WIKIEXTRACTOR),
        "segment_wiki": lambda: peer(SEGMENT_WIKI),
    }
    size = 8 * len(bz2.decompress((DATA / SLICE).read_bytes()))
    compare("bz2 dump to Parquet", size, rounds, ways)


def memory(rounds: int, peers: str, folder: Path) -> None:
    """Peak memory of the workers: dumps grow and shards do not, then a single shard grows."""
    for times in (2, 8, 32):
        pages, items = repeated(folder, times), repeated_lines(folder, times)
        print_peaks(folder, (pages, items), times, f"dumps {times:2} times the slice")
    for times, lines in ((8, 100), (32, 800)):
        dumps = repeated(folder, times), repeated_lines(folder, lines)
        size = times * len(bz2.decompress((DATA / SLICE).read_bytes())) >> 20
        what = f"one shard of {size} MB XML, {lines * 38 // 10} MB JSON"
        print_peaks(folder, dumps, 1, what)


def print_peaks(folder: Path, dumps: tuple[Path, Path], shards: int, what: str) -> None:
    """Make the tables of two dumps, and print the most that a worker of each stage took."""
    root = Path(tempfile.mkdtemp(dir=folder))
    for stage in ("parse_wikipedia", "parse_wikidata"):
        child_seconds(*build(root, dumps, shards, "--to", stage, "--workers", "1"))
    for stage in ("fetch", "parse_wikipedia", "parse_wikidata"):
        found = root.glob(f"artifacts/{stage}/*/records/*.json")
        peak = max(json.loads(path.read_text())["peak_mb"] for path in found)
        print(f"peak memory, {what:40} {stage:16} {peak:5} MB", flush=True)


def workers(rounds: int, peers: str, folder: Path) -> None:
    """Wall time of parse_wikipedia with one worker and with two; only an idle machine can tell."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    idle = "idle" if load < 0.3 else "not idle, so no figure"
    print(f"load average before: {load:.2f} on {cores} cores: {idle}", flush=True)
    dumps = repeated(folder, 64), one_entity(folder)
    took = {1: float("inf"), 2: float("inf")}
    for attempt in range(rounds):
        for number in took:
            root = folder / f"workers-{number}-{attempt}"
            child_seconds(*build(root, dumps, 64, "--to", "fetch", "--workers", "1"))
            words = ("--only", "parse_wikipedia", "--workers", str(number))
            began = time.monotonic()
            child_seconds(*build(root, dumps, 64, *words))
            took[number] = min(took[number], time.monotonic() - began)
    seconds = f"1 worker {took[1]:.1f} s, 2 workers {took[2]:.1f} s, {took[1] / took[2]:.2f}x"
    print(f"parse_wikipedia, wall, start-up included: {seconds}")


ROWS = {"xml": xml, "wikidata": wikidata, "parquet": parquet, "memory": memory, "workers": workers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.rows or ROWS:
            ROWS[name](given.rounds, given.peers, Path(folder))


if __name__ == "__main__":
    main()
