"""export: a corpus for others, in four formats, with names, card and attribution."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus_files import FEATURES, PARQUET
from pipeline.export import Format, export_tuples
from pipeline.selection import select
from stages.annotated import read
from storage.reading import Tables
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import done, relmill


class Nobody:
    def drop(self, reason: str, key: object, count: int = 1) -> None: ...
    def count(self, name: str, count: int = 1) -> None: ...


@pytest.fixture(scope="module")
def tiny(made: Made) -> Tables:
    return select(Warehouse(made.root), "tiny")


@pytest.fixture(scope="module")
def exported(tiny: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    folder = tmp_path_factory.mktemp("exported")
    formats: tuple[Format, ...] = ("docred", "erica", "opennre", "parquet")
    for name in formats:
        export_tuples(tiny, name, folder / name)
    return {name: folder / name for name in formats}


def items(folder: Path) -> list[dict[str, Any]]:
    """The records of the JSON files of an export."""
    if (folder / "train.jsonl").exists():
        lines = (folder / "train.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]
    return [item for path in sorted(folder.glob("train*")) for item in json.loads(path.read_text())]


def test_the_formats_that_hold_documents_hold_all_labels(
    tiny: Tables, exported: dict[Format, Path]
) -> None:
    entities = {(r["document_id"], r["entity"]): r for r in tiny.arrow("entities").to_pylist()}
    wanted = {
        (t["document_id"], t["head_entity"], t["tail_entity"], pid)
        for t in tiny.arrow("tuples").to_pylist()
        for pid in t["pids"]
    }
    documents: tuple[Format, ...] = ("docred", "erica")
    for name in documents:
        found = items(exported[name])
        assert {
            (i["document_id"], x["h"], x["t"], x["r"]) for i in found for x in i["labels"]
        } == wanted
        for item in found:
            for ordinal, vertex in enumerate(item["vertexSet"]):
                row = entities[item["document_id"], ordinal]
                assert {m["id"] for m in vertex} == {row["qid"] or ""}
                assert vertex[0]["name"] == row["name"]
    rows = [r for p in exported["parquet"].glob("*.parquet") for r in pq.read_table(p).to_pylist()]
    assert {
        (r["document_id"], t["head"], t["tail"], p)
        for r in rows
        for t in r["tuples"]
        for p in t["pids"]
    } == wanted


def test_tokens_and_spans_cut_the_words_of_each_mention(exported: dict[Format, Path]) -> None:
    for item in items(exported["docred"]):
        for mention in (m for vertex in item["vertexSet"] for m in vertex):
            first, end = mention["pos"]
            words = item["sents"][mention["sent_id"]][first:end]
            assert "".join(words) == mention["name"].replace(" ", "")
    for path in exported["parquet"].glob("*.parquet"):
        table = pq.read_table(path)
        assert table.schema.remove_metadata() == PARQUET
        for row in table.to_pylist():
            for entity in row["entities"]:
                first = entity["mentions"][0]
                assert row["text"][first["char_start"] : first["char_end"]] == entity["name"]
                start = row["sentences"][first["sentence"]]["char_start"]
                assert start <= first["char_start"]


def test_opennre_holds_every_relation_within_a_sentence(
    tiny: Tables, exported: dict[Format, Path]
) -> None:
    found = items(exported["opennre"])
    rows = [t for t in tiny.arrow("tuples").to_pylist() if t["intra"]]
    assert len(found) == sum(len(t["pids"]) or 1 for t in rows)
    numbers = json.loads((exported["opennre"] / "rel2id.json").read_text())
    assert numbers["NA"] == 0
    assert {i["relation"] for i in found} <= set(numbers)
    left = tiny.sql("SELECT sum(greatest(len(pids), 1)) AS n FROM tuples WHERE NOT intra")
    assert f"Left out: {left['n'][0].as_py():,} relations across sentences." in (
        exported["opennre"] / "README.md"
    ).read_text("utf-8")


class Cut(Tables):
    """Tables of which hold_out has cut a document, and of another one every second tuple."""

    def __init__(self, whole: Tables) -> None:
        super().__init__(whole.artifacts, whole.origin)
        by_document = Counter(whole.arrow("tuples")["document_id"].to_pylist())
        self.document, self.other = (name for name, _ in by_document.most_common(2))

    def part(self, table: str, shard: int) -> pa.Table:
        rows = super().part(table, shard)
        if table not in ("splits", "document_splits"):
            return rows
        cut = [
            {**row, "verdict": self.verdict(row) if table == "splits" else self.whole(row)}
            for row in rows.to_pylist()
        ]
        return pa.Table.from_pylist(cut, rows.schema)

    def whole(self, row: dict[str, Any]) -> str:
        return "held_out" if row["document_id"] == self.document else "train"

    def verdict(self, row: dict[str, Any]) -> str:
        if row["document_id"] != self.other:
            return self.whole(row)
        return ("train", "held_out", "sampled_out")[row["head_entity"] % 3]


@pytest.mark.parametrize("format", ["docred", "parquet"])
def test_what_is_held_out_is_not_exported(format: Format, tiny: Tables, tmp_path: Path) -> None:
    cut = Cut(tiny)
    done_now = export_tuples(cut, format, tmp_path / "cut")
    rows = tiny.arrow("tuples").to_pylist()
    kept = {
        (r["document_id"], r["head_entity"], r["tail_entity"])
        for r in rows
        if cut.verdict(r) == "train"
    }
    if format == "parquet":
        parts = (tmp_path / "cut").glob("*.parquet")
        found = [r for p in parts for r in pq.read_table(p).to_pylist()]
        pairs = {(r["document_id"], t["head"], t["tail"]) for r in found for t in r["tuples"]}
        assert pairs == kept
    else:
        found = items(tmp_path / "cut")
        labels = {(i["document_id"], x["h"], x["t"]) for i in found for x in i["labels"]}
        assert labels == kept & {
            (r["document_id"], r["head_entity"], r["tail_entity"]) for r in rows if r["pids"]
        }
        open_ = {(i["document_id"], h, t) for i in found for h, t in i["left_out"]}
        assert not open_ & kept
    assert cut.document not in {r["document_id"] for r in found}
    others = Counter(cut.verdict(r) for r in rows if r["document_id"] == cut.other)
    told = {
        "documents held out for a benchmark": 1,
        "tuples held out for a benchmark": others["held_out"],
        "tuples sampled out, each one too many of its relations": others["sampled_out"],
    }
    assert done_now.left_out == told
    text = (tmp_path / "cut" / "README.md").read_text("utf-8")
    assert all(f"Left out: {n:,} {what}." in text for what, n in told.items())


def test_what_is_no_tuple_is_told_apart_from_na(tiny: Tables, exported: dict[Format, Path]) -> None:
    sample = next(r["sample"] for r in tiny.drops.to_pylist() if r["reason"] == "deprecated_only")
    document, _, ends = sample.rpartition("/")
    (item,) = (i for i in items(exported["docred"]) if i["document_id"] == document)
    assert [int(end) for end in ends.split("-")] in item["left_out"]
    assert sum(len(i["left_out"]) for i in items(exported["docred"])) == 2


@pytest.mark.parametrize("format", ["docred", "erica", "opennre"])
def test_our_own_readers_take_it(format: Format, exported: dict[Format, Path]) -> None:
    for path in sorted(exported[format].glob("train*")):
        documents = list(read(format, path, Nobody()))
        assert len(documents) == (len(items(exported[format])) if format != "erica" else len(
            json.loads(path.read_text())
        ))  # fmt: skip


@pytest.mark.parametrize("format", ["docred", "erica", "opennre"])
def test_columns_are_uniform_and_those_that_the_card_tells_of(
    format: Format, exported: dict[Format, Path]
) -> None:
    names = [feature["name"] for feature in FEATURES[format]]
    for item in items(exported[format]):
        assert list(item) == names
        assert None not in item.values()
    head = (exported[format] / "README.md").read_text("utf-8").split("---\n")[1]
    told = next(line for line in head.splitlines() if line.startswith("dataset_info: "))
    assert json.loads(told.partition(": ")[2]) == {"features": FEATURES[format]}


def test_every_export_has_names_card_and_attribution(
    tiny: Tables, exported: dict[Format, Path]
) -> None:
    pages = {r["page_id"]: r for r in tiny.arrow("pages").to_pylist()}
    wanted = set(tiny.arrow("entities")["page_id"].to_pylist())
    for folder in exported.values():
        assert json.loads((folder / "rel_info.json").read_text())["P17"] == "country"
        assert "CC BY-SA" in (folder / "README.md").read_text("utf-8")
        with (folder / "attribution.tsv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert {int(r["page_id"]) for r in rows} == wanted
        for row in rows:
            assert int(row["revision_id"]) == pages[int(row["page_id"])]["revision_id"]
            # The made-up world has no authors to link to.
            assert row["link"] == ""


def test_the_same_tables_give_the_same_bytes(
    tiny: Tables, exported: dict[Format, Path], tmp_path: Path
) -> None:
    export_tuples(tiny, "parquet", tmp_path / "again")
    for path in exported["parquet"].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_command_writes_and_refuses_a_folder_in_use(
    tiny: Tables, made: Made, tmp_path: Path
) -> None:
    options = ["--format", "opennre", "--out", tmp_path / "x", "--root", made.root]
    out = done("export", "tiny", "tuples", *options)
    documents = len(set(tiny.arrow("entities")["document_id"].to_pylist()))
    assert f"{documents} documents" in out
    assert "relations across sentences" in out
    again = relmill("export", "tiny", "tuples", *options)
    assert again.code == 2
    assert "not empty" in again.err
