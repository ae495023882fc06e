"""From an annotated corpus to a fine-tuned model, by the commands that a person types."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import copied, relmill

PEOPLE = ("Ada", "Bob", "Cleo", "Dan")
TOWNS = ("Kent", "York", "Bath", "Hull")
VERBS = {"residence": "lives in", "work location": "works for", "NA": "flew over"}

RECIPE = """\
seed = 3
shards = {{ page = 2 }}

[import_annotated]
format = "opennre"
path = "{folder}/corpus.jsonl"
without_relations = ["work location"]

[fetch_benchmarks.benchmarks.towns]
format = "opennre"
files = {{ train = "{folder}/train.jsonl", dev = "{folder}/dev.jsonl" }}

[protect]
protect = []

[pretrain]
objectives = {{ name = "cp" }}
layers = 1
width = 64
steps = 2
batch = 4
warmup_steps = 1

[finetune]
benchmark = "towns"
epochs = 2
batch_size = 16
learning_rate = 1e-3
warmup_steps = 2
keep_model = true

[evaluate]
samples = 100

[report]
"""


def line(number: int, relation: str) -> dict[str, Any]:
    person, town = PEOPLE[number % 4], TOWNS[number // 4 % 4]
    before = ["Today"] * (number // 16 % 2)
    tokens = [*before, person, *VERBS[relation].split(), town, "."]
    at = len(before)
    return {
        "token": tokens,
        "h": {"pos": [at, at + 1], "type": "PERSON"},
        "t": {"pos": [at + 3, at + 4], "type": "GPE"},
        "relation": relation,
    }


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe that has been run."""
    folder = tmp_path_factory.mktemp("training")
    for name, numbers in (("corpus", range(24)), ("train", range(16)), ("dev", range(16, 20))):
        written(folder / f"{name}.jsonl", [line(n, r) for r in VERBS for n in numbers])
    (folder / "own.toml").write_text(RECIPE.format(folder=folder), "utf-8")
    done = relmill("run", folder / "own.toml", "--in-process", "--root", folder / "w")
    assert done.code == 0, done.text
    return folder


def here(place: Path, *words: object) -> Result:
    """Do a command in this process, which has torch loaded already."""
    return CliRunner().invoke(app, [*map(str, words), "--root", str(place / "w")])


def test_the_run_is_scored_and_reported_and_current(place: Path) -> None:
    assert "Everything is current" in here(place, "plan", place / "own.toml").output
    query = "SELECT DISTINCT split, examples FROM metrics"
    told = here(place, "sql", place / "own.toml", query, "--format", "json")
    assert json.loads(told.stdout) == {"split": "dev", "examples": 12}
    pages = list((place / "w" / "artifacts" / "report").glob("*/files/*.html"))
    assert len(pages) == 1


def test_the_encoder_is_a_plain_folder(place: Path) -> None:
    out = place / "encoder"
    told = here(place, "export", place / "own.toml", "encoder", "--out", out)
    assert told.exit_code == 0, told.output
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(out) for kind in (AutoTokenizer, AutoModel))
    given = tokenizer("[E1] Ada [/E1] lives in [E2] York [/E2].", return_tensors="pt")
    pieces = tokenizer.convert_ids_to_tokens(given["input_ids"][0])
    assert [p for p in pieces if p in ("[E1]", "[/E2]")] == ["[E1]", "[/E2]"]
    assert model(**given).last_hidden_state.shape == (1, len(pieces), 64)
    again = here(place, "export", place / "own.toml", "encoder", "--out", out)
    assert (again.exit_code, "not empty" in again.stderr) == (2, True)


def test_a_kept_model_answers_a_persons_own_text(place: Path) -> None:
    plain = {"text": "Ada works for York.", "h": {"pos": [0, 3]}, "t": {"pos": [14, 18]}}
    far = {**line(0, "NA"), "token": ["Ada", *["x"] * 300, "York"], "t": {"pos": [301, 302]}}
    file = written(place / "ask.jsonl", [plain, line(1, "residence"), far])
    told = here(place, "predict", f"{place / 'own.toml'}@finetune", file)
    assert told.exit_code == 0, told.output
    first, second, last = map(json.loads, told.stdout.splitlines())
    assert (first["line"], first["h"]) == (1, {"name": "Ada", "pos": [0, 3]})
    assert (second["t"], second["relation"] in VERBS) == ({"name": "Kent", "pos": [3, 4]}, True)
    assert 1 / 3 < first["probability"] <= 1
    assert (last["relation"], last["probability"]) == (None, None)
    assert "3 pairs; 1 not shown: too_far_apart" in told.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"text": "Ada left.", "h": {"pos": [0, 3]}, "t": {"pos": [4, 99]}}, "[4, 99]"),
        ({"text": "Ada left."}, "`h`"),
        ({"text": "Ada", "h": {"pos": [0, 2]}, "t": {"pos": [1, 3]}}, "overlap"),
    ],
)
def test_a_bad_line_is_named(place: Path, text: dict[str, Any], message: str) -> None:
    file = written(place / "bad.jsonl", [line(0, "NA"), text])
    told = here(place, "predict", place, file)
    assert (told.exit_code, told.stdout) == (2, "")
    assert f"{file}, line 2" in told.stderr
    assert message in told.stderr


def test_what_is_no_kept_model_is_said_to_be_none(place: Path) -> None:
    file = written(place / "good.jsonl", [line(0, "NA")])
    assert "no relations.json" in here(place, "predict", place, file).stderr
    assert "mine.toml@finetune" in here(place, "predict", place / "nowhere", file).stderr
    file.write_text('{"text": "Ada met Bob."}\n', "utf-8")
    told = here(place, "predict", place, file, "--ner", "no_such_model")
    assert "no_such_model" in told.stderr


SMALL = (
    *("learn_order.epochs=1", "learn_order.layers=1", "learn_order.width=64"),
    *("pretrain.layers=1", "pretrain.width=64", "pretrain.finecl.steps=1"),
    *("finetune.epochs=1", "finetune.dev_every=1"),
)


def test_the_demo_goes_from_dumps_to_a_leaderboard(made: Made, tmp_path: Path) -> None:
    # What `tiny` has made is the beginning of it.
    root = copied(made.root, tmp_path / "warehouse")
    sets = [word for value in SMALL for word in ("--set", value)]
    told = relmill("run", "demo", "--in-process", "--root", root, *sets, timeout=300)
    assert told.code == 0, told.text
    assert re.search(r"parse_wikipedia +pages [\d,]+ .*reused", told.out)
    scores = re.findall(r"docred +(dev|test) +(none|finecl) +100 % +ign_f1", told.out)
    assert set(scores) == {(s, e) for s in ("dev", "test") for e in ("none", "finecl")}
    page = re.search(r"Leaderboard with plots: (\S+report\.html)", told.out)
    assert page is not None
    assert "<svg" in Path(page[1]).read_text(encoding="utf-8")
