"""A classifier that learnt gold documents looks at distant labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.annotated.document import Document, Entity, Mention, Relation
from stages.model.document_data import document_data
from stages.model.encoder import new_encoder
from stages.model.judging import judge
from stages.model.loop import begin
from tests.stages.model import made

TEXT = "Ada met Bob in York ."


def document(number: int, *relations: Relation) -> Document:
    spans = [(0, 3), (8, 11), (15, 19)]
    entities = tuple(Entity((Mention(s, 0, TEXT[slice(*s)]),)) for s in spans)
    text = ((0, len(TEXT)),)
    return Document(str(number), "", TEXT, text, (), entities, relations, na=None)


@pytest.mark.parametrize("confidence", ["label", "max"])
def test_each_label_with_a_gold_relation_gets_its_probability(
    confidence: str, tmp_path: Path
) -> None:
    encoder = new_encoder(made.tokenizer(), layers=1, width=64, heads=1, seed=0)
    gold = [document(i, Relation(0, 1, "met"), Relation(1, 2, "in")) for i in range(4)]
    one = document(9, Relation(0, 1, "met"), Relation(0, 1, "knows"), Relation(2, 0, "in"))
    silver = [one, replace(one, id="10", relations=())]
    corpus = document_data(encoder, silver, ["NA", "in", "knows", "met"]).corpus
    values = {
        "batch": 2,
        "warmup": 0.1,
        "epochs": 30,
        "max_pieces": 64,
        "micro_tokens": 256,
        "seed": 0,
        "loss": "bce",
        "na_ratio": None,
        "learning_rate": 3e-3,
        "confidence": confidence,
    }
    seen, unknown, lost = judge(
        encoder,
        gold,
        corpus,
        values,
        begin(0),
        tmp_path,
        tell=lambda *_: None,
        stopping=lambda: False,
    )
    relation = corpus.label["relation"]
    assert (unknown, lost) == (1, {"behind_max_pieces": 0})
    assert (seen.shown_NK[:, 0] == (relation != 2)).all()
    shown = seen.shown_NK[:, 0]
    probability, loss = seen.probability_NK[shown, 0], seen.loss_NK[shown, 0]
    right = seen.correct_NK[shown, 0]
    if confidence == "max":
        # A label that is the answer has the probability of the answer; any other has a lower one.
        np.testing.assert_allclose(np.exp(-loss)[right], probability[right], rtol=1e-4)
        assert (np.exp(-loss)[~right] < probability[~right]).all()
        assert right.any()
        assert not right.all()
        return
    np.testing.assert_allclose(np.exp(-loss), probability, rtol=1e-4)
    # What stands in the gold documents is believed, and what does not is not.
    believed = {int(r): float(p) for r, p in zip(relation[shown], probability, strict=True) if r}
    assert believed[3] > 0.4 > believed[1]
    assert seen.correct_NK[relation == 3].all()
    assert not seen.correct_NK[relation == 1].any()
