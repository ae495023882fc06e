"""fetch: get the raw files, know them by checksum, and make every record findable by its id."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from stages.base import Inputs, Rows, ShardCounts, Stage, StageConfig, runtime
from stages.raw import MULTISTREAM, Packed, pack_own, pack_wikidata, pack_wikipedia
from storage.errors import ConfigError, PipelineError, SourceError
from storage.fingerprint import file_digest, fingerprint
from storage.tables import OWN_IDS, SITE, SOURCES, TEMPLATE_REDIRECTS

if TYPE_CHECKING:
    from stages.wiki.located import Kind, Raw

LICENCES: dict[str, str] = {
    "wikipedia": "CC BY-SA 4.0 (dumps before June 2023: CC BY-SA 3.0) and GFDL",
    "wikidata": "CC0 1.0",
}
OWN_LICENCE = "not stated: files of one's own"
IDS_AT_ONCE = 50_000
SAMPLE_LICENCE = "Apache-2.0 (made up by relmill)"
DATE = re.compile(r"(?<!\d)(20\d{6})(?!\d)")


class FetchConfig(StageConfig):
    """Where the dumps are. A relative path counts from the folder where relmill starts."""

    wikipedia: str | list[str] | None = Field(
        None,
        description="pages-articles XML of a wiki: path or URL (downloaded once: name a dated "
        "dump), bz2, gz, zst or plain; a multistream dump with its index beside it is read in "
        "place; or several; or sample:SEED",
    )
    wikidata: str | list[str] | None = Field(
        None,
        description="JSON dump of Wikidata, one entity a line: path or URL, or several, or "
        "sample:SEED",
    )
    text: str | list[str] = Field(
        [],
        description="texts of your own in the place of wikipedia: JSON lines with id and text, "
        "and perhaps title, entity, mentions; or several such files",
    )
    facts: str | None = Field(
        None,
        description="knowledge graph of your own in the place of wikidata: tab-separated lines of "
        "head, relation, tail",
    )
    labels: str | None = Field(
        None, description="names for facts: tab-separated lines of id, label and any aliases"
    )
    language: str | None = Field(
        None,
        description="language code of the wiki, where the dump's own header is wrong, or of text "
        "(en)",
    )
    limit_pages: int | None = Field(
        None, ge=1, description="read only so many pages of each Wikipedia dump: a trial run"
    )
    shards: ShardCounts = Field(ShardCounts(), description="set by the recipe's own `shards`")
    timeout: float = runtime(
        60.0, gt=0, description="seconds without data until a download retries"
    )

    @model_validator(mode="after")
    def _both(self) -> FetchConfig:
        for kind, own in (("wikipedia", "text"), ("wikidata", "facts")):
            if getattr(self, kind) is None and not getattr(self, own):
                raise ValueError(
                    f"{kind} is missing: --set fetch.{kind}=PATH, or for files of your own "
                    f"--set fetch.{own}=PATH"
                )
        return self


def raw_files(config: FetchConfig) -> dict[str, Raw]:
    """Return the raw files by label; a made-up world also has its truth and its gold benchmark."""
    from stages.wiki.located import Raw

    files: list[Raw] = []
    for kind in ("wikipedia", "wikidata"):
        given = getattr(config, kind)
        locations = [given] if isinstance(given, str) else given or []
        files += [Raw(kind, i, location) for i, location in enumerate(locations)]
    own = [config.text] if isinstance(config.text, str) else config.text
    files += [Raw("wikipedia", i, location, own=True) for i, location in enumerate(own)]
    if config.facts is not None:
        files.append(Raw("wikidata", 0, config.facts, own=True, labels=config.labels))
    if files and files[0].seed is not None:
        files += [Raw(kind, 0, files[0].location) for kind in ("truth", "gold")]
    return {raw.label: raw for raw in files}


def pieces(config: FetchConfig) -> dict[str, dict[str, Any]]:
    """Return what each raw file is known by before it is read: its place, size and time."""
    from stages.wiki.located import absolute, stated

    known = {}
    for label, raw in raw_files(config).items():
        facts: dict[str, Any] = {"location": raw.location}
        if raw.own:
            facts["own"] = True
        if raw.labels is not None:
            facts["labels"] = stated(absolute(raw.labels))
        if raw.seed is None and not raw.is_url:
            facts |= stated(raw.path)
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
        ConfigError: If no file is named, or both a dump and files of one's own.
    """
    from stages.wiki.located import Raw, name_of, require_readable

    for kind, own in (("wikipedia", "text"), ("wikidata", "facts")):
        if getattr(config, kind) and getattr(config, own):
            raise ConfigError(
                f"{kind} and {own} are both named",
                mend=f"Name one: {own} stands in the place of {kind}",
            )
        if not (getattr(config, kind) or getattr(config, own)):
            raise ConfigError(f"{kind} names no file", mend=f"Set it: --set fetch.{kind}=PATH")
    if config.labels is not None:
        if config.facts is None:
            raise ConfigError("labels are named without facts", mend="Set fetch.facts too")
        require_readable(Raw("wikidata", 1, config.labels), "labels")
    for raw in raw_files(config).values():
        if raw.seed is None and not raw.is_url:
            require_readable(raw, raw.field)
        elif raw.is_url and not name_of(raw.location):
            raise SourceError(
                f"{raw.kind} is {raw.location!r}, and that names no file of a server",
                mend="Give the whole address, as https://HOST/FOLDER/NAME.xml.bz2",
            )


