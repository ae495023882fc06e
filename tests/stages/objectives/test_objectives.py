"""Objectives on a made-up corpus: what is drawn, disguised and paid for; an update however cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stages.model.batch import NO_LABEL
from stages.model.course import Groups, Objective, PretrainCourse, Taken, flat
from stages.model.encoder import Encoder, new_encoder
from stages.model.update import back_propagate
from stages.objectives import OBJECTIVES, make_objective
from stages.objectives.cp import CpConfig
from stages.objectives.ed import EdConfig
from stages.objectives.mlm import MlmOnlyConfig
from stages.objectives.mtb import MtbConfig
from stages.objectives.parts import BlankConfig, MlmConfig
from stages.objectives.rd import RdConfig
from stages.objectives.setting import Setting
from storage.errors import ConfigError
from tests.stages.model import made

NONE = MlmConfig(weight=0.0)
CONFIGS = [
    CpConfig(),
    CpConfig(mlm=NONE, positives="sampled", representation="cls", pool="micro"),
    CpConfig(mlm=NONE, weights=True),
    MtbConfig(),
    MlmOnlyConfig(),
    EdConfig(),
    EdConfig(representation="marker", mlm=NONE),
    RdConfig(),
    RdConfig(scopes=(), negatives=None, positives="all", representation="marker", mlm=NONE),
]


def encoder(dropout: float = 0.0) -> Encoder:
    return new_encoder(
        made.tokenizer(), layers=1, width=16, heads=2, max_pieces=128, dropout=dropout, seed=1
    )


def setting(documents: int = 12, dropout: float = 0.0) -> Setting:
    corpus = made.corpus(3, documents=documents)
    return Setting(corpus, encoder(dropout), 7, [f"name of {r}" for r in corpus.relations])


def taken(objective: Objective, epoch: int = 0) -> Taken:
    groups = objective.epoch(epoch)
    return flat(groups, np.arange(len(groups.rows)), np.arange(len(groups.rows)), epoch)


def named(config: Any) -> str:
    return str(config.name)


def test_every_objective_is_tried_here() -> None:
    assert {named(config) for config in CONFIGS} == set(OBJECTIVES)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_an_update_pays_the_same_however_it_is_cut(config: Any) -> None:
    gradients, told = [], []
    for tokens in (10_000, 120):
        given = setting()
        objective = make_objective(config, given)
        count = len(objective.epoch(0).rows)
        course = PretrainCourse([(objective, count)], steps=1, micro_tokens=tokens)
        update = course.update(0)
        assert (len(update.parts[0].micros) > 1) == (tokens == 120)
        told.append(back_propagate(update.parts, torch.device("cpu")))
        gradients.append(
            torch.cat([p.grad.flatten() for p in given.encoder.parameters() if p.grad is not None])
        )
    assert set(told[0]) == set(told[1])
    assert gradients[0].norm() > 0
    if (
        getattr(config, "pool", "global") == "global"
        and getattr(config, "positives", "all") == "all"
    ):
        assert told[0] == pytest.approx(told[1], rel=1e-4)
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_the_masks_say_how_many_terms_there_will_be(config: Any) -> None:
    objective = make_objective(config, setting())
    micro = objective.collate(taken(objective))
    output = objective.forward(micro)
    counts = objective.counts([micro])
    for name, loss in output.losses.items():
        assert loss.count == counts[name] > 0
        assert name in objective.weights
    for name, loss in objective.pooled(output.rows, [micro]).items():
        assert torch.isfinite(loss.sum)
        assert name in objective.weights


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_epochs_differ_and_repeat(config: Any) -> None:
    objective = make_objective(config, setting())
    first = objective.collate(taken(objective, 0)).batch.ids_T
    again = make_objective(config, setting()).collate(taken(objective, 0)).batch.ids_T
    later = objective.collate(taken(objective, 1)).batch.ids_T
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_an_update_over_two_epochs_disguises_each_text_as_in_its_own(config: Any) -> None:
    objective = make_objective(config, setting())
    parts = [taken(objective, epoch).take(np.arange(2)) for epoch in (1, 0)]
    both = Taken(*(np.concatenate(c) for c in zip(*(p.columns() for p in parts), strict=True)))
    whole = objective.collate(both).batch.ids_T
    apart = [objective.collate(part).batch.ids_T for part in reversed(parts)]
    assert np.array_equal(whole, np.concatenate(apart))


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_examples_can_be_looked_up(config: Any) -> None:
    objective = make_objective(config, setting())
    rows = objective.epoch(0).rows[:3].flatten()
    assert len(objective.names(rows)) == len(rows)
    assert all(":" in name for name in objective.names(rows))


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_no_text_is_longer_than_it_was_said_to_be(config: Any) -> None:
    objective = make_objective(config, setting())
    if named(config) in ("cp", "mtb"):
        own = taken(objective)
        batch = objective.collate(own).batch
        assert (batch.lengths_B <= objective.lengths(own.rows)).all()


class TestCp:
    def masks(self, **changed: Any) -> tuple[Any, Any, Any]:
        objective: Any = make_objective(CpConfig(mlm=NONE, **changed), setting())
        own = taken(objective)
        rows = {
            "rows": torch.as_tensor(own.rows),
            "targets": torch.as_tensor(own.targets),
            "groups": torch.as_tensor(own.groups),
        }
        positive, negative = objective._masks(rows, rows)
        return objective, own, (positive, negative)

    def test_positives_share_the_relation_and_negatives_no_relation_of_the_pair(self) -> None:
        objective, own, (positive, negative) = self.masks()
        labels = objective._labels
        held: dict[int, set[int]] = {}
        for example, relation in zip(labels.example_R, labels.relation_R, strict=True):
            held.setdefault(int(example), set()).add(int(relation))
        for a, row in enumerate(own.rows):
            for k, other in enumerate(own.rows):
                one, two = int(labels.example_R[row]), int(labels.example_R[other])
                same = own.targets[a] == own.targets[k]
                assert positive[a, k] == (same and one != two)
                shared = bool(held[one] & held[two])
                assert negative[a, k] == (not same and one != two and not shared)

    @pytest.mark.parametrize("weights", [True, False])
    def test_the_loss_is_a_plain_loop_over_anchors(self, weights: bool) -> None:
        objective, own, (positive, negative) = self.masks(weights=weights)
        dice = np.random.default_rng(5)
        objective._labels.weight_R[:] = dice.uniform(1, 3, len(objective._labels.weight_R))
        weight = objective._labels.weight_R[own.rows] if weights else np.ones(len(own.rows))
        texts = torch.as_tensor(dice.normal(size=(len(own.rows), 8)), dtype=torch.float64)
        loss = objective.pooled({"text": texts}, [objective.collate(own)])["cp"]
        unit = texts / texts.norm(dim=1, keepdim=True)
        heat = torch.exp(unit @ unit.T / 0.05)
        total, anchors = 0.0, 0
        for a in range(len(own.rows)):
            partners = positive[a].nonzero().flatten().tolist()
            against = negative[a].nonzero().flatten().tolist()
            rest = sum(weight[c] * float(heat[a, c]) for c in against)
            terms = [-np.log(float(heat[a, p]) / (float(heat[a, p]) + rest)) for p in partners]
            total += float(weight[a]) * float(np.mean(terms)) if terms else 0.0
            anchors += bool(terms)
        assert loss.count == anchors > 0
        assert float(loss.sum) == pytest.approx(total, rel=1e-5)

    def test_a_sampled_positive_is_the_partner(self) -> None:
        _, own, (positive, _) = self.masks(positives="sampled")
        assert positive.sum(dim=1).max() == 1
        for a, k in positive.nonzero().tolist():
            assert own.groups[a] == own.groups[k]

    def test_false_negatives_may_be_kept(self) -> None:
        _, _, (_, masked) = self.masks()
        _, _, (_, kept) = self.masks(mask_false_negatives=False)
        assert (kept & masked).equal(masked)
        assert kept.sum() > masked.sum()


class TestBlanks:
    def test_static_blanks_are_the_same_in_every_epoch(self) -> None:
        blank = BlankConfig(probability=0.5, static=True)
        objective = make_objective(CpConfig(mlm=NONE, blank=blank), setting())
        rows = np.unique(taken(objective).rows)

        def shown(epoch: int) -> Any:
            same = Groups(rows[:, None], np.zeros(len(rows), dtype=np.int64))
            numbers = np.arange(len(rows))
            return objective.collate(flat(same, numbers, numbers, epoch)).batch.ids_T

        assert np.array_equal(shown(0), shown(5))

    def test_all_and_none_are_blanked_at_the_ends_of_the_range(self) -> None:
        for probability in (0.0, 1.0):
            blank = BlankConfig(probability=probability)
            given = setting()
            objective = make_objective(CpConfig(mlm=NONE, blank=blank), given)
            batch = objective.collate(taken(objective)).batch
            share = (batch.ids_T == given.encoder.markers.blank).sum() / len(batch)
            assert share == 2 * probability


class TestMtb:
    def test_half_of_the_groups_are_of_one_pair_and_all_positives_are_used(self) -> None:
        objective: Any = make_objective(MtbConfig(negatives="random", mlm=NONE), setting(60))
        groups = objective.epoch(0)
        heads, tails = objective._heads, objective._tails
        for (a, b), target in zip(groups.rows, groups.targets, strict=True):
            assert target == (heads[a] == heads[b] and tails[a] == tails[b])
        assert groups.targets.mean() == 0.5
        used = {tuple(sorted(pair)) for pair in groups.rows[groups.targets == 1].tolist()}
        assert used == {tuple(sorted(pair)) for pair in objective._positives.tolist()}

    def test_the_two_texts_of_a_group_are_compared(self) -> None:
        objective: Any = make_objective(MtbConfig(negatives="random", mlm=NONE), setting(60))
        own = taken(objective)
        micro = objective.collate(own)
        texts = torch.randn(len(own.rows), 8, dtype=torch.float64)
        total = 0.0
        for n in range(0, len(own.rows), 2):
            logit = float(texts[n] @ texts[n + 1])
            probability = 1 / (1 + np.exp(-logit))
            total -= np.log(probability if own.targets[n] else 1 - probability)
        loss = objective.pooled({"text": texts}, [micro])["mtb"]
        assert loss.sum.item() == pytest.approx(total)
        assert loss.count == len(own.rows) // 2


class TestEd:
    def test_the_answer_is_a_loop_over_the_equation(self) -> None:
        given = setting()
        objective: Any = make_objective(EdConfig(mlm=NONE), given)
        micro = objective.collate(taken(objective))
        batch, question = micro.batch, micro.question
        vectors = torch.randn(len(batch.entity_sequence_E), 5, dtype=torch.float64)
        total = 0.0
        for a, (head, tail) in enumerate(zip(question.head_A, question.tail_A, strict=True)):

            def likeness(entity: int, head: int = head) -> float:
                x, y = vectors[head], vectors[entity]
                return float(torch.exp((x @ y) / (x.norm() * y.norm()) / 0.05))

            others = [
                e
                for e in np.flatnonzero(batch.entity_sequence_E == a)
                if e != head and (e == tail or not question.true_AE[a, e])
            ]
            assert tail in others
            total -= np.log(likeness(tail) / sum(likeness(e) for e in others))
        from stages.objectives.ed import answer

        loss = answer(vectors, micro, EdConfig())
        assert loss.sum.item() == pytest.approx(total)
        assert loss.count == len(question.head_A)

    def test_what_is_asked_is_a_label_and_its_name_stands_in_front(self) -> None:
        given = setting()
        objective: Any = make_objective(EdConfig(mlm=NONE), given)
        own = taken(objective)
        micro = objective.collate(own)
        batch, tokenizer = micro.batch, given.encoder.tokenizer
        corpus = given.corpus
        for b, document in enumerate(own.rows):
            relation = int(micro.question.relation_A[b])
            start = batch.cu_seqlens[b]
            ids = tokenizer(given.relation_names[relation], add_special_tokens=False)["input_ids"]
            assert batch.ids_T[start + 1 : start + 1 + len(ids)].tolist() == ids
            bounds = corpus.label.bounds[document : document + 2]
            assert relation in corpus.label["relation"][slice(*bounds)]
            assert relation != 0

    def test_every_label_is_drawn_about_equally_often(self) -> None:
        objective: Any = make_objective(EdConfig(mlm=NONE), setting(1))
        corpus = objective._documents.corpus
        labels = int((corpus.label["relation"] != 0).sum())
        assert labels > 2
        seen = [
            (
                int(question.relation_A[0]),
                int(question.head_A[0]),
                int(question.tail_A[0]),
            )
            for question in (objective.collate(taken(objective, e)).question for e in range(300))
        ]
        shares = np.array([seen.count(each) / 300 for each in set(seen)])
        assert len(shares) == labels
        assert abs(shares - 1 / labels).max() < 0.12


class TestRd:
    def test_a_document_brings_all_its_labels_and_some_pairs_without(self) -> None:
        given = setting()
        corpus = given.corpus
        for most in (0, 1, 100):
            objective = make_objective(RdConfig(na_pairs=most, mlm=NONE), given)
            own = taken(objective)
            batch = objective.collate(own).batch
            relation = batch.label_relation_L
            pairs_of = batch.entity_sequence_E[batch.pair_head_P][batch.label_pair_L]
            for b, document in enumerate(own.rows):
                bounds = slice(*corpus.label.bounds[document : document + 2])
                mine = corpus.label["relation"][bounds]
                shown = relation[pairs_of == b]
                assert sorted(shown[shown != 0]) == sorted(mine[mine != 0])
                assert (shown == 0).sum() == min(most, (mine == 0).sum())

    def test_weights_of_one_are_no_weights_to_the_bit(self) -> None:
        found = []
        for weights in (False, True):
            given = setting()
            given.corpus.label["weight"][:] = 1.0
            objective = make_objective(RdConfig(weights=weights, mlm=NONE), given)
            micro = objective.collate(taken(objective))
            losses = objective.pooled(objective.forward(micro).rows, [micro])
            found.append([loss.sum.item() for loss in losses.values()])
        assert found[0] == found[1]

    def test_pairs_are_numbered_through_micro_batches(self) -> None:
        from stages.objectives.rd import label_rows

        given = setting()
        objective: Any = make_objective(RdConfig(mlm=NONE), given)
        own = taken(objective)
        whole = label_rows([objective.collate(own)], torch.zeros(1))
        halves = [objective.collate(own.take(part)) for part in np.array_split(np.arange(12), 2)]
        cut = label_rows(halves, torch.zeros(1))
        for name in whole.__dataclass_fields__:
            assert torch.equal(getattr(whole, name), getattr(cut, name)), name


def test_masked_pieces_need_a_head() -> None:
    given = setting()
    given.encoder.has_mlm_head = False
    with pytest.raises(ConfigError, match=r"mlm\.weight = 0"):
        make_objective(CpConfig(), given)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_mentions_are_never_hidden(config: Any) -> None:
    objective = make_objective(config, setting())
    batch = objective.collate(taken(objective)).batch
    if batch.token_label_T is None:
        return
    for start, end in zip(batch.mention_start_M, batch.mention_end_M, strict=True):
        assert (batch.token_label_T[start:end] == NO_LABEL).all()


@pytest.mark.parametrize("representation", ["mean", "marker"])
@pytest.mark.parametrize(("kind", "most"), [(EdConfig, 34), (RdConfig, 20)])
def test_long_documents_are_cut_alike_in_any_batch_and_what_is_lost_is_counted(
    kind: Any, most: int, representation: str
) -> None:
    # A recipe may say 64 at the least, which is longer than these documents are.
    config = kind(representation=representation, mlm=NONE).model_copy(update={"max_pieces": most})
    objective = make_objective(config, setting(40))
    assert objective.dropped["mentions_behind_max_pieces"] > 0
    own = taken(objective)
    whole = objective.collate(own).batch
    assert whole.lengths_B.max() <= most
    parts = np.array_split(np.arange(len(own.rows)), 3)
    pieces = [objective.collate(own.take(part)).batch.ids_T for part in parts]
    assert np.array_equal(whole.ids_T, np.concatenate(pieces))
