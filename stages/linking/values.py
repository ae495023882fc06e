"""Dates and numbers as a text states them, in the form in which Wikidata writes them."""

from __future__ import annotations

import calendar
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from storage.spans import Span

GREGORIAN, JULIAN = "Q1985727", "Q1985786"
REFORM = (1582, 10, 15)
"""First day of the Gregorian calendar: a text means the Julian one before it."""

DECADE, YEAR, MONTH, DAY = 8, 9, 10, 11
"""Precisions of a time, as Wikidata numbers them."""


@dataclass(frozen=True)
class Value:
    """A date or a number.

    Attributes:
        kind: time or quantity.
        value: As Wikidata writes it: "+1879-03-14T00:00:00Z", month and day 00 below the
            precision; "+1300" for a number.
        precision: 8 decade, 9 year, 10 month, 11 day; None for a number.
        calendar: QID of the calendar; None for a number.
    """

    kind: str
    value: str
    precision: int | None = None
    calendar: str | None = None


class Reader:
    """Reads the dates and numbers of a language.

    Args:
        language: Language code; of one without words of its own only digits are read.
    """

    def __init__(self, language: str) -> None:
        words = _words().get(language, {})
        self._months: dict[str, int] = {}
        for number, spellings in enumerate(words.get("months", ()), start=1):
            self._months |= dict.fromkeys(spellings.split("|"), number)
        self._multiples: Mapping[str, int] = words.get("multiples", {})
        self._decimal: str = words.get("decimal", ".")
        before_christ = _either(words.get("before_christ", ()))
        era = rf"(?:\s(?P<era>{before_christ}))?"
        month = _either(sorted(self._months, key=len, reverse=True))
        ahead = _either(words.get("before_year", ()))
        year, day = r"(?P<year>\d{1,4})(?!\d)", r"(?P<day>[0-3]?\d)"
        named = rf"(?P<month>{month})\.?"
        # "March 14, 1879"; "14 March 1879"; "14. März 1879"; "14th of March 1879"; "March 1879"
        self._dates = [
            re.compile(rf"(?<![\w.,-]){named}\s{day}(?:st|nd|rd|th)?,\s{year}{era}"),
            re.compile(
                rf"(?<![\w.,-]){day}(?:st|nd|rd|th|er|º|\.)?\s(?:of\s)?{named}(?:\sde)?,?\s{year}{era}"
            ),
            re.compile(
                rf"(?<!\d\s)(?<!\w){named}(?:\sde)?,?\s(?P<year>\d{{3,4}})(?![\d.,]\d|\d){era}"
            ),
            re.compile(r"(?<![\w-])(?P<year>\d{4})-(?P<month>[01]\d)-(?P<day>[0-3]\d)(?![\w-])"),
            re.compile(r"(?<![\w.])(?P<day>[0-3]?\d)\.(?P<month>[01]?\d)\.(?P<year>\d{4})(?!\w)"),
            re.compile(r"(?<![\w.,-])(?P<decade>\d{3}0)s(?!\w)"),
        ]
        bare = r"(?P<year>1\d{3}|20\d{2})"
        self._years = [
            re.compile(rf"(?<!\w)(?:{ahead})\s{bare}(?![\w%]|[.,:-]\d|\s\d){era}"),
            re.compile(rf"(?<=\(){bare}{era}(?=[),;\u2013-])"),
            re.compile(rf"(?<=\d[\u2013-]){bare}(?=[),;\s])"),
            re.compile(rf"(?<![\w.,-])(?P<year>\d{{1,4}})\s(?P<era>{before_christ})(?!\w)"),
        ]
        self._number = re.compile(
            r"(?P<digits>[+-]?\d(?:[\d.,\u00a0\u202f ]*\d)?)"
            rf"(?:\s(?P<multiple>{_either(self._multiples)})(?!\w))?"
        )

    def find(self, text: str) -> list[tuple[Span, Value]]:
        """Return the dates of a text in order, of which no two overlap; of two the longer counts.

        Four digits are a year only where the words before them or brackets say so; the span is that
        of the year then.
        """
        found: dict[Span, Value] = {}
        for pattern in [*self._dates, *self._years]:
            for match in pattern.finditer(text):
                value = self._time(match)
                if value is not None:
                    found[match.start(_first_group(match)), match.end()] = value
        free: list[tuple[Span, Value]] = []
        for span in sorted(found, key=lambda s: (s[0], -s[1])):
            if not free or free[-1][0][1] <= span[0]:
                free.append((span, found[span]))
        return free

    def read(self, surface: str, date: bool = False, number: bool = False) -> Value | None:
        """Return the value that words as a whole state, or None.

        Args:
            surface: The words.
            date: Whether they are known to be a date: four digits are a year then.
            number: Whether they are known to be a number: words behind it are its unit.
        """
        for pattern in self._dates:
            if (match := pattern.fullmatch(surface)) and (value := self._time(match)):
                return value
        if not number and (
            year := re.fullmatch(r"[1-9]\d{2,3}" if date else r"[12]\d{3}", surface)
        ):
            return _time(int(year[0]), None, None)
        if date:
            inside = self.find(surface)
            years = re.findall(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)", surface)
            if not inside and len(years) == 1:
                return _time(int(years[0]), None, None)
            return inside[0][1] if len(inside) == 1 else None
        match = self._number.match(surface) if number else self._number.fullmatch(surface)
        return self._quantity(match) if match else None

    def is_date(self, words: str) -> bool:
        """Whether words are a date or a part of one: "14 March", "March", "1879"."""
        pieces = re.findall(r"\w+", words)
        return bool(pieces) and all(
            re.fullmatch(r"\d{1,4}(?:st|nd|rd|th|er|s)?", piece) or piece in self._months
            for piece in pieces
        )

    def _time(self, match: re.Match[str]) -> Value | None:
        parts = match.groupdict()
        if parts.get("decade"):
            return Value("time", f"+{parts['decade']}-00-00T00:00:00Z", DECADE, GREGORIAN)
        month = parts.get("month")
        number = None if month is None else int(month) if month.isdigit() else self._months[month]
        year = int(parts["year"]) * (-1 if parts.get("era") else 1)
        return _time(year, number, int(parts["day"]) if parts.get("day") else None)

    def _quantity(self, match: re.Match[str]) -> Value | None:
        groups = "," if self._decimal == "." else "."
        digits = re.sub(rf"[\s{re.escape(groups)}]", "", match["digits"]).rstrip(self._decimal)
        if not re.fullmatch(r"[+-]?\d+(\.\d+)?", digits.replace(self._decimal, ".")):
            return None
        amount = Decimal(digits.replace(self._decimal, "."))
        if match["multiple"]:
            amount = amount.scaleb(self._multiples[match["multiple"]])
        return Value("quantity", f"{amount:+f}")


