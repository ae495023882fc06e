"""A desk to be clumsy at: small dumps, a recipe for them, and what a command answers."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from typer.testing import CliRunner

from flows.cli import app
from storage.fingerprint import file_digest
from storage.reading import open_warehouse

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>enwiki</dbname>
    <case>first-letter</case>
    <namespaces><namespace key="0" case="first-letter" /></namespaces>
  </siteinfo>
"""
END = "</mediawiki>\n"

RECIPE = """
shards = { page = 2, item = 2, page_block = 5, item_block = 5 }
[fetch]
wikipedia = {wikipedia}
wikidata = {wikidata}
[segment]
min_words = 3
[align]
min_entities = 1
min_triples = 1
"""

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "gz": lambda data: gzip.compress(data, mtime=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def page(page_id: int, title: str = "", text: str = "", redirect: str = "") -> str:
    """One article, or a redirect."""
    title = title or f"Town {page_id}"
    text = text or f"'''{title}''' is a town near [[Town {page_id + 1}|its neighbour]]."
    leads = f'\n    <redirect title="{redirect}" />' if redirect else ""
    return f"""  <page>
    <title>{title}</title>
    <ns>0</ns>
    <id>{page_id}</id>{leads}
    <revision>
      <id>{page_id + 1000}</id>
      <timestamp>2026-01-01T00:00:00Z</timestamp>
      <model>wikitext</model>
      <text bytes="{len(text)}" xml:space="preserve">{text}</text>
    </revision>
  </page>
"""


def pages(count: int = 20) -> list[str]:
    """Articles with the ids 1 to `count`."""
    return [page(page_id) for page_id in range(1, count + 1)]


def dump(articles: Sequence[str] | None = None) -> str:
    """A dump of these pages."""
    return "".join([HEAD, *(pages() if articles is None else articles), END])


def item(number: int) -> str:
    """One item as a line of a Wikidata dump: a town that borders on the next one."""
    value = {"entity-type": "item", "numeric-id": number + 1, "id": f"Q{number + 1}"}
    snak = {
        "snaktype": "value",
        "property": "P47",
        "datavalue": {"value": value, "type": "wikibase-entityid"},
        "datatype": "wikibase-item",
    }
    name = f"Town {number}"
    stored = {
        "type": "item",
        "id": f"Q{number}",
        "labels": {"en": {"language": "en", "value": name}},
        "descriptions": {},
        "aliases": {},
        "claims": {"P47": [{"mainsnak": snak, "type": "statement", "rank": "normal"}]},
        "sitelinks": {"enwiki": {"site": "enwiki", "title": name, "badges": []}},
    }
    return json.dumps(stored)


def items(count: int = 20) -> list[str]:
    """Items with the numbers 1 to `count`, a line each."""
    return [item(number) for number in range(1, count + 1)]


def wikidata(lines: Sequence[str] | None = None) -> str:
    """A dump of these items."""
    return "[\n" + ",\n".join(items() if lines is None else lines) + "\n]\n"


def multistream(count: int = 20, per_stream: int = 5) -> tuple[bytes, list[str]]:
    """A multistream dump, and the lines of its index."""
    streams, lines = [bz2.compress(HEAD.encode())], []
    for first in range(1, count + 1, per_stream):
        place = sum(map(len, streams))
        ids = range(first, first + per_stream)
        text = "".join(map(page, ids)) + (END if ids[-1] == count else "")
        streams.append(bz2.compress(text.encode()))
        lines += [f"{place}:{page_id}:Town {page_id}" for page_id in ids]
    return b"".join(streams), lines


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    text: str

    def refuses(self, *says: str, code: int = 2) -> None:
        """Hold it against an error that tells all of `says`."""
        assert self.code == code, self.text
        missing = [each for each in says if each not in self.text]
        assert not missing, f"{missing} not told in: {self.text}"

    def succeeds(self) -> Answer:
        """Hold it against a command that went well."""
        assert self.code == 0, self.text
        return self


@dataclass(frozen=True)
class Desk:
    """A folder with two sound dumps, a recipe for them, and a warehouse."""

    folder: Path

    @property
    def recipe(self) -> Path:
        return self.folder / "towns.toml"

    @property
    def root(self) -> Path:
        return self.folder / "warehouse"

    def write(self, name: str, data: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def write_multistream(self, data: bytes, index: str | bytes) -> Path:
        """Write a multistream dump and its index."""
        packed = bz2.compress(index.encode()) if isinstance(index, str) else index
        self.write("towns-multistream-index.txt.bz2", packed)
        return self.write("towns-multistream.xml.bz2", data)

    def ask(self, *arguments: object) -> Answer:
        """Give a command; no traceback may come of it."""
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return Answer(result.exit_code, result.output)

    def look(self, command: str, *arguments: object, recipe: bool = True) -> Answer:
        """Give a command that looks into the warehouse."""
        named = [self.recipe] if recipe else []
        return self.ask(command, *named, *arguments, "--root", self.root)

    def run(self, *arguments: object, to: str = "parse_wikipedia", **raw: Path | str) -> Answer:
        """Run the recipe, its dumps replaced by `raw`."""
        sets = [f"--set=fetch.{source}={location}" for source, location in raw.items()]
        end = ["--to", to] if to else []
        process = ["--in-process", "--workers", "1"]
        return self.look("run", *process, *sets, *end, *arguments)

    def one(self, pattern: str) -> Path:
        """The first file of the warehouse that fits a pattern."""
        return sorted(self.root.glob(pattern))[0]

    def rows(self, table: str, root: Path | None = None) -> pa.Table:
        """The rows of a table of the newest run."""
        return open_warehouse(root or self.root).tables("towns").arrow(table)

    def digests(self) -> dict[str, str]:
        """Digest of each part of the tables, whatever artifact it lies in."""
        return {
            f"{path.parent.parent.parent.name}/{path.parent.name}/{path.name}": file_digest(path)
            for path in self.complete_parts()
        }

    def complete_parts(self) -> Iterator[Path]:
        """The parts that a reader finds."""
        for manifest in self.root.glob("artifacts/*/*/manifest.json"):
            yield from manifest.parent.glob("*/part-*.parquet")

    def nothing_half_written(self) -> None:
        """Check that nothing was left aside, and that what a reader may find is whole."""
        assert not [*self.root.rglob(".aside-*"), *self.root.rglob(".probe-*")]
        for path in self.root.glob("artifacts/*/*/*/part-*.parquet"):
            pq.read_table(path)
        for path in self.complete_parts():
            number = path.stem.removeprefix("part-")
            record = path.parent.parent / "records" / f"{number}.json"
            assert record.is_file(), f"{path.relative_to(self.root)} has no record"
        for path in self.root.glob("artifacts/*/*/records/*.json"):
            for table, part in jsonable(path)["parts"].items():
                written = path.parent.parent / table / f"part-{path.stem}.parquet"
                assert file_digest(written) == part["digest"]

    def was_not_made(self, stage: str) -> None:
        """Check that a stage has no manifest, and that nothing of it is half written."""
        assert not list(self.root.glob(f"artifacts/{stage}/*/manifest.json"))
        self.nothing_half_written()


def new_desk(folder: Path) -> Desk:
    """Return a desk with two sound dumps and their recipe."""
    desk = Desk(folder)
    folder.mkdir(exist_ok=True)
    places = {
        "wikipedia": desk.write("towns.xml", dump()),
        "wikidata": desk.write("towns.json", wikidata()),
    }
    text = RECIPE
    for source, path in places.items():
        text = text.replace(f"{{{source}}}", json.dumps(str(path)))
    desk.write("towns.toml", text)
    return desk


def without(text: str, *gone: str) -> str:
    """Return a text with each of some stretches, met once, taken out."""
    for each in gone:
        assert text.count(each) == 1, each
        text = text.replace(each, "")
    return text


def sample_of(answer: Answer, reason: str) -> str:
    """Return the line of `show` that holds the sample of a kind of damage."""
    found = [line for line in answer.text.splitlines() if f": {reason}: " in line]
    assert found, answer.text
    return found[0].strip()


def jsonable(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds."""
    stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return stored
