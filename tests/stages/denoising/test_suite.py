"""The suite that methods are tried on: planted noise, judged labels, what is told of a method."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.bench import page
from pipeline.bench import Subset, correlation, trial
from stages.denoising.judged import SETS, JudgedDocuments, JudgedSentences, Left, marked_sentence
from stages.denoising.noise import NO_RELATION, Planting, planted
from stages.denoising.records import Pass, Records
from stages.model.encoder import new_encoder
from stages.model.observing import Observed, ObserveSettings, observe_sentences
from stages.tasks.base import Example
from storage.errors import ConfigError, SourceError
from tests.stages.model import made

TYPES = [("PER", "LOC"), ("PER", "ORG")]


def examples(relations: int = 8, each: int = 60) -> list[Example]:
    """Relations 0, 2, 4, ... are of one pair of types, the others of another."""
    return [
        Example(f"{r}/{i}", f"{r} {i} a b", (0, 1), (2, 3), *TYPES[r % 2], f"P{r}")
        for r in range(relations)
        for i in range(each)
    ]


PLAN = Planting(relations=6, each=40, wrong=0.4, na=30)


def test_noise_is_planted_in_the_shares_that_were_asked_for() -> None:
    given = {e.id: e for e in examples()}
    found = planted(list(given.values()), PLAN, seed=3)
    labelled = [each for each in found if each.example.relation != NO_RELATION]
    wrong = [each for each in labelled if not each.right]
    assert (len(labelled), len(wrong)) == (240, 96)
    kept = {each.example.relation for each in labelled}
    assert len(kept) == 6
    swapped = [each for each in wrong if given[each.example.id].relation in kept]
    assert len(swapped) == round(0.7 * 96)
    for each in labelled:
        before = given[each.example.id]
        assert each.right == (before.relation == each.example.relation)
        # A wrong label is one that occurs with the same types.
        assert int(each.example.relation[1:]) % 2 == int(before.relation[1:]) % 2
    absent = [each for each in found if each.example.relation == NO_RELATION]
    assert Counter(each.right for each in absent) == {True: 27, False: 3}
    assert all(each.right == (given[each.example.id].relation not in kept) for each in absent)
    assert len({each.example.id for each in found}) == len(found)


def test_a_seed_plants_the_same_noise_again() -> None:
    first, again, other = (planted(examples(), PLAN, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_too_few_examples_are_an_error() -> None:
    with pytest.raises(ConfigError, match="relations have 98 examples"):
        planted(examples(), Planting(), seed=0)


def test_marks_become_spans() -> None:
    found = marked_sentence("1", "In [York]2 , [Ada Lee]1 met [Bob]1 .", "P1")
    assert found is not None
    assert found.text == "In York , Ada Lee met Bob ."
    assert [found.text[slice(*span)] for span in (found.head, found.tail)] == ["Ada Lee", "York"]
    assert marked_sentence("1", "In York , [Ada]1 left .", "P1") is None


def records(probability: list[list[float]], relation: list[int]) -> Records:
    seen = np.array(probability)
    own = Pass(seen > 0.5, -np.log(seen), seen)
    return Records(np.array(relation), own, own)


def test_every_method_is_told_of_with_its_figures() -> None:
    seen = records([[0.6, 0.9], [0.2, 0.8], [0.1, 0.4], [0.9, 0.9]], [1, 1, 2, 0])
    found = trial("made", 0, Observed(seen, np.arange(4)), [True, True, False, None], {"odd": 2})
    assert (found.labels, found.right) == (3, pytest.approx(2 / 3))
    by_name = {(score.method, score.by): score for score in found.scores}
    for name in ("learning_order", "mean_loss", "confidence", "forgetting", "cartography"):
        assert by_name[name, "batch"].auc == by_name[name, "epoch"].auc == 1.0
    assert by_name["uniform", ""].auc == 0.5
    # Within a relation nothing is to be told apart here.
    assert np.isnan(by_name["mean_loss", "batch"].within)
    assert [(s.order, s.precision) for s in found.subsets if s.by == "batch"] == [
        (0, 1.0),
        (1, 1.0),
        (2, 0.0),
    ]
    text = page(found)
    assert "made, seed 0: 3 labels, 66.7% right (left out: 2 odd)" in text
    assert "learning_order" in text


def test_small_subsets_do_not_count_in_the_correlation() -> None:
    subsets = [Subset("batch", 0, 0.5, 0.9), Subset("batch", 1, 0.49, 0.5)]
    assert correlation(subsets, "batch") == pytest.approx(-1.0)
    assert correlation([*subsets, Subset("batch", 2, 0.01, 1.0)], "batch") == pytest.approx(-1.0)


def test_a_classifier_shows_what_it_made_of_each_label(tmp_path: Path) -> None:
    own = examples(relations=2, each=4)
    settings = ObserveSettings(epochs=2, batch=4, max_pieces=24)
    encoder = new_encoder(made.tokenizer(), layers=1, width=64, heads=1, seed=0)
    seen = observe_sentences(encoder, own, settings, tmp_path, lambda *_: None)
    assert seen.place_N.tolist() == list(range(8))
    assert seen.records.relation_N.tolist() == [1] * 4 + [2] * 4
    assert seen.records.seen("batch").loss_NK.shape == (8, 2)
    assert (seen.records.seen("epoch").loss_NK > 0).all()
    assert not any(seen.lost.values())
    far = Example("far", "0 a b c d " * 8, (0, 1), (70, 71), None, None, "P1")
    short = ObserveSettings(epochs=1, batch=4, max_pieces=24)
    seen = observe_sentences(encoder, [*own, far], short, tmp_path / "far", lambda *_: None)
    assert seen.place_N.tolist() == list(range(8))
    assert seen.lost["too_far_apart"] == 1


@pytest.mark.parametrize(
    ("name", "asked", "right"),
    [
        ("wiki80-40", 2940, 1764),
        ("arnor", 452, 149),
        ("multir", 807, 248),
        ("google-re", 3525, 3144),
        ("revisit-docred", 0, 0),
    ],
)
def test_released_sets_are_read(name: str, asked: int, right: int) -> None:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if not folder:
        pytest.skip("RELMILL_REAL_DATA names no folder")
    judged = SETS[name](Path(folder), 0, Left())
    if isinstance(judged, JudgedDocuments):
        known = sum(len(d.relations) for d in judged.documents)
        assert (len(judged.documents), known) == (96, 1214)
        assert sum(len(facts) for facts in judged.complete) >= 3308
        return
    assert isinstance(judged, JudgedSentences)
    flags = [flag for flag in judged.right_N if flag is not None]
    assert (len(flags), sum(flags)) == (asked, right)


def test_no_line_of_a_judged_file_goes_uncounted(tmp_path: Path) -> None:
    lines = [
        ("P1", "y", '"[Ada]1 lives in [York]2 ."'),
        ("P1", "n", '"[Ada]1 lives in [York]2 ."'),
        ("P1", "indirect", '"[Ada]1 saw [York]2 ."'),
        ("P1", "y", '"Ada saw [York]2 ."'),
        ("P2", "n", '"[Ada]1 lives in [York]2 ."'),
    ]
    folder = tmp_path / "multir-sentential"
    folder.mkdir()
    text = "".join("\t".join(("a", "b", "c", *line)) + "\n" for line in lines)
    (folder / "sentential.txt").write_text(text)
    left = Left()
    judged = SETS["multir"](tmp_path, 0, left)
    assert isinstance(judged, JudgedSentences)
    assert judged.right_N == [True, False]
    assert left.drops == {"repeated": 1, "not_judged": 1, "not_marked": 1}


def votes(snippet: str, says: str = "yes yes no", obj: str = "/m/york") -> dict[str, Any]:
    """A line of Google's corpus about Ada Lovell."""
    return {
        "pred": "/people/deceased_person/place_of_death",
        "sub": "/m/ada",
        "obj": obj,
        "evidences": [{"url": "http://x.org/wiki/Ada_Lovell_(poet)", "snippet": snippet}],
        "judgments": [{"rater": str(i), "judgment": v} for i, v in enumerate(says.split())],
    }