@lru_cache(maxsize=8)
def reader(language: str) -> Reader:
    """Return the reader of a language, made once a process."""
    return Reader(language)


def _time(year: int, month: int | None, day: int | None) -> Value | None:
    if year == 0 or (month is not None and not 1 <= month <= 12):
        return None
    own = GREGORIAN if (year, month or 12, day or 31) >= REFORM else JULIAN
    if day is not None and month is not None:
        # Every fourth year is a leap year in the Julian calendar, and 2000 to 2003 are like any.
        longest = calendar.monthrange(year if own == GREGORIAN else 2000 + abs(year) % 4, month)[1]
        if not 1 <= day <= longest:
            return None
    precision = YEAR if month is None else MONTH if day is None else DAY
    sign = "+" if year > 0 else "-"
    stamp = f"{sign}{abs(year):04d}-{month or 0:02d}-{day or 0:02d}T00:00:00Z"
    return Value("time", stamp, precision, own)


def _first_group(match: re.Match[str]) -> str:
    return min((name for name, text in match.groupdict().items() if text), key=match.start)


def _either(words: Iterator[str] | Any) -> str:
    """Return a pattern that matches any of the words, or nothing where there is none."""
    listed = [re.escape(word) for word in words]
    return "|".join(listed) or r"(?!)"


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    path = Path(__file__).with_name("values.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
