"""DocRED: the scorer against the official definition in plain loops, the threshold, the data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.annotated import read
from stages.annotated.document import Document
from stages.tasks import task_named
from stages.tasks.docred import (
    Fact,
    best_threshold,
    draw_documents,
    facts_of,
    is_labelled,
    names_of_facts,
    parted,
    submission,
    tags_of,
)
from storage.errors import SourceError

Item = dict[str, Any]
Triple = tuple[int, int, str]


class Tally:
    """Counts what a reader leaves out."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        self.drops[reason] += count

    def count(self, name: str, count: int = 1) -> None: ...


def item(title: str, entities: list[list[tuple[int, str]]], facts: list[Triple] | None) -> Item:
    """Return a document of two sentences; an entity is a list of (sentence, name)."""
    sents: list[list[str]] = [[title], ["."]]
    vertices = []
    for mentions in entities:
        vertex = []
        for sentence, name in mentions:
            sents[sentence].append(name)
            at = len(sents[sentence]) - 1
            vertex.append({"name": name, "sent_id": sentence, "pos": [at, at + 1], "type": "X"})
        vertices.append(vertex)
    labels = None if facts is None else [{"h": h, "t": t, "r": r} for h, t, r in facts]
    return {"title": title, "sents": sents, "vertexSet": vertices, "labels": labels}


def documents(folder: Path, items: list[Item], tally: Tally | None = None) -> list[Document]:
    path = folder / "split.json"
    path.write_text(json.dumps(items), "utf-8")
    return list(read("docred", path, tally or Tally(), split="test"))


def scored(
    test: list[Document], train: list[Document], predicted: list[set[Fact]]
) -> dict[str, float]:
    """Score predictions in the way that finetune and evaluate do."""
    task, known, kinds = task_named("docred"), names_of_facts(train), []
    for document, own in zip(test, predicted, strict=True):
        true = facts_of(document)
        for fact in true | own:
            row = {
                "gold": fact.relation if fact in true else "NA",
                "predicted": fact.relation if fact in own else "NA",
                "tags": tags_of(document, fact, known),
            }
            kinds.append(task.kind(row))
    return task.scores(Counter(kinds))


def official(
    test: list[Item], train: list[Item], predicted: list[set[Fact]]
) -> tuple[float, float]:
    """Return F1 and Ign F1 by the definition, told in plain loops over the files."""
    seen = set()
    for own in train:
        for label in own["labels"]:
            for head in own["vertexSet"][label["h"]]:
                for tail in own["vertexSet"][label["t"]]:
                    seen.add((head["name"], tail["name"], label["r"]))
    answers = right = right_seen = 0
    truth: set[Any] = set()
    for own, facts in zip(test, predicted, strict=True):
        truth |= {(own["title"], each["h"], each["t"], each["r"]) for each in own["labels"]}
        for fact in facts:
            answers += 1
            if (own["title"], fact.head, fact.tail, fact.relation) not in truth:
                continue
            right += 1
            right_seen += any(
                (head["name"], tail["name"], fact.relation) in seen
                for head in own["vertexSet"][fact.head]
                for tail in own["vertexSet"][fact.tail]
            )
    recall = right / len(truth) if truth else 0.0

    def f1(precision: float) -> float:
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    ignored = answers - right_seen
    return (
        f1(right / answers if answers else 0.0),
        f1((right - right_seen) / ignored if ignored else 0.0),
    )


