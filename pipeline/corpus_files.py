"""Files of documents in the formats of released corpora."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.documents import Made
from stages.annotated import write
from storage.aside import written_aside
from storage.tables import MENTION_SPAN, SPAN
from storage.warehouse import write_parquet

Item = dict[str, Any]

PARQUET = pa.schema(
    [
        ("document_id", pa.string()),
        ("page_id", pa.int64()),
        ("revision_id", pa.int64()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("sentences", pa.list_(SPAN)),
        (
            "entities",
            pa.list_(
                pa.struct(
                    [
                        ("qid", pa.string()),
                        ("name", pa.string()),
                        ("type", pa.string()),
                        ("mentions", pa.list_(MENTION_SPAN)),
                    ]
                )
            ),
        ),
        (
            "tuples",
            pa.list_(
                pa.struct(
                    [
                        ("tuple_id", pa.string()),
                        ("head", pa.int32()),
                        ("tail", pa.int32()),
                        ("pids", pa.list_(pa.string())),
                        ("sentence_distance", pa.int32()),
                        ("intra", pa.bool_()),
                    ]
                )
            ),
        ),
    ]
)


Feature = dict[str, Any]
NUMBERS: Feature = {"list": "int64"}
MENTION: list[Feature] = [
    {"name": "name", "dtype": "string"},
    {"name": "pos", **NUMBERS},
    {"name": "sent_id", "dtype": "int64"},
    {"name": "type", "dtype": "string"},
    {"name": "id", "dtype": "string"},
]
LABEL: list[Feature] = [
    {"name": "h", "dtype": "int64"},
    {"name": "t", "dtype": "int64"},
    {"name": "r", "dtype": "string"},
]
ORIGIN: list[Feature] = [
    {"name": "document_id", "dtype": "string"},
    {"name": "page_id", "dtype": "int64"},
    {"name": "revision_id", "dtype": "int64"},
    {"name": "left_out", "list": NUMBERS},
]
END = [each for each in MENTION if each["name"] != "sent_id"]
FEATURES: dict[str, list[Feature]] = {
    "docred": [
        {"name": "title", "dtype": "string"},
        {"name": "sents", "list": {"list": "string"}},
        {"name": "vertexSet", "list": {"list": MENTION}},
        {"name": "labels", "list": [*LABEL, {"name": "evidence", **NUMBERS}]},
        *ORIGIN,
    ],
    "erica": [
        {"name": "sents", "list": {"list": "string"}},
        {"name": "vertexSet", "list": {"list": MENTION}},
        {"name": "labels", "list": LABEL},
        *ORIGIN,
    ],
    "opennre": [
        {"name": "token", "list": "string"},
        {"name": "h", "struct": END},
        {"name": "t", "struct": END},
        {"name": "relation", "dtype": "string"},
        {"name": "document_id", "dtype": "string"},
    ],
}
"""Columns of the JSON formats for `datasets`: of a list that is always empty it cannot tell."""


@dataclass
class Exported:
    """What an export has written.

    Attributes:
        left_out: What is not in the files, by its name: what hold_out cut, and what the format
            cannot hold.
    """

    files: list[Path] = field(default_factory=list)
    documents: int = 0
    labels: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def with_origin(made: Made, item: Item) -> Item:
    """Return a document of a file with where it comes from, and the pairs that are no negatives."""
    linked = [i for i, entity in enumerate(made.document.entities) if entity.qid is not None]
    known = {(t["head_entity"], t["tail_entity"]) for t in made.tuples}
    return {
        **item,
        "document_id": made.document_id,
        "page_id": made.page_id,
        "revision_id": made.revision_id,
        "left_out": [[h, t] for h in linked for t in linked if h != t and (h, t) not in known],
    }


def write_docred(shards: Iterable[list[Made]], out: Path, done: Exported, count: int) -> None:
    """Write one JSON array, a document a line.

    Titles name documents in DocRED, so those of one page get their places into theirs.
    """

    def items() -> Iterator[Item]:
        for made in shards:
            of_page = Counter(each.page_id for each in made)
            for each in made:
                item = with_origin(each, write.docred(each.document))
                if of_page[each.page_id] > 1:
                    item["title"] += f" [{each.document_id.partition(':')[2]}]"
                yield item

    write_array(items(), out / "train.json", done)


def write_erica(shards: Iterable[list[Made]], out: Path, done: Exported, count: int) -> None:
    """Write a JSON array for each shard."""
    for index, made in enumerate(shards):
        items = (with_origin(m, write.erica(m.document)) for m in made)
        if made:
            write_array(items, out / f"train-{index:05d}.json", done)


ACROSS = "relations across sentences"


def write_opennre(shards: Iterable[list[Made]], out: Path, done: Exported, count: int) -> None:
    """Write JSON lines, one for each relation of a pair within a sentence."""
    lines = 0
    with opened(out / "train.jsonl", done) as put:
        for made in shards:
            for each in made:
                pairs = len(each.document.relations) + len(each.document.na or ())
                for item in write.opennre(each.document):
                    put(json.dumps({**item, "document_id": each.document_id}, ensure_ascii=False))
                    put("\n")
                    pairs -= 1
                    lines += 1
                done.left_out[ACROSS] = done.left_out.get(ACROSS, 0) + pairs


def write_tables(shards: Iterable[list[Made]], out: Path, done: Exported, count: int) -> None:
    """Write a Parquet file for each shard."""
    for index, made in enumerate(shards):
        rows = pa.Table.from_pylist([parquet_row(each) for each in made], PARQUET)
        path = out / f"train-{index:05d}-of-{count:05d}.parquet"
        with written_aside(path) as aside, aside.open("wb") as file:
            write_parquet(rows, file)
        done.files.append(path)


WRITERS: dict[str, Callable[[Iterable[list[Made]], Path, Exported, int], None]] = {
    "docred": write_docred,
    "erica": write_erica,
    "opennre": write_opennre,
    "parquet": write_tables,
}


def parquet_row(made: Made) -> Item:
    """Return a document as a row of Parquet."""
    document = made.document
    return {
        "document_id": made.document_id,
        "page_id": made.page_id,
        "revision_id": made.revision_id,
        "title": document.title,
        "text": document.text,
        "sentences": [{"char_start": a, "char_end": b} for a, b in document.sentences],
        "entities": [
            {
                "qid": entity.qid,
                "name": entity.name,
                "type": entity.type,
                "mentions": [
                    {"char_start": m.span[0], "char_end": m.span[1], "sentence": m.sentence}
                    for m in entity.mentions
                ],
            }
            for entity in document.entities
        ],
        "tuples": [{**t, "head": t["head_entity"], "tail": t["tail_entity"]} for t in made.tuples],
    }


@contextmanager
def opened(path: Path, done: Exported) -> Iterator[Callable[[str], object]]:
    """Give what writes text to a file, which is there only once it is whole."""
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        yield file.write
    done.files.append(path)


def write_array(items: Iterable[Item], path: Path, done: Exported) -> None:
    """Write one JSON array, an element a line."""
    with opened(path, done) as put:
        before = "[\n"
        for item in items:
            put(before + json.dumps(item, ensure_ascii=False))
            before = ",\n"
        put("\n]\n" if before == ",\n" else "[]\n")
