"""fetch_benchmarks: get the files of benchmarks, check every record, and keep them by checksum."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from stages.base import Inputs, Rows, Stage, StageConfig, runtime
from storage.errors import ConfigError, SourceError
from storage.fingerprint import file_digest, fingerprint
from storage.tables import BENCHMARK_FILES

Split = Literal["train", "dev", "test"]
SAMPLE = re.compile(r"sample:(\d+)")
NONE = "none-0"
"""Label of the one piece of a recipe without benchmarks; it has no rows."""


class File(StageConfig):
    """One file of a benchmark."""

    path: str = Field(
        min_length=1,
        description="path (from the folder where relmill starts), URL, or sample:SEED for the "
        "made-up world's own benchmark; gz is fine",
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="checksum that the file must have; a URL without one is kept as it came",
    )


class Benchmark(StageConfig):
    """One benchmark. What a known name leaves out is filled in: see `PRESETS`."""

    format: str | None = Field(
        None,
        description="format of its files: "
        "docred, erica, opennre, arnor, tacred, semeval, scibert, fewrel or jsonl",
    )
    files: dict[Split, str | File] = Field(
        {},
        description="path or URL of each split, train, dev and test; or {path, sha256}; a known "
        "name brings its own where this is left out",
    )
    licence: str | None = Field(None, description="licence, as the publisher states it")

    @field_validator("format")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        from stages.annotated import known_format

        return None if name is None else known_format(name)


class FetchBenchmarksConfig(StageConfig):
    """Which benchmarks there are: a section each, `[fetch_benchmarks.benchmarks.NAME]`."""

    benchmarks: dict[str, Benchmark] = Field(
        {},
        description="by name; known ones are semeval, tacred, wiki80, chemprot, sciie, fewrel, "
        "docred and redocred, and any other name is a benchmark of your own",
    )
    timeout: float = runtime(
        60.0, gt=0, description="seconds without data until a download retries"
    )


@dataclass(frozen=True)
class Raw:
    """One file of a benchmark, with all that its preset knows."""

    benchmark: str
    split: str
    format: str
    location: str
    sha256: str | None
    licence: str

    @property
    def is_url(self) -> bool:
        """Whether the file has to be downloaded."""
        return self.location.startswith(("http://", "https://"))

    @property
    def seed(self) -> int | None:
        """Seed of the made-up world that the file is of; None for a real file."""
        match = SAMPLE.fullmatch(self.location)
        return int(match[1]) if match else None

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine already."""
        return not self.is_url and self.seed is None

    @property
    def path(self) -> Path:
        """Path of a local file."""
        return Path(self.location).expanduser().absolute()

    @property
    def name(self) -> str:
        """Name of the file, without folders."""
        if self.seed is not None:
            return "gold.json"
        return Path(urlsplit(self.location).path if self.is_url else self.location).name


def raw_files(config: FetchBenchmarksConfig) -> dict[str, Raw]:
    """Return the files by label, "semeval-0".

    Raises:
        ConfigError: If a benchmark names no file, or one of an unknown name has no format.
    """
    from stages.annotated.presets import PRESETS, Preset

    files = {}
    for name, given in config.benchmarks.items():
        preset = PRESETS.get(name, Preset("", "not stated"))
        kind = given.format or preset.format
        own: dict[str, File] = {
            split: File(path=file) if isinstance(file, str) else file
            for split, file in given.files.items()
        }
        known = {s: File(path=f.location, sha256=f.sha256) for s, f in preset.files.items()}
        found = own or known
        section = f"fetch_benchmarks.benchmarks.{name}"
        if not kind:
            raise ConfigError(
                f"{section} has no format, and {name} is none of the known names",
                mend=f"Set it: --set {section}.format=opennre; or name one of {', '.join(PRESETS)}",
            )
        if not found:
            whence = f" ({preset.whence})" if preset.whence else ""
            raise ConfigError(
                f"{section} names no file{whence}",
                mend=f"Name its files: --set {section}.files.train=PATH, and likewise dev and test",
            )
        for ordinal, split in enumerate(s for s in ("train", "dev", "test") if s in found):
            file = found[split]
            licence = given.licence or preset.licence
            files[f"{name}-{ordinal}"] = Raw(name, split, kind, file.path, file.sha256, licence)
    return files


