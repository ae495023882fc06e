"""finetune: a small encoder learns a made-up benchmark, and answers episodes without learning."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from stages.base import InputTable
from stages.finetune import FINETUNE, FinetuneConfig, facts
from stages.model import encoder as encoders
from stages.model.batch import Batch
from stages.model.classify import updates_of
from stages.model.markers import add_markers, markers_of
from stages.model.pooling import entity_means, pool
from storage.errors import SourceError
from storage.table import Table
from storage.tables import BENCHMARK_FILES, CURVES, ENCODERS, PREDICTIONS
from tests.conftest import Outcome, RunStage, table_rows

VERBS = {"born in": "born", "works for": "works", "no_relation": "saw"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ada", "kent", "bob", "york", "was", "in"]
WORDS += [*VERBS.values(), "once", "for", "."]


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return add_markers(
        PreTrainedTokenizerFast(
            tokenizer_object=made,
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
            mask_token="[MASK]",
            pad_token="[PAD]",
        )
    )


class ToyEncoded:
    def __init__(self, hidden: Tensor, batch: Batch[Tensor]) -> None:
        self.hidden, self.batch = hidden, batch
        self.sequence_BD = hidden[batch.cu_seqlens[:-1].long()]

    def pair_P2D(self, readout: str = "mean") -> Tensor:  # noqa: N802
        marked = self.hidden[self.batch.mention_marker_M]
        return marked.reshape(len(self.batch), -1)

    def entity_ED(self, readout: str = "mean") -> Tensor:  # noqa: N802
        return pool(self.hidden, entity_means(self.batch))  # type: ignore[arg-type]


class ToyEncoder(nn.Module):
    """Each piece sees the mean of its sequence: enough to tell verbs apart."""

    width, max_pieces = 16, 32

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = tokenizer()
        self.markers = markers_of(self.tokenizer)
        self.pieces = nn.Embedding(len(self.tokenizer), self.width)

    def flops(self, lengths: object) -> float:
        return 0.0

    def encode(self, batch: Batch[Tensor]) -> ToyEncoded:
        states = self.pieces(batch.ids_T)
        bounds = batch.cu_seqlens.long()
        means = [states[a:b].mean(dim=0) for a, b in pairwise(bounds.tolist())]
        lengths = bounds[1:] - bounds[:-1]
        return ToyEncoded(states + torch.stack(means).repeat_interleave(lengths, dim=0), batch)


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: ToyEncoder())


def line(number: int, relation: str) -> dict[str, Any]:
    names = ("ada", "bob")[number % 2], ("kent", "york")[number // 2 % 2]
    before = ["once"] * (number % 5)
    tokens = [*before, names[0], "was", VERBS[relation], "in", names[1], *["."] * (number // 4 + 1)]
    at = len(before)
    return {
        "token": tokens,
        "h": {"pos": [at, at + 1], "type": "PERSON"},
        "t": {"pos": [at + 4, at + 5], "type": "GPE"},
        "relation": relation,
    }


def benchmark(folder: Path, **sizes: int) -> InputTable:
    rows, files = [], {}
    for split, size in sizes.items():
        path = folder / f"{split}.jsonl"
        lines = [line(i, relation) for relation in VERBS for i in range(size)]
        path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
        files[path.name] = path
        rows.append(
            {
                "benchmark": "towns",
                "split": split,
                "format": "opennre",
                "file": path.name,
                "name": path.name,
            }
        )
    return InputTable(rows=table_rows(BENCHMARK_FILES, rows), files=files)


def config(**values: Any) -> FinetuneConfig:
    given = {
        "benchmark": "towns",
        "epochs": 8,
        "batch_size": 8,
        "learning_rate": 0.02,
        "warmup_steps": 2,
        "max_pieces": 32,
        "micro_tokens": 64,
        **values,
    }
    return FinetuneConfig(**given)


def given_to(files: InputTable) -> dict[Table, InputTable]:
    encoder = InputTable(files={"config.json": Path("encoder/config.json")})
    return {BENCHMARK_FILES: files, ENCODERS: encoder}


def made(run_stage: RunStage, folder: Path, **values: Any) -> Outcome:
    given = benchmark(folder, train=20, dev=8, test=8)
    return run_stage(FINETUNE, config(**values), given_to(given))


def test_a_small_encoder_learns_the_benchmark(run_stage: RunStage, tmp_path: Path) -> None:
    outcome = made(run_stage, tmp_path)
    rows = outcome.rows(PREDICTIONS)
    assert Counter(row["split"] for row in rows) == {"dev": 24, "test": 24}
    assert all(row["gold"] == row["predicted"] for row in rows)
    assert all(0.34 < row["probability"] <= 1 for row in rows)
    (first,) = (row for row in rows if row["example"] == "dev/1")
    assert first["text"].startswith("[E1]ada[/E1] was")
    curves = outcome.rows(CURVES)
    assert {row["name"] for row in curves} == {"loss", "dev"}
    dev = [row["value"] for row in curves if row["name"] == "dev"]
    assert (len(dev), max(dev)) == (8, 1.0)


def in_order(table: Table, rows: list[dict[str, Any]]) -> bool:
    keys = [tuple(row[name] for name in table.key) for row in rows]
    return keys == sorted(set(keys))


def test_rows_come_in_the_order_of_their_key(run_stage: RunStage, tmp_path: Path) -> None:
    few = {"task": "fewrel", "ways": 3, "episodes": 12}
    for values in ({"epochs": 1}, few):
        outcome = made(run_stage, tmp_path, **values)
        assert in_order(PREDICTIONS, outcome.rows(PREDICTIONS))
        assert in_order(CURVES, outcome.rows(CURVES))


def test_the_same_seed_gives_the_same_answers(run_stage: RunStage, tmp_path: Path) -> None:
    first, second = (made(run_stage, tmp_path, epochs=1).rows(PREDICTIONS) for _ in range(2))
    assert first == second
    other = made(run_stage, tmp_path, epochs=1, seed=14).rows(PREDICTIONS)
    assert [r["probability"] for r in other] != [r["probability"] for r in first]


def test_a_share_of_the_data_is_drawn_and_published(run_stage: RunStage, tmp_path: Path) -> None:
    outcome = made(run_stage, tmp_path, fraction=0.1, epochs=1)
    manifest = json.loads(outcome.files["subset.json"].read_text("utf-8"))
    assert manifest["relations"] == {"born in": 2, "no_relation": 2, "works for": 2}
    assert {row["fraction"] for row in outcome.rows(PREDICTIONS)} == {0.1}


def test_mentions_alone_do_not_tell_the_relation(run_stage: RunStage, tmp_path: Path) -> None:
    rows = made(run_stage, tmp_path, input_format="OnlyM", epochs=2).rows(PREDICTIONS)
    assert len({row["predicted"] for row in rows}) < 3 or any(
        row["gold"] != row["predicted"] for row in rows
    )


def test_what_does_not_fit_is_wrong_and_counted(run_stage: RunStage, tmp_path: Path) -> None:
    given = benchmark(tmp_path, train=20, dev=4, test=4)
    far = line(0, "born in")
    far["token"][1:4] = ["once"] * 60
    far["t"]["pos"] = [61, 62]
    with given.files["test.jsonl"].open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(far) + "\n")
    outcome = run_stage(FINETUNE, config(epochs=1), given_to(given))
    (last,) = (row for row in outcome.rows(PREDICTIONS) if row["example"] == "test/13")
    assert (last["predicted"], last["probability"]) == ("(not shown)", None)
    assert outcome.drops == {"too_far_apart": 1}


def test_episodes_are_answered_without_training(run_stage: RunStage, tmp_path: Path) -> None:
    given = benchmark(tmp_path, dev=10)
    few = config(task="fewrel", ways=3, shots=2, queries=2, episodes=5, similarity="cosine")
    outcome = run_stage(FINETUNE, few, given_to(given))
    rows = outcome.rows(PREDICTIONS)
    assert len(rows) == 5 * 3 * 2
    assert Counter(row["cluster"] for row in rows) == {str(i): 6 for i in range(5)}
    assert {(row["setting"], row["fraction"]) for row in rows} == {("3-way 2-shot cosine", 0.0)}
    assert outcome.batches["curves"] == []
    several = few.model_copy(update={"ways": [2, 3], "shots": [2, 1]})
    by_setting: dict[str, list[dict[str, Any]]] = {}
    for row in run_stage(FINETUNE, several, given_to(given)).rows(PREDICTIONS):
        by_setting.setdefault(row["setting"], []).append(row)
    kinds = ["2-way 1-shot", "2-way 2-shot", "3-way 1-shot", "3-way 2-shot"]
    assert list(by_setting) == [f"{kind} cosine" for kind in kinds]
    assert [cell["setting"] for cell in several.cells] == list(by_setting)
    assert by_setting["3-way 2-shot cosine"] == rows


def test_episodes_of_the_train_split_are_learnt(run_stage: RunStage, tmp_path: Path) -> None:
    given = benchmark(tmp_path, train=12, dev=10)
    values = {"task": "fewrel", "ways": 3, "training_ways": 3, "queries": 2, "episodes": 20}

    def right(**more: Any) -> tuple[float, Outcome]:
        outcome = run_stage(FINETUNE, config(**values, **more), given_to(given))
        rows = outcome.rows(PREDICTIONS)
        return sum(row["gold"] == row["predicted"] for row in rows) / len(rows), outcome

    before, _ = right()
    after, outcome = right(training_updates=40, micro_tokens=64)
    assert before < 0.8 < after
    assert {row["setting"] for row in outcome.rows(CURVES)} == {"3-way 1-shot dot trained"}
    losses = [row["value"] for row in outcome.rows(CURVES)]
    assert (len(losses), losses[-1] < losses[0] / 2) == (40, True)
    # How an update is cut changes nothing.
    whole = right(training_updates=40, micro_tokens=4096)[1].rows(CURVES)
    assert [row["value"] for row in whole] == pytest.approx(losses, rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"dev": 4}, "towns has no train split.*files.train=PATH")],
)
def test_a_missing_split_is_named(
    run_stage: RunStage, tmp_path: Path, sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        run_stage(FINETUNE, config(), given_to(benchmark(tmp_path, **sizes)))


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"Did you mean semeval\?"):
        FinetuneConfig(task="semevl")


def test_a_model_is_kept_only_where_it_can_be_asked() -> None:
    with pytest.raises(ValidationError, match="fewrel has no model that predict can ask"):
        config(task="fewrel", keep_model=True)


def test_the_name_of_an_encoder_stands_in_the_rows_and_so_counts(
    run_stage: RunStage, tmp_path: Path
) -> None:
    outcome = made(run_stage, tmp_path, epochs=1, encoder="cp")
    assert {row["encoder"] for row in outcome.rows(PREDICTIONS)} == {"cp"}
    assert facts(config(encoder="cp")) != facts(config(encoder="mtb"))


def test_encoders_that_differ_in_their_seed_share_a_name(
    run_stage: RunStage, tmp_path: Path
) -> None:
    outcome = made(run_stage, tmp_path, epochs=1, encoder="cp-1", encoder_name="cp")
    assert {row["encoder"] for row in outcome.rows(PREDICTIONS)} == {"cp"}
    renamed = config(encoder="cp-2", encoder_name="cp")
    assert facts(renamed) == facts(config(encoder="cp"))


def test_without_dev_the_last_epoch_answers(run_stage: RunStage, tmp_path: Path) -> None:
    given = benchmark(tmp_path, train=20, test=8)
    outcome = run_stage(FINETUNE, config(epochs=2), given_to(given))
    assert {row["split"] for row in outcome.rows(PREDICTIONS)} == {"test"}
    assert {row["name"] for row in outcome.rows(CURVES)} == {"loss"}


def test_an_epoch_is_cut_into_updates_of_equal_size() -> None:
    sizes = [updates_of(examples, 8) for examples in (7, 8, 9, 60)]
    assert sizes == [1, 1, 2, 8]


def story(number: int, labelled: bool) -> dict[str, Any]:
    """A document whose verb says what the first entity has to do with the second."""
    relation = list(VERBS)[number % 3]
    names = ("ada", "bob")[number % 2], ("kent", "york")[number // 2 % 2]
    before = ["once"] * (number // 12 % 3)
    at = len(before)
    facts = [] if relation == "no_relation" else [{"h": 0, "t": 1, "r": relation}]
    return {
        "title": f"{'story' if labelled else 'tale'} {number}",
        "sents": [[*before, names[0], "was", VERBS[relation], "in", names[1], "."]],
        "vertexSet": [
            [{"name": name, "sent_id": 0, "pos": [place, place + 1], "type": "X"}]
            for name, place in zip(names, (at, at + 4), strict=True)
        ],
        "labels": facts if labelled else None,
    }


def stories(folder: Path, *, labelled_test: bool) -> InputTable:
    rows, files = [], {}
    parts = {"train": range(36), "dev": range(36, 56), "test": range(56, 74)}
    for split, numbers in parts.items():
        path = folder / f"{split}.json"
        path.write_text(json.dumps([story(i, split != "test" or labelled_test) for i in numbers]))
        files[path.name] = path
        row = {"benchmark": "towns", "split": split, "format": "docred"}
        rows.append({**row, "file": path.name, "name": path.name})
    return InputTable(rows=table_rows(BENCHMARK_FILES, rows), files=files)


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_documents_get_their_facts(run_stage: RunStage, tmp_path: Path, loss: str) -> None:
    given = given_to(stories(tmp_path, labelled_test=True))
    values = {"loss": loss, "fraction": 0.5, "dev_every": 4, "epochs": 32, "na_ratio": None}
    outcome = run_stage(FINETUNE, config(task="docred", learning_rate=0.01, **values), given)
    rows = outcome.rows(PREDICTIONS)
    assert in_order(PREDICTIONS, rows)
    assert Counter(row["split"] for row in rows)["test"] >= 12
    assert sum(row["gold"] != row["predicted"] for row in rows) <= 2
    assert {tuple(row["tags"]) for row in rows} <= {("intra",), ("intra", "known")}
    chosen = json.loads(outcome.files["threshold.json"].read_text("utf-8"))
    asked = {row["cluster"].removeprefix("dev/") for row in rows if row["split"] == "dev"}
    assert len(chosen["chosen_on"]) == 10
    assert asked
    assert not asked & set(chosen["chosen_on"])
    assert len(json.loads(outcome.files["subset.json"].read_text("utf-8"))["ids"]) == 18
    looks = [row["step"] for row in outcome.rows(CURVES) if row["name"] == "dev"]
    assert len(looks) == 8


def test_a_test_without_labels_gives_a_file_to_hand_in(run_stage: RunStage, tmp_path: Path) -> None:
    given = given_to(stories(tmp_path, labelled_test=False))
    outcome = run_stage(FINETUNE, config(task="docred", epochs=12, max_pieces=24), given)
    assert {row["split"] for row in outcome.rows(PREDICTIONS)} == {"dev"}
    handed_in = json.loads(outcome.files["submission-test.json"].read_text("utf-8"))
    assert handed_in
    assert all(each["title"].startswith("tale ") for each in handed_in)
    assert {each["r"] for each in handed_in} <= set(VERBS)
