"""Convert: a measurement in two units, as {{convert|1300|mi|km}} shows it."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from stages.wiki.measures import (
    Unit,
    converted,
    decimals,
    grouped,
    number,
    stored,
    unit_of,
    written,
)

__all__ = ["convert", "gauge"]

_RANGES = {
    "-": "–", "–": "–", "to": " to ", "to(-)": " to ", "and": " and ", "or": " or ", "by": " by ",
    "x": " × ", "×": " × ", "*": " × ", "+/-": " ± ", "±": " ± ", "to about": " to about ",
    "xx": " × ",
    "and(-)": " and ", "–and": " and ", "by(x)": " by ", ",": ", ", ", and": ", and ", "&": " & ",
}  # fmt: skip
_ADJECTIVES = ("on", "mid", "pre")
_SHORT = ("on", "in", "values")
LARGEST = 1e24


@dataclass(frozen=True)
class _Measure:
    """What an editor stated: numbers, the words between them, their unit, and how to show them.

    Attributes:
        inches: Whether the last number is of feet and inches, which converts more exactly.
    """

    words: list[str]
    joints: list[str]
    values: list[Decimal]
    unit: Unit
    options: Mapping[str, str]
    inches: bool = False

    @property
    def flipped(self) -> bool:
        """Whether the other unit is shown first."""
        return "flip" in (self.options.get("order"), self.options.get("disp"))


def convert(arguments: Mapping[str, str]) -> str:
    """Return the words of the template `convert`, "" where they cannot be known.

    Args:
        arguments: By name; unnamed ones are "1", "2", ...
    """
    values = [arguments[str(n)].strip() for n in range(1, 13) if str(n) in arguments]
    words, joints, rest = _split(values)
    if not words or not rest:
        return ""
    parsed = [number(word) for word in words]
    unit = unit_of(rest[0])
    if unit is None or any(value is None or abs(value) > LARGEST for value in parsed):
        # Better the number and what the editor wrote behind it than a sentence without either.
        return f"{_joined(words, joints)} {rest[0]}".strip()
    given = [value for value in parsed if value is not None]
    measure = _Measure(words, joints, given, unit, arguments)
    if len(rest) > 2 and len(given) == 1:
        parts = _in_parts(measure, rest[1], rest[2])
        if parts is not None:
            return _arranged(*parts, rest[3:], measure.options)
    return _arranged(_first(measure), measure, rest[1:], measure.options)


def gauge(word: str) -> str:
    """Return the words of a railway gauge as {{RailGauge}} is given one, "" where unknown."""
    known: dict[str, str] = stored()["gauges"]
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


def _in_parts(large: _Measure, word: str, code: str) -> tuple[str, _Measure] | None:
    """Read "6|ft|1|in": return how it is shown, and the whole in the smaller unit."""
    value, unit = number(word), unit_of(code)
    if value is None or unit is None or unit.kind != large.unit.kind:
        return None
    ratio = round(large.unit.scale / unit.scale)
    if ratio < 2:
        return None
    small = _Measure([word], [], [value], unit, large.options)
    whole = large.values[0] * ratio + value
    stated = f"{whole:f}" if "." in word else f"{whole:f}".split(".")[0] + "."
    shown = f"{_first(large)} {_first(small)}"
    if large.options.get("adj") in _ADJECTIVES and not _is_short(large):
        shown = f"{_first(large)}-{_first(small)}"
    return shown, _Measure([stated], [], [whole], unit, large.options, unit.symbol == "in")


def _first(measure: _Measure) -> str:
    words = _joined([grouped(word) for word in measure.words], measure.joints)
    return _with_unit(words, measure.values[-1], measure.unit, measure, short=_is_short(measure))


def _is_short(measure: _Measure) -> bool:
    wish = measure.options.get("abbr", "")
    if measure.flipped:
        return wish not in ("off", "in")
    return wish in _SHORT or not (measure.unit.spelled or wish in ("off", "out"))


def _with_unit(words: str, last: Decimal, unit: Unit, measure: _Measure, *, short: bool) -> str:
    options = measure.options
    if short:
        return f"{words}{_space(unit.symbol)}{unit.symbol}"
    name, plural = unit.name, unit.plural
    if options.get("sp") == "us":
        name, plural = (
            w.replace("metre", "meter").replace("litre", "liter") for w in (name, plural)
        )
    if options.get("adj", "") in _ADJECTIVES or options.get("sing") == "on":
        return f"{words}-{name}"
    several = abs(last) > 1 if "/" in words else abs(last) != 1
    return f"{words} {plural if several else name}"


def _second(measure: _Measure, code: str, places: str) -> str:
    if code == "ftin" and measure.unit.kind == "length":
        return _joined(
            [_feet_and_inches(measure, k, places) for k in _each(measure)], measure.joints
        )
    out = unit_of(code)
    if out is None or out.kind != measure.unit.kind:
        return ""
    results = [converted(value, measure.unit, out) for value in measure.values]
    kept = _kept(measure, results, out, places)
    values = [written(result, kept[k]) for k, result in enumerate(results)]
    words = _joined(values, measure.joints)
    wish = measure.options.get("abbr")
    short = wish != "off" and (not measure.flipped or wish in ("on", "out") or not out.spelled)
    return _with_unit(words, number(values[-1]) or Decimal(0), out, measure, short=short)


def _kept(measure: _Measure, results: list[float], out: Unit, places: str) -> list[int]:
    """Return the decimals of each result: as the editor says, else the most of any of them."""
    if re.fullmatch(r"-?\d", places):
        return [int(places)] * len(results)
    figures = measure.options.get("sigfig", "")
    if re.fullmatch(r"[1-9]", figures):
        return [int(figures) - 1 - math.floor(math.log10(abs(r))) if r else 0 for r in results]
    most = [
        decimals(word, value, result, measure.unit, out)
        for word, value, result in zip(measure.words, measure.values, results, strict=True)
    ]
    if measure.inches and results[0]:
        metres = math.floor(math.log10(out.scale) + 2 + math.log10(2))
        most = [max(metres, 1 - math.floor(math.log10(abs(results[0]))))]
    return [max(most)] * len(results)


def _each(measure: _Measure) -> range:
    return range(len(measure.values))


def _feet_and_inches(measure: _Measure, index: int, places: str) -> str:
    inch = unit_of("in")
    if inch is None:
        return ""
    value = measure.values[index]
    result = converted(value, measure.unit, inch)
    asked = int(places) if re.fullmatch(r"\d", places) else None
    exact = decimals(measure.words[index], value, result, measure.unit, inch)
    inches = round(abs(result), max(exact, 0) if asked is None else asked)
    feet, rest = divmod(inches, 12)
    sign = "−" if result < 0 else ""
    return f"{sign}{feet:,.0f} ft {rest:g} in" if feet else f"{sign}{rest:g} in"


def _arranged(first: str, measure: _Measure, rest: list[str], options: Mapping[str, str]) -> str:
    """Put the two together; `rest` names the other units and how exact they are."""
    code = rest[0] if rest else ""
    if re.fullmatch(r"-?\d", code):
        rest, code = ["", code], ""
    code = code or measure.unit.default
    codes = [code] if unit_of(code) else code.split()
    places = rest[1] if len(rest) > 1 else ""
    outputs = [_second(measure, each, places) for each in codes]
    second = "; ".join(filter(None, outputs))
    display = options.get("disp", "")
    if not second or display in ("number", "unit", "unit2"):
        return first
    if measure.flipped:
        first, second = second, first
    arranged = {"or": f"{first} or {second}", "/": f"{first}/{second}"}
    arranged |= {"slash": arranged["/"], "comma": f"{first}, {second}", "x": f"{first} {second}"}
    arranged |= {"sqbr": f"{first} [{second}]"}
    arranged |= dict.fromkeys(("out", "output only", "output number only"), second)
    return arranged.get(display, f"{first} ({second})")


def _joined(words: list[str], joints: list[str]) -> str:
    return words[0] + "".join(
        _RANGES.get(joint, f" {joint} ") + word
        for joint, word in zip(joints, words[1:], strict=True)
    )


def _space(symbol: str) -> str:
    return "" if symbol[:1] in "°″′%" and len(symbol) == 1 else " "
