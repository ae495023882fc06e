"""Templates: what becomes of a template inside prose: rendered, unwrapped, or dropped."""

# ruff: noqa: RUF001 - text in many scripts has letters and signs that look alike

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from stages.wiki.convert import convert, gauge
from stages.wiki.draft import Draft
from stages.wiki.layout import plain
from stages.wiki.measures import grouped

__all__ = ["Arguments", "Linked", "Rule", "render", "rules"]

Arguments = dict[str, Draft]
"""Arguments of a template by name; unnamed ones are "1", "2", ..."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Words that a template links to a title."""

    target: str
    words: str


Written = list[str | Draft | Linked]
Rule = Callable[[Arguments], Written]

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
# Where an argument is missing another may stand in for it, and a third for that one.
_BRACED = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_LINK = re.compile(rf"\[\[(?P<target>(?:[^\[\]|{{}}]|{_BRACED})+)\|(?P<words>[^\[\]]+)\]\]")
_FIELD = re.compile(rf"\{{(?P<name>[^{{}}|]+)(?:\|(?P<other>(?:[^{{}}]|{_BRACED})*))?\}}")


def render(rule: Rule, arguments: Arguments) -> Written:
    """Apply a rule.

    Returns:
        Words, arguments as they stand, and links, in order; nothing where the template shows
        nothing, which leaves a hole as a dropped one does.
    """
    return [part for part in rule(arguments) if part != ""]


@cache
def rules(language: str) -> Mapping[str, Rule]:
    """Return the rules of a language by template name (with a capital).

    Args:
        language: Language code; one that the data file does not know has the common rules.
    """
    text = resources.files(__package__).joinpath("templates.toml").read_text("utf-8")
    stored = tomllib.loads(text)
    found: dict[str, Rule] = {}
    for code in stored["language"]["en"]["languages"]:
        # Most wikis name the language in their own words, which nothing here knows.
        found[f"Lang-{code}"] = _pattern("{1}")
    for table in (stored["every"], stored["language"].get(language.partition("-")[0], {})):
        _add(found, table)
    return found


def _add(found: dict[str, Rule], table: dict[str, Any]) -> None:
    for name, pattern in table.get("patterns", {}).items():
        found[name] = _pattern(pattern)
    for name, function in table.get("code", {}).items():
        found[name] = _CODE[function]
    languages = table.get("languages", {})
    for code, name in languages.items():
        found[f"Lang-{code}"] = _language(name)
    for code, same in table.get("further_languages", {}).items():
        found[f"Lang-{code}"] = _language(languages.get(same, same))
    if languages:
        found["Lang-x"] = _any_language(languages)
    for prefix in table.get("ships", {}).get("prefixes", ()):
        found[prefix] = _ship_of(prefix)
    for alias, name in table.get("aliases", {}).items():
        if name in found:
            found[alias] = found[name]


def text_of(arguments: Arguments, name: str) -> str:
    """Return an argument as words, "" where it is missing."""
    value = arguments.get(name)
    return plain("".join(value.pieces)) if value else ""


def _pattern(pattern: str) -> Rule:
    def rule(arguments: Arguments) -> Written:
        written: Written = []
        done = 0
        for found in _LINK.finditer(pattern):
            written += _fill(pattern[done : found.start()], arguments)
            target = _flat(found["target"], arguments)
            words = _flat(found["words"], arguments)
            if target and words:
                written.append(Linked(target, words))
            done = found.end()
        return written + _fill(pattern[done:], arguments)

    return rule


def _fill(pattern: str, arguments: Arguments) -> Written:
    """Put arguments in a pattern; where none of those it names is there, nothing is left of it."""
    written: Written = []
    done, asked, got = 0, 0, 0
    for found in _FIELD.finditer(pattern):
        written.append(pattern[done : found.start()])
        done = found.end()
        value = _argument(found["name"], arguments)
        asked += 1
        if value is not None:
            got += 1
            written.append(value)
        elif found["other"]:
            other = _fill(found["other"], arguments)
            got += bool(other)
            written += other
    if asked and not got:
        return []
    written.append(pattern[done:])
    if got < asked:
        # No space where the last argument would have stood.
        while isinstance(written[-1], str) and not written[-1].strip(" "):
            written.pop()
    return written


def _argument(name: str, arguments: Arguments) -> Draft | None:
    if name == "last":
        name = str(max((int(key) for key in arguments if key.isdecimal()), default=0))
    value = arguments.get(name)
    return value if value and "".join(value.pieces).strip() else None


