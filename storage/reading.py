"""The tables of one run or tag, for people and notebooks: as SQL, as Arrow, as paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from storage import catalog
from storage.artifact import Manifest
from storage.errors import MissingArtifactError, QueryError
from storage.refs import Refs
from storage.tables import TABLES
from storage.warehouse import Artifact, Warehouse, read_part

DROPS = pa.schema(
    [("stage", pa.string()), ("reason", pa.string()), ("rows", pa.int64()), ("sample", pa.string())]
)


class Tables:
    """The tables that belong together because one run made or reused them.

    Args:
        artifacts: The artifact of each stage, in the order of the DAG.
        origin: What they are, for messages: a recipe, a run or a tag.
        command: The command that makes the tables which are not there.
    """

    def __init__(self, artifacts: Iterable[Artifact], origin: str, command: str = "") -> None:
        self.artifacts = {artifact.folder.parent.name: artifact for artifact in artifacts}
        self.origin = origin
        self._command = command

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """The manifest of each stage."""
        return {stage: artifact.manifest() for stage, artifact in self.artifacts.items()}

    @cached_property
    def stages(self) -> dict[str, str]:
        """The stage that made each table, by table name."""
        return {table: stage for stage, m in self.manifests.items() for table in m.tables}

    def artifact(self, table: str) -> Artifact:
        """Return the artifact that holds a table.

        Raises:
            MissingArtifactError: If there is no such table here; it lists those there are.
        """
        if table in TABLES and table not in self.stages and self._command:
            raise MissingArtifactError(
                f"{self.origin} has no table {table} yet", mend=f"Make it: {self._command}"
            )
        if table not in self.stages:
            raise MissingArtifactError(
                f"{self.origin} has no table {table!r}",
                mend=f"It has: {', '.join(self.stages)}",
            )
        return self.artifacts[self.stages[table]]

    def manifest(self, table: str) -> Manifest:
        """Return how a table came to be."""
        self.artifact(table)
        return self.manifests[self.stages[table]]

    def paths(self, table: str) -> list[Path]:
        """Return the Parquet files of a table that hold rows."""
        artifact = self.artifact(table)
        records = self.manifest(table).records
        return [artifact.part(table, r.shard) for r in records if r.parts[table].rows]

    def arrow(self, table: str) -> pa.Table:
        """Return all rows of a table, in the order of its parts."""
        self.artifact(table).require_whole(self.manifest(table).records, table)
        parts = [read_part(path, TABLES[table]) for path in self.paths(table)]
        return pa.concat_tables(parts) if parts else TABLES[table].schema.empty_table()

    @cached_property
    def drops(self) -> pa.Table:
        """What each stage dropped, by reason, with an example."""
        rows = []
        for stage, manifest in self.manifests.items():
            samples = {k: s for r in manifest.records for k, v in r.drop_samples.items() for s in v}
            rows += [
                {"stage": stage, "reason": reason, "rows": count, "sample": samples.get(reason)}
                for reason, count in manifest.drops().items()
            ]
        return pa.Table.from_pylist(rows, DROPS)

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Run a query over the tables and return its rows.

        Beside the tables there is `drops(stage, reason, rows, sample)`.

        Raises:
            QueryError: If DuckDB refuses the query.
            MissingArtifactError: If it asks for a table that has not been made, or for one of
                which a part was removed by hand.
        """
        if not self.stages:
            self.artifact("tuples")
        views: dict[str, Sequence[Path] | pa.Table] = {t: self.paths(t) for t in self.stages}
        try:
            return catalog.ask({**views, "drops": self.drops}, query, parameters)
        except QueryError as error:
            missing = re.search(r"Table with name (\w+) does not exist", error.what)
            if missing and missing[1] in TABLES:
                self.artifact(missing[1])
            for table in self.stages:
                self.artifact(table).require_whole(self.manifest(table).records, table)
            raise


class OpenWarehouse:
    """A warehouse as a notebook wants it: `open_warehouse().tables("tiny").arrow("tuples")`."""

    def __init__(self, root: Path) -> None:
        self._warehouse = Warehouse(root)

    def tables(self, recipe: str) -> Tables:
        """Return the tables of the newest successful run of a recipe.

        Raises:
            MissingArtifactError: If there is none.
        """
        steps = Refs(self._warehouse).newest(recipe).steps
        return Tables((self._warehouse.named(name) for name in steps.values()), recipe)

    def tagged(self, tag: str) -> Tables:
        """Return the tables that a tag names.

        Raises:
            MissingArtifactError: If there is no such tag.
        """
        steps = Refs(self._warehouse).find_tag(tag).steps
        return Tables((self._warehouse.named(name) for name in steps.values()), f"the tag {tag}")


def open_warehouse(root: str | os.PathLike[str] | None = None) -> OpenWarehouse:
    """Open a warehouse for reading.

    Args:
        root: Its folder; None takes RELMILL_ROOT, or else `warehouse` in the present folder.
    """
    return OpenWarehouse(Path(root or os.environ.get("RELMILL_ROOT", "warehouse")))


def refresh_catalog(warehouse: Warehouse) -> Path:
    """Write `catalog.duckdb` anew: a schema a recipe and tag, and a view of the manifests."""
    refs = Refs(warehouse)
    schemas: dict[str, Mapping[str, Path]] = {}
    for run in refs.runs():
        if run.status == "succeeded" and run.recipe not in schemas:
            schemas[run.recipe] = folders(warehouse, run.steps)
    for tag in refs.tags():
        schemas[tag.name] = folders(warehouse, tag.steps)
    path = warehouse.root / "catalog.duckdb"
    with warehouse.lock("catalog"):
        catalog.write_catalog(path, schemas, warehouse.root / "artifacts")
    return path


def folders(warehouse: Warehouse, steps: Mapping[str, str]) -> dict[str, Path]:
    """Return the folder of each table of a run or tag."""
    artifacts = [warehouse.named(name) for name in steps.values()]
    return {
        table: artifact.folder / table
        for artifact in artifacts
        if artifact.complete
        for table in artifact.manifest().tables
    }
