"""A sheet of labels for people to judge: stratified, seeded, the same again for the same tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Literal

from pipeline.labels import QUERIES, ask_labels
from stages.denoising.sheet import COLUMNS, Judged
from storage.aside import written_aside
from storage.errors import ConfigError
from storage.marking import marked
from storage.reading import Tables

By = Literal["pid", "method", "distance"]

LEAST = 10
"""Labels that each stratum should get; strata too small for that are put together."""

OTHERS = "(others)"


def draw(tables: Tables, by: By, n: int, seed: int) -> list[Judged]:
    """Return `n` labels, spread evenly over the strata, none twice.

    A stratum that has fewer labels than its part gives them all. Where there are too many strata
    for ten labels each, the rarest are one stratum, "(others)".

    Raises:
        ConfigError: If the corpus has no labels.
    """
    counts = {
        row["stratum"]: row["labels"]
        for row in ask_labels(tables, QUERIES["strata"].sql, {"by": by})
    }
    if not counts:
        raise ConfigError(
            f"{tables.origin} has no label to judge",
            mend="Look at what was left out: relmill show RECIPE tuples",
        )
    counts = gathered(counts, max(n // LEAST, 1))
    quotas = allotted(counts, n)
    chosen = ask_labels(
        tables,
        QUERIES["drawn"].sql,
        {"by": by, "seed": seed, "strata": list(counts), "quotas": list(quotas.values())},
    )
    ids = sorted({row["tuple_id"] for row in chosen})
    found = tables.sql(QUERIES["shown"].sql, {"tuple_ids": ids}).to_pylist()
    rows = {row["tuple_id"]: row for row in found}
    names = labels_of(tables)
    return [line(row, rows[row["tuple_id"]], counts, names) for row in chosen]


def gathered(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Put the rarest strata together so that at most `most` are left; the commonest come first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(ordered) <= most:
        return dict(ordered)
    kept, rest = ordered[: most - 1], ordered[most - 1 :]
    return {**dict(kept), OTHERS: sum(count for _, count in rest)}


def allotted(counts: Mapping[str, int], n: int) -> dict[str, int]:
    """Spread `n` evenly over strata, to none more than it has; what is left over goes to the first.

    Args:
        counts: Size of each stratum.
    """
    quotas = dict.fromkeys(counts, 0)
    left = min(n, sum(counts.values()))
    while left:
        open_ = [name for name in counts if quotas[name] < counts[name]]
        each = max(left // len(open_), 1)
        for name in open_:
            more = min(each, counts[name] - quotas[name], left)
            quotas[name] += more
            left -= more
    return quotas


def labels_of(tables: Tables) -> dict[str, str]:
    """Return the label of each property that has one."""
    if "properties" not in tables.stages:
        return {}
    rows = tables.sql("SELECT pid, label FROM properties WHERE label IS NOT NULL").to_pylist()
    return {row["pid"]: row["label"] for row in rows}


def line(
    drawn: Mapping[str, Any],
    row: Mapping[str, Any],
    counts: Mapping[str, int],
    names: Mapping[str, str],
) -> Judged:
    """Return the line of a label: from the sentence of the one nearest mention to the other's."""
    heads, tails = row["head_mentions"], row["tail_mentions"]
    nearest = min(
        ((h, t) for h in heads for t in tails),
        key=lambda pair: (
            abs(pair[0]["sentence"] - pair[1]["sentence"]),
            abs(pair[0]["char_start"] - pair[1]["char_start"]),
        ),
    )
    first, last = sorted(mention["sentence"] for mention in nearest)
    start, end = tuple_of(row["sentences"][first])[0], tuple_of(row["sentences"][last])[1]
    spans = [[(m["char_start"], m["char_end"]) for m in side] for side in (heads, tails)]
    return Judged(
        drawn["stratum"],
        counts[drawn["stratum"]],
        drawn["tuple_id"],
        drawn["pid"],
        row["head"],
        names.get(drawn["pid"], drawn["pid"]),
        row["tail"],
        row["title"],
        " ".join(marked(row["text"][start:end], spans[0], spans[1], start).split()),
    )


def tuple_of(struct: Mapping[str, int] | Sequence[int]) -> tuple[int, int]:
    """Return a pair of numbers that DuckDB gave as an unnamed struct."""
    first, second = struct.values() if isinstance(struct, Mapping) else struct
    return first, second


def write_sheet(lines: Sequence[Judged], path: Path) -> None:
    """Write a sheet: TSV where the name ends so, else CSV, as spreadsheets open it.

    Raises:
        ConfigError: If there is a file already: it may hold judgements.
    """
    if path.exists():
        raise ConfigError(
            f"{path} is there already, and may hold judgements",
            mend="Name another file: --output FILE",
        )
    with written_aside(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(COLUMNS)
        writer.writerows([plain(value) for value in astuple(each)] for each in lines)


def plain(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = str(value)
    return f" {text}" if text[:1] in tuple("=+-@") else text
