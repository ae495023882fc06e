"""The tables of one run or tag, for people and notebooks: as SQL, as Arrow, as paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import catalog
from storage.artifact import Manifest
from storage.errors import MissingArtifactError, QueryError
from storage.refs import Refs
from storage.tables import TABLES
from storage.warehouse import Artifact, Warehouse, below_each_other, open_root, read_part

DROPS = pa.schema(
    [("stage", pa.string()), ("reason", pa.string()), ("rows", pa.int64()), ("sample", pa.string())]
)


class Tables:
    """The tables that belong together because one run made or reused them.

    A table of a stage that has variants is all of them, one below the other, with a first column
    that names the `variant`.

    Args:
        artifacts: The artifact of each step, in the order of the DAG; the name of a step is that of
            its stage, and behind a dot that of its variant.
        origin: What they are, for messages: a recipe, a run or a tag.
        command: The command that makes the tables which are not there.
    """

    def __init__(self, artifacts: Mapping[str, Artifact], origin: str, command: str = "") -> None:
        self.artifacts = dict(artifacts)
        self.origin = origin
        self._command = command

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """The manifest of each step."""
        return {step: artifact.manifest() for step, artifact in self.artifacts.items()}

    @cached_property
    def stages(self) -> dict[str, list[str]]:
        """The steps that made each table, by table name: one, or one for each variant."""
        made: dict[str, list[str]] = {}
        for step, manifest in self.manifests.items():
            for table in manifest.tables:
                made.setdefault(table, []).append(step)
        return made

    def steps(self, table: str) -> list[str]:
        """Return the steps that made a table.

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
        return self.stages[table]

    def step(self, table: str, variant: str | None = None) -> str:
        """Return the one step that made a table, or a variant of it.

        Raises:
            MissingArtifactError: If there is no such table or variant, or several are meant.
        """
        by_variant = {variant_of(step): step for step in self.steps(table)}
        if variant is None and len(by_variant) == 1:
            return next(iter(by_variant.values()))
        if variant in by_variant:
            return by_variant[variant]
        what = f"has no {table} of {variant!r}" if variant else f"has several variants of {table}"
        raise MissingArtifactError(
            f"{self.origin} {what}", mend=f"The variants are: {', '.join(by_variant)}"
        )

    def made_by(self, step: str) -> Tables:
        """Return the tables of one step alone."""
        return Tables({step: self.artifacts[step]}, self.origin, self._command)

    def artifact(self, table: str, variant: str | None = None) -> Artifact:
        """Return the artifact that holds a table, or a variant of it."""
        return self.artifacts[self.step(table, variant)]

    def manifest(self, table: str, variant: str | None = None) -> Manifest:
        """Return how a table, or a variant of it, came to be."""
        return self.manifests[self.step(table, variant)]

    def files(self, table: str, variant: str | None = None) -> dict[str, Path]:
        """Return the files that the writer of a table keeps beside its parts, by name.

        Raises:
            MissingArtifactError: If one was removed or cut by hand.
        """
        artifact, records = self.artifact(table, variant), self.manifest(table, variant).records
        artifact.require_whole(records, table, files=True)
        return {f.name: artifact.file(f.name) for record in records for f in record.files}

    def paths(self, table: str) -> catalog.Paths:
        """Return the Parquet files of a table that hold rows; by variant where it has variants.

        What lies in a store alone is named by its address.
        """
        steps = self.steps(table)
        found = {
            step: parts_of(self.artifacts[step], self.manifests[step], table) for step in steps
        }
        if has_variants(steps):
            return {variant_of(step): paths for step, paths in found.items()}
        return found[steps[0]]

    def arrow(self, table: str) -> pa.Table:
        """Return all rows of a table, in the order of its parts."""
        self.require_whole(table)
        paths = self.paths(table)
        if isinstance(paths, Mapping):
            rows = {
                variant: [read_part(Path(path), TABLES[table]) for path in each]
                for variant, each in paths.items()
            }
            return below_each_other(TABLES[table], rows)
        parts = [read_part(Path(path), TABLES[table]) for path in paths]
        return pa.concat_tables(parts) if parts else TABLES[table].schema.empty_table()

    def require_whole(self, table: str) -> None:
        """Check that no part of a table was removed or cut by hand.

        Raises:
            MissingArtifactError: If one was.
        """
        for step in self.steps(table):
            self.artifacts[step].require_whole(self.manifests[step].records, table)

    @property
    def _store(self) -> Any:
        """The file system of the store that some parts may lie in alone."""
        remotes = (artifact.remote for artifact in self.artifacts.values())
        return next((remote.files for remote in remotes if remote is not None), None)

    def part(self, table: str, shard: int) -> pa.Table:
        """Return the rows of one shard of a table."""
        record = self.manifest(table).records[shard]
        self.artifact(table).require_whole([record], table)
        return read_part(self.artifact(table).part(table, record.shard), TABLES[table])

    @cached_property
    def drops(self) -> pa.Table:
        """What each stage dropped, by reason, with an example."""
        rows = []
        for step, manifest in self.manifests.items():
            samples = {k: s for r in manifest.records for k, v in r.drop_samples.items() for s in v}
            rows += [
                {"stage": step, "reason": reason, "rows": count, "sample": samples.get(reason)}
                for reason, count in manifest.drops().items()
            ]
        return pa.Table.from_pylist(rows, DROPS)

    def sql(
        self,
        query: str,
        parameters: Mapping[str, object] | None = None,
        or_empty: Iterable[str] = (),
    ) -> pa.Table:
        """Run a query over the tables and return its rows.

        Beside the tables there is `drops(stage, reason, rows, sample)`.

        Args:
            or_empty: Tables that count as empty where they have not been made.

        Raises:
            QueryError: If DuckDB refuses the query.
            MissingArtifactError: If it asks for a table that has not been made, or for one of
                which a part was removed by hand.
        """
        if not self.stages:
            self.steps("tuples")
        views: dict[str, catalog.Paths | pa.Table] = {t: [] for t in or_empty}
        views |= {t: self.paths(t) for t in self.stages}
        try:
            return catalog.ask({**views, "drops": self.drops}, query, parameters, self._store)
        except QueryError as error:
            missing = re.search(r"Table with name (\w+) does not exist", error.what)
            if missing and missing[1] in TABLES:
                self.steps(missing[1])
            for table in self.stages:
                self.require_whole(table)
            raise


