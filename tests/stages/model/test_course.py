"""course: an update is a function of its number; processes share it; a budget is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.model import course
from stages.model.course import Groups, Ints, Pool, PretrainCourse, Stream, Taken, cut
from stages.model.meter import Work
from stages.model.update import Losses, Output, Rows


@dataclass
class ToyMicro:
    taken: Taken
    work: Work


@dataclass
class ToyObjective:
    """Groups of two rows; epoch e has `5 + e` groups."""

    weights: Mapping[str, float] = field(default_factory=lambda: {"toy": 1.0})
    pool: Pool = "global"

    def epoch(self, epoch: int) -> Groups:
        rows = np.random.default_rng(epoch).permutation(2 * (5 + epoch)).reshape(-1, 2)
        return Groups(rows, np.arange(len(rows)) % 2)

    def lengths(self, rows: Ints) -> Ints:
        return rows + 1

    def collate(self, taken: Taken) -> ToyMicro:
        return ToyMicro(taken, Work(len(taken.rows), int(self.lengths(taken.rows).sum())))

    def forward(self, micro: ToyMicro) -> Output:
        return Output({}, {})

    def counts(self, micros: Sequence[ToyMicro]) -> Mapping[str, int]:
        return {}

    def pooled(self, rows: Rows, micros: Sequence[ToyMicro]) -> Losses:
        return {}

    def names(self, rows: Ints) -> list[str]:
        return [f"row {row}" for row in rows]


def whole_stream(objective: ToyObjective, epochs: int) -> list[list[int]]:
    return [row for e in range(epochs) for row in objective.epoch(e).rows.tolist()]


def test_groups_follow_each_other_over_epochs_wherever_one_begins() -> None:
    expected = whole_stream(ToyObjective(), 6)
    for first in range(0, 30, 4):
        taken = Stream(ToyObjective()).take(first, 4)
        assert taken.rows.reshape(-1, 2).tolist() == expected[first : first + 4]
        assert taken.groups[::2].tolist() == list(range(first, first + 4))


def test_an_epoch_smaller_than_an_update_is_gone_through_whole() -> None:
    taken = Stream(ToyObjective()).take(3, 20)
    assert taken.rows.reshape(-1, 2).tolist() == whole_stream(ToyObjective(), 5)[3:23]


def test_processes_share_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Stream(ToyObjective()).take(3, 7)
    monkeypatch.setattr(course, "world_size", lambda: 2)
    shares = []
    for own in (0, 1):
        monkeypatch.setattr(course, "rank", lambda own=own: own)
        shares.append(Stream(ToyObjective()).take(3, 7))
    both = sorted(group for share in shares for group in share.groups.tolist())
    assert both == sorted(alone.groups.tolist())
    assert [len(share.rows) for share in shares] == [8, 6]


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 100))
def test_micro_batches_hold_every_example_once_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    micros = cut(sizes, budget)
    assert sorted(np.concatenate(micros).tolist() if micros else []) == list(range(len(lengths)))
    assert all(len(m) == 1 or sizes[m].sum() <= budget for m in micros)
    flat = [sizes[i] for m in micros for i in m]
    assert flat == sorted(flat)


def test_an_update_is_the_same_whether_it_was_made_ahead_or_not() -> None:
    ahead = PretrainCourse([(ToyObjective(), 4)], steps=6, micro_tokens=12)
    in_order = [ahead.update(step) for step in range(6)]
    at_once = PretrainCourse([(ToyObjective(), 4)], steps=6, micro_tokens=12).update(4)
    assert in_order[4].names() == at_once.names()
    assert in_order[4].work == at_once.work == Work(8, at_once.work.tokens)


def test_several_objectives_each_have_their_share() -> None:
    made = PretrainCourse([(ToyObjective(), 1), (ToyObjective(), 3)], steps=2, micro_tokens=1000)
    update = made.update(1)
    assert [micro.taken.groups.max() for part in update.parts for micro in part.micros] == [1, 5]
    assert update.work.sequences == 8
