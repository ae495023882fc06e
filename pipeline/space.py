"""Whether the disk will hold what a plan makes."""

from __future__ import annotations

from pipeline.plan import RunPlan, Step
from storage.errors import StageError
from storage.warehouse import Warehouse

SPACE_MARGIN = 256 << 20
"""Bytes that must be free before a run begins, beside what its tables took last time."""


def require_space(plan: RunPlan, warehouse: Warehouse) -> None:
    """Check that what the stale steps wrote last time would fit once more.

    Raises:
        StageError: If it would not.
    """
    needed = SPACE_MARGIN + sum(expected_bytes(step, warehouse) for step in plan.stale)
    free = warehouse.free_bytes()
    if free < needed:
        raise StageError(
            f"{free / 1e9:.1f} GB are free under {warehouse.root}, the run needs about "
            f"{needed / 1e9:.1f} GB",
            mend="Free some space: `relmill prune` shows what may go",
        )


def expected_bytes(step: Step, warehouse: Warehouse) -> int:
    """Bytes that a step will write: those of the last time, or else guessed from its raw files.

    Over all stages the tables of a dump take about three times the bytes of the packed dump.
    """
    complete = warehouse.complete(step.stage.name)
    if not complete:
        pieces = step.stage.pieces(step.config) if step.stage.pieces else {}
        return 3 * sum(int(piece.get("bytes", 0)) for piece in pieces.values())
    records = complete[0].manifest().records
    parts = sum(part.bytes for record in records for part in record.parts.values())
    return parts + sum(file.bytes for record in records for file in record.files)
