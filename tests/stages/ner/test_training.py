"""Training: partial annotation, one seed one model, early stop, and the model as a file."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import spacy

from stages.ner.archive import pack
from stages.ner.passage import Passage
from stages.ner.pipeline import load, split
from stages.ner.training import ALL, Learnt, Settings, example, train
from storage.errors import ConfigError
from tests.conftest import REPOSITORY

PEOPLE = ("Ada", "Kim", "Ole", "Eva")
TOWNS = ("Oslo", "Bergen", "Narvik", "Voss")


class Notes:
    """What training said."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.said: list[str] = []

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        self.drops[reason] += count

    def report(self, doing: str) -> None:
        self.said.append(doing)


def story(person: str, town: str) -> Passage:
    text = f"{person} moved to {town} last year."
    start = len(person) + len(" moved to ")
    return Passage(text, (((0, len(person)), "PERSON"), ((start, start + len(town)), "LOC")))


STORIES = [story(person, town) for person in PEOPLE for town in TOWNS]


def learn(folder: Path, notes: Notes, *, seed: int = 1, language: str = "en") -> Learnt:
    settings = Settings(seed, max_steps=40, patience=20, evaluate_every=10)
    return train(language, STORIES[:-4], STORIES[-4:], settings, folder, notes)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Learnt, Notes]:
    folder, notes = tmp_path_factory.mktemp("learnt") / "model", Notes()
    return folder, learn(folder, notes), notes


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_pipeline_learns_and_says_how_well(learnt: tuple[Path, Learnt, Notes]) -> None:
    folder, result, notes = learnt
    assert [(s.type, s.gold) for s in result.scores] == [(ALL, 8), ("LOC", 4), ("PERSON", 4)]
    assert result.scores[0].f1 is not None
    assert result.scores[0].f1 > 0.9
    assert result.words == 12 * 7
    assert notes.said
    ((sentences, found),) = split(load(str(folder), "en"), ["Liv moved to Voss last year."], 8)
    assert len(sentences) == 1
    assert ((13, 17), "LOC") in found


def test_one_seed_gives_one_model_and_another_seed_another(
    learnt: tuple[Path, Learnt, Notes], tmp_path: Path
) -> None:
    folder, result, _ = learnt
    assert learn(tmp_path / "again", Notes()) == result
    assert bytes_of(tmp_path / "again") == bytes_of(folder)
    learn(tmp_path / "other", Notes(), seed=2)
    assert bytes_of(tmp_path / "other") != bytes_of(folder)


def test_another_process_makes_the_same_bytes(
    learnt: tuple[Path, Learnt, Notes], tmp_path: Path
) -> None:
    # Sets are ordered otherwise in each process; nothing of that may reach the model.
    code = (
        "from tests.stages.ner.test_training import *; import sys; "
        "learn(Path(sys.argv[1]), Notes())"
    )
    model = tmp_path / "model"
    subprocess.run([sys.executable, "-c", code, str(model)], check=True, cwd=REPOSITORY)
    assert bytes_of(model) == bytes_of(learnt[0])


def test_it_stops_when_the_held_out_passages_get_no_better_and_keeps_the_best(
    tmp_path: Path,
) -> None:
    notes = Notes()
    settings = Settings(1, max_steps=100_000, patience=30, evaluate_every=10)
    result = train("en", STORIES[:-4], STORIES[-4:], settings, tmp_path / "model", notes)
    last = int(notes.said[-1].split()[1])
    assert last - 30 <= result.steps <= last < 1000


def test_a_language_that_spacy_does_not_know_takes_generic_rules(tmp_path: Path) -> None:
    result = learn(tmp_path / "model", Notes(), language="ltg")
    assert result.scores[0].gold == 8
    assert spacy.load(tmp_path / "model").lang == "xx"


def test_japanese_is_cut_at_characters_where_its_segmenter_is_not_installed() -> None:
    nlp = load("blank", "ja")
    text = "東京は大きい。京都は古い。"
    ((sentences, _),) = split(nlp, [text], 8)
    assert [text[a:b] for a, b in sentences] == ["東京は大きい。", "京都は古い。"]


def test_what_is_unknown_is_neither_a_mention_nor_none() -> None:
    passage = Passage("Ada saw Kim in Oslo.", (((0, 3), "PERSON"),), ((8, 11), (9, 14)))
    tokens = example(spacy.blank("en"), passage, Notes()).reference
    known = [(token.text, token.ent_iob_, token.ent_type_) for token in tokens]
    assert known == [
        ("Ada", "B", "PERSON"),
        ("saw", "O", ""),
        ("Kim", "", ""),
        ("in", "", ""),
        ("Oslo", "O", ""),
        (".", "O", ""),
    ]


def test_a_mention_that_tokens_do_not_bound_is_unknown_and_counted() -> None:
    notes = Notes()
    passage = Passage("Adas house", (((0, 3), "PERSON"),))
    tokens = example(spacy.blank("en"), passage, notes).reference
    assert [token.ent_iob_ for token in tokens] == ["", "O"]
    assert notes.drops == {"off_token": 1}


def test_what_is_found_where_nothing_is_known_is_no_error(tmp_path: Path) -> None:
    # Of each held-out passage the town is unknown: finding it must not count against precision.
    unsure = [Passage(p.text, p.mentions[:1], (p.mentions[1][0],)) for p in STORIES]
    settings = Settings(1, max_steps=40, patience=20, evaluate_every=10)
    result = train("en", STORIES, unsure, settings, tmp_path / "model", Notes())
    assert (result.scores[0].gold, result.scores[0].precision) == (16, 1.0)
    assert [s.type for s in result.scores] == [ALL, "PERSON"]


def test_a_zipped_model_loads_and_equal_models_give_equal_bytes(
    learnt: tuple[Path, Learnt, Notes], tmp_path: Path
) -> None:
    folder = learnt[0]
    pack(folder, tmp_path / "one.zip")
    pack(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    texts = [passage.text for passage in STORIES]
    packed = load(str(tmp_path / "one.zip"), "en")
    assert list(split(packed, texts, 4)) == list(split(load(str(folder), "en"), texts, 4))


@pytest.mark.parametrize("content", [b"no zip file", b""])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="spaCy cannot load the model"):
        load(str(path), "en")