def google(folder: Path, rows: list[Any], names: Any = None) -> tuple[JudgedSentences, Left]:
    """What the suite makes of some lines."""
    names = names or {"/m/york": {"label": "York", "alternatives": ["York, England", ""]}}
    made = {
        "google-re/20131104-place_of_death.json": "".join(f"{json.dumps(r)}\n" for r in rows),
        "google-re/20131104-education-degree.json": "\n",
        "entity2wikidata/entity2wikidata.json": json.dumps(names),
    }
    for name, text in made.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    left = Left()
    found = SETS["google-re"](folder, 0, left)
    assert isinstance(found, JudgedSentences)
    return found, left


def test_votes_and_the_nearest_mentions_of_a_passage_are_read(tmp_path: Path) -> None:
    rows = [
        votes("Ada Lovell wrote. In Yorkshire Lovell sang. She died in York, England."),
        votes("Lovell got a ((NAM: B.A.)) in Hull, and this ((NOM: degree)) he kept.", "no no yes"),
        votes("Lovell got a ((NAM: B.A.)) in Hull, and this ((NOM: degree)) he kept.", "no skip"),
        votes("She died in York.", "yes no skip skip skip"),
        votes("She died in Hull."),
        votes("He saw York.", obj="/m/unheard"),
        votes("They saw York.", "yes"),
    ]
    found, left = google(tmp_path, rows)
    facts, others = found.examples[:2], found.examples[2:]
    assert [example.marked() for example in facts] == [
        "Ada Lovell wrote. In Yorkshire Lovell sang. [E1]She[/E1] died in [E2]York, England[/E2].",
        "Lovell got a B.A. in Hull, and this [E2]degree[/E2] [E1]he[/E1] kept.",
    ]
    assert found.right_N == [True, False]
    assert others == []
    assert {example.relation for example in found.examples} == {"place_of_death"}
    assert left.drops == {
        "repeated": 1,
        "no_majority": 1,
        "tail_not_named": 2,
        "head_not_named": 1,
    }


