"""What two runs get right and wrong together, and a sheet of the errors that one makes alone."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Agreement", "Answer", "agreement", "errors_alone", "sheet"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One prediction."""

    gold: str
    predicted: str
    text: str

    @property
    def right(self) -> bool:
        """Whether it is right."""
        return self.gold == self.predicted


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a first run shares with a second.

    Attributes:
        right: Right predictions of the first run.
        right_shared: Share of them that the second gets right too; 0 where there are none.
        wrong: Wrong predictions of the first run.
        wrong_shared: Share of them that the second gets wrong too, in whatever way.
    """

    right: int
    right_shared: float
    wrong: int
    wrong_shared: float


def agreement(first: Mapping[str, Answer], second: Mapping[str, Answer]) -> Agreement:
    """Compare two runs over the examples that both have answered.

    Args:
        first: Predictions by example.
        second: Likewise.

    Paper: Peng et al., CP (EMNLP 2020), section 2.4: C+M against C+T.
    """
    both = first.keys() & second.keys()
    right = [name for name in both if first[name].right]
    wrong = [name for name in both if not first[name].right]
    shared_right = sum(second[name].right for name in right)
    shared_wrong = sum(not second[name].right for name in wrong)
    return Agreement(
        len(right),
        shared_right / len(right) if right else 0.0,
        len(wrong),
        shared_wrong / len(wrong) if wrong else 0.0,
    )


def errors_alone(
    first: Mapping[str, Answer], second: Mapping[str, Answer], count: int, seed: int
) -> list[str]:
    """Return examples that the first run gets right and the second wrong: at most `count`, drawn.

    Paper: Peng et al., CP (EMNLP 2020), section 2.4 and table 3.
    """
    alone = [name for name in first.keys() & second.keys() if first[name].right]
    alone = [name for name in alone if not second[name].right]

    def place(name: str) -> bytes:
        return hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()

    return sorted(sorted(alone, key=lambda name: (place(name), name))[:count])


def sheet(names: list[str], answers: Mapping[str, Answer]) -> str:
    """Return errors as CSV with a column for a person's verdict."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["example", "text", "gold", "predicted", "verdict"])
    for name in names:
        answer = answers[name]
        writer.writerow([name, answer.text, answer.gold, answer.predicted, ""])
    return out.getvalue()
