"""The report as Markdown, and as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Grid", "Section", "html_page", "markdown_page"]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  color: #1c2733; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d8dee6; text-align: left; }
td.number { text-align: right; } figure { margin: 1rem 0; overflow-x: auto; }
svg { max-width: 100%; height: auto; } p.note { color: #566573; }
"""


@dataclass(frozen=True)
class Grid:
    """A table to be printed; cells that are numbers are aligned as such."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """A part of the report: words, tables and plots under a heading."""

    title: str
    note: str = ""
    grids: Sequence[Grid] = ()
    plots: Sequence[str] = ()


def markdown_page(title: str, sections: Sequence[Section]) -> str:
    """Return the report without its plots as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        if not section.grids and section.plots:
            continue
        parts.append(f"## {section.title}")
        parts += [section.note] if section.note else []
        parts += [markdown_grid(grid) for grid in section.grids]
    return "\n\n".join(parts) + "\n"


def markdown_grid(grid: Grid) -> str:
    """Return a table as Markdown."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = ["---:" if column in grid.numbers else "---" for column in grid.columns]
    return "\n".join([line(grid.columns), line(rule), *(line(row) for row in grid.rows)])


def html_page(title: str, sections: Sequence[Section]) -> str:
    """Return the whole report as one page; plots are SVG and stand in it."""
    body = "\n".join(html_section(section) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def html_section(section: Section) -> str:
    """Return a section as HTML."""
    parts = [f"<section>\n<h2>{escape(section.title)}</h2>"]
    parts += [f'<p class="note">{escape(section.note)}</p>'] if section.note else []
    parts += [html_grid(grid) for grid in section.grids]
    parts += [f"<figure>{plot}</figure>" for plot in section.plots]
    return "\n".join([*parts, "</section>"])


def html_grid(grid: Grid) -> str:
    """Return a table as HTML."""
    head = "".join(f"<th>{escape(column)}</th>" for column in grid.columns)
    rows = []
    for row in grid.rows:
        cells = (
            f'<td class="number">{escape(cell)}</td>'
            if column in grid.numbers
            else f"<td>{escape(cell)}</td>"
            for column, cell in zip(grid.columns, row, strict=True)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
