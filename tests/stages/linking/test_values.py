"""Dates and numbers, as a text writes them and as Wikidata does."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.linking.values import GREGORIAN, JULIAN, reader

EN = reader("en")


def times(text: str, language: str = "en") -> list[tuple[str, str, int | None]]:
    found = reader(language).find(text)
    return [(text[a:b], value.value[:11], value.precision) for (a, b), value in found]


@given(st.dates(datetime.date(1583, 1, 1), datetime.date(2099, 12, 31)))
def test_every_spelling_of_a_day_is_that_day(day: datetime.date) -> None:
    month = f"{day:%B}"
    for words in (
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{day.day}th of {month} {day.year}",
        f"{day:%b} {day.day}, {day.year}",
        day.isoformat(),
        f"{day.day}.{day.month}.{day.year}",
    ):
        value = EN.read(words)
        assert value is not None
        assert value.value == f"+{day.isoformat()}T00:00:00Z"
        assert (value.precision, value.calendar) == (11, GREGORIAN)
        assert times(f"It was {words} when it rained.") == [(words, f"+{day.isoformat()}", 11)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in May 1911 he", [("May 1911", "+1911-05-00", 10)]),
        ("In 1903 he", [("1903", "+1903-00-00", 9)]),
        ("(1867-1934)", [("1867", "+1867-00-00", 9), ("1934", "+1934-00-00", 9)]),
        ("(1867\u20131934)", [("1867", "+1867-00-00", 9), ("1934", "+1934-00-00", 9)]),
        ("the 1990s were", [("1990s", "+1990-00-00", 8)]),
        ("on March 15, 44 BC.", [("March 15, 44 BC", "-0044-03-15", 11)]),
        ("about 1500 people", []),
        ("in 2500 cases, in 1,500 cases", []),
        ("31 February 1900", []),
        ("May was warm, 7 May too", []),
        ("model 1903-A", []),
        ("", []),
    ],
)
def test_dates_in_running_text(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert times(text) == expected


def test_before_the_reform_the_calendar_is_the_julian_one() -> None:
    found = [EN.read(words) for words in ("4 October 1582", "15 October 1582", "29 February 1500")]
    assert [value.calendar for value in found if value] == [JULIAN, GREGORIAN, JULIAN]
    assert EN.read("29 February 1900") is None


def test_other_languages() -> None:
    assert times("Am 14. März 1879 kam", "de") == [("14. März 1879", "+1879-03-14", 11)]
    assert times("le 1er août 1914", "fr") == [("1er août 1914", "+1914-08-01", 11)]
    assert times("el 2 de mayo de 1808", "es") == [("2 de mayo de 1808", "+1808-05-02", 11)]
    assert times("на 3 март 1878", "bg") == [("3 март 1878", "+1878-03-03", 11)]
    assert times("x 14.03.1879 (1900)", "zz") == [
        ("14.03.1879", "+1879-03-14", 11),
        ("1900", "+1900-00-00", 9),
    ]


@pytest.mark.parametrize(
    ("words", "language", "amount"),
    [
        ("1,300", "en", "+1300"),
        ("1.300", "de", "+1300"),
        ("1,5 Millionen", "de", "+1500000"),
        ("1.5 million", "en", "+1500000"),
        ("0.05", "en", "+0.05"),
        ("-3", "en", "-3"),
        ("300 km", "en", "+300"),
        ("42%", "en", "+42"),
        ("seven", "en", None),
        ("1.2.3", "en", None),
    ],
)
def test_numbers(words: str, language: str, amount: str | None) -> None:
    value = reader(language).read(words, number=True)
    assert (value and value.value) == amount


def test_words_without_a_type_are_values_only_as_a_whole() -> None:
    assert EN.read("1984") == EN.read("1984", date=True)
    assert EN.read("7 Up") is None
    assert EN.read("300 km") is None
    assert EN.read("May") is None
    found = EN.read("the summer of 1879", date=True)
    assert found is not None
    assert found.value[:5] == "+1879"
    assert EN.read("1914 and 1918", date=True) is None


@given(st.text(alphabet="0123456789 .,-\u2013()May1stBC%", max_size=20))
def test_any_words_are_read_or_not(words: str) -> None:
    for (start, end), value in EN.find(words):
        assert 0 <= start < end <= len(words)
        assert value.precision in (8, 9, 10, 11)
    for kind in ({}, {"date": True}, {"number": True}):
        EN.read(words, **kind)