def test_facts_of_the_training_data_count_by_any_alias(tmp_path: Path) -> None:
    train = [item("a", [[(0, "Ada")], [(0, "York"), (1, "Yk")]], [(0, 1, "P1")])]
    entities = [[(0, "Ada"), (1, "Lady")], [(0, "Kent")], [(1, "Yk")]]
    test = [item("b", entities, [(0, 2, "P1"), (0, 1, "P1"), (0, 1, "P1"), (1, 2, "P2")])]
    tally = Tally()
    read_test = documents(tmp_path, test, tally)
    assert tally.drops == {"repeated_relation": 1}
    predicted = [{Fact(0, 2, "P1"), Fact(0, 1, "P1"), Fact(2, 1, "P2")}]
    found = scored(read_test, documents(tmp_path, train), predicted)
    # Three facts, three answers, two of them right; "Ada P1 Yk" is known from the training data.
    assert (found["precision"], found["recall"], found["f1"]) == (2 / 3, 2 / 3, 2 / 3)
    assert found["ign_precision"] == 1 / 2
    assert found["ign_f1"] == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert official(test, train, predicted) == pytest.approx((found["f1"], found["ign_f1"]))
    # P1: 2 of 2 predicted, 2 of 2 found. P2: 0 of 1.
    assert (found["macro_f1"], found["weighted_macro_f1"]) == (1 / 2, pytest.approx(2 / 3))
    # "Kent" (0) and "Yk" (1) share no sentence, so P2 and its wrong answer are cross.
    assert (found["intra_f1"], found["cross_f1"]) == (1.0, 0.0)


NAMES = st.sampled_from(["Ada", "Bob", "Kent"])
ENTITIES = st.lists(
    st.lists(st.tuples(st.integers(0, 1), NAMES), min_size=1, max_size=2), min_size=2, max_size=3
)
TRIPLES = st.sets(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from(["P1", "P2"])).filter(
        lambda triple: triple[0] != triple[1]
    )
)
CASES = st.lists(st.tuples(ENTITIES, TRIPLES, TRIPLES), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(train=CASES, test=CASES)
def test_f1_and_ign_f1_are_the_official_ones(
    tmp_path_factory: pytest.TempPathFactory, train: Any, test: Any
) -> None:
    folder = tmp_path_factory.mktemp("docred")
    known, asked = (
        [item(f"d{i}", entities, sorted(facts)) for i, (entities, facts, _) in enumerate(cases)]
        for cases in (train, test)
    )
    predicted = [{Fact(*triple) for triple in answers} for _, _, answers in test]
    found = scored(documents(folder, asked), documents(folder, known), predicted)
    assert (found["f1"], found["ign_f1"]) == pytest.approx(official(asked, known, predicted))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12),
    st.integers(0, 4),
)
def test_the_threshold_is_the_best_of_all(pairs: list[tuple[int, bool]], missed: int) -> None:
    score = np.array([s / 5 for s, _ in pairs])
    right = np.array([r for _, r in pairs], dtype=bool)
    facts = int(right.sum()) + missed

    def f1(threshold: float) -> float:
        chosen = score > threshold
        total = int(chosen.sum()) + facts
        return 2 * int((chosen & right).sum()) / total if total else 0.0

    threshold, reached = best_threshold(score, right, facts)
    assert f1(threshold) == pytest.approx(reached)
    assert reached == pytest.approx(max(f1(t) for t in (-1.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1)))


def test_documents_are_drawn_by_a_hash_of_their_ids(tmp_path: Path) -> None:
    items = [item(f"d{i}", [[(0, "Ada")], [(0, "Kent")]], []) for i in range(30)]
    all_of_them = documents(tmp_path, items)
    few, more = (draw_documents(all_of_them, share, seed=1) for share in (0.1, 0.5))
    assert (len(few), len(more)) == (3, 15)
    assert {d.id for d in few} < {d.id for d in more}
    assert few != draw_documents(all_of_them, 0.1, seed=2)
    chosen, others = parted(all_of_them, 0.5, seed=1)
    assert sorted(d.id for d in chosen + others) == sorted(d.id for d in all_of_them)


def test_a_file_without_labels_is_told_from_one_without_facts(tmp_path: Path) -> None:
    entities = [[(0, "Ada")], [(0, "Kent")]]
    assert is_labelled(documents(tmp_path, [item("a", entities, [])]))
    (document,) = unlabelled = documents(tmp_path, [item("a", entities, None)])
    assert not is_labelled(unlabelled)
    told = json.loads(submission([(document, Fact(0, 1, "P1"))]))
    assert told == [{"title": "a", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": []}]


def test_a_task_that_needs_labels_says_where_to_name_them() -> None:
    from stages.tasks.docred import require_labels

    with pytest.raises(SourceError, match="the train split is missing"):
        require_labels([], "the train split", "Name it")
