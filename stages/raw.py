"""Raw files between fetch and the parsers: fetch leaves frames behind, a shard reads its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stages.base import Inputs
from storage.artifact import Shards
from storage.errors import PipelineError, SourceError
from storage.tables import SOURCES

if TYPE_CHECKING:
    from stages.wiki.records import FrameIndex, Record
    from stages.wiki.template_redirects import TemplateRedirects

MULTISTREAM = "-multistream.xml.bz2"
"""How the name of a dump ends that has an index beside it, named `-multistream-index.txt.bz2`."""


class RawFile(msgspec.Struct, omit_defaults=True):
    """A dump as fetch leaves it: where its bytes lie, and the frames that they fall into.

    `own` says that it was no dump, but facts or texts of one's own. `place` is the name of one of
    fetch's own files (packed frames, a made-up dump), so that a warehouse may be moved; of a dump
    that is read where it lies, it is the path.
    """

    place: str
    index: str
    own: bool = False


@dataclass(frozen=True)
class Packed:
    """What is known of a dump once every record of it can be found."""

    records: int
    header: str
    redirects: TemplateRedirects | None = None


def multistream_index(dump: Path) -> Path | None:
    """Return the index beside a multistream dump; None where there is none."""
    if not dump.name.endswith(MULTISTREAM):
        return None
    stem = dump.name.removesuffix(".xml.bz2")
    for ending in ("-index.txt.bz2", "-index.txt"):
        index = dump.with_name(stem + ending)
        if index.is_file():
            return index
    return None


def pack_wikipedia(
    label: str,
    dump: Path,
    shards: Shards,
    limit: int | None,
    inputs: Inputs,
    language: str | None = None,
) -> Packed:
    """Make every page of a dump findable by its shard, and note the other names of templates.

    A multistream dump with its index is read where it lies, any other is packed once into frames.

    Args:
        limit: Only so many pages count; None for all.
        language: Language code that overrides what the dump's header says.

    Raises:
        SourceError: If the file is no dump, or is cut off.
    """
    from stages.wiki.compression import open_dump
    from stages.wiki.dump import page_records
    from stages.wiki.frames import pack
    from stages.wiki.template_redirects import TemplateRedirects

    beside = multistream_index(dump)
    if beside is not None and limit is None:
        return index_in_place(label, dump, beside, shards, inputs, language)
    redirects = TemplateRedirects()
    with open_dump(dump) as stream:
        header, pages = page_records(stream, str(dump))
        out = inputs.keep(f"{label}.frames")
        index = pack(
            redirects.watch(pages),
            shards.of,
            out,
            header=header.decode("utf-8", "replace"),
            limit=limit,
            progress=lambda count, size: inputs.report(packed(label, count, size)),
        )
    require_records(dump, index.records, "page")
    count_open_end(label, pages.complete, limit, inputs)
    keep_index(label, RawFile(f"{label}.frames", index.to_json()), inputs)
    return Packed(index.records, index.header, redirects)


def index_in_place(
    label: str, dump: Path, beside: Path, shards: Shards, inputs: Inputs, language: str | None
) -> Packed:
    """Make every page of a multistream dump findable where it lies, by the index beside it."""
    from stages.wiki.multistream import index_multistream
    from stages.wiki.site import site_from_siteinfo
    from stages.wiki.template_redirects import multistream_redirects

    index = index_multistream(dump, beside, shards.of)
    place = dump.name if dump.name in inputs.kept else str(dump)
    keep_index(label, RawFile(place, index.to_json()), inputs)
    site = site_from_siteinfo(index.header.encode(), language)
    found = multistream_redirects(dump, beside, index, site)
    return Packed(index.records, index.header, found)


def pack_wikidata(label: str, dump: Path, shards: Shards, inputs: Inputs) -> Packed:
    """Make every entity of a dump findable by its shard.

    Raises:
        SourceError: If the file is no dump, or is cut off.
    """
    from stages.wiki.compression import open_dump
    from stages.wiki.frames import pack
    from stages.wiki.wikidata import entity_records

    with open_dump(dump) as stream:
        out = inputs.keep(f"{label}.frames")
        entities = entity_records(stream, str(dump))
        index = pack(
            entities,
            shards.of,
            out,
            progress=lambda count, size: inputs.report(packed(label, count, size)),
        )
    require_records(dump, index.records, "entity")
    count_open_end(label, entities.complete, None, inputs)
    keep_index(label, RawFile(f"{label}.frames", index.to_json()), inputs)
    return Packed(index.records, "")


def pack_own(label: str, records: Iterable[Record], shards: Shards, inputs: Inputs) -> Packed:
    """Make facts or texts of one's own findable by their shard."""
    from stages.wiki.frames import pack

    out = inputs.keep(f"{label}.frames")
    index = pack(
        records,
        shards.of,
        out,
        progress=lambda count, size: inputs.report(packed(label, count, size)),
    )
    keep_index(label, RawFile(f"{label}.frames", index.to_json(), own=True), inputs)
    return Packed(index.records, "")


