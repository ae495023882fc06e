"""Readers of released corpora: small files of each format, wrong ones, and the released ones."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stages.annotated import FORMATS, Document, read
from storage.errors import ConfigError, SourceError


class Counts:
    """What a reader left out and noticed."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        self.drops[reason] += count

    def count(self, name: str, count: int = 1) -> None:
        self.counts[name] += count


DOCRED = {
    "title": "Ada",
    "sents": [["Ada", "left", "\u00a0", "Kent", "."], ["She", "liked", "Kent", "."]],
    "vertexSet": [
        [
            {"name": "She", "sent_id": 1, "pos": [0, 1], "type": "PER"},
            {"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"},
        ],
        [{"name": "Kent", "sent_id": 0, "pos": [3, 4], "type": "LOC"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [1, 0]}],
}
PIECES = {
    "tokenized_sents": [[["ad", "##a"], ["left"], ["Kent"], ["."]], [["Kent"], ["it", "##s"]]],
    "vertexSet": [
        [{"name": "ada", "sent_id": 0, "pos": [0, 1], "type": "PER", "id": "Q7"}],
        [
            {"name": "kent", "sent_id": 0, "pos": [2, 3], "type": "None", "id": "Q9"},
            {"name": "kent", "sent_id": 1, "pos": [0, 1], "type": "None", "id": "Q9"},
        ],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P19", "in_test+dev_set": False}],
    "na_triple": [[1, 0]],
}
WORDS = {
    "sents": [["Ada", "left", "Kent", "and", "Kent", "Town"]],
    "vertexSet": [
        [{"name": "ada", "sent_id": 0, "pos": [0], "type": "PER", "id": "Q7"}],
        [{"name": "kent", "sent_id": 0, "pos": [2, 4, 5], "type": "LOC", "id": "Q9"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P19"}],
}
OPENNRE = {
    "token": ["Ada", "left", "Kent", "."],
    "h": {"name": "ada", "id": "Q7", "pos": [0, 1], "type": "UNK"},
    "t": {"name": "kent", "id": "/m/9", "pos": [2, 3], "type": "GPE"},
    "relation": "born in",
}
ARNOR = {
    "sentence": "Ada left Kent .",
    "head": {"word": "Ada", "type": "PERSON", "pos": [0, 0]},
    "tail": {"word": "Kent", "type": "CITY", "pos": [2, 2]},
    "relation": "born in",
    "is_noise": True,
}
TACRED = {
    "id": "e1",
    "token": ["Ada", "King", "left", "Kent", "."],
    "subj_start": 0,
    "subj_end": 1,
    "obj_start": 3,
    "obj_end": 3,
    "subj_type": "PERSON",
    "obj_type": "CITY",
    "relation": "no_relation",
}
SEMEVAL = (
    '1\t"The <e1>child</e1> slept in its <e2>wooden cradle</e2>."\r\nOther\r\nComment: none\r\n\r\n'
    '2\t"A <e2>storm</e2> came by <e1>night</e1>"\r\nCause-Effect(e2,e1)\r\nComment:\r\n\r\n'
)
FEWREL = {
    "P19": [
        {
            "tokens": ["Ada", "left", "Kent", "for", "Kent"],
            "h": ["ada", "Q7", [[0]]],
            "t": ["kent", "Q9", [[2], [4]]],
        }
    ]
}
JSONL = {
    "id": "a",
    "title": "Ada",
    "text": "Ada left Kent. She liked it.",
    "sentences": [[0, 14], [15, 28]],
    "tokens": [[0, 3], [4, 8], [9, 13]],
    "entities": [
        {"mentions": [[0, 3], [15, 18]], "type": "PER", "id": "Q7"},
        {"mentions": [[9, 13]]},
    ],
    "relations": [{"head": 0, "tail": 1, "relation": "P19", "evidence": [0]}],
}


def written(folder: Path, content: Any, *, one_a_line: bool = False) -> Path:
    path = folder / "file"
    if isinstance(content, str):
        path.write_bytes(content.encode())
    elif one_a_line:
        path.write_text("".join(json.dumps(each) + "\n" for each in content), "utf-8")
    else:
        path.write_text(json.dumps(content), "utf-8")
    return path


def documents(folder: Path, name: str, content: Any, **options: Any) -> list[Document]:
    path = written(folder, content, one_a_line=name in ("opennre", "scibert", "jsonl"))
    return list(read(name, path, Counts(), **options))


def surfaces(document: Document) -> list[list[str]]:
    return [[document.text[slice(*m.span)] for m in e.mentions] for e in document.entities]


def test_docred_keeps_tokens_order_and_evidence(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "docred", [DOCRED], split="dev")
    assert document.words() == DOCRED["sents"]
    assert (document.id, document.split) == ("Ada", "dev")
    assert surfaces(document) == [["She", "Ada"], ["Kent"]]
    assert [m.sentence for m in document.entities[0].mentions] == [1, 0]
    assert document.relations[0].evidence == (1, 0)
    assert document.entities[1].type == "LOC"


def test_docred_without_labels(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "docred", [{**DOCRED, "labels": []}])
    assert document.relations == ()


def test_erica_puts_word_pieces_together(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "erica", [PIECES])
    assert document.words() == [["ada", "left", "Kent", "."], ["Kent", "its"]]
    assert surfaces(document) == [["ada"], ["Kent", "Kent"]]
    assert [(e.qid, e.type) for e in document.entities] == [("Q7", "PER"), ("Q9", None)]


def test_erica_cuts_lists_of_positions_into_mentions(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "erica", [WORDS])
    assert surfaces(document) == [["Ada"], ["Kent", "Kent Town"]]


def test_opennre_in_tokens_and_in_text(tmp_path: Path) -> None:
    text = {
        "text": "Ada left Kent.",
        "h": {"pos": [9, 13]},
        "t": {"pos": [0, 3]},
    }
    first, second = documents(tmp_path, "opennre", [OPENNRE, text])
    assert surfaces(first) == [["Ada"], ["Kent"]]
    assert [(e.name, e.qid, e.type) for e in first.entities] == [
        ("ada", "Q7", None),
        ("kent", None, "GPE"),
    ]
    assert surfaces(second) == [["Kent"], ["Ada"]]
    assert (second.relations, second.tokens) == ((), ())


def test_arnor_has_inclusive_positions_and_verdicts(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "arnor", [ARNOR])
    assert surfaces(document) == [["Ada"], ["Kent"]]
    assert document.relations[0].noisy is True


def test_tacred_has_inclusive_positions(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "tacred", [TACRED])
    assert surfaces(document) == [["Ada King"], ["Kent"]]
    assert document.relations[0].name == "no_relation"


def test_semeval_takes_the_tags_out(tmp_path: Path) -> None:
    first, second = documents(tmp_path, "semeval", SEMEVAL)
    assert first.text == "The child slept in its wooden cradle."
    assert surfaces(first) == [["child"], ["wooden cradle"]]
    assert surfaces(second) == [["night"], ["storm"]]
    assert [d.relations[0].name for d in (first, second)] == ["Other", "Cause-Effect(e2,e1)"]
    assert [d.id for d in (first, second)] == ["1", "2"]


def test_semeval_without_answers(tmp_path: Path) -> None:
    bare = "".join(line + "\n" for line in SEMEVAL.split("\r\n") if line[:1].isdigit())
    assert [d.relations for d in documents(tmp_path, "semeval", bare)] == [(), ()]


def test_scibert_takes_the_marks_out(tmp_path: Path) -> None:
    text = "We use [[ salt ]]-free << sea water >> >> 3 times."
    chemprot = {"text": text, "label": "X", "metadata": []}
    sciie = {"text": text, "label": "X", "metadata": [2, 2, 4, 5]}
    first, second = documents(tmp_path, "scibert", [chemprot, sciie])
    assert first.text == "We use salt-free sea water >> 3 times."
    assert surfaces(first) == [["sea water"], ["salt"]]
    assert surfaces(second) == [["salt"], ["sea water"]]


def test_fewrel_has_many_mentions(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "fewrel", FEWREL)
    assert surfaces(document) == [["Ada"], ["Kent", "Kent"]]
    assert document.relations[0].name == "P19"
    (unlabelled,) = documents(tmp_path, "fewrel", FEWREL["P19"])
    assert unlabelled.relations == ()


def test_jsonl_reads_the_format_of_our_own(tmp_path: Path) -> None:
    (document,) = documents(tmp_path, "jsonl", [JSONL])
    assert surfaces(document) == [["Ada", "She"], ["Kent"]]
    assert [m.sentence for m in document.entities[0].mentions] == [0, 1]
    assert document.words() == [["Ada", "left", "Kent"], []]
    assert document.relations[0].evidence == (0,)


def test_packed_files_read_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path, [DOCRED])
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read("docred", plain, Counts())) == list(read("docred", packed, Counts()))


def without(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}


WRONG: dict[str, tuple[str, Any, str]] = {
    "not JSON": ("docred", "title,sents", "no"),
    "a missing key": ("docred", [DOCRED, without(DOCRED, "sents")], "record 2.*`sents`"),
    "a position behind the sentence": (
        "opennre",
        [OPENNRE, {**OPENNRE, "h": {"pos": [3, 9]}}],
        r"line 2: the position of h is \[3, 9\], but .* 4.*from 0",
    ),
    "an empty position": ("opennre", [{**OPENNRE, "t": {"pos": [2, 2]}}], r"line 1.*\[2, 2\]"),
    "one bound": ("opennre", [{**OPENNRE, "t": {"pos": [2]}}], r"line 1.*\[2\]"),
    "overlapping mentions": (
        "tacred",
        [{**TACRED, "obj_start": 1}],
        r"record 1: the mentions \[0, 8\] and \[4, 18\] overlap",
    ),
    "a document twice": ("tacred", [TACRED, TACRED], "record 2.*'e1'.*number 1"),
    "another entity's number": (
        "docred",
        [{**DOCRED, "labels": [{"h": 0, "t": 2, "r": "P19"}]}],
        "record 1: the tail of P19 is entity 2, but there are 2",
    ),
    "evidence that is no sentence": (
        "docred",
        [{**DOCRED, "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [5]}]}],
        "sentence 5",
    ),
    "an empty token": ("docred", [{**DOCRED, "sents": [["Ada", ""]]}], "sentence 0.*empty token"),
    "a mention in no sentence": (
        "docred",
        [{**DOCRED, "vertexSet": [[{"name": "X", "sent_id": 7, "pos": [0, 1], "type": "PER"}]]}],
        "'X' stands in sentence 7",
    ),
    "byte-level pieces": (
        "erica",
        [{**PIECES, "tokenized_sents": [[["\u0120ada"], ["\u0120left"]]]}],
        "byte-level",
    ),
    "an open tag": ("semeval", '1\t"A <e1>b</e1> <e2>c"\nOther\n', "line 1.*e2"),
    "tags in one another": (
        "semeval",
        '1\t"A <e1>b <e2>c</e2></e1>"\nOther\n',
        "line 1.*<e2>.*out of place",
    ),
    "two relations": ("semeval", '1\t"<e1>a</e1> <e2>b</e2>"\nOther\nOther\n', "line 3: 'Other'"),
    "a missing mark": ("scibert", [{"text": "a << b >>", "label": "X"}], "line 1.*one << >>"),
    "tokens with a gap": (
        "fewrel",
        {"P1": [{"tokens": ["a", "b", "c"], "h": ["a", "Q1", [[0, 2]]], "t": ["b", "Q2", [[1]]]}]},
        r"P1, example 1: h has the tokens \[0, 2\]",
    ),
    "an unknown key": ("jsonl", [{**JSONL, "entitys": []}], "line 1.*entitys"),
    "an offset behind the text": (
        "jsonl",
        [{**JSONL, "entities": [{"mentions": [[0, 400]]}], "relations": []}],
        r"line 1: the mention \[0, 400\] .* 28 characters",
    ),
    "sentences out of order": (
        "jsonl",
        [{**JSONL, "sentences": [[15, 28], [0, 14]]}],
        r"\[0, 14\]",
    ),
    "no mention": ("jsonl", [{**JSONL, "entities": [{"mentions": []}]}], "no mentions"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_place_and_mend(case: str, tmp_path: Path) -> None:
    name, content, message = WRONG[case]
    with pytest.raises(SourceError, match=f"(?s){message}") as refused:
        documents(tmp_path, name, content)
    assert str(tmp_path / "file") in refused.value.where
    assert refused.value.mend


def test_an_unknown_label_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'born in' is none of the 2 .*Did you mean 'born_in'"):
        documents(tmp_path, "opennre", [OPENNRE], relations=["born_in", "died_in"])


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'docredd'.*Did you mean docred\?.*tacred"):
        list(read("docredd", Path("x"), Counts()))


def test_relations_of_one_entity_and_repeated_ones_are_counted(tmp_path: Path) -> None:
    label = {"h": 0, "t": 1, "r": "P19"}
    item = {**DOCRED, "labels": [label, {**label, "t": 0}, label]}
    counts = Counts()
    (document,) = read("docred", written(tmp_path, [item]), counts)
    assert len(document.relations) == 1
    assert counts.drops == {"self_relation": 1, "repeated_relation": 1}


def test_what_released_files_are_known_for_is_counted(tmp_path: Path) -> None:
    overlap = {**ARNOR, "tail": {"word": "Ada", "type": "CITY", "pos": [0, 0]}}
    counts = Counts()
    assert len(list(read("arnor", written(tmp_path, [ARNOR, ARNOR, overlap]), counts))) == 2
    assert counts.drops == {"overlapping_mentions": 1}
    assert counts.counts == {"repeated_documents": 1}


RELEASED: list[tuple[str, str, int, int]] = [
    ("docred", "re-docred/dev_revised.json.gz", 500, 17284),
    ("docred", "revisit-docred/valid_scratch.json.gz", 96, 3308),
    ("docred", "docred-test-unlabelled/test.json.gz", 1000, 0),
    ("opennre", "wiki80-part/dev.txt.gz", 5600, 5600),
    ("opennre", "semeval2010-task8/train.txt.gz", 6507, 6507),
    ("arnor", "arnor-nyt/test_noise_ner.json.gz", 508, 508),
    ("tacred", "tacred-format-sample/train.json.gz", 20, 20),
    ("semeval", "semeval2010-task8-official/TRAIN_FILE.TXT.gz", 8000, 8000),
    ("semeval", "semeval2010-task8-official/TEST_FILE_FULL.TXT.gz", 2717, 2717),
    ("scibert", "chemprot/train.txt.gz", 4169, 4169),
    ("scibert", "chemprot/dev.txt.gz", 2427, 2427),
    ("scibert", "sciie/test.txt.gz", 974, 974),
    ("fewrel", "fewrel/val_wiki.json.gz", 11200, 11200),
    ("fewrel", "fewrel/pubmed_unsupervised.json.gz", 2500, 0),
]


@pytest.mark.parametrize(("name", "file", "size", "labels"), RELEASED)
def test_released_files_read_whole(name: str, file: str, size: int, labels: int) -> None:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if folder is None:
        pytest.skip("RELMILL_REAL_DATA names no folder of real corpora")
    found = list(read(name, Path(folder) / file, Counts()))
    assert len(found) == size
    assert sum(len(document.relations) for document in found) == labels
    tokenised = name not in ("semeval", "scibert")
    assert all(bool(document.tokens) == tokenised for document in found)


def test_each_format_is_tested() -> None:
    assert {name for name, *_ in WRONG.values()} | {name for name, *_ in RELEASED} >= set(FORMATS)
