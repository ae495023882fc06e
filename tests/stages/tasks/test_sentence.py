"""Sentence tasks: examples and subsets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.annotated import read
from stages.annotated.document import Document, Entity, Mention, Relation
from stages.tasks import TASKS, task_named
from stages.tasks.base import Example, pair_examples
from stages.tasks.scores import confusion
from stages.tasks.subsets import draw
from storage.errors import ConfigError, SourceError

TEXT = "Once Kent saw Ada leave."


class Nobody:
    def drop(self, reason: str, key: object, count: int = 1) -> None: ...

    def count(self, name: str, count: int = 1) -> None: ...


def document(*relations: Relation, entities: int = 2) -> Document:
    spans = [(14, 17), (5, 9), (18, 23)][:entities]
    named = tuple(Entity((Mention(s, 0, TEXT[slice(*s)], "T"),)) for s in spans)
    return Document("1", "", TEXT, ((0, len(TEXT)),), (), named, relations, split="dev")


def labelled(relations: list[str]) -> list[Example]:
    return [
        Example(f"train/{i}", TEXT, (14, 17), (5, 9), None, None, relation)
        for i, relation in enumerate(relations)
    ]


def test_each_labelled_pair_is_an_example() -> None:
    (one,) = pair_examples([document(Relation(0, 1, "left"))])
    assert (one.id, one.head, one.tail, one.relation) == ("dev/1", (14, 17), (5, 9), "left")
    both = pair_examples([document(Relation(0, 1, "left"), Relation(1, 0, "saw"))])
    assert [(e.id, e.head, e.relation) for e in both] == [
        ("dev/1/0", (14, 17), "left"),
        ("dev/1/1", (5, 9), "saw"),
    ]


def test_an_unlabelled_text_of_two_entities_is_an_example() -> None:
    (one,) = pair_examples([document()])
    assert (one.head, one.relation) == ((14, 17), None)
    with pytest.raises(SourceError, match="3 entities and no relation"):
        list(pair_examples([document(entities=3)]))


@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=120),
    st.sampled_from([0.01, 0.1, 0.5]),
    st.integers(0, 3),
)
def test_a_subset_takes_the_ceiling_of_each_relation(
    relations: list[str], fraction: float, seed: int
) -> None:
    examples = labelled(relations)
    subset = draw(examples, fraction, seed)
    found = Counter(example.relation for example in subset.examples)
    for relation, count in Counter(relations).items():
        numerator, denominator = fraction.as_integer_ratio()
        exact = {0.01: (1, 100), 0.1: (1, 10), 0.5: (1, 2)}[fraction]
        assert found[relation] == -(-count * exact[0] // exact[1]), (numerator, denominator)
    smaller = draw(examples, 0.01, seed)
    assert {e.id for e in smaller.examples} <= {e.id for e in subset.examples}
    shuffled = draw(examples[::-1], fraction, seed)
    assert shuffled.examples == subset.examples[::-1]


def test_seeds_draw_different_subsets_and_a_manifest_says_which() -> None:
    examples = labelled(["a"] * 50 + ["b"] * 30)
    first, second = draw(examples, 0.1, 0), draw(examples, 0.1, 1)
    assert first.examples != second.examples
    manifest = json.loads(first.manifest())
    assert manifest["ids"] == [example.id for example in first.examples]
    assert (manifest["relations"], manifest["of"]) == ({"a": 5, "b": 3}, 80)
    with pytest.raises(ConfigError, match="fraction is 0"):
        draw(examples, 0.0, 0)


@pytest.mark.parametrize(
    ("file", "format", "one", "ten"),
    [
        ("semeval2010-task8/train.txt.gz", "opennre", 73, 660),
        ("chemprot/train.txt.gz", "scibert", 49, 423),
    ],
)
def test_subsets_of_released_files_have_the_published_sizes(
    file: str, format: str, one: int, ten: int
) -> None:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if folder is None:
        pytest.skip("RELMILL_REAL_DATA names no folder of real benchmarks")
    examples = list(pair_examples(read(format, Path(folder) / file, Nobody(), split="train")))
    assert len(draw(examples, 0.01, 0).examples) == one
    assert len(draw(examples, 0.1, 0).examples) == ten


@pytest.mark.parametrize("name", TASKS)
def test_every_task_answers_with_its_metric(name: str) -> None:
    task = task_named(name)
    assert task.name == name
    gold = ["Cause-Effect(e1,e2)", "Other"]
    assert task.scores(confusion(gold, gold))[task.metric] == 1.0
    assert task.scores(confusion(gold, gold[::-1]))[task.metric] == 0.0


def test_semeval_leaves_other_out_and_a_file_of_ones_own_finds_its_na() -> None:
    gold, predicted = ["no_relation", "a", "a", "b"], ["a", "a", "a", "b"]
    scores = task_named("relation_file").scores(confusion(gold, predicted))
    assert scores["accuracy"] == 0.75
    assert scores["micro_f1"] == pytest.approx(2 * 3 / (4 + 3))


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'semevl'.*Did you mean semeval\?"):
        task_named("semevl")


def test_tasks_load_without_torch() -> None:
    code = (
        "import sys; from stages.tasks import TASKS, task_named; "
        "[task_named(n) for n in TASKS]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
