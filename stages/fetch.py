"""fetch: get the raw files, know them by checksum, and make every record findable by its id."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from stages.base import Inputs, Rows, ShardCounts, Stage, StageConfig, runtime
from stages.raw import MULTISTREAM, Packed, pack_wikidata, pack_wikipedia
from storage.errors import ConfigError, PipelineError, SourceError
from storage.fingerprint import file_digest, fingerprint
from storage.tables import SITE, SOURCES, TEMPLATE_REDIRECTS

Kind = Literal["wikipedia", "wikidata", "truth", "gold"]

LICENCES: dict[str, str] = {
    "wikipedia": "CC BY-SA 4.0 (dumps before June 2023: CC BY-SA 3.0) and GFDL",
    "wikidata": "CC0 1.0",
}
SAMPLE_LICENCE = "Apache-2.0 (made up by relmill)"
SAMPLE = re.compile(r"sample:(\d+)")
DATE = re.compile(r"(?<!\d)(20\d{6})(?!\d)")


class FetchConfig(StageConfig):
    """Where the dumps are. A relative path counts from the folder where relmill starts."""

    wikipedia: str | list[str] = Field(
        description="pages-articles XML of a wiki: path or URL (downloaded once: name a dated "
        "dump), bz2, gz, zst or plain; a multistream dump with its index beside it is read in "
        "place; or several; or sample:SEED",
    )
    wikidata: str | list[str] = Field(
        description="JSON dump of Wikidata, one entity a line: path or URL, or several, or "
        "sample:SEED",
    )
    language: str | None = Field(
        None, description="language code of the wiki, where the dump's own header is wrong"
    )
    limit_pages: int | None = Field(
        None, ge=1, description="read only so many pages of each Wikipedia dump: a trial run"
    )
    shards: ShardCounts = Field(ShardCounts(), description="set by the recipe's own `shards`")
    timeout: float = runtime(
        60.0, gt=0, description="seconds without data until a download retries"
    )


@dataclass(frozen=True)
class Raw:
    """One raw file that a recipe names."""

    kind: Kind
    ordinal: int
    location: str

    @property
    def label(self) -> str:
        """Name of the file in the pipeline: "wikipedia-0"."""
        return f"{self.kind}-{self.ordinal}"

    @property
    def seed(self) -> int | None:
        """Seed of the made-up world that the file is of; None for a real file."""
        match = SAMPLE.fullmatch(self.location)
        return int(match[1]) if match else None

    @property
    def is_url(self) -> bool:
        """Whether the file has to be downloaded."""
        return self.location.startswith(("http://", "https://"))

    @property
    def path(self) -> Path:
        """Path of a local file."""
        return Path(self.location).expanduser().absolute()


def raw_files(config: FetchConfig) -> dict[str, Raw]:
    """Return the raw files by label; a made-up world also has its truth and its gold benchmark."""
    files: list[Raw] = []
    for kind in ("wikipedia", "wikidata"):
        given = getattr(config, kind)
        locations = [given] if isinstance(given, str) else given
        files += [Raw(kind, i, location) for i, location in enumerate(locations)]
    if files[0].seed is not None:
        files += [Raw(kind, 0, files[0].location) for kind in ("truth", "gold")]
    return {raw.label: raw for raw in files}


def pieces(config: FetchConfig) -> dict[str, dict[str, Any]]:
    """Return what each raw file is known by before it is read: its place, size and time."""
    known = {}
    for label, raw in raw_files(config).items():
        facts: dict[str, Any] = {"location": raw.location}
        if raw.seed is None and not raw.is_url:
            facts["location"] = str(raw.path)
            if raw.path.is_file():
                stat = raw.path.stat()
                facts |= {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        if raw.kind == "wikipedia":
            facts |= {"limit_pages": config.limit_pages, "language": config.language}
        if raw.kind in ("wikipedia", "wikidata"):
            cut = config.shards.along("page" if raw.kind == "wikipedia" else "item")
            facts["shards"] = [cut.count, cut.block]
        known[label] = facts
    return known


def check(config: FetchConfig) -> None:
    """Check that every local file is there and can be read.

    Raises:
        SourceError: For the first that is not.
        ConfigError: If no file is named.
    """
    for kind in ("wikipedia", "wikidata"):
        if not getattr(config, kind):
            raise ConfigError(f"{kind} names no file", mend=f"Set it: --set fetch.{kind}=PATH")
    for raw in raw_files(config).values():
        if raw.seed is None and not raw.is_url:
            require_readable(raw)
        elif raw.is_url and not name_of(raw.location):
            raise SourceError(
                f"{raw.kind} is {raw.location!r}, and that names no file of a server",
                mend="Give the whole address, as https://HOST/FOLDER/NAME.xml.bz2",
            )


def require_readable(raw: Raw) -> None:
    """Check that a local file is there and can be read.

    Raises:
        SourceError: If it is not.
    """
    mend = (
        "Give the path of a file, an address that starts with http:// or https://, or sample:SEED: "
        f"--set fetch.{raw.kind}=PATH"
    )
    if raw.path.is_dir():
        raise SourceError(f"{raw.kind} is {raw.location!r}, which is a folder", mend=mend)
    if not raw.path.is_file():
        raise SourceError(
            f"{raw.kind} is {raw.location!r}, and there is no file {raw.path}", mend=mend
        )
    try:
        raw.path.open("rb").close()
    except OSError as error:
        raise SourceError(
            f"{raw.path} cannot be read ({error.strerror})",
            mend="Let yourself read it, or name another file",
        ) from error


def name_of(url: str) -> str:
    """Return the name of the file that a URL leads to; "" where it names none."""
    try:
        return Path(urlsplit(url).path).name if urlsplit(url).hostname else ""
    except ValueError:
        return ""


def fetch(config: FetchConfig, inputs: Inputs) -> Iterator[Rows]:
    """Get one raw file and yield its `sources` row; of a Wikipedia dump, its `site` row too.

    Of a Wikipedia dump the redirects of templates are yielded as well: whoever reads one page needs
    them all.

    A dump is packed once into frames by shard, unless it is a multistream dump with its index,
    which is read in place. Everything else of the pipeline then reads only its own records.
    """
    raw = raw_files(config)[inputs.shard.label]
    path = obtain(raw, config, inputs)
    records = limit = None
    if raw.kind == "wikipedia":
        limit, pages = config.limit_pages, config.shards.along("page")
        packed = pack_wikipedia(raw.label, path, pages, limit, inputs, config.language)
        records = packed.records
        try:
            yield SITE, SITE.batch([site_row(raw, packed.header, config.language)])
        except PipelineError as error:
            raise error.at(str(path)) from error
        yield TEMPLATE_REDIRECTS, TEMPLATE_REDIRECTS.batch(redirect_rows(raw, packed, config))
    elif raw.kind == "wikidata":
        records = pack_wikidata(raw.label, path, config.shards.along("item"), inputs).records
    date = DATE.search(path.name)
    row = (
        raw.kind,
        raw.ordinal,
        path.name,
        path.stat().st_size,
        file_digest(path),
        limit,
        records,
        LICENCES[raw.kind] if raw.seed is None else SAMPLE_LICENCE,
        date[1] if date else None,
    )
    yield SOURCES, SOURCES.batch([row])


def site_row(raw: Raw, header: str, language: str | None) -> tuple[Any, ...]:
    """Return the `site` row of a Wikipedia dump.

    Where the recipe names another language than the header, the wiki's name follows it.
    """
    from stages.wiki.site import site_from_siteinfo

    site = site_from_siteinfo(header.encode(), language)
    named = re.search("<dbname>([^<]+)</dbname>", header)
    dbname = f"{site.language.replace('-', '_')}wiki"
    if named and language is None:
        dbname = named[1]
    return (raw.ordinal, site.language, dbname, site.to_json())


def redirect_rows(raw: Raw, packed: Packed, config: FetchConfig) -> list[tuple[Any, ...]]:
    """Return the rows of `template_redirects` of a Wikipedia dump."""
    from stages.wiki.site import site_from_siteinfo

    if packed.redirects is None:
        return []
    site = site_from_siteinfo(packed.header.encode(), config.language)
    return [(raw.ordinal, *row) for row in packed.redirects.rows(site)]


def obtain(raw: Raw, config: FetchConfig, inputs: Inputs) -> Path:
    """Return the raw file on this machine: the local one, a download, or one of a made-up world.

    Raises:
        SourceError: If it cannot be had whole.
    """
    if raw.seed is not None:
        return made_up(raw.kind, raw.seed, inputs)
    if not raw.is_url:
        return raw.path
    folder = inputs.downloads / fingerprint(raw.location)
    target = folder / Path(urlsplit(raw.location).path).name
    for url in (raw.location, *index_urls(raw.location)):
        path = folder / Path(urlsplit(url).path).name
        if not path.is_file():
            get(url, path, config, inputs)
    return target


def get(url: str, target: Path, config: FetchConfig, inputs: Inputs) -> None:
    """Download a file and compare it with the checksum that its publisher states."""
    from stages.wiki.download import download, dump_checksum

    checksum = dump_checksum(url, timeout=config.timeout)
    inputs.log.info("downloading %s", url)
    download(
        url,
        target,
        checksum=checksum,
        timeout=config.timeout,
        progress=lambda done, size: inputs.report(downloaded(target.name, done, size)),
    )


def index_urls(url: str) -> list[str]:
    """Return the address of the index that Wikimedia lays beside a multistream dump, if any."""
    if not url.endswith(MULTISTREAM):
        return []
    return [f"{url.removesuffix('.xml.bz2')}-index.txt.bz2"]


def downloaded(name: str, done: int, size: int | None) -> str:
    """Return how far a download is, in words."""
    share = f" of {size / 1e6:,.0f}" if size else ""
    return f"downloading {name}: {done / 1e6:,.0f}{share} MB"


def made_up(kind: Kind, seed: int, inputs: Inputs) -> Path:
    """Write the made-up world and keep the one file of it that is asked for."""
    from stages.sample import write_world

    world = write_world(seed, inputs.scratch)
    made: Mapping[Kind, Path] = {
        "wikipedia": world.wikipedia,
        "wikidata": world.wikidata,
        "truth": world.truth,
        "gold": world.gold,
    }
    beside = [world.wikipedia_index] if kind == "wikipedia" else []
    for path in [made[kind], *beside]:
        shutil.copyfile(path, inputs.keep(path.name))
    return inputs.keep(made[kind].name)


FETCH = Stage(
    "fetch",
    version=1,
    config=FetchConfig,
    reads=(),
    writes=(SOURCES, SITE, TEMPLATE_REDIRECTS),
    run=fetch,
    pieces=pieces,
    check=check,
)
