"""Measures: units of measurement, numbers as editors write them, and how exact a result is."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["Unit", "converted", "decimals", "grouped", "number", "stored", "unit_of", "written"]

_NUMBER = re.compile(r"[-−+]?(?:\d[\d,]*)?(?:\.\d+)?(?:e[-+]?\d+)?")
_FRACTION = re.compile(r"([-−]?)(?:(\d+)\s*[+ -]\s*)?(\d+)\s*/+\s*(\d+)")
_MULTIPLE = re.compile(r"e(3|6|9|12)(.+)")
_POWERS = {"3": "thousand", "6": "million", "9": "billion", "12": "trillion"}
_FINE_UNITS = frozenset(("ft", "lb"))
"""Symbols of units into which whole numbers convert more exactly."""
_ALMOST = 1e-14
MOST_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement.

    Attributes:
        symbol: Short form.
        name: One of it, spelled out.
        plural: Several of it.
        scale: How many of the quantity's base unit it is.
        offset: Added after scaling (temperatures).
        kind: Quantity; only units of one kind convert into each other.
        default: Code of the unit that it is converted to when none is named; may be several.
        spelled: Whether the first of the two units is spelled out.
    """

    symbol: str
    name: str
    plural: str
    scale: float
    offset: float
    kind: str
    default: str
    spelled: bool


def unit_of(code: str) -> Unit | None:
    """Return a unit by its code; "e6acre" is a million acres."""
    unit = _units().get(code)
    multiple = None if unit else _MULTIPLE.fullmatch(code)
    if multiple is None or (single := _units().get(multiple[2])) is None:
        return unit
    word = _POWERS[multiple[1]]
    return replace(
        single,
        symbol=f"{word} {single.symbol}",
        name=f"{word} {single.plural}",
        plural=f"{word} {single.plural}",
        scale=single.scale * 10 ** int(multiple[1]),
        default=f"e{multiple[1]}{single.default}",
    )


def number(word: str) -> Decimal | None:
    """Return a number as editors write it ("1,300", "-2", "1+1/2"), None for what is none."""
    word = word.replace("−", "-").strip()
    fraction = _FRACTION.fullmatch(word)
    if fraction:
        sign, whole, top, bottom = fraction.groups()
        if not int(bottom):
            return None
        value = Decimal(whole or 0) + Decimal(top) / Decimal(bottom)
        return -value if sign else value
    if not word or not _NUMBER.fullmatch(word) or len(word) > 30:
        return None
    try:
        return Decimal(word.replace(",", ""))
    except InvalidOperation:
        return None


def converted(value: Decimal, unit: Unit, out: Unit) -> float:
    """Return how many of the unit `out` a measure is."""
    return (float(value) * unit.scale + unit.offset - out.offset) / out.scale


def decimals(word: str, value: Decimal, result: float, unit: Unit, out: Unit) -> int:
    """Return how many decimals a converted number keeps; negative for zeros before the point.

    As exact as the input, with two significant figures at least; of a temperature three, counted
    from absolute zero.

    Args:
        word: The number as written.
        value: The same as a number.
        result: What it is in the other unit.
    """
    given = _stated(word)
    if unit.kind == "temperature":
        kelvin = abs(float(value) * unit.scale + unit.offset)
        return max(given, 2 - _magnitude(kelvin) if kelvin > 1e-8 else 2)
    if not value or not result or not math.isfinite(result):
        return 0
    lost = math.log10(abs(float(value) / result))
    if out.symbol in _FINE_UNITS and value == value.to_integral_value():
        lost = -math.log10(unit.scale)
    return max(math.floor(given + lost + math.log10(2)), 1 - _magnitude(result))


def written(result: float, places: int) -> str:
    """Return a number rounded to so many decimals, its thousands grouped."""
    places = min(places, MOST_DECIMALS)
    rounded = Decimal(repr(result)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return f"{rounded + 0:,.{max(places, 0)}f}".replace("-", "−")


def grouped(word: str) -> str:
    """Return a number as written with its thousands grouped and a true minus sign."""
    if re.fullmatch(r"[-−+]?\d{4,}(\.\d+)?", word):
        whole, point, part = word.partition(".")
        sign = whole[:1] if whole[:1] in "-−+" else ""
        word = f"{sign}{int(whole.lstrip('-−+')):,}{point}{part}"
    return re.sub(r"^-(?=[\d.])", "−", word)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)) + _ALMOST)


def _stated(word: str) -> int:
    """Return how many digits behind the point are stated; negative for closing zeros."""
    fraction = _FRACTION.fullmatch(word.strip())
    if fraction:
        return max(round(math.log10(int(fraction[4]) or 1)), 1)
    digits, _, power = word.lower().replace(",", "").lstrip("+-−").partition("e")
    exponent = int(power) if re.fullmatch(r"[-+]?\d{1,3}", power) else 0
    if "." in digits:
        return len(digits.partition(".")[2]) - exponent
    return -(len(digits) - len(digits.rstrip("0"))) - exponent


@cache
def stored() -> dict[str, Any]:
    """Return the data file of units."""
    text = resources.files(__package__).joinpath("units.toml").read_text("utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    return found


@cache
def _units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for kind, table in stored()["units"].items():
        for codes, symbol, name, plural, scale, default, spelled, *offset in table:
            shift = float(offset[0]) if offset else 0.0
            unit = Unit(symbol, name, plural, float(scale), shift, kind, default, bool(spelled))
            units.update(dict.fromkeys(codes.split(), unit))
    return units
