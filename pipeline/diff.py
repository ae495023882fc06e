"""Two versions of a table side by side: how they were made, and which rows differ."""

from __future__ import annotations

from pipeline.dag import unknown
from pipeline.why import changes
from storage import catalog
from storage.errors import ConfigError, MissingArtifactError
from storage.reading import Tables, tables_of
from storage.refs import Refs
from storage.warehouse import Warehouse

SAMPLE = 5


def find_version(warehouse: Warehouse, name: str, table: str | None) -> Tables:
    """Return what a name stands for: an artifact "stage/fingerprint", a tag, or a run.

    Raises:
        MissingArtifactError: If it stands for nothing, or is not complete.
        ConfigError: If it is a tag or run and no table is named.
    """
    if "/" in name:
        artifact = warehouse.named(name)
        if name not in {each.name for each in warehouse.artifacts()}:
            raise MissingArtifactError(
                f"{name} is not complete: there is no such artifact",
                mend="`relmill show RECIPE TABLE` says which one holds a table",
            )
        artifact.manifest()
        return Tables({artifact.stage: artifact}, name)
    refs = Refs(warehouse)
    steps = next((tag.steps for tag in refs.tags() if tag.name == name), None)
    if steps is None:
        steps = next((run.steps for run in refs.runs() if run.id == name), None)
    if steps is None:
        raise MissingArtifactError(
            f"{name!r} is neither stage/fingerprint nor a tag nor a run",
            mend="See `relmill log` and `relmill tag`",
        )
    if table is None:
        raise ConfigError(f"{name} has many tables", mend="Name one: --table tuples")
    return tables_of(warehouse, steps, name)


def difference_text(old: Tables, new: Tables, table: str | None) -> str:
    """Return what differs between two versions, table by table.

    Raises:
        ConfigError: If the two hold no table in common, or not this one.
    """
    common = [t for t in old.stages if t in new.stages]
    if not common:
        raise ConfigError(
            f"{old.origin} and {new.origin} have no table in common",
            mend="Compare two versions of one stage, tag or run",
        )
    if table is not None and table not in common:
        raise unknown("table in both", table, common)
    chosen = common if table is None else [table]
    texts = [
        table_difference(old.made_by(step), new.made_by(step), each)
        for each in chosen
        for step in old.stages[each]
        if step in new.stages[each]
    ]
    return "\n\n".join(texts) or f"{', '.join(chosen)}: no variant in common"


def table_difference(old: Tables, new: Tables, table: str) -> str:
    """Return what differs between two versions of one table."""
    was, now = old.manifest(table), new.manifest(table)
    (step,) = new.stages[table]
    label = f"{table} of {step}" if "." in step else table
    if was.fingerprint == now.fingerprint and was.content(table) == now.content(table):
        return f"{label}: the same artifact, {now.rows(table):,} rows"
    lines = [f"{label}: {was.stage}/{was.fingerprint} -> {now.stage}/{now.fingerprint}"]
    if was.version != now.version:
        lines.append(f"  version: {was.version} -> {now.version}")
    facts = [{**m.config, **m.facts} for m in (was, now)]
    lines += [f"  config {line}" for line in changes(facts[0], facts[1], None)]
    for name in sorted({*was.inputs, *now.inputs}):
        before, after = was.inputs.get(name), now.inputs.get(name)
        if (before and before.content) != (after and after.content):
            lines.append(f"  input {name} changed")
    if was.tables[table] != now.tables[table]:
        gone = [c[0] for c in was.tables[table] if c not in now.tables[table]]
        come = [c[0] for c in now.tables[table] if c not in was.tables[table]]
        lines.append(f"  columns: without {gone}, with {come}")
        return "\n".join(lines)
    lines.append(f"  rows: {was.rows(table):,} -> {now.rows(table):,}")
    return "\n".join([*lines, *changed_rows(old, new, table)])


def changed_rows(old: Tables, new: Tables, table: str) -> list[str]:
    """Return how many rows only one side has, and a few of them."""
    views = {"old_rows": old.arrow(table), "new_rows": new.arrow(table)}
    lines = []
    for sign, left, right in (("-", "old_rows", "new_rows"), ("+", "new_rows", "old_rows")):
        query = f"SELECT * FROM {left} EXCEPT SELECT * FROM {right}"
        count = catalog.ask(views, f"SELECT count(*) AS n FROM ({query})")["n"][0].as_py()
        lines.append(f"  {sign} {count:,} rows only in {'the old' if sign == '-' else 'the new'}")
        sample = catalog.ask(views, f"{query} ORDER BY ALL LIMIT {SAMPLE}").to_pylist()
        lines += [
            f"    {sign} {', '.join(f'{k}={v!r:.60}' for k, v in row.items())}" for row in sample
        ]
    return lines
