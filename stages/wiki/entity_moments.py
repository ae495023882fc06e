"""Entity moments: times as Wikidata states them, and the ids that its addresses end with."""

from __future__ import annotations

from functools import lru_cache

from stages.wiki.entity_json import Time, TimeSnak, Value

__all__ = ["Moment", "add_first", "last_part", "moment"]

Moment = tuple[str, int, str]
"""Time, precision and calendar, as in `TimeValue`."""

FINEST = 14
"""The highest precision of a time: a second."""


def moment(value: Value | Time) -> Moment | None:
    """Return a time; None if it lacks a part or has a wrong one."""
    precision, calendar = value.precision, value.calendarmodel
    if value.time is None or calendar is None or precision.__class__ is not int:
        return None
    if not 0 <= precision <= FINEST:
        return None
    return value.time, precision, last_part(calendar) or calendar


@lru_cache(1 << 12)
def last_part(address: str | None) -> str | None:
    """Return the id at the end of an address; None for "1", the unit of mere numbers."""
    if address is None or address == "1":
        return None
    return address.rpartition("/")[2]


def add_first(snaks: list[TimeSnak], number: int, moments: dict[int, Moment]) -> int:
    """Add the first time that is stated; return how many values stand beside it."""
    for snak in snaks:
        data = snak.datavalue
        if data is not None and data.value.__class__ is not str:
            time = moment(data.value)  # type: ignore[arg-type]
            if time is not None:
                moments[number] = time
                return len(snaks) - 1
    return len(snaks)