def fetch(config: FetchConfig, inputs: Inputs) -> Iterator[Rows]:
    """Get one raw file and yield its `sources` row; of a Wikipedia dump, its `site` row too.

    Of a Wikipedia dump the redirects of templates are yielded as well: whoever reads one page needs
    them all.

    A dump is packed once into frames by shard, unless it is a multistream dump with its index,
    which is read in place. Everything else of the pipeline then reads only its own records.
    """
    raw = raw_files(config)[inputs.shard.label]
    path = obtain(raw, config, inputs)
    if raw.own:
        yield from own_files(raw, path, config, inputs)
        return
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


def own_files(raw: Raw, path: Path, config: FetchConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the rows of texts or facts of one's own, and pack them as a dump would be.

    Raises:
        SourceError: If a line is wrong.
    """
    from stages.wiki.located import absolute

    files = [path]
    if raw.kind == "wikipedia":
        records = yield from own_texts(raw, path, config, inputs)
    else:
        from stages.own.facts import OwnFacts

        files += [absolute(raw.labels)] if raw.labels is not None else []
        facts = OwnFacts(path, files[1] if raw.labels is not None else None)
        cut = config.shards.along("item")
        records = pack_own(raw.label, facts.records(), cut, inputs).records
        yield OWN_IDS, OWN_IDS.batch(list(facts.ids()))
    rows = []
    for ordinal, each in enumerate(files, raw.ordinal):
        count = records if each is path else None
        known = (each.name, each.stat().st_size, file_digest(each), None, count, OWN_LICENCE, None)
        rows.append((raw.kind, ordinal, *known))
    yield SOURCES, SOURCES.batch(rows)


def own_texts(
    raw: Raw, path: Path, config: FetchConfig, inputs: Inputs
) -> Generator[Rows, None, int]:
    """Yield the `site` of texts and the ids that became others; return how many texts there are."""
    from stages.own.texts import texts
    from stages.wiki.site import CASE_SENSITIVE, Site

    found = texts(path)
    if config.limit_pages is not None:
        found = islice(found, config.limit_pages)
    cut = config.shards.along("page")
    records = pack_own(raw.label, (record for record, _ in found), cut, inputs).records
    if not records:
        raise SourceError("the file holds no text", where=str(path), mend="Name another file")
    language = config.language or "en"
    site = Site(language, CASE_SENSITIVE, ())
    dbname = f"{language.replace('-', '_')}wiki"
    yield SITE, SITE.batch([(raw.ordinal, language, dbname, site.to_json())])
    renamed = (text for _, text in islice(texts(path), records) if isinstance(text.id, str))
    while some := list(islice(renamed, IDS_AT_ONCE)):
        yield OWN_IDS, OWN_IDS.batch([("page", str(text.page_id), text.id) for text in some])
    return records


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
    version=2,
    config=FetchConfig,
    reads=(),
    writes=(SOURCES, SITE, TEMPLATE_REDIRECTS, OWN_IDS),
    run=fetch,
    pieces=pieces,
    check=check,
)
