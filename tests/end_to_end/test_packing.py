"""How a dump is packed, and what its files are called, changes no byte below fetch."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from stages.sample import SampleWorld
from tests.end_to_end.kit import make, parts_of

Pack = Callable[[bytes], bytes]

PACKINGS: dict[str, tuple[str, Pack]] = {
    "one bz2 stream": (".bz2", lambda data: bz2.compress(data, 5)),
    "several bz2 streams without an index": (
        ".bz2",
        lambda data: b"".join(map(bz2.compress, (data[:300_000], data[300_000:]))),
    ),
    "gzip": (".gz", gzip.compress),
    "zstandard": (".zst", zstandard.compress),
    "plain": ("", lambda data: data),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_packing_and_names_of_dumps_change_no_byte(
    packing: str, mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    ending, pack = PACKINGS[packing]
    xml = tmp_path / f"a wiki by another name.xml{ending}"
    xml.write_bytes(pack(bz2.decompress(world.wikipedia.read_bytes())))
    facts = tmp_path / f"facts.json{ending}"
    facts.write_bytes(pack(bz2.decompress(world.wikidata.read_bytes())))
    before = parts_of(mine)
    files = [f"fetch.wikipedia={xml}", f"fetch.wikidata={facts}"]
    run = make(mine, *files, "recognize.model=blank", workers=1)
    # The parsers ran anew, because the files have other checksums, and nothing else did.
    assert run.made == ["fetch", "parse_wikidata", "parse_wikipedia"]
    after = parts_of(mine)
    compared = {table for table in before if table != "sources" and not table.startswith("file ")}
    assert {t: after[t] for t in compared} == {t: before[t] for t in compared}


def test_a_dump_in_two_files_makes_the_same_rows(
    mine: Path, world: SampleWorld, tmp_path: Path
) -> None:
    lines = bz2.decompress(world.wikidata.read_bytes()).decode().strip().splitlines()
    middle = len(lines) // 2
    entities = [line.rstrip(",") for line in lines[1:-1]]
    halves = []
    for name, part in (("a", entities[:middle]), ("b", entities[middle:])):
        path = tmp_path / f"{name}.json.bz2"
        path.write_bytes(bz2.compress(("[\n" + ",\n".join(part) + "\n]\n").encode()))
        halves.append(str(path))
    before = parts_of(mine)
    listed = "[" + ", ".join(f'"{half}"' for half in halves) + "]"
    files = [f"fetch.wikipedia={world.wikipedia}", f"fetch.wikidata={listed}"]
    run = make(mine, *files, "recognize.model=blank")
    assert run.made == ["fetch", "parse_wikidata"]
    after = parts_of(mine)
    tables = ("items", "item_redirects", "properties", "triples", "literals")
    assert {t: after[t] for t in tables} == {t: before[t] for t in tables}