def _flat(pattern: str, arguments: Arguments) -> str:
    parts = _fill(pattern, arguments)
    return plain(
        "".join(
            p if isinstance(p, str) else "".join(p.pieces)
            for p in parts
            if not isinstance(p, Linked)
        )
    )


def _language(name: str) -> Rule:
    def rule(arguments: Arguments) -> Written:
        value = _argument("1", arguments)
        return [Linked(f"{name} language", name), ": ", value] if value else []

    return rule


def _any_language(languages: dict[str, str]) -> Rule:
    def rule(arguments: Arguments) -> Written:
        name = languages.get(text_of(arguments, "1"))
        value = _argument("2", arguments)
        if value is None:
            return []
        return [Linked(f"{name} language", name), ": ", value] if name else [value]

    return rule


def _ship_of(prefix: str) -> Rule:
    def rule(arguments: Arguments) -> Written:
        words = [text_of(arguments, key) for key in ("1", "2", "3")]
        return _ship_words(prefix, *words)

    return rule


def _ship(arguments: Arguments) -> Written:
    return _ship_words(*(text_of(arguments, key) for key in ("1", "2", "3", "4")))


def _ship_words(prefix: str, name: str, hull: str, which: str) -> Written:
    """Return a link to a ship; `which` adds 4 for the prefix, 2 for the name, 1 for the hull."""
    if not name:
        return []
    shown = int(which) if which in ("1", "2", "3", "6") else 7
    parts = [prefix if shown & 4 else "", name if shown & 2 else ""]
    if hull and shown & 1:
        parts.append(f"({hull})" if shown & 2 else hull)
    title = f"{prefix} {name}".strip() + (f" ({hull})" if hull else "")
    words = " ".join(part for part in parts if part)
    return [Linked(title, words or title)]


def _as_of(arguments: Arguments) -> Written:
    """{{As of|year|month|day}} reads "As of 5 May 2010"."""
    alternative = text_of(arguments, "alt")
    if alternative:
        return [alternative]
    date = _spelled_date(arguments, month_first=text_of(arguments, "df").lower() == "us")
    start = "as of" if text_of(arguments, "lc") else "As of"
    if text_of(arguments, "since"):
        start = "since" if text_of(arguments, "lc") else "Since"
    return [f"{start} {date}"] if date else []


def _date(arguments: Arguments) -> Written:
    first = text_of(arguments, "1")
    if first and not first.isdecimal():
        return [first]
    day_first = text_of(arguments, "df") in ("y", "yes")
    date = _spelled_date(arguments, month_first=not day_first)
    return [date] if date else []


def _spelled_date(arguments: Arguments, month_first: bool) -> str:
    year, month, day = (text_of(arguments, key) for key in ("1", "2", "3"))
    if month.isdecimal() and 1 <= int(month) <= 12:
        month = MONTHS[int(month) - 1]
    day = day.removeprefix("0")
    if day and month:
        return f"{month} {day}, {year}" if month_first else f"{day} {month} {year}"
    return f"{month} {year}".strip()


def _val(arguments: Arguments) -> Written:
    """{{val|number|uncertainty|u=unit}}."""
    number, plus_minus = text_of(arguments, "1"), text_of(arguments, "2")
    unit = text_of(arguments, "u") or text_of(arguments, "ul")
    power = text_of(arguments, "e")
    words = number + (f"±{plus_minus}" if plus_minus else "") + (f"×10^{power}" if power else "")
    return [f"{words} {unit}".strip()] if number else []


def _convert(arguments: Arguments) -> Written:
    words = convert({key: text_of(arguments, key) for key in arguments})
    return [words] if words else []


def _measure(arguments: Arguments) -> Written:
    """A measurement with the units' symbols, which are the same in every language."""
    given = {key: text_of(arguments, key) for key in arguments}
    words = convert(given | {"abbr": "on"})
    return [words] if words else []


def _grouped(arguments: Arguments) -> Written:
    return [grouped(text_of(arguments, "0"))]


def _lower(arguments: Arguments) -> Written:
    return [text_of(arguments, "0").lower()]


def _upper(arguments: Arguments) -> Written:
    return [text_of(arguments, "0").upper()]


def _gauge(arguments: Arguments) -> Written:
    words = gauge(text_of(arguments, "1"))
    return [words] if words else []


def _nothing(_: Arguments) -> Written:
    return []


_CODE: dict[str, Rule] = {
    "convert": _convert,
    "measure": _measure,
    "grouped": _grouped,
    "lower": _lower,
    "upper": _upper,
    "as_of": _as_of,
    "val": _val,
    "date": _date,
    "langx": _nothing,
    "ship": _ship,
    "gauge": _gauge,
    "nothing": _nothing,
}
