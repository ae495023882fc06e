"""A made-up training that counts, to test launched steps with; run as a module it is one rank.

Each update adds the ranks up, so with gloo it takes all of them. The checkpoint is the count.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from pipeline import worker
from stages.base import Inputs, Rows, Stage, StageConfig, runtime
from storage.errors import SourceError, StoppedError
from tests.pipeline import toy
from tests.pipeline.toy import NUMBER, table

COUNTS = table("counts", "whole", ("count", NUMBER), ("world", NUMBER), ("began_at", NUMBER))


class DrillConfig(StageConfig):
    seed: int = 0
    updates: int = Field(3, description="updates that are done")
    gloo: bool = runtime(False)
    pause: float = runtime(0.0)
    fail_at: int | None = runtime(None)
    fail_rank: int = runtime(0)
    die_at: int | None = runtime(None)
    deaf: bool = runtime(False)
    alone: bool = runtime(False)


def drill(config: DrillConfig, inputs: Inputs) -> Iterator[Rows]:
    """Count to `updates`, from the checkpoint if there is one."""
    group = Group(config.gloo)
    inputs.require_world(1 if config.alone else group.world)
    checkpoint = inputs.scratch / "checkpoint"
    began_at = done = int(checkpoint.read_text()) if checkpoint.is_file() else 0
    (inputs.scratch / f"pid-{inputs.rank.index}").write_text(str(os.getpid()))
    while done < config.updates:
        if inputs.rank.index == config.fail_rank and done == config.fail_at:
            raise SourceError("the drill was told to fail", mend="Tell it not to")
        if inputs.rank.index == config.fail_rank and done == config.die_at:
            os._exit(9)
        if group.any(inputs.stopping) and not config.deaf:
            if inputs.rank.index == 0:
                checkpoint.write_text(str(done))
            group.leave()
            raise StoppedError(f"stopped after {done} updates")
        time.sleep(config.pause)
        done += 1
        inputs.log.info("update %d", done)
        inputs.tell(done, {"loss": 1 / done})
    group.leave()
    if inputs.rank.index == 0:
        inputs.keep("weights.txt").write_text(f"{done}\n")
        yield COUNTS, COUNTS.batch([(done, group.world, began_at)])


class Group:
    """The ranks together, through gloo where it is asked for."""

    def __init__(self, gloo: bool) -> None:
        self.world = 1
        self.gloo = gloo
        if gloo:
            import torch.distributed as dist

            dist.init_process_group("gloo")
            self.world = dist.get_world_size()

    def any(self, yes: bool) -> bool:
        """Whether one of the ranks says yes."""
        if not self.gloo:
            return yes
        import torch
        import torch.distributed as dist

        count = torch.tensor([int(yes)])
        dist.all_reduce(count)
        return bool(count.item())

    def leave(self) -> None:
        """Part from the others."""
        if self.gloo:
            import torch.distributed as dist

            dist.destroy_process_group()


DRILL = Stage("drill", 1, DrillConfig, (), (COUNTS,), drill, variants=True, launched=True)
DAG = (DRILL,)

if __name__ == "__main__":
    with toy.installed(DAG):
        code = worker.main(sys.argv[1:])
    sys.exit(code)


def pids(folder: Path) -> dict[int, int]:
    """The process of each rank, by rank, as far as it has begun."""
    found = folder.glob("artifacts/drill/*/scratch/00000/pid-*")
    texts = {int(path.name[4:]): path.read_text() for path in found}
    return {rank: int(text) for rank, text in texts.items() if text}