def pieces(config: FetchBenchmarksConfig) -> dict[str, dict[str, Any]]:
    """Return what each file is known by before it is read."""
    known: dict[str, dict[str, Any]] = {}
    for label, raw in raw_files(config).items():
        facts: dict[str, Any] = {
            "split": raw.split,
            "format": raw.format,
            "sha256": raw.sha256,
            "location": str(raw.path) if raw.is_local else raw.location,
        }
        if raw.is_local and raw.path.is_file():
            stat = raw.path.stat()
            facts |= {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        known[label] = facts
    return known or {NONE: {}}


def check(config: FetchBenchmarksConfig) -> None:
    """Check that every local file is there.

    Raises:
        ConfigError: If a benchmark names no file, or one of an unknown name has no format.
        SourceError: For the first local file that is not there.
    """
    for raw in raw_files(config).values():
        if raw.is_local and not raw.path.is_file():
            place = f"fetch_benchmarks.benchmarks.{raw.benchmark}.files.{raw.split}"
            raise SourceError(
                f"{raw.benchmark} has {raw.location!r} as {raw.split}, and there is no file "
                f"{raw.path}",
                mend=f"Give the path of a file, or an address: --set {place}=PATH",
            )


def fetch_benchmarks(config: FetchBenchmarksConfig, inputs: Inputs) -> Iterator[Rows]:
    """Get one file, check it record by record, keep it, and yield its `benchmark_files` row.

    Drops: what `stages.annotated.read` drops of its format.
    """
    from stages.annotated import read

    if not config.benchmarks:
        return
    raw = raw_files(config)[inputs.shard.label]
    path = obtain(raw, config, inputs)
    documents = 0
    relations: set[str] = set()
    for document in read(raw.format, path, inputs, split=raw.split):
        documents += 1
        relations.update(relation.name for relation in document.relations)
    kept = inputs.keep(f"{raw.benchmark}-{raw.split}-{raw.name}")
    shutil.copyfile(path, kept)
    row = (
        raw.benchmark,
        raw.split,
        raw.format,
        kept.name,
        raw.name,
        kept.stat().st_size,
        file_digest(kept),
        documents,
        sorted(relations),
        raw.licence,
    )
    yield BENCHMARK_FILES, BENCHMARK_FILES.batch([row])


def obtain(raw: Raw, config: FetchBenchmarksConfig, inputs: Inputs) -> Path:
    """Return the file on this machine, with the checksum that the recipe states.

    Raises:
        SourceError: If it cannot be had, or has another checksum.
    """
    if raw.seed is not None:
        from stages.sample import write_world

        return write_world(raw.seed, inputs.scratch).gold
    if raw.is_url:
        from stages.wiki.download import download

        target = inputs.downloads / fingerprint([raw.location, raw.sha256]) / raw.name
        inputs.log.info("downloading %s", raw.location)
        return download(raw.location, target, checksum=raw.sha256, timeout=config.timeout)
    if raw.sha256 is not None and (digest := file_digest(raw.path)) != raw.sha256:
        raise SourceError(
            f"its sha256 is {digest}, the recipe wants {raw.sha256}",
            where=str(raw.path),
            mend="Name the right file, or state its checksum",
        )
    return raw.path


FETCH_BENCHMARKS = Stage(
    "fetch_benchmarks",
    version=1,
    config=FetchBenchmarksConfig,
    reads=(),
    writes=(BENCHMARK_FILES,),
    run=fetch_benchmarks,
    pieces=pieces,
    check=check,
    optional=True,
)
