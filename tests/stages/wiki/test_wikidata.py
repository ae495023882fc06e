from __future__ import annotations

import io
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.wiki.compression import open_dump
from stages.wiki.entity_json import Decoder
from stages.wiki.entity_reader import _add, _shown
from stages.wiki.entity_rows import EntityRows
from stages.wiki.entity_skim import LONG
from stages.wiki.wikidata import (
    ID,
    DamagedRecord,
    Entity,
    EntityReader,
    claim_columns,
    entity_key,
    entity_records,
    parse_entity,
)
from storage.errors import SourceError

CASES = Path(__file__).parents[2] / "cases" / "wikidata.txt"


def cases() -> list[Any]:
    blocks = re.split(r"^## ", CASES.read_text("utf-8"), flags=re.M)[1:]
    parsed = []
    for block in blocks:
        name, _, rest = block.partition("\n")
        line, _, expected = rest.partition("\n=> ")
        parsed.append(pytest.param(line.replace("\n", ""), expected.strip(), id=name))
    return parsed


def fits(expected: Any, found: Any) -> bool:
    """Whether `found` holds what is expected; lists in full, of objects only the fields named."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(fits(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(fits, expected, found))
    if isinstance(expected, int) and isinstance(found, list):
        return len(found) == expected
    return bool(expected == found)


@pytest.mark.parametrize(("line", "expected"), cases())
def test_a_line_says(line: str, expected: str) -> None:
    if expected.startswith("damaged "):
        with pytest.raises(DamagedRecord) as damage:
            parse_entity(line.encode(), "en", "enwiki")
        assert damage.value.reason == expected.removeprefix("damaged ")
        assert damage.value.detail
        return
    found = msgspec.to_builtins(parse_entity(line.encode(), "en", "enwiki"), builtin_types=())
    found = json.loads(json.dumps(found))
    assert fits(json.loads(expected), found), json.dumps(found, indent=1)


@pytest.mark.parametrize(("line", "expected"), cases())
def test_the_slow_way_says_the_same(line: str, expected: str) -> None:
    if expected.startswith("damaged "):
        return
    rows = EntityRows()
    read = _add(*Decoder("en", "enwiki").decode_slowly(line.encode()), rows, ())
    assert _shown(*read, rows) == parse_entity(line.encode(), "en", "enwiki")


def test_many_lines_at_once_say_what_each_says_alone() -> None:
    together, alone = EntityReader("en", "enwiki"), []
    for n, case in enumerate(cases(), 1):
        line = ID.sub(b'{"id":"Q%d"' % n, case.values[0].encode(), count=1)
        reader = EntityReader("en", "enwiki")
        with suppress(DamagedRecord):
            together.read(line)
            reader.read(line)
        alone.append(claim_columns(reader.rows.claims))
    found = claim_columns(together.rows.claims)
    for table, columns in enumerate(found):
        assert len(set(columns[0])) > 5
        parts = zip(*[a[table] for a in alone], strict=True)
        for column, single in zip(columns, parts, strict=True):
            assert column.equals(pa.concat_arrays(single))


def test_a_line_that_was_read_before_is_damage_and_adds_nothing() -> None:
    reader = EntityReader("en", "enwiki")
    reader.read(b'{"id":"Q5","type":"item"}')
    with pytest.raises(DamagedRecord, match="duplicate_id: Q5"):
        reader.read(b'{"id":"Q5","type":"item","labels":{"en":{"value":"place"}}}')
    assert len(reader.rows) == 1


def long_line(**parts: Any) -> bytes:
    """A line as the dumps have it, with names in so many languages that it is shortened."""
    whole: dict[str, Any] = {"type": "item", "id": "Q5"}
    for key in ("labels", "descriptions"):
        others = {f"x{n}": {"language": f"x{n}", "value": "y" * 80} for n in range(60)}
        whole[key] = others | parts.get(key, {}) | {"zz": {"language": "zz", "value": 'en":{"'}}
    whole |= {"aliases": parts.get("aliases", {}), "claims": parts.get("claims", {})}
    whole["sitelinks"] = {"aawiki": {"site": "aawiki", "title": "A", "badges": []}}
    whole["sitelinks"] |= parts.get("sitelinks", {})
    return json.dumps(whole, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"labels": {"en": {"language": "en", "value": 'a "quoted"} name'}}},
        {"labels": {"mul": {"language": "mul", "value": "Ort"}}},
        {"descriptions": {"en": {"language": "en", "value": "place"}}, "labels": {}},
        {"sitelinks": {"enwiki": {"site": "enwiki", "title": "Q[1]} x", "badges": ["Q6"]}}},
        {"sitelinks": {"enwiki": {"site": "enwiki", "title": "Place", "badges": []}}},
        {"aliases": {"en": [{"language": "en", "value": "spot"}]}},
    ],
)
def test_a_long_line_is_shortened_without_loss(parts: dict[str, Any]) -> None:
    line = long_line(**parts)
    assert len(line) >= LONG
    # With a space in front a line is in no layout that is known, and read whole.
    assert parse_entity(line, "en", "enwiki") == parse_entity(b" " + line, "en", "enwiki")


@pytest.mark.parametrize("behind", [b"", b',"lastrevid":7,"ns":0'])
def test_a_long_line_that_was_cut_off_is_damage_wherever_it_was_cut(behind: bytes) -> None:
    sites = {f"{n}wiki": {"site": "x", "title": "A", "badges": ["Q6"]} for n in ("b", "en", "z")}
    line = long_line(sitelinks=sites)[:-1] + behind + b"}"
    assert parse_entity(line, "en", "enwiki").sitelink_title == "A"
    for end in [*range(1, len(line), 97), *range(len(line) - 250, len(line))]:
        with pytest.raises(DamagedRecord, match=r"invalid_json|entity_without_id"):
            parse_entity(line[:end], "en", "enwiki")


def test_other_language_and_wiki() -> None:
    line = (
        b'{"id":"Q5","type":"item","labels":{"de":{"value":"Ort"},"en":{"value":"place"}},'
        b'"sitelinks":{"dewiki":{"title":"Ort (Lage)"},"enwiki":{"title":"Place"}}}'
    )
    entity = parse_entity(line, "de", "dewiki")
    assert (entity.label, entity.sitelink_title) == ("Ort", "Ort (Lage)")
    assert parse_entity(line, "fr", "frwiki").label is None


def test_the_language_of_all_languages_may_be_asked_for() -> None:
    line = b'{"id":"Q5","labels":{"mul":{"value":"Ort"}},"aliases":{"mul":[{"value":"x"}]}}'
    entity = parse_entity(line, "mul", "enwiki")
    assert (entity.label, entity.aliases) == ("Ort", ("x",))


def test_invalid_utf8_where_it_is_read() -> None:
    line = b'{"id":"Q5","labels":{"en":{"value":"\xff\xfe"}}}'
    with pytest.raises(DamagedRecord, match=r"invalid_utf8: .* byte"):
        parse_entity(line, "en", "enwiki")


def test_deep_nesting_is_damage() -> None:
    line = b'{"id":"Q5","claims":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(DamagedRecord):
        parse_entity(line, "en", "enwiki")


def records(data: bytes) -> list[tuple[int | None, int, bytes]]:
    return [(r.key, r.where, r.data) for r in entity_records(io.BytesIO(data), "x.json")]


A, B = b'{"type":"item","id":"Q7"}', b'{"type":"property","id":"P8"}'
WHOLE = [(7, 2, A), (8, 3, B)]


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        (b"[\n%b,\n%b\n]\n", WHOLE),
        (b"[\r\n%b,\r\n%b\r\n]\r\n", WHOLE),
        (b"[\n%b,\n%b,\n", WHOLE),
        (b"[\n%b,\n%b", WHOLE),
        (b"[\n%b ,\n  %b]", WHOLE),
        (b"[%b,\n%b]", [(7, 1, A), (8, 2, B)]),
        (b"%b\n%b\n", [(7, 1, A), (8, 2, B)]),
        (b"\n[\n\n%b,\n\n%b\n]", [(7, 4, A), (8, 6, B)]),
    ],
)
def test_brackets_commas_and_line_ends(dump: bytes, expected: list[tuple[int, int, bytes]]) -> None:
    assert records(dump % (A, B)) == expected


@pytest.mark.parametrize(
    ("dump", "complete"),
    [(b"[\n%b,\n%b\n]\n", True), (b"[\n%b,\n%b,\n", False), (b"%b\n%b\n", None)],
)
def test_whether_the_end_was_there(dump: bytes, complete: bool | None) -> None:
    found = entity_records(io.BytesIO(dump % (A, B)), "x.json")
    assert len(list(found)) == 2
    assert found.complete is complete


def test_a_broken_line_is_one_record_without_key() -> None:
    assert records(b"[\n" + A + b",\n%%%,\n" + B + b"\n]") == [
        (7, 2, A),
        (None, 3, b"%%%"),
        (8, 4, B),
    ]


@pytest.mark.parametrize("dump", [b"<html>", b"\x00\x01", b"id,label\n", b'"text"'])
def test_what_is_no_dump_is_refused(dump: bytes) -> None:
    with pytest.raises(SourceError, match=r"x\.json, line 1: this is no Wikidata JSON dump"):
        records(dump)


def test_an_empty_array_and_an_empty_stream() -> None:
    assert records(b"[\n]\n") == []
    assert records(b"") == []


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"id":"Q5"}', 5),
        (b'{"type":"item","id":"Q5"}', 5),
        (b'{"entity":"Q5","redirect":"Q6"}', 5),
        (b'{"labels":{"en":{"id":"Q9"}},"id":"Q5"}', 5),
        (b'{"labels":{"en":{"id":"Q9"}}}', None),
        (b'{"id":"Q"}', None),
        (b'{"id":5}', None),
        (b'{"id":"Q5', None),
        (b"", None),
    ],
)
def test_key(line: bytes, key: int | None) -> None:
    assert entity_key(line) == key


KEYS = ["id", "type", "value", "en", "mul", "P31", "P580", "mainsnak", "snaktype", "time"]
KEYS += ["datavalue", "rank", "qualifiers", "numeric-id", "entity-type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["labels", "aliases", "claims", "sitelinks"]), JSON))
def test_any_json_is_an_entity_or_damage(parts: dict[str, Any]) -> None:
    line = json.dumps({"id": "Q5", "type": "item", **parts}).encode()
    with suppress(DamagedRecord):
        assert_rows_are_sound(parse_entity(line, "en", "enwiki"))


LINES = [case.values[0].encode() for case in cases()]


@given(st.sampled_from(LINES), st.data())
def test_a_mutated_line_is_an_entity_or_damage(line: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 12)))
    mutated = line[:start] + data.draw(st.binary(max_size=4)) + line[end:]
    with suppress(DamagedRecord):
        assert_rows_are_sound(parse_entity(mutated, "en", "enwiki"))


def assert_rows_are_sound(entity: Entity) -> None:
    if entity.kind == "other":
        return
    assert re.fullmatch(r"[QP][1-9]\d{0,8}", entity.id)
    ordinals = [row.ordinal for row in entity.statements]
    ordinals += [row.ordinal for row in entity.literals]
    assert len(set(ordinals)) == len(ordinals)
    for statement in entity.statements:
        assert (statement.tail_qid is None) == (statement.snak != "value")
        assert statement.tail_qid is None or int(statement.tail_qid[1:]) < 2**32
        assert int(statement.pid[1:]) < 2**32
    for literal in entity.literals:
        assert (literal.value is None) == (literal.snak != "value")
        assert literal.precision is None or 0 <= literal.precision <= 14
    json.dumps(msgspec.to_builtins(entity), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if not folder:
        pytest.skip("RELMILL_REAL_DATA names no folder of real dumps")
    return Path(folder)


@pytest.mark.parametrize(
    ("path", "entities", "statements", "literals", "sitelinks", "complete"),
    [
        ("wikidata-dump-head/latest-all-head50.json.gz", 49, 1967, 2315, 49, False),
        ("wikidata-dump-2014/testDump.json.bz2", 1704, 6825, 4887, 390, True),
    ],
)
def test_real_dumps(
    real: Path,
    path: str,
    entities: int,
    statements: int,
    literals: int,
    sitelinks: int,
    complete: bool,
) -> None:
    with open_dump(real / path) as stream:
        found = entity_records(stream, path)
        parsed = [parse_entity(record.data, "en", "enwiki") for record in found]
    assert not [entity.id for entity in parsed if entity.unread]
    assert len(parsed) == entities
    assert sum(len(entity.statements) for entity in parsed) == statements
    assert sum(len(entity.literals) for entity in parsed) == literals
    assert sum(entity.sitelink_title is not None for entity in parsed) == sitelinks
    assert found.complete is complete
    for entity in parsed:
        assert_rows_are_sound(entity)
