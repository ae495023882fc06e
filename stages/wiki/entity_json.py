"""Entity JSON: the shape of a line of a Wikidata dump, and decoders that read only what is asked.

A line of the full dump has thousands of values of which a few hundred are asked for. They are
decoded straight into structs that have no place for the rest. A line in a dialect that these do not
know is decoded again into dicts, and brought into shape statement by statement.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from stages.wiki.entity_skim import LONG, Skimmer
from stages.wiki.records import DamagedRecord

__all__ = ["Claim", "Data", "Decoder", "Snak", "Time", "TimeSnak", "Times", "Value"]

DEFAULT_LANGUAGE = "mul"
"""Language of labels that hold in all languages; since 2024 it replaces equal labels."""

Rank = Literal["preferred", "normal", "deprecated"]
SnakType = Literal["value", "somevalue", "novalue"]
Empty = Annotated[list[None], Meta(max_length=0)]
"""PHP tells no empty map from an empty list: many a dump has [] where others have {} or nothing."""


KNOWN = frozenset({"id", "numeric-id", "time", "amount", "text", "latitude"})
"""Fields by which one sees that a value is of a known type."""


class Term(Struct, gc=False):
    """A label, a description or an alias."""

    value: str


class Site(Struct, gc=False):
    """A sitelink."""

    title: str


class Value(Struct, gc=False):
    """A value of any type: the fields of all of them."""

    entity_type: str | None = field(default=None, name="entity-type")
    numeric_id: Annotated[int, Meta(ge=1, lt=10**9)] | None = field(default=None, name="numeric-id")
    id: str | None = None
    amount: str | None = None
    unit: str | None = None
    text: str | None = None
    language: str | None = None
    time: str | None = None
    precision: float | int | None = None
    calendarmodel: str | None = None
    latitude: float | int | None = None
    longitude: float | int | None = None
    globe: str | None = None


class Data(Struct, gc=False):
    """A value and its type."""

    value: str | Value
    type: str


class Snak(Struct, gc=False):
    """A property's value, or that it has an unknown one or none."""

    snaktype: SnakType
    datavalue: Data | None = None
    datatype: str | None = None


class Time(Struct, gc=False):
    """A time, or what stands where one is expected: then nothing is read of it."""

    time: str | None = None
    precision: float | int | None = None
    calendarmodel: str | None = None


class TimeData(Struct, gc=False):
    """A value where a time is expected."""

    value: str | Time


class TimeSnak(Struct, gc=False):
    """One value of a qualifier of time."""

    datavalue: TimeData | None = None


class Times(Struct, gc=False, rename="upper"):
    """The qualifiers of time."""

    p580: list[TimeSnak] | None = None
    p582: list[TimeSnak] | None = None
    p585: list[TimeSnak] | None = None


class Claim(Struct, gc=False):
    """A statement; its fields stand in the order of the dumps, which is read the fastest."""

    mainsnak: Snak
    qualifiers: Times | Empty | None = None
    rank: Rank = "normal"


class Head(Struct, gc=False):
    """What a line has whatever the language."""

    id: str | None = None
    type: str | None = None
    entity: str | None = None
    redirect: str | None = None
    datatype: str | None = None
    claims: dict[str, list[Claim]] | Empty | None = None


class Decoder:
    """Decodes lines for one language and one wiki.

    A decoded line has the fields of `Head` and `labels`, `descriptions`, `aliases` and `sitelinks`.
    Each is None, an empty list or has the fields `own` and, but for sitelinks, `shared`.
    """

    def __init__(self, language: str, wiki: str) -> None:
        terms = _keyed("Terms", {"own": language, "shared": DEFAULT_LANGUAGE}, Term)
        aliases = _keyed("Aliases", {"own": language, "shared": DEFAULT_LANGUAGE}, list[Term])
        sites = _keyed("Sites", {"own": wiki}, Site)
        kinds = {"labels": terms, "descriptions": terms, "aliases": aliases, "sitelinks": sites}
        fields = [(name, kind | Empty | None, None) for name, kind in kinds.items()]
        self._line: Any = msgspec.defstruct("Line", fields, bases=(Head,), gc=False)
        self._decoder = msgspec.json.Decoder(self._line)
        self._skim = Skimmer(language, DEFAULT_LANGUAGE, wiki).skim

    def decode(self, data: bytes) -> tuple[Any, list[str]]:
        """Return the line, and what is wrong with statements that had to be left out of it.

        Raises:
            DamagedRecord: "invalid_utf8", "invalid_json", "no_entity", "invalid_entity".
        """
        try:
            if len(data) >= LONG:
                with suppress(msgspec.DecodeError, UnicodeDecodeError):
                    return self._decoder.decode(self._skim(data)), []
            return self._decoder.decode(data), []
        except msgspec.ValidationError:
            return self.decode_slowly(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damage(data, error) from error

    def decode_slowly(self, data: bytes) -> tuple[Any, list[str]]:
        """Do the same for any dialect; values of unknown types become strings of JSON.

        Raises:
            DamagedRecord: As `decode`.
        """
        try:
            stored = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damage(data, error) from error
        if not isinstance(stored, dict):
            raise DamagedRecord("no_entity", repr(data[:60]))
        claims, unread = _claims(stored.pop("claims", None))
        try:
            line = msgspec.convert(stored, self._line)
        except msgspec.ValidationError as error:
            raise DamagedRecord("invalid_entity", f"{_name(stored)}: {error}") from error
        line.claims = claims
        return line, unread


def _keyed(name: str, keys: dict[str, str], kind: Any) -> Any:
    namespace: dict[str, Any] = {}
    if keys.get("shared") == keys["own"]:
        del keys["shared"]
        namespace["shared"] = None
    fields = [(own, kind | None, None) for own in keys]
    return msgspec.defstruct(name, fields, rename=keys, namespace=namespace, gc=False)


def _damage(data: bytes, error: Exception) -> DamagedRecord:
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        near = data[max(wrong.start - 20, 0) : wrong.start + 20]
        detail = f"{wrong.reason}, byte {wrong.start} of the line, in {near!r}"
        return DamagedRecord("invalid_utf8", detail)
    return DamagedRecord("invalid_json", f"{error}, in {data[:40]!r}")


def _name(stored: dict[str, Any]) -> str:
    return str(stored.get("id") or stored.get("entity") or "entity without id")[:40]


def _claims(stored: Any) -> tuple[dict[str, list[Claim]], list[str]]:
    claims: dict[str, list[Claim]] = {}
    unread: list[str] = []
    if not stored:
        return claims, unread
    if not isinstance(stored, dict):
        raise DamagedRecord("invalid_entity", f"claims are {json.dumps(stored)[:60]}")
    for pid, group in stored.items():
        for claim in group if isinstance(group, list) else [group]:
            try:
                claims.setdefault(pid, []).append(msgspec.convert(_in_shape(claim), Claim))
            except msgspec.ValidationError as error:
                unread.append(f"{pid}: {error}")
    return claims, unread


def _in_shape(claim: Any) -> Any:
    """Turn a value of a type that `Value` has no place for into a string."""
    try:
        data = claim["mainsnak"]["datavalue"]
        value = data["value"]
    except (KeyError, TypeError):
        return claim
    if not isinstance(value, str) and not (isinstance(value, dict) and KNOWN & value.keys()):
        data["value"] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return claim
