"""One made set of tables and the record of how it was made.

A step writes its tables into one folder, `artifacts/STAGE/FINGERPRINT/TABLE/part-00042.parquet`.
Beside them `records/00042.json` says that all of shard 42 is there, and `manifest.json`, written
last, says that everything is. A folder without a manifest is a step that was not finished.
"""

from __future__ import annotations

from typing import Any

import msgspec

from storage.fingerprint import fingerprint
from storage.table import FORMAT, Axis


class Shards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Into how many shards an axis is cut, and how many neighbouring ids stay together.

    A row with the number `id` (a page id, or the digits of a QID) lies in shard
    `(id // block) % count`, whatever file it was read from and however that file was read.
    """

    count: int = 1
    block: int = 1

    def of(self, number: int) -> int:
        """Return the shard that the row with this number lies in."""
        return (number // self.block) % self.count


class Shard(msgspec.Struct, frozen=True):
    """One part of one axis; `label` names the raw file where the axis is `source`."""

    index: int
    shards: Shards
    label: str = ""

    @property
    def count(self) -> int:
        """How many shards the axis has."""
        return self.shards.count

    def __str__(self) -> str:
        return self.label or f"shard {self.index}/{self.count}"


class Part(msgspec.Struct, frozen=True):
    """One Parquet file of a table.

    `digest` is the SHA-256 of the file; `content` what counts of it for the stages that read it.
    """

    rows: int
    bytes: int
    digest: str
    content: str


class StoredFile(msgspec.Struct, frozen=True):
    """A file that a stage keeps beside its parts (an index, weights), by its name."""

    name: str
    bytes: int
    digest: str


class Damage(msgspec.Struct):
    """Records of a source that could not be read: how many for each reason, and a few of them."""

    records: int = 0
    counts: dict[str, int] = {}
    samples: list[dict[str, str]] = []
    max_share: float = 1.0

    @property
    def damaged(self) -> int:
        """Number of damaged records."""
        return sum(self.counts.values())

    @property
    def excessive(self) -> bool:
        """Whether so much is damaged that the source itself must be wrong."""
        return self.damaged > 10 and self.damaged > self.max_share * self.records

    def add(self, other: Damage) -> None:
        """Count `other` in."""
        self.records += other.records
        if other.records:
            self.max_share = other.max_share
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
        for sample in other.samples:
            first = all(sample.get("reason") != kept.get("reason") for kept in self.samples)
            if len(self.samples) < 20 or first:
                self.samples = [*self.samples, sample]


class PartRecord(msgspec.Struct):
    """Everything that one shard of a step left behind; its file completes the shard.

    `key` names what the shard was made from: an equal key in a new version of the step means equal
    rows, so the parts are taken over instead of made again. A row-local stage counts the pages that
    it computed, and those whose rows it carried over from an earlier version.
    """

    key: str
    shard: int
    label: str
    parts: dict[str, Part]
    files: list[StoredFile] = []
    drops: dict[str, int] = {}
    drop_samples: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    damage: Damage = msgspec.field(default_factory=Damage)
    seconds: float = 0.0
    peak_mb: int = 0
    computed_pages: int = 0
    carried_pages: int = 0
    carried_rows: int = 0


class Input(msgspec.Struct, frozen=True):
    """A table that a step read: which artifact, which of its parts, and their content."""

    artifact: str
    stage: str
    content: str


class Manifest(msgspec.Struct):
    """How a step's tables came to be; enough to explain the next plan.

    `config` holds the values that differ from their defaults, `facts` what was outside the recipe
    (the size of a local file, the version of a model), `code` the digest of the stage's code.
    """

    stage: str
    version: int
    fingerprint: str
    config: dict[str, Any]
    facts: dict[str, Any]
    axis: Axis
    shards: Shards
    inputs: dict[str, Input]
    tables: dict[str, list[list[object]]]
    records: list[PartRecord]
    code: str
    libraries: dict[str, str]
    made_at: str
    wall_seconds: float
    format: int = FORMAT

    def content(self, table: str, source: str | None = None) -> str:
        """Return 16 hex digits for the rows of `table` (of one source of it).

        Parts without rows do not count, so that a raw file of another source changes nothing.
        """
        chosen = (r for r in self.records if source is None or source_of(r.label) == source)
        contents = [r.parts[table].content for r in chosen if r.parts[table].rows]
        return fingerprint(contents)

    def rows(self, table: str) -> int:
        """Number of rows of `table`."""
        return sum(record.parts[table].rows for record in self.records)

    def bytes(self, table: str) -> int:
        """Bytes of the parts of `table`."""
        return sum(record.parts[table].bytes for record in self.records)

    def drops(self) -> dict[str, int]:
        """Rows that the stage dropped, counted by reason, commonest first."""
        return total(record.drops for record in self.records)

    def counts(self) -> dict[str, int]:
        """What the stage counted besides, by name."""
        return total(record.counts for record in self.records)

    def pages(self) -> tuple[int, int, int]:
        """Pages that a row-local stage computed, those that it carried over, and rows of these."""
        return (
            sum(record.computed_pages for record in self.records),
            sum(record.carried_pages for record in self.records),
            sum(record.carried_rows for record in self.records),
        )

    def damage(self) -> Damage:
        """Damaged records of all shards together."""
        together = Damage()
        for record in self.records:
            together.add(record.damage)
        return together

    @property
    def seconds(self) -> float:
        """Seconds that the shards took, one after the other."""
        return sum(record.seconds for record in self.records)


def source_of(label: str) -> str:
    """Return the source that a label of the axis `source` names: "wikipedia" of "wikipedia-0"."""
    return label.rsplit("-", 1)[0]


def total(counters: Any) -> dict[str, int]:
    """Add up counters by name, the largest first."""
    sums: dict[str, int] = {}
    for counter in counters:
        for name, count in counter.items():
            sums[name] = sums.get(name, 0) + count
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))
