"""A sheet of labels that people judge: its columns, and how a judged one is read.

`relmill sample` writes sheets; their judgements say how right a corpus is, and teach `provenance`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from storage.errors import ConfigError

RIGHT = frozenset({"1", "y", "yes", "true", "right", "correct"})
WRONG = frozenset({"0", "n", "no", "false", "wrong", "incorrect"})
OPEN = frozenset({"", "?"})


@dataclass(frozen=True)
class Judged:
    """One line of a sheet.

    Attributes:
        stratum: What the corpus was cut by: a PID, a linking method, a distance; or "(others)".
        labels: Labels of that stratum in the whole corpus.
        judgement: Empty until a person says whether the text states the relation.
    """

    stratum: str
    labels: int
    tuple_id: str
    pid: str
    head: str
    relation: str
    tail: str
    page: str
    text: str
    judgement: str = ""


COLUMNS = tuple(field.name for field in fields(Judged))


def verdict(line: Judged) -> bool | None:
    """Return whether a label was judged to be right; None where it was not judged."""
    word = line.judgement.strip().lower()
    return None if word in OPEN else word in RIGHT


def read_sheet(path: Path) -> list[Judged]:
    """Read a sheet that a person judged, with commas, semicolons or tabs between its cells.

    Raises:
        ConfigError: If it is no such sheet, or holds a judgement that is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8", mend="Save it again as CSV UTF-8") from error
    between = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=between)
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise ConfigError(
            f"{path} has no column {', '.join(sorted(missing))}",
            mend="Name a sheet that `relmill sample RECIPE` wrote, with all its columns",
        )
    return [judged(row, path, number) for number, row in enumerate(reader, 2)]


def judged(row: Mapping[str, str | None], path: Path, number: int) -> Judged:
    """Return one line of a sheet.

    Raises:
        ConfigError: If it is cut, its number is none, or its judgement is none.
    """
    values = {name: row[name] or "" for name in COLUMNS}
    word = values["judgement"].strip().lower()
    if word not in RIGHT | WRONG | OPEN:
        raise ConfigError(
            f"the judgement {values['judgement']!r} is none",
            where=f"{path}, line {number}",
            mend="Write yes or no, or leave it empty",
        )
    if not values["labels"].isdigit() or int(values["labels"]) == 0:
        raise ConfigError(
            f"labels is {values['labels']!r}",
            where=f"{path}, line {number}",
            mend="Give the column as `relmill sample RECIPE` wrote it",
        )
    return Judged(**{**values, "labels": int(values["labels"])})  # type: ignore[arg-type]
