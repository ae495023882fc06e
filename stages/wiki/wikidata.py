"""Wikidata: a JSON dump, one entity a line, first cut into lines, then read entity by entity.

Only what is asked for is decoded: one language, one wiki, the main values of statements and the
three qualifiers of time. References, hashes and other languages are skipped as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from stages.wiki.entity import Entity, Literal, Statement, TimeValue
from stages.wiki.entity_columns import claim_columns
from stages.wiki.entity_reader import EntityReader, parse_entity
from stages.wiki.entity_rows import EntityRows
from stages.wiki.records import DamagedRecord, Record
from storage.errors import SourceError

__all__ = [
    "DamagedRecord",
    "Entity",
    "EntityReader",
    "EntityRecords",
    "EntityRows",
    "Literal",
    "Statement",
    "TimeValue",
    "claim_columns",
    "entity_records",
    "parse_entity",
]

LONGEST = 1 << 28
"""Bytes within which a line must end; the longest entity of Wikidata has a few MB."""

SPACE = b" \t\r\n\xef\xbb\xbf"

ID = re.compile(
    rb'\{\s*(?:"type"\s*:\s*"[a-z]+"\s*,\s*)?"(?:id|entity)"\s*:\s*"[A-Za-z](\d{1,18})"'
)
"""An id at the start of a line, where dumps of all ages have it."""

NUMBER = re.compile(r"[A-Za-z](\d{1,18})")


class _Named(msgspec.Struct):
    id: str | None = None
    entity: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


def entity_records(stream: BinaryIO, name: str) -> EntityRecords:
    """Cut a dump into its entities.

    Args:
        stream: The dump as UTF-8 bytes: a JSON array with one entity a line, brackets on lines of
            their own or not, or the same without brackets and commas.
        name: What the dump is called in messages.

    Returns:
        The entities. A line that is no JSON keeps no key, unless it starts as an entity does.

    Raises:
        SourceError: While iterating: if the stream is no such dump or a line does not end.
    """
    return EntityRecords(stream, name)


class EntityRecords(Iterator[Record]):
    """The entities of a dump, one at a time.

    Raises:
        SourceError: While iterating: if the first line that is not empty starts neither an array
            nor an object, or a line does not end within 256 MB.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._bracket = False
        self._closed = False
        self._records = self._read()

    def __next__(self) -> Record:
        return next(self._records)

    @property
    def complete(self) -> bool | None:
        """Whether the array was closed; None where there was no array. Known at the end."""
        return self._closed if self._bracket else None

    def _read(self) -> Iterator[Record]:
        number = 0
        begun = False
        while line := self._stream.readline(LONGEST):
            number += 1
            if len(line) >= LONGEST:
                raise self._wrong(f"a line does not end within {LONGEST >> 20} MB", number)
            data = line.strip(SPACE)
            if not begun and data:
                begun = True
                data = self._first(data, number)
            data = data.rstrip(b", ")
            if data.endswith(b"]") and (data == b"]" or data.startswith(b"{")):
                self._closed = True
                data = data[:-1].rstrip()
            if data:
                yield Record(entity_key(data), number, data)

    def _first(self, data: bytes, number: int) -> bytes:
        if data[:1] not in (b"[", b"{"):
            raise self._wrong(
                f"this is no Wikidata JSON dump, it starts with {data[:60]!r}", number
            )
        self._bracket = data.startswith(b"[")
        return data[1:].strip() if self._bracket else data

    def _wrong(self, what: str, number: int) -> SourceError:
        return SourceError(
            what,
            where=f"{self._name}, line {number}",
            mend="Name a JSON dump with one entity a line, as wikidata-YYYYMMDD-all.json.bz2.",
        )


def entity_key(data: bytes) -> int | None:
    """Return the number of the id of an entity (31 for Q31 and P31), None where it has none."""
    if found := ID.match(data):
        return int(found[1])
    try:
        named = _NAMED.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    number = NUMBER.fullmatch(named.id or named.entity or "")
    return int(number[1]) if number else None