def is_own(inputs: Inputs, source: str) -> bool:
    """Whether facts or texts of one's own stand in the place of a source's dump."""
    files = inputs.files(SOURCES)
    data = files[f"{source}-0.json"].read_bytes()
    return msgspec.json.decode(data, type=RawFile).own


def require_records(dump: Path, records: int, kind: str) -> None:
    """Check that a dump holds anything at all.

    Raises:
        SourceError: If it is empty.
    """
    if not records:
        raise SourceError(
            f"the dump holds no {kind}",
            where=str(dump),
            mend="Name the whole dump, or download it again if it was cut off",
        )


def count_open_end(label: str, complete: bool | None, limit: int | None, inputs: Inputs) -> None:
    """Count a dump that ends without its last tag or bracket: it may have been cut off there."""
    if complete is False and limit is None:
        inputs.count(f"{label} has no end")
        inputs.log.warning("%s ends without its closing tag or bracket", label)


def packed(label: str, count: int, size: int) -> str:
    """Return how far packing is, in words."""
    return f"packing {label}: {count:,} records, {size / 1e6:,.0f} MB"


def keep_index(label: str, raw: RawFile, inputs: Inputs) -> None:
    """Keep the record of a raw file among fetch's files."""
    inputs.keep(f"{label}.json").write_bytes(msgspec.json.encode(raw))


def shard_records(inputs: Inputs, source: str, shards: Shards) -> Iterator[tuple[int, Record]]:
    """Yield the records of this shard, each with the ordinal of the file that it stands in.

    Args:
        source: wikipedia or wikidata.
        shards: How the axis is cut.

    Raises:
        SourceError: If a dump is no longer where fetch found it, or a frame cannot be read.
    """
    from stages.wiki.frames import read_shard

    files = inputs.files(SOURCES)
    labels = sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))
    for label in sorted(labels, key=lambda name: int(name.rsplit("-", 1)[1])):
        if not label.startswith(f"{source}-"):
            continue
        raw = msgspec.json.decode(files[f"{label}.json"].read_bytes(), type=RawFile)
        own = files.get(raw.place)
        path = own or Path(raw.place)
        if not path.is_file():
            raise SourceError(
                f"{path} is gone, though {label} was read from there",
                mend=f"Put it back, or name its new place: --set fetch.{source}=PATH"
                if own is None
                else "Make it again: run with --force fetch",
            )
        try:
            index = frame_index(raw.index, inputs.shard.index)
            for record in read_shard(index, path, inputs.shard.index, shards.of):
                yield int(label.rsplit("-", 1)[1]), record
        except PipelineError as error:
            raise error.at(label) from error


def file_names(inputs: Inputs, source: str) -> Callable[[int], str]:
    """Return what gives the name of a raw file of a source by its ordinal, for messages."""
    rows = inputs.rows(SOURCES).to_pylist()
    names = {row["ordinal"]: row["name"] for row in rows if row["source"] == source}
    return lambda ordinal: names.get(ordinal, f"{source}-{ordinal}")


def frame_index(text: str, shard: int) -> FrameIndex:
    """Return the index of a file's frames that hold records of a shard."""
    from stages.wiki.records import FrameIndex

    return FrameIndex.from_json(text, shard)