def tables_of(
    warehouse: Warehouse, steps: Mapping[str, str], origin: str, command: str = ""
) -> Tables:
    """Return the tables of the steps of a run or tag."""
    named = {step: warehouse.named(name) for step, name in steps.items()}
    return Tables(named, origin, command)


def variant_of(step: str) -> str:
    """Return the variant that the name of a step ends with; "" for a stage without variants."""
    return step.partition(".")[2]


def has_variants(steps: Sequence[str]) -> bool:
    """Whether these steps, which make one table, are variants of a stage."""
    return any(variant_of(step) for step in steps)


def parts_of(artifact: Artifact, manifest: Manifest, table: str) -> list[catalog.Place]:
    """Return the Parquet files of a table that hold rows."""
    records = [record for record in manifest.records if record.parts[table].rows]
    parts = artifact.held(records, [table], files=False)
    remote = artifact.remote
    if remote is None:
        return [part.path for part in parts]
    return [part.path if part.path.is_file() else remote.address(part) for part in parts]


class OpenWarehouse:
    """A warehouse as a notebook wants it: `open_warehouse().tables("tiny").arrow("tuples")`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._warehouse = open_root(root)

    def tables(self, recipe: str) -> Tables:
        """Return the tables of the newest successful run of a recipe.

        Raises:
            MissingArtifactError: If there is none.
        """
        steps = Refs(self._warehouse).newest(recipe).steps
        return tables_of(self._warehouse, steps, recipe)

    def tagged(self, tag: str) -> Tables:
        """Return the tables that a tag names.

        Raises:
            MissingArtifactError: If there is no such tag.
        """
        steps = Refs(self._warehouse).find_tag(tag).steps
        return tables_of(self._warehouse, steps, f"the tag {tag}")


def open_warehouse(root: str | os.PathLike[str] | None = None) -> OpenWarehouse:
    """Open a warehouse for reading.

    Args:
        root: Its folder or address; None takes RELMILL_ROOT, or else `warehouse` in the present
            folder.
    """
    return OpenWarehouse(root or os.environ.get("RELMILL_ROOT", "warehouse"))


def refresh_catalog(warehouse: Warehouse) -> Path:
    """Write `catalog.duckdb` anew: a schema a recipe and tag, and a view of the manifests."""
    refs = Refs(warehouse)
    schemas: dict[str, Mapping[str, catalog.Folders]] = {}
    for run in refs.runs():
        if run.status == "succeeded" and run.recipe not in schemas:
            schemas[run.recipe] = folders(warehouse, run.steps)
    for tag in refs.tags():
        schemas[tag.name] = folders(warehouse, tag.steps)
    path = warehouse.root / "catalog.duckdb"
    with warehouse.lock("catalog"):
        store = warehouse.remote.files if warehouse.remote else None
        catalog.write_catalog(path, schemas, warehouse.root / "artifacts", store)
    return path


def folders(warehouse: Warehouse, steps: Mapping[str, str]) -> dict[str, catalog.Folders]:
    """Return the folder of each table of a run or tag; by variant where it has variants.

    Of a store, of which the folder may hold a part, it is the addresses of all parts.
    """
    named = {step: warehouse.named(name) for step, name in steps.items()}
    tables = Tables({step: each for step, each in named.items() if each.complete}, "")
    found: dict[str, catalog.Folders] = {}
    for table, made in tables.stages.items():
        each: dict[str, catalog.Parts] = {}
        for step in made:
            artifact = tables.artifacts[step]
            records = tables.manifests[step].records
            parts = artifact.held(records, [table], files=False)
            remote = artifact.remote
            each[variant_of(step)] = (
                [remote.address(part) for part in parts] if remote else artifact.folder / table
            )
        found[table] = each if has_variants(made) else each[""]
    return found