def test_another_place_of_a_passage_is_one_without_a_fact(tmp_path: Path) -> None:
    names = {
        "/m/york": {"label": "York", "alternatives": ["York, England"]},
        "/m/hull": {"label": "Hull", "alternatives": ["Kingston upon Hull"]},
        "/m/kent": {"label": "Kent", "alternatives": []},
    }
    rows = [
        votes("Lovell, of Hull and Kingston upon Hull, died in York, not York, England."),
        # Nothing in the corpus is about Kent.
        votes("Lovell of Kent died in York."),
        votes("Lovell saw York.", "no", obj="/m/hull"),
    ]
    found, left = google(tmp_path, rows, names)
    marked = [example.marked() for example in found.examples]
    assert marked[2:] == [
        "[E1]Lovell[/E1], of [E2]Hull[/E2] and Kingston upon Hull, died in York, not York, England."
    ]
    assert found.examples[2].relation == NO_RELATION
    assert found.right_N == [True, True, None]
    assert left.drops == {"tail_not_named": 1}


def test_a_line_or_a_list_of_names_that_is_none_is_told_where(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"place_of_death\.json, line 2: .*evidences"):
        google(tmp_path, [votes("She died in York."), {**votes(""), "evidences": None}])
    with pytest.raises(SourceError, match="evidences is empty"):
        google(tmp_path, [{**votes(""), "evidences": []}])
    with pytest.raises(SourceError, match="does not name MIDs"):
        google(tmp_path, [], names=["/m/york"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="wiki80-part"):
        SETS["wiki80-20"](tmp_path, 0, Left())
