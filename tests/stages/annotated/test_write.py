"""write: documents in the formats of released corpora, which their readers read back."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.annotated import Document, read, write
from stages.annotated.document import Entity, Mention, Relation, joined

REAL = os.environ.get("RELMILL_REAL_DATA")

SENTENCES = [["Zoë", "Marr", "met", "Marr", "and", "Ivo", "."], ["Ivo", "left", "Ruritania", "."]]


class Nobody:
    def drop(self, reason: str, key: object, count: int = 1) -> None: ...
    def count(self, name: str, count: int = 1) -> None: ...


def made() -> Document:
    text = joined(SENTENCES)

    def mention(sentence: int, first: int, end: int, kind: str | None = None) -> Mention:
        span = text.span(sentence, first, end)
        return Mention(span, sentence, text.text[slice(*span)], kind)

    return Document(
        "Marr",
        "Marr",
        text.text,
        text.sentences,
        text.flat(),
        (
            Entity((mention(0, 0, 2, "PER"), mention(0, 3, 4, "PER")), "Q1"),
            Entity((mention(0, 5, 6), mention(1, 0, 1))),
            Entity((mention(1, 2, 3, "LOC"),), "Q3"),
        ),
        (Relation(0, 1, "P26"), Relation(1, 2, "P27", (1,)), Relation(0, 2, "P27")),
        ((1, 0), (2, 0)),
    )


def back(format: str, text: str, folder: Path) -> list[Document]:
    (folder / "file").write_text(text, encoding="utf-8")
    return list(read(format, folder / "file", Nobody()))


def test_docred_reads_back(tmp_path: Path) -> None:
    (found,) = back("docred", json.dumps([write.docred(made())]), tmp_path)
    assert found.entities == made().entities
    assert (found.words(), found.title) == (SENTENCES, "Marr")
    assert [(r.head, r.tail, r.name) for r in found.relations] == [
        (0, 1, "P26"),
        (1, 2, "P27"),
        (0, 2, "P27"),
    ]
    assert found.relations[1].evidence == (1,)


def test_erica_lists_the_tokens_of_an_entitys_mentions_in_a_sentence(tmp_path: Path) -> None:
    document = made()
    twice = replace(document.entities[0].mentions[1], name="Zoë Marr")
    entities = (Entity((document.entities[0].mentions[0], twice), "Q1"), *document.entities[1:])
    item = write.erica(replace(document, entities=entities))
    assert [m["pos"] for m in item["vertexSet"][0]] == [[0, 1, 3]]
    assert [m["pos"] for m in item["vertexSet"][1]] == [[5], [0]]
    assert item["vertexSet"][1][0]["type"] == "None"
    (found,) = back("erica", json.dumps([item]), tmp_path)
    assert found.entities == entities
    assert found.words() == SENTENCES


def test_neighbouring_mentions_of_one_name_stay_apart_in_erica(tmp_path: Path) -> None:
    text = joined([["Boo", "Boo", "ran"]])
    mentions = tuple(Mention(text.span(0, i, i + 1), 0, "Boo") for i in (0, 1))
    document = replace(
        made(), text=text.text, sentences=text.sentences, tokens=text.flat(), relations=(),
        entities=(Entity(mentions),),
    )  # fmt: skip
    (found,) = back("erica", json.dumps([write.erica(document)]), tmp_path)
    assert found.entities == document.entities


def test_opennre_has_a_line_for_each_relation_within_a_sentence(tmp_path: Path) -> None:
    lines = list(write.opennre(made()))
    ends = [(x["relation"], x["h"]["pos"], x["t"]["pos"], x["token"]) for x in lines]
    # Of two mentions the nearest stands; Q1 and Q3 share no sentence.
    assert ends == [
        ("P26", [3, 4], [5, 6], SENTENCES[0]),
        ("NA", [5, 6], [3, 4], SENTENCES[0]),
        ("P27", [0, 1], [2, 3], SENTENCES[1]),
    ]
    found = back("opennre", "\n".join(map(json.dumps, lines)), tmp_path)
    assert [(d.entities[0].qid, d.entities[1].qid) for d in found] == [
        ("Q1", None),
        (None, "Q1"),
        (None, "Q3"),
    ]


def test_every_value_has_one_type() -> None:
    for written in (write.docred, write.erica):
        for vertex in written(made())["vertexSet"]:
            for mention in vertex:
                kinds = {name: type(value) for name, value in mention.items()}
                assert kinds == dict.fromkeys(("name", "type", "id"), str) | {
                    "sent_id": int,
                    "pos": list,
                }


@pytest.mark.skipif(not REAL, reason="RELMILL_REAL_DATA names no folder of real data")
def test_re_docred_is_written_as_it_was_read() -> None:
    path = Path(REAL or "") / "re-docred" / "dev_revised.json.gz"
    given: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    keys = ("name", "pos", "sent_id", "type")
    for document, item in zip(read("docred", path, Nobody()), given, strict=True):
        found = write.docred(document)
        assert found["title"] == item["title"]
        assert found["sents"] == item["sents"]
        assert [[{k: m[k] for k in keys} for m in v] for v in found["vertexSet"]] == [
            [{k: m[k] for k in keys} for m in v] for v in item["vertexSet"]
        ]
        labels = [{k: x[k] for k in ("h", "t", "r", "evidence")} for x in item["labels"]]
        once = [x for i, x in enumerate(labels) if not same(x, labels[:i]) and x["h"] != x["t"]]
        assert found["labels"] == once


def same(label: dict[str, Any], others: list[dict[str, Any]]) -> bool:
    return any(all(label[k] == other[k] for k in "htr") for other in others)
