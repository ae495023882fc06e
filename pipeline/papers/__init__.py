"""Tables of papers: the figures that a reproduction is held against, each with its source."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipeline.dag import unknown

__all__ = ["Figure", "PaperTable", "paper_table", "paper_tables"]


@dataclass(frozen=True)
class Figure:
    """One cell of a paper's table.

    Attributes:
        metric: Name of our score that stands for it.
        value: The paper's figure, [0, 1].
    """

    benchmark: str
    encoder: str
    setting: str
    input_format: str
    fraction: float | None
    metric: str
    value: float

    @property
    def names(self) -> set[str]:
        """What a person may call it by: benchmark, encoder, percent of the data and so on."""
        percent = set() if self.fraction is None else {f"{100 * self.fraction:g}"}
        return {self.benchmark, self.encoder, self.setting, self.input_format} | percent


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Attributes:
        source: Where it stands.
        says: What its figures are.
        note: What else must be known of them.
    """

    name: str
    source: str
    says: str
    note: str
    figures: tuple[Figure, ...]


def paper_tables() -> dict[str, Path]:
    """Return the files of all tables, by name: "cp.5"."""
    folder = Path(str(resources.files("pipeline") / "papers"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def paper_table(name: str) -> PaperTable:
    """Return a table of a paper.

    Raises:
        ConfigError: If there is none of that name; it names the nearest one.
    """
    files = paper_tables()
    if name not in files:
        raise unknown("table of a paper", name, files)
    values = tomllib.loads(files[name].read_text(encoding="utf-8"))
    return PaperTable(
        name, values["source"], values["says"], values.get("note", ""), tuple(figures_of(values))
    )


def figures_of(values: dict[str, object]) -> Iterator[Figure]:
    """Yield the cells of a table."""
    columns, metrics, figures = values["columns"], values["metrics"], values["figures"]
    assert isinstance(columns, list)
    assert isinstance(metrics, dict)
    assert isinstance(figures, dict)
    for benchmark, rows in figures.items():
        for encoder, row in rows.items():
            for column, value in zip(columns, row, strict=True):
                setting = column.get("setting", "")
                yield Figure(
                    benchmark,
                    encoder,
                    setting,
                    column["input_format"],
                    None if setting else column.get("fraction", 1.0),
                    metrics[benchmark],
                    value,
                )
