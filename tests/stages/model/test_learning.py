"""Learning order: what is shown, the head, and the records against a plain loop."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from stages.model.batch import NA
from stages.model.classify import Classifier
from stages.model.corpus import Corpus
from stages.model.encoder import new_encoder
from stages.model.heads import BilinearHead, distance_bucket
from stages.model.label_records import LabelRecords, Seen
from stages.model.learning import LearningCourse, judged, targets
from stages.model.loop import LoopSettings, train
from stages.model.losses import binary_per_class
from stages.model.optimizer import make_optimizer
from stages.model.relate import DocumentClassifier
from stages.model.shown import ShownDocuments, ShownSentences
from stages.model.update import Autocast
from storage.errors import StageError, StoppedError
from tests.stages.model import made

EPOCHS, BATCH, SEED, RATE = 3, 3, 5, 1e-3
KINDS: dict[str, tuple[Any, Any]] = {
    "document": (DocumentClassifier, ShownDocuments),
    "sentence": (Classifier, ShownSentences),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def model_of(kind: str, corpus: Corpus, dropout: float = 0.0) -> Any:
    encoder = new_encoder(
        made.tokenizer(), layers=1, width=16, heads=2, max_pieces=128, dropout=dropout, seed=1
    )
    torch.manual_seed(0)
    return KINDS[kind][0](encoder, len(corpus.relations)).train()


def shown_of(kind: str, corpus: Corpus, na_ratio: float | None = 3.0, max_pieces: int = 128) -> Any:
    return KINDS[kind][1](corpus, max_pieces=max_pieces, na_ratio=na_ratio, seed=SEED)


def learnt(
    folder: Path,
    kind: str = "document",
    *,
    dropout: float = 0.0,
    stop_at: int | None = None,
    loss: str = "ce",
    micro_tokens: int = 10_000,
    autocast: Autocast = nullcontext,
) -> tuple[Seen, Seen]:
    corpus = made.corpus(3, documents=7)
    model = model_of(kind, corpus, dropout)
    records = [LabelRecords(folder / name, 0) for name in ("batch", "epoch")]
    course = LearningCourse(
        model,
        corpus,
        shown_of(kind, corpus),
        epochs=EPOCHS,
        batch_size=BATCH,
        micro_tokens=micro_tokens,
        seed=SEED,
        loss=loss,  # type: ignore[arg-type]
        by_batch=records[0],
        by_epoch=records[1],
        device=torch.device("cpu"),
        autocast=autocast,
    )
    done: list[int] = []
    settings = LoopSettings(
        learning_rate=RATE, total_steps=course.steps, schedule="constant", clip_norm=1e9
    )
    torch.manual_seed(9)
    train(
        model,
        course,
        settings,
        Accelerator(cpu=True),
        folder,
        tell=lambda step, _: done.append(step),
        stopping=lambda: len(done) == stop_at,
    )
    labels = len(corpus.label["relation"])
    return records[0].read(labels, EPOCHS), records[1].read(labels, EPOCHS)


def judged_slowly(logits: Tensor, labels: list[int], own: int) -> tuple[bool, float]:
    """Answer and loss of one label of a pair, the pair's other labels left out."""
    left = [r for r in range(len(logits)) if r == own or r not in labels]
    z = math.log(sum(math.exp(float(logits[r])) for r in left))
    return max(left, key=lambda r: float(logits[r])) == own, z - float(logits[own])


@EACH_KIND
def test_orders_are_those_of_a_plain_loop(kind: str, tmp_path: Path) -> None:
    by_batch, by_epoch = learnt(tmp_path, kind)
    corpus = made.corpus(3, documents=7)
    model, shown = model_of(kind, corpus), shown_of(kind, corpus)
    optimizer = make_optimizer(model, learning_rate=RATE, weight_decay=0.0)
    bounds = corpus.labels_of_pair
    expected = [dict[int, int](), dict[int, int]()]

    def look(unit: int, pairs: Any, epoch: int, which: int) -> tuple[Tensor, int]:
        batch, numbers = shown.batch(np.array([unit]), pairs)
        logits = model(batch.to("cpu"))
        total, count = torch.zeros(()), 0
        for row, pair in zip(logits, numbers.tolist(), strict=True):
            rows = range(int(bounds[pair]), int(bounds[pair + 1]))
            labels = [int(corpus.label["relation"][i]) for i in rows]
            for place, own in zip(rows, labels, strict=True):
                correct, loss = judged_slowly(row.detach(), labels, own)
                seen = (by_batch, by_epoch)[which]
                assert seen.shown_NK[place, epoch]
                assert seen.correct_NK[place, epoch] == correct
                assert seen.loss_NK[place, epoch] == pytest.approx(loss, abs=1e-3)
                assert seen.probability_NK[place, epoch] == pytest.approx(math.exp(-loss), abs=1e-3)
                if correct:
                    expected[which].setdefault(place, epoch)
                out = [r for r in labels if r != own]
                kept = row.clone()
                kept[out] = float("-inf")
                total, count = total + kept.logsumexp(0) - row[own], count + 1
        return total, count

    for epoch in range(EPOCHS):
        pairs = shown.epoch(epoch)
        units = np.random.default_rng([SEED, epoch]).permutation(shown.units(pairs)).tolist()
        for first in range(0, len(units), BATCH):
            found = [look(unit, pairs, epoch, 0) for unit in units[first : first + BATCH]]
            (sum(t for t, _ in found) / sum(n for _, n in found)).backward()  # type: ignore[union-attr]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        model.eval()
        with torch.no_grad():
            for unit in units:
                look(unit, pairs, epoch, 1)
        model.train()
    for seen, orders in zip((by_batch, by_epoch), expected, strict=True):
        found = {i: k for i, k in enumerate(seen.order_N().tolist()) if k < EPOCHS}
        assert found == orders
    assert set(by_batch.order_N().tolist()) >= {0, EPOCHS}
    assert (by_batch.order_N() != by_epoch.order_N()).sum() > 0


