"""fetch_benchmarks: files of benchmarks, local, downloaded and made up."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.annotated import FORMATS
from stages.annotated.presets import PRESETS
from stages.fetch_benchmarks import (
    FETCH_BENCHMARKS,
    Benchmark,
    FetchBenchmarksConfig,
    check,
    pieces,
    raw_files,
)
from stages.import_annotated import ImportAnnotatedConfig
from storage.artifact import Shard, Shards
from storage.errors import ConfigError, SourceError
from storage.tables import BENCHMARK_FILES
from tests.conftest import Outcome, RunStage

LINE = {
    "token": ["Ada", "left", "Kent"],
    "h": {"pos": [0, 1]},
    "t": {"pos": [2, 3]},
    "relation": "left",
}


def config(**benchmarks: Any) -> FetchBenchmarksConfig:
    return FetchBenchmarksConfig.model_validate_json(json.dumps({"benchmarks": benchmarks}))


def made(run_stage: RunStage, given: FetchBenchmarksConfig, label: str) -> Outcome:
    labels = list(pieces(given))
    shard = Shard(labels.index(label), Shards(len(labels)), label)
    return run_stage(FETCH_BENCHMARKS, given, {}, shard=shard)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(LINE) + "\n", "utf-8")
    return path


def test_a_file_is_checked_kept_and_known_by_its_checksum(run_stage: RunStage, lines: Path) -> None:
    outcome = made(
        run_stage, config(own={"format": "opennre", "files": {"dev": str(lines)}}), "own-0"
    )
    (row,) = outcome.rows(BENCHMARK_FILES)
    digest = hashlib.sha256(lines.read_bytes()).hexdigest()
    assert (row["benchmark"], row["split"], row["sha256"]) == ("own", "dev", digest)
    assert (row["documents"], row["relations"], row["licence"]) == (1, ["left"], "not stated")
    assert outcome.files[row["file"]].read_bytes() == lines.read_bytes()


def test_a_wrong_record_ends_it_there(run_stage: RunStage, lines: Path) -> None:
    lines.write_text(lines.read_text() + json.dumps({**LINE, "h": {"pos": [5, 6]}}))
    with pytest.raises(SourceError, match=r"own\.jsonl, line 2: the position of h is \[5, 6\]"):
        made(run_stage, config(own={"format": "opennre", "files": {"dev": str(lines)}}), "own-0")


def test_another_checksum_is_refused(run_stage: RunStage, lines: Path) -> None:
    file = {"path": str(lines), "sha256": "0" * 64}
    with pytest.raises(SourceError, match=r"its sha256 is .* the recipe wants 0000"):
        made(run_stage, config(own={"format": "opennre", "files": {"dev": file}}), "own-0")


@pytest.fixture
def address(lines: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *values: Any) -> None:
            super().__init__(*values, directory=str(lines.parent))

        def log_message(self, *values: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{lines.name}"
    server.shutdown()
    server.server_close()


def test_an_address_is_downloaded_and_its_checksum_compared(
    run_stage: RunStage, lines: Path, address: str
) -> None:
    right = hashlib.sha256(lines.read_bytes()).hexdigest()
    own = {"format": "opennre", "files": {"dev": {"path": address, "sha256": right}}}
    (row,) = made(run_stage, config(own=own), "own-0").rows(BENCHMARK_FILES)
    assert (row["sha256"], row["name"]) == (right, lines.name)
    own["files"]["dev"]["sha256"] = "0" * 64
    with pytest.raises(SourceError, match="it should have 0000"):
        made(run_stage, config(own=own), "own-0")


def test_the_made_up_world_has_a_benchmark(run_stage: RunStage) -> None:
    gold = config(gold={"format": "docred", "files": {"test": "sample:3"}})
    check(gold)
    (row,) = made(run_stage, gold, "gold-0").rows(BENCHMARK_FILES)
    assert row["documents"] > 10
    assert "P19" in row["relations"]


def test_a_known_name_brings_its_format_and_addresses() -> None:
    files = raw_files(config(fewrel={}))
    assert [(raw.split, raw.format) for raw in files.values()] == [
        ("train", "fewrel"),
        ("dev", "fewrel"),
    ]
    assert files["fewrel-1"].sha256 is not None


def test_files_that_a_recipe_gives_stand_in_the_place_of_the_known_ones(lines: Path) -> None:
    given = config(fewrel={"format": "opennre", "files": {"test": str(lines), "dev": str(lines)}})
    files = raw_files(given)
    assert [(raw.split, raw.sha256) for raw in files.values()] == [("dev", None), ("test", None)]
    assert {raw.format for raw in files.values()} == {"opennre"}


@pytest.mark.parametrize(
    ("benchmarks", "message"),
    [
        ({"mine": {"files": {"dev": "x"}}}, "mine has no format.*tacred"),
        ({"tacred": {}}, "tacred names no file.*LDC2018T24.*files.train=PATH"),
    ],
)
def test_a_recipe_that_says_too_little_is_refused(benchmarks: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(config(**benchmarks))


def test_a_missing_file_is_named_before_anything_runs() -> None:
    missing = config(semeval={"files": {"dev": "/no/where.txt"}})
    with pytest.raises(SourceError, match=r"'/no/where\.txt' as dev.*semeval\.files\.dev=PATH"):
        check(missing)


def test_a_split_is_train_dev_or_test() -> None:
    with pytest.raises(ValidationError, match="train"):
        config(semeval={"files": {"valid": "x"}})


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"Did you mean docred\?"):
        config(mine={"format": "docrd", "files": {"dev": "x"}})


def test_formats_are_the_readers() -> None:
    for config in (Benchmark, ImportAnnotatedConfig):
        told = config.model_fields["format"].description or ""
        assert set(re.findall(r"\w+", told.partition(":")[2])) - {"or"} == set(FORMATS)
    assert {preset.format for preset in PRESETS.values()} <= set(FORMATS)


def test_a_recipe_without_benchmarks_has_a_plan() -> None:
    assert len(pieces(FetchBenchmarksConfig())) == 1
