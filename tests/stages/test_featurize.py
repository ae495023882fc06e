"""featurize and train_tokenizer: spans come through as word pieces, and nothing goes in silence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import InputTable
from stages.featurize import FEATURIZE, FeaturizeConfig, facts
from stages.model.corpus import Lists
from stages.model.examples import pairs_in_sentences
from stages.model.markers import load_tokenizer, markers_of
from stages.model.pieces import cut, in_pieces
from stages.model.ragged import offsets
from stages.model.store import open_corpus, relations_of, types_of, write_corpus
from stages.model.vocabulary import train_vocabulary
from stages.train_tokenizer import TRAIN_TOKENIZER, TrainTokenizerConfig
from storage.errors import ConfigError
from storage.tables import (
    DOCUMENT_SPLITS,
    DOCUMENTS,
    ENTITIES,
    FEATURES,
    PAGES,
    SENTENCES,
    SPLITS,
    TUPLES,
    WORD_PIECES,
)
from tests.conftest import Outcome, RunStage
from tests.stages.model.made import tokenizer

Given = dict[Any, Any]
SENTENCE_ONE = "Ada Lovelace met Babbage in London."
SENTENCE_TWO = "Babbage built it. Ada wrote of İstanbul and the engine."
TEXT = f"Before. {SENTENCE_ONE} {SENTENCE_TWO}"
START = TEXT.index("Ada")
NAMES = ("Ada", "Babbage", "London", "İstanbul")


def spans(name: str) -> list[dict[str, int]]:
    found, at = [], TEXT.find(name)
    while at >= 0:
        sentence = 1 if at < TEXT.index(SENTENCE_TWO) else 2
        found.append({"char_start": at, "char_end": at + len(name), "sentence": sentence})
        at = TEXT.find(name, at + 1)
    return found


def given_text() -> Given:
    name = f"7:{START}-{len(TEXT)}"
    own = {"page_id": 7, "document_id": name}
    second = TEXT.index(SENTENCE_TWO)
    borders = [(0, START - 1), (START, second - 1), (second, len(TEXT))]
    pairs = [(0, 1, ["P1"]), (1, 0, []), (0, 2, ["P1", "P2"]), (0, 3, ["P3"])]
    return {
        PAGES: [{"page_id": 7, "title": "Ada", "text": TEXT}],
        DOCUMENTS: [{**own, "char_start": START, "char_end": len(TEXT), "unit": "page"}],
        SENTENCES: [
            {"page_id": 7, "sentence": i, "char_start": a, "char_end": b}
            for i, (a, b) in enumerate(borders)
        ],
        ENTITIES: [
            {**own, "entity": i, "qid": f"Q{i + 1}", "name": n, "type": "PER", "mentions": spans(n)}
            for i, n in enumerate(NAMES)
        ],
        TUPLES: [
            {
                **own,
                "tuple_id": f"{name}/{h}-{t}",
                "head_entity": h,
                "tail_entity": t,
                "pids": pids,
                "intra": True,
            }
            for h, t, pids in pairs
        ],
        SPLITS: [
            {
                **own,
                "tuple_id": f"{name}/{h}-{t}",
                "head_entity": h,
                "tail_entity": t,
                "verdict": "train",
                "reasons": [],
            }
            for h, t, _ in pairs
        ],
        DOCUMENT_SPLITS: [
            {**own, "char_start": START, "char_end": len(TEXT), "verdict": "train", "reasons": []}
        ],
    }


@pytest.fixture
def vocabulary(run_stage: RunStage) -> InputTable:
    config = TrainTokenizerConfig(pieces=900, min_frequency=1)
    return run_stage(TRAIN_TOKENIZER, config, given_text()).given(WORD_PIECES)


def words(ids: list[int], vocabulary: InputTable) -> str:
    found = load_tokenizer(vocabulary.files["tokenizer.json"].parent)
    return " ".join(found.convert_ids_to_tokens(ids)).replace(" ##", "")


def test_a_vocabulary_is_the_same_each_time_and_has_all_markers(
    run_stage: RunStage, vocabulary: InputTable
) -> None:
    config = TrainTokenizerConfig(pieces=900, min_frequency=1)
    again = run_stage(TRAIN_TOKENIZER, config, given_text())
    assert again.given(WORD_PIECES).rows == vocabulary.rows
    for name, path in vocabulary.files.items():
        assert again.files[name].read_bytes() == path.read_bytes()
    pieces = {row["piece"]: row for row in again.rows(WORD_PIECES)}
    assert pieces["[E1]"]["special"]
    assert not pieces["a"]["special"]


def test_mentions_name_in_pieces_what_they_name_in_characters(
    run_stage: RunStage, vocabulary: InputTable
) -> None:
    made = run_stage(FEATURIZE, FeaturizeConfig(), {**given_text(), WORD_PIECES: vocabulary})
    (row,) = made.rows(FEATURES)
    ids = [piece["id"] for piece in row["pieces"]]
    shown = [words(ids[m["start"] : m["end"]], vocabulary) for m in row["mentions"]]
    assert shown == ["ada", "ada", "babbage", "babbage", "london", "istanbul"]
    assert [m["entity"] for m in row["mentions"]] == [0, 0, 1, 1, 2, 3]
    assert [m["sentence"] for m in row["mentions"]] == [0, 1, 0, 1, 0, 1]
    sentences = [words(ids[s["start"] : s["end"]], vocabulary) for s in row["sentences"]]
    assert sentences[0].replace(" .", ".") == SENTENCE_ONE.lower()
    assert sum(s["end"] - s["start"] for s in row["sentences"]) == len(ids)
    assert [(p["head"], p["tail"], p["pids"]) for p in row["pairs"]] == [
        (0, 1, ["P1"]),
        (0, 2, ["P1", "P2"]),
        (0, 3, ["P3"]),
        (1, 0, []),
    ]
    assert made.drops == {}
    begins = [words([p["id"]], vocabulary).startswith("##") for p in row["pieces"]]
    assert [not p["word"] for p in row["pieces"]] == begins


def test_what_is_held_out_is_no_feature(run_stage: RunStage, vocabulary: InputTable) -> None:
    given = {**given_text(), WORD_PIECES: vocabulary}
    given[SPLITS][0]["verdict"] = "held_out"
    given[SPLITS][2]["verdict"] = "sampled_out"
    made = run_stage(FEATURIZE, FeaturizeConfig(), given)
    (row,) = made.rows(FEATURES)
    assert [(p["head"], p["tail"]) for p in row["pairs"]] == [(0, 3), (1, 0)]
    assert made.drops == {"held_out_tuple": 1, "sampled_out_tuple": 1}
    given[DOCUMENT_SPLITS][0]["document_id"] = "another"
    assert run_stage(FEATURIZE, FeaturizeConfig(), given).drops["unknown_document"] == 1
    given[DOCUMENT_SPLITS][0] |= {"document_id": row["document_id"], "verdict": "held_out"}
    made = run_stage(FEATURIZE, FeaturizeConfig(), given)
    assert made.rows(FEATURES) == []
    assert made.drops["held_out_document"] == 1


def test_what_lies_behind_the_last_piece_is_counted_and_goes_with_its_pairs(
    run_stage: RunStage, vocabulary: InputTable
) -> None:
    given = {**given_text(), WORD_PIECES: vocabulary}
    (whole,) = run_stage(FEATURIZE, FeaturizeConfig(), given).rows(FEATURES)
    last = max(m["end"] for m in whole["mentions"])
    made = run_stage(FEATURIZE, FeaturizeConfig(max_pieces=last - 1), given)
    (row,) = made.rows(FEATURES)
    assert len(row["pieces"]) == last - 1
    assert made.drops == {"behind_max_pieces": 1, "entity_lost": 1}
    assert [e["entity"] for e in row["entities"]] == [0, 1, 2]
    assert all(p["head"] < 3 and p["tail"] < 3 for p in row["pairs"])
    assert len(row["pairs"]) == 3
    assert all(s["start"] <= s["end"] <= last - 1 for s in row["sentences"])


def test_entities_keep_their_place_when_an_earlier_one_is_lost(
    run_stage: RunStage, vocabulary: InputTable
) -> None:
    given = {**given_text(), WORD_PIECES: vocabulary}
    first = given[ENTITIES][0]
    given[ENTITIES][0] = {**first, "mentions": [first["mentions"][-1]]}
    (whole,) = run_stage(FEATURIZE, FeaturizeConfig(), given).rows(FEATURES)
    at = next(m["start"] for m in whole["mentions"] if m["entity"] == 0)
    made = run_stage(FEATURIZE, FeaturizeConfig(max_pieces=at), given)
    (row,) = made.rows(FEATURES)
    assert [e["entity"] for e in row["entities"]] == [1, 2]
    assert {m["entity"] for m in row["mentions"]} == {0, 1}
    assert made.drops["entity_lost"] == 4


def test_a_document_without_entities_is_counted(
    run_stage: RunStage, vocabulary: InputTable
) -> None:
    given = {**given_text(), WORD_PIECES: vocabulary}
    given[DOCUMENTS].append(
        {"page_id": 7, "document_id": "7:0-7", "char_start": 0, "char_end": 7, "unit": "page"}
    )
    given[DOCUMENT_SPLITS].append({**given[DOCUMENT_SPLITS][0], "document_id": "7:0-7"})
    made = run_stage(FEATURIZE, FeaturizeConfig(), given)
    assert made.drops == {"no_entities": 1}
    assert len(made.rows(FEATURES)) == 1


def test_words_that_look_like_special_pieces_are_cut_as_text() -> None:
    found = cut(tokenizer(), ["See [SEP] and [E1] there"])
    assert not np.isin(
        found.ids, [tokenizer().sep_token_id, markers_of(tokenizer()).head_start]
    ).any()


@given(
    st.lists(
        st.text(st.sampled_from("abnd lo.1É́ß東İ\U0001d49c-"), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_a_span_becomes_just_the_pieces_that_share_a_character_with_it(
    texts: list[str], data: st.DataObject
) -> None:
    found = cut(tokenizer(), texts)
    which = data.draw(st.integers(0, len(texts) - 1))
    start = data.draw(st.integers(0, len(texts[which]) - 1))
    end = data.draw(st.integers(start + 1, len(texts[which])))
    (first,), (behind,) = found.spans(np.array([which]), np.array([start]), np.array([end]))
    begin = int(found.bounds[which])
    inside = [
        i
        for i in range(found.bounds[which + 1] - begin)
        if max(start, found.starts[begin + i]) < min(end, found.ends[begin + i])
    ]
    assert list(range(first, behind)) == inside


def test_a_mention_of_nothing_that_a_tokenizer_sees_is_counted() -> None:
    mention = Lists(
        offsets(np.array([2])),
        {
            "start": np.array([0, 3]),
            "end": np.array([2, 5]),
            "entity": np.array([0, 1]),
            "sentence": np.array([0, 0]),
        },
    )
    sentence = Lists(offsets(np.array([1])), {"start": np.array([0]), "end": np.array([5])})
    found = in_pieces(tokenizer(), ["\u200b\u200b was"], sentence, mention, np.array([0, 2]), 99)
    assert found.no_pieces_M.tolist() == [True, False]
    assert found.place_E.tolist() == [-1, 0]
    assert found.mention["entity"].tolist() == [0]


def features(run_stage: RunStage, vocabulary: InputTable) -> Outcome:
    return run_stage(FEATURIZE, FeaturizeConfig(), {**given_text(), WORD_PIECES: vocabulary})


def test_the_file_of_a_machine_holds_every_pair_and_label(
    run_stage: RunStage, vocabulary: InputTable, tmp_path: Path
) -> None:
    made = features(run_stage, vocabulary).given(FEATURES).rows
    assert isinstance(made, pa.Table)
    relations, types = relations_of([made]), types_of([made])
    assert (relations, types) == (["NA", "P1", "P2", "P3"], ["PER"])
    name = made["document_id"][0].as_py()
    weights = pa.table(
        {
            "tuple_id": [f"{name}/0-2", f"{name}/0-2", f"{name}/1-0", f"{name}/0-3"],
            "pid": ["P2", "P1", "NA", "P3"],
            "weight": [2.0, 3.0, 0.5, 7.0],
        }
    )
    path = tmp_path / "corpus.arrow"
    told = write_corpus(path, [made, made], relations, types, weights)
    assert told == {"documents": 2, "labels_without_weight": 2}
    found = open_corpus(path, markers_of(tokenizer()))
    assert [found.names_D[0], *found.names_D[1:]] == [name, name]
    batch = found.take(np.array([1, 0]))
    labels = list(
        zip(
            batch.label_pair_L.tolist(),
            batch.label_relation_L.tolist(),
            batch.label_weight_L.tolist(),
            strict=True,
        )
    )
    own = [(0, 1, 1.0), (1, 1, 3.0), (1, 2, 2.0), (2, 3, 7.0), (3, 0, 0.5)]
    assert labels == own + [(p + 4, r, w) for p, r, w in own]
    assert batch.pair_head_P.tolist() == [0, 0, 0, 1, 4, 4, 4, 5]
    assert batch.entity_qid_E.tolist() == [1, 2, 3, 4] * 2
    examples, _ = pairs_in_sentences(found, 64)
    assert len(examples) == 8


def test_a_relation_that_is_not_wanted_takes_pairs_with_it_that_have_no_other(
    run_stage: RunStage, vocabulary: InputTable, tmp_path: Path
) -> None:
    made = features(run_stage, vocabulary).given(FEATURES).rows
    assert isinstance(made, pa.Table)
    told = write_corpus(tmp_path / "c", [made], ["NA", "P2"], [])
    assert told == {"documents": 1, "labels_of_other_relations": 3}
    batch = open_corpus(tmp_path / "c", markers_of(tokenizer())).take(np.array([0]))
    assert batch.label_relation_L.tolist() == [1, 0]
    assert batch.entity_type_E.tolist() == [-1] * 4


def test_a_tokenizer_counts_by_its_content_and_a_hub_id_by_its_revision(
    vocabulary: InputTable, tmp_path: Path
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        for name, path in vocabulary.files.items():
            (folder / name).write_bytes(path.read_bytes())
    one, two = (facts(FeaturizeConfig(tokenizer=str(folder))) for folder in folders)
    assert one == two != {}
    (folders[1] / "tokenizer.json").write_text("{}")
    assert facts(FeaturizeConfig(tokenizer=str(folders[1]))) != one
    assert facts(FeaturizeConfig(tokenizer="a/b", revision="c0ffee")) == {}
    with pytest.raises(ConfigError, match="no revision"):
        facts(FeaturizeConfig(tokenizer="a/b"))
    with pytest.raises(ConfigError, match="no folder"):
        facts(FeaturizeConfig(tokenizer=str(tmp_path / "none")))


def test_a_vocabulary_does_not_hang_on_the_order_of_texts_nor_on_the_process(
    tmp_path: Path,
) -> None:
    texts = ["one two three", "four five six", "seven eight nine ten", "owt neves xis"] * 2
    code = (
        "import sys, json; from pathlib import Path\n"
        "from stages.model.vocabulary import train_vocabulary\n"
        "print(train_vocabulary(lambda: json.loads(sys.argv[1]), Path(sys.argv[2]), size=420, "
        "lowercase=True, min_frequency=1))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, json.dumps(texts[::-1]), str(tmp_path / "other")],
        capture_output=True,
        text=True,
        check=True,
    )
    here = train_vocabulary(
        lambda: texts, tmp_path / "here", size=420, lowercase=True, min_frequency=1
    )
    assert "##e" in here
    assert other.stdout.strip() == str(here)