@pytest.mark.parametrize("stop_at", [1, 2, 4, 8])
def test_what_was_recorded_survives_a_stop(stop_at: int, tmp_path: Path) -> None:
    whole = learnt(tmp_path / "whole", dropout=0.3)
    with pytest.raises(StoppedError):
        learnt(tmp_path / "stopped", dropout=0.3, stop_at=stop_at)
    # A kill may leave half a row at the end of a file.
    for path in (tmp_path / "stopped" / "batch").glob("*.bin"):
        with path.open("ab") as file:
            file.write(b"\1\2\3")
    again = learnt(tmp_path / "stopped", dropout=0.3)
    for one, other in zip(whole, again, strict=True):
        for name in ("shown_NK", "correct_NK", "loss_NK", "probability_NK"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_dropout_is_on_in_the_batch_pass_and_off_in_the_other(tmp_path: Path) -> None:
    plain, noisy = learnt(tmp_path / "a"), learnt(tmp_path / "b", dropout=0.3)
    assert not np.array_equal(plain[0].loss_NK[:, 0], noisy[0].loss_NK[:, 0])
    corpus = made.corpus(3, documents=7)
    model, shown = model_of("document", corpus, 0.3), shown_of("document", corpus)
    pairs = shown.epoch(0)
    batch, _ = shown.batch(shown.units(pairs), pairs)
    model.eval()
    again = copy.deepcopy(model)
    assert torch.equal(model(batch.to("cpu")), again(batch.to("cpu")))


def test_labels_are_looked_at_in_the_precision_of_training(tmp_path: Path) -> None:
    plain = learnt(tmp_path / "a")
    rounded = learnt(tmp_path / "b", autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    assert np.array_equal(plain[0].loss_NK, rounded[0].loss_NK)
    assert not np.array_equal(plain[1].loss_NK, rounded[1].loss_NK)
    np.testing.assert_allclose(plain[1].loss_NK, rounded[1].loss_NK, rtol=0.05, atol=1e-3)


def test_records_do_not_hang_on_how_an_update_is_cut(tmp_path: Path) -> None:
    one, other = learnt(tmp_path / "a"), learnt(tmp_path / "b", micro_tokens=40)
    assert np.array_equal(one[0].order_N(), other[0].order_N())
    np.testing.assert_allclose(one[0].loss_NK, other[0].loss_NK, atol=1e-3)


def test_binary_losses_are_recorded_of_the_label_alone(tmp_path: Path) -> None:
    seen, _ = learnt(tmp_path, loss="bce")
    shown = seen.shown_NK
    np.testing.assert_allclose(seen.probability_NK[shown], np.exp(-seen.loss_NK[shown]), rtol=1e-5)
    logits = torch.randn(4, 3)
    wanted = torch.rand(4, 3) < 0.5
    slow = sum(
        -math.log(1 / (1 + math.exp(-x if y else x)))
        for x, y in zip(logits.flatten().tolist(), wanted.flatten().tolist(), strict=True)
    )
    loss = binary_per_class(logits, wanted)
    assert float(loss.mean()) == pytest.approx(slow / 12, rel=1e-5)
    assert int(loss.count) == 4


def test_the_other_labels_of_a_pair_stay_out_and_na_is_0() -> None:
    corpus = made.corpus(3, documents=7)
    shown = shown_of("document", corpus, None)
    pairs = shown.epoch(0)
    batch = shown.batch(shown.units(pairs), pairs)[0].to("cpu")
    target, others, wanted = targets(batch, len(corpus.relations))
    assert ((target == NA) == wanted[batch.label_pair_L, NA]).all()
    assert not others[:, NA].any()
    assert others.any()
    # A logit that is masked may be as high as it likes.
    logits = torch.randn(len(batch.pair_head_P), len(corpus.relations))
    row = int(others.any(dim=1).nonzero()[0])
    high = logits.clone()
    high[batch.label_pair_L[row]] += 1000 * others[row]
    for one, other in zip(judged(batch, logits, "ce"), judged(batch, high, "ce"), strict=True):
        assert one[row] == other[row]


@EACH_KIND
def test_na_is_drawn_anew_at_its_ratio_and_labels_are_always_shown(kind: str) -> None:
    corpus = made.corpus(4, documents=20)
    for ratio in (0.5, 1.0, 3.0, None):
        shown = shown_of(kind, corpus, ratio)
        epochs = [shown.epoch(epoch) for epoch in range(4)]
        possible = shown_of(kind, corpus, None).epoch(0)
        group = np.repeat(np.arange(20), np.diff(corpus.pair.bounds))
        group = group if kind == "document" else group * 0
        for mask in epochs:
            assert np.array_equal(mask & ~shown.na_P, possible & ~shown.na_P)
            for own in np.unique(group):
                inside = group == own
                labels = np.diff(corpus.labels_of_pair)[inside & possible & ~shown.na_P].sum()
                there = (inside & possible & shown.na_P).sum()
                wanted = there if ratio is None else min(there, math.ceil(ratio * labels))
                assert (mask & shown.na_P & inside).sum() == wanted
        if ratio == 0.5 and kind == "document":
            assert len({mask.tobytes() for mask in epochs}) > 1
        assert np.array_equal(shown.epoch(2), epochs[2])


@EACH_KIND
@pytest.mark.parametrize("max_pieces", [20, 128])
def test_pairs_of_a_batch_are_the_ones_that_are_said(kind: str, max_pieces: int) -> None:
    corpus = made.corpus(4, documents=9)
    shown = shown_of(kind, corpus, 1.0, max_pieces)
    mask = shown.epoch(1)
    units = shown.units(mask)[::-1]
    batch, pairs = shown.batch(units, mask)
    assert len(np.unique(pairs)) == len(pairs) == mask.sum() == len(batch.pair_head_P)
    assert (batch.lengths_B <= shown.lengths(units)).all()
    assert (batch.lengths_B <= max_pieces).all()
    for place, pair in enumerate(pairs.tolist()):
        document = int(np.searchsorted(corpus.pair.bounds, pair, side="right")) - 1
        base = corpus.entity.bounds[document]
        for side, own in (("head", batch.pair_head_P), ("tail", batch.pair_tail_P)):
            entity = base + corpus.pair[side][pair]
            assert batch.entity_qid_E[own[place]] == corpus.entity["qid"][entity]
        labels = slice(*corpus.labels_of_pair[pair : pair + 2])
        found = batch.label_relation_L[batch.label_pair_L == place]
        assert found.tolist() == corpus.label["relation"][labels].tolist()
    if max_pieces == 20 and kind == "document":
        assert shown.lost["behind_max_pieces"] > 0


def test_distances_are_cut_at_powers_of_two() -> None:
    table = [0] * 513
    for bucket, first in enumerate([1, 2, 4, 8, 16, 32, 64, 128, 256], start=1):
        table[first:] = [bucket] * (513 - first)
    offsets = torch.arange(-512, 513)
    expected = [table[abs(o)] * (1 if o > 0 else -1) for o in offsets.tolist()]
    assert distance_bucket(offsets).tolist() == expected


def test_the_bilinear_head_is_a_form_of_head_and_tail_with_their_distance() -> None:
    torch.manual_seed(0)
    head = BilinearHead(6, 4, hidden=3, distance=2).double()
    entities = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    first = torch.tensor([0, 3, 3, 40, 700])
    sides = torch.tensor([0, 4, 2]), torch.tensor([3, 1, 1])
    logits = head(entities, first, *sides)
    small = entities @ head.linear.weight.T + head.linear.bias
    for row, (h, t) in enumerate(zip(*(s.tolist() for s in sides), strict=True)):
        away = int(distance_bucket(first[h] - first[t]))
        left = torch.cat([small[h], head.distance.weight[10 + away]])
        right = torch.cat([small[t], head.distance.weight[10 - away]])
        expected = (
            torch.stack([left @ w @ right for w in head.bilinear.weight]) + head.bilinear.bias
        )
        torch.testing.assert_close(logits[row], expected)
    assert torch.autograd.gradcheck(lambda e: head(e, first, *sides), (entities,))


def test_an_update_needs_a_text_for_each_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.model.learning.world_size", lambda: BATCH + 1)
    with pytest.raises(StageError, match=rf"texts for {BATCH + 1} processes"):
        learnt(tmp_path)
