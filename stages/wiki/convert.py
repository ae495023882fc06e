"""Convert: a measurement in two units, as {{convert|1300|mi|km}} shows it."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["convert", "gauge"]

_RANGES = {
    "-": "–", "–": "–", "to": " to ", "to(-)": " to ", "and": " and ", "or": " or ", "by": " by ",
    "x": " × ", "×": " × ", "*": " × ", "+/-": " ± ", "±": " ± ", "to about": " to about ",
    "xx": " × ",
    "and(-)": " and ", "–and": " and ", "by(x)": " by ", ",": ", ", ", and": ", and ", "&": " & ",
}  # fmt: skip
_NUMBER = re.compile(r"[-−+]?(?:\d[\d,]*)?(?:\.\d+)?(?:e[-+]?\d+)?")
_FRACTION = re.compile(r"([-−]?)(?:(\d+)\s*[+ -]\s*)?(\d+)\s*/+\s*(\d+)")


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


def convert(arguments: Mapping[str, str]) -> str:
    """Return the words of the template `convert`, "" where they cannot be known.

    Args:
        arguments: By name; unnamed ones are "1", "2", ...
    """
    values = [arguments[str(n)].strip() for n in range(1, 13) if str(n) in arguments]
    numbers, joints, rest = _split(values)
    if not numbers or not rest:
        return ""
    parsed = [_number(word) for word in numbers]
    unit = _units().get(rest[0])
    if unit is None or any(value is None for value in parsed):
        # Better the number and what the editor wrote behind it than a sentence without either.
        return f"{_joined(numbers, joints)} {rest[0]}".strip()
    given = [value for value in parsed if value is not None]
    outputs = [_units().get(code) for code in _codes(rest[1:2], unit)]
    wanted = [out for out in outputs if out is not None and out.kind == unit.kind]
    places = rest[2] if len(rest) > 2 else ""
    first = _first(numbers, joints, given, unit, arguments)
    second = "/".join(
        _second(numbers, joints, given, unit, out, places, arguments) for out in wanted
    )
    return _arranged(first, second, arguments)


def gauge(word: str) -> str:
    """Return the words of a railway gauge as {{RailGauge}} is given one, "" where unknown."""
    known: dict[str, str] = _stored()["gauges"]
    if word in known:
        return known[word]
    found = re.fullmatch(r"([\d.,]+)\s*mm", word)
    return f"{found.group(1)} mm" if found else word


def _split(values: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the numbers, the words between them, and what follows."""
    numbers, joints = values[:1], []
    index = 1
    while index + 1 < len(values) and values[index] in _RANGES:
        joints.append(values[index])
        numbers.append(values[index + 1])
        index += 2
    return numbers, joints, values[index:]


def _number(word: str) -> Decimal | None:
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


def _codes(named: list[str], unit: Unit) -> list[str]:
    code = named[0] if named else ""
    if not code:
        code = unit.default
    return [code] if code in _units() else code.split()


def _first(
    numbers: list[str],
    joints: list[str],
    given: list[Decimal],
    unit: Unit,
    arguments: Mapping[str, str],
) -> str:
    words = _joined([_grouped(word) for word in numbers], joints)
    short = arguments.get("abbr", "")
    adjective = arguments.get("adj", "") in ("on", "mid", "pre") or arguments.get("sing") == "on"
    if short in ("on", "in") or not (unit.spelled or short in ("off", "out")):
        return f"{words}{_space(unit.symbol)}{unit.symbol}"
    if adjective:
        return f"{words}-{unit.name}"
    several = abs(given[-1]) != 1 and not 0 < abs(given[-1]) < 1
    return f"{words} {unit.plural if several else unit.name}"


def _second(
    numbers: list[str],
    joints: list[str],
    given: list[Decimal],
    unit: Unit,
    out: Unit,
    places: str,
    arguments: Mapping[str, str],
) -> str:
    values = []
    for word, value in zip(numbers, given, strict=True):
        exact = (float(value) * unit.scale + unit.offset - out.offset) / out.scale
        values.append(_rounded(word, value, exact, places, unit, arguments))
    words = _joined(values, joints)
    if arguments.get("abbr") == "off":
        return f"{words} {out.name if values[-1] == '1' else out.plural}"
    return f"{words}{_space(out.symbol)}{out.symbol}"


def _arranged(first: str, second: str, arguments: Mapping[str, str]) -> str:
    display = arguments.get("disp", "")
    if not second or display in ("number", "unit", "unit2"):
        return first
    if display == "flip" or arguments.get("order") == "flip":
        first, second = second, first
    if display in ("or",):
        return f"{first} or {second}"
    if display in ("/", "slash"):
        return f"{first}/{second}"
    if display in ("out", "output only", "output number only"):
        return second
    if display in ("comma", "x", "sqbr"):
        return f"{first}, {second}" if display == "comma" else f"{first} [{second}]"
    return f"{first} ({second})"


def _rounded(
    word: str,
    value: Decimal,
    exact: float,
    places: str,
    unit: Unit,
    arguments: Mapping[str, str],
) -> str:
    """Round as the template does: as exact as the input, at least two significant figures."""
    if not math.isfinite(exact) or abs(exact) > 1e24:
        return word
    if exact == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(exact)))
    if re.fullmatch(r"-?\d", places):
        decimals = int(places)
    elif re.fullmatch(r"[1-9]", arguments.get("sigfig", "")):
        decimals = int(arguments["sigfig"]) - 1 - magnitude
    else:
        ratio = exact / float(value) if value and unit.kind != "temperature" else 1.0
        lost = math.floor(math.log10(abs(ratio)) + 0.02) if ratio else 0
        decimals = max(_decimals(word) - lost, 1 - magnitude)
        if unit.kind == "temperature":
            decimals = max(_decimals(word), 0)
    decimals = min(decimals, 12)
    step = Decimal(1).scaleb(-decimals)
    rounded = Decimal(repr(exact)).quantize(step, rounding=ROUND_HALF_UP)
    return f"{rounded:,.{max(decimals, 0)}f}".replace("-", "−")


def _decimals(word: str) -> int:
    """Return how many digits behind the point are stated; negative for closing zeros."""
    if "/" in word:
        return 1
    digits = word.replace(",", "").lstrip("+-−")
    if "." in digits:
        return len(digits.partition(".")[2])
    return -(len(digits) - len(digits.rstrip("0"))) if digits.strip("0") else 0


def _grouped(word: str) -> str:
    if re.fullmatch(r"[-−+]?\d{5,}(\.\d+)?|[-−+]?\d{4}", word):
        whole, point, part = word.partition(".")
        sign = whole[:1] if whole[:1] in "-−+" else ""
        return f"{sign}{int(whole.lstrip('-−+')):,}{point}{part}"
    return word


def _joined(words: list[str], joints: list[str]) -> str:
    return words[0] + "".join(
        _RANGES.get(joint, f" {joint} ") + word
        for joint, word in zip(joints, words[1:], strict=True)
    )


def _space(symbol: str) -> str:
    return "" if symbol[:1] in "°″′%" and len(symbol) == 1 else " "


@cache
def _stored() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("units.toml").read_text("utf-8")
    stored: dict[str, Any] = tomllib.loads(text)
    return stored


@cache
def _units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for kind, table in _stored()["units"].items():
        for row in table:
            codes, symbol, name, plural, scale, default, spelled, *offset = row
            unit = Unit(
                symbol,
                name,
                plural,
                float(scale),
                float(offset[0]) if offset else 0.0,
                kind,
                default,
                bool(spelled),
            )
            for code in codes.split():
                units[code] = unit
    return units
