"""The DAG as a Mermaid diagram."""

from __future__ import annotations

from pipeline.dag import DAG, parents, writer
from stages.base import table_of


def mermaid() -> str:
    """Return the DAG: a box a stage with the tables that it writes, an arrow a dependency."""
    lines = ["flowchart TD"]
    for stage in DAG:
        tables = ", ".join(table.name for table in stage.writes)
        lines.append(f'    {stage.name}["<b>{stage.name}</b><br>{tables}"]')
    for stage in DAG:
        for parent in parents(stage):
            read = [table_of(r) for r in stage.reads if writer(table_of(r)) is parent]
            names = ", ".join(dict.fromkeys(table.name for table in read))
            lines.append(f"    {parent.name} -- {names} --> {stage.name}")
    return "\n".join(lines)
