"""The course of a pre-training: which texts each update holds, for each of several objectives.

An update is a function of its number, so that a training goes on anywhere and the next update can
be made ready while the present one is under way. Processes share an update: each takes every nth
group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from stages.model.gather import rank, world_size
from stages.model.meter import Work
from stages.model.update import Losses, Output, Part, Rows

Ints: TypeAlias = npt.NDArray[np.int64]
Pool: TypeAlias = Literal["micro", "rank", "global"]


@dataclass(frozen=True)
class Taken:
    """Examples of an update that one process holds.

    Attributes:
        rows: Examples by their number in the corpus, (n,).
        epochs: Epoch of the objective that each is of, (n,): disguises are drawn anew in each.
        groups: Group that each belongs to, counted over all epochs, (n,).
        targets: What the group is worth to the objective (same pair or not), (n,).
    """

    rows: Ints
    epochs: Ints
    groups: Ints
    targets: Ints

    def take(self, chosen: Ints) -> Taken:
        """Return some of them."""
        return Taken(*(column[chosen] for column in self.columns()))

    def columns(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return all columns."""
        return self.rows, self.epochs, self.groups, self.targets


@dataclass(frozen=True)
class Groups:
    """What an epoch of an objective is made of, in the order in which it is gone through.

    Attributes:
        rows: Examples that stand together, (groups, n).
        targets: One number a group, (groups,).
    """

    rows: Ints
    targets: Ints


class Micro(Protocol):
    """A micro-batch, ready to be encoded."""

    work: Work


class Objective(Protocol):
    """What is paid for.

    Attributes:
        weights: Coefficient of each of its losses.
        pool: Whose representations an anchor is held against: those of its micro-batch, of its
            process, or of all processes.
        dropped: Examples of the corpus that it cannot show, by reason.
    """

    weights: Mapping[str, float]
    pool: Pool
    dropped: Mapping[str, int]

    def epoch(self, epoch: int) -> Groups:
        """Return the groups of an epoch, a function of its number."""

    def lengths(self, rows: Ints) -> Ints:
        """Return the tokens of examples, to cut micro-batches by."""

    def collate(self, taken: Taken) -> Any:
        """Disguise examples and put them together to a micro-batch."""

    def forward(self, micro: Any) -> Output:
        """Encode a micro-batch."""

    def counts(self, micros: Sequence[Any]) -> Mapping[str, int]:
        """Return how many terms each loss within micro-batches has; the masks say so."""

    def pooled(self, rows: Rows, micros: Sequence[Any]) -> Losses:
        """Return the losses over a pool; nothing where all is paid within micro-batches."""

    def names(self, rows: Ints) -> Sequence[str]:
        """Return ids of examples that a person can look up."""


class Stream:
    """The groups of an objective, epoch behind epoch, by their number from 0."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._ends: list[int] = []
        self._held: dict[int, Groups] = {}

    def take(self, first: int, count: int) -> Taken:
        """Return groups `first` to `first + count`, those of this process."""
        wanted = np.arange(first, first + count)[rank() :: world_size()]
        pieces = []
        for number in range(self._epoch_of(first), self._epoch_of(first + count - 1) + 1):
            groups = self._epoch(number)
            begin = self._ends[number - 1] if number else 0
            inside = wanted[(wanted >= begin) & (wanted < self._ends[number])]
            pieces.append(flat(groups, inside - begin, inside, number))
        self._held = {n: g for n, g in self._held.items() if n >= self._epoch_of(first)}
        return Taken(*(np.concatenate(c) for c in zip(*(p.columns() for p in pieces), strict=True)))

    def _epoch_of(self, group: int) -> int:
        while not self._ends or self._ends[-1] <= group:
            number = len(self._ends)
            size = len(self._epoch(number).rows)
            self._ends.append((self._ends[-1] if self._ends else 0) + size)
        return int(np.searchsorted(self._ends, group, side="right"))

    def _epoch(self, number: int) -> Groups:
        if number not in self._held:
            self._held[number] = self._objective.epoch(number)
        return self._held[number]


def flat(groups: Groups, places: Ints, numbers: Ints, epoch: int) -> Taken:
    """Return groups of an epoch as a list of examples."""
    rows = groups.rows[places]
    size = rows.shape[1]
    return Taken(
        rows=rows.reshape(-1),
        epochs=np.full(rows.size, epoch),
        groups=np.repeat(numbers, size),
        targets=np.repeat(groups.targets[places], size),
    )


def cut(lengths: Ints, budget: int) -> list[Ints]:
    """Return micro-batches: examples of like length together, at most `budget` tokens each.

    An example longer than the budget is a micro-batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    micros: list[Ints] = []
    begin = 0
    upto = np.cumsum(lengths[order])
    while begin < len(order):
        spent = upto[begin - 1] if begin else 0
        end = max(int(np.searchsorted(upto, spent + budget, side="right")), begin + 1)
        micros.append(order[begin:end])
        begin = end
    return micros


@dataclass
class PretrainUpdate:
    """One update of a pre-training."""

    parts: Sequence[Part]
    work: Work
    named: Sequence[tuple[Objective, Ints]]

    def names(self) -> list[str]:
        """Return the examples of this process."""
        return [name for objective, rows in self.named for name in objective.names(rows)]


class PretrainCourse:
    """All updates of a pre-training.

    Args:
        objectives: Each with the number of its groups in an update, over all processes.
        steps: Number of updates.
        micro_tokens: Tokens of a micro-batch at most.
    """

    def __init__(
        self, objectives: Sequence[tuple[Objective, int]], *, steps: int, micro_tokens: int
    ) -> None:
        self.steps = steps
        self._micro_tokens = micro_tokens
        self._objectives = objectives
        self._streams = [Stream(objective) for objective, _ in objectives]
        self._maker = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[PretrainUpdate]] | None = None

    def update(self, step: int) -> PretrainUpdate:
        """Return update `step`; the one behind it is begun in a thread."""
        number, ready = self._ahead or (-1, None)
        ahead = ready.result() if ready else None
        made = ahead if ahead and number == step else self._make(step)
        self._ahead = None
        if step + 1 < self.steps:
            self._ahead = (step + 1, self._maker.submit(self._make, step + 1))
        return made

    def after(self, step: int) -> dict[str, float]:
        """Evaluate nothing: pre-training has no held-out part."""
        return {}

    def _make(self, step: int) -> PretrainUpdate:
        parts, named, work = [], [], Work()
        for (objective, count), stream in zip(self._objectives, self._streams, strict=True):
            taken = stream.take(step * count, count)
            cuts = cut(objective.lengths(taken.rows), self._micro_tokens)
            micros = [objective.collate(taken.take(chosen)) for chosen in cuts]
            for micro in micros:
                work.add(micro.work)
            parts.append(
                Part(
                    micros,
                    objective.forward,
                    objective.weights,
                    objective.counts(micros),
                    objective.pooled,
                    alone=objective.pool == "micro",
                )
            )
            named.append((objective, taken.rows))
        return PretrainUpdate(parts, work, named)
