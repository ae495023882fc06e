"""Kill a run at random moments and go on: are the tables those of a run that nobody disturbed?

    python benchmarks/kill.py                       20 kills of `tiny`, in process
    python benchmarks/kill.py --prefect --kills 5   the same through Prefect
    python benchmarks/kill.py RECIPE --set STAGE.FIELD=VALUE --to STAGE

One run is left alone and measured. Then each kill begins in a fresh folder, ends the whole process
group with SIGKILL, and runs the same command again. The kills are spread evenly over the stages and
the beginning before them; within a stage, the moment is drawn from the time that it takes, so that
short stages are met as often as long ones. Tables are compared by the SHA-256 of their files. Ends
with status 1 if one differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from storage.fingerprint import file_digest
from storage.refs import Refs
from storage.warehouse import Warehouse

BEGINNING = "(beginning)"
RELMILL = str(Path(sys.executable).with_name("relmill"))


@dataclass(frozen=True)
class Kill:
    """What one kill met, and what came of it."""

    moment: float
    stage: str
    kept: int
    identical: bool
    strays: int


def main() -> int:
    options = parsed()
    folder = Path(tempfile.mkdtemp(prefix="relmill-kill-", dir=options.folder))
    try:
        return measured(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("recipe", nargs="?", default="tiny")
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=13, help="of the moments")
    parser.add_argument("--prefect", action="store_true", help="run through Prefect")
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="STAGE.FIELD=V")
    parser.add_argument("--to", metavar="STAGE", help="go no further than this stage")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--folder", type=Path, help="where warehouses are made, and removed")
    return parser.parse_args()


def measured(options: argparse.Namespace, folder: Path) -> int:
    words = [RELMILL, "run", options.recipe, "--workers", str(options.workers)]
    words += [word for each in options.sets for word in ("--set", each)]
    words += ["--to", options.to] if options.to else []
    words += [] if options.prefect else ["--in-process"]
    recipe = Path(options.recipe).stem

    began = time.monotonic()
    finish(words, folder / "undisturbed")
    length = time.monotonic() - began
    expected = digests(folder / "undisturbed", recipe)
    seconds = lengths(folder / "undisturbed", recipe, length)
    made = f"{len(expected)} files"
    print(f"An undisturbed run of {recipe} took {length:.1f} s and made {made}.\n", flush=True)

    print("  #  killed at  in                     shards kept  strays  identical", flush=True)
    rng = random.Random(options.seed)
    different = 0
    for number in range(1, options.kills + 1):
        place = list(seconds)[(number - 1) * len(seconds) // options.kills]
        after = rng.random() * seconds[place]
        kill = killed(words, folder / f"{number}", recipe, (place, after), expected)
        different += not kill.identical or kill.strays > 0
        print(
            f"{number:>3}  {kill.moment:>7.2f} s  {kill.stage:<22} {kill.kept:>11}  "
            f"{kill.strays:>6}  {'yes' if kill.identical else 'NO'}",
            flush=True,
        )
    print(f"\n{options.kills - different} of {options.kills} reruns ended as the undisturbed run.")
    return 1 if different else 0


def killed(
    words: list[str],
    root: Path,
    recipe: str,
    moment: tuple[str, float],
    expected: dict[str, str],
) -> Kill:
    """Kill a run so many seconds after a stage began, go on, and compare."""
    place, after = moment
    began = time.monotonic()
    run = subprocess.Popen(
        [*words, "--root", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while place != BEGINNING and not any(root.glob(f"runs/*/steps/{place}.json")):
        if run.poll() is not None:
            break
        time.sleep(0.002)
    try:
        run.wait(after)
        stage = "(had ended)"
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        stage = under_way(root)
    killed_at = time.monotonic() - began
    kept = len(list(root.glob("artifacts/*/*/records/[0-9]*.json")))
    finish(words, root)
    complete = [a.folder for a in Warehouse(root).artifacts() if a.complete]
    strays = sum(len(list(each.rglob(".aside-*"))) for each in complete)
    identical = digests(root, recipe) == expected
    shutil.rmtree(root)
    return Kill(killed_at, stage, kept, identical, strays)


def lengths(root: Path, recipe: str, whole: float) -> dict[str, float]:
    """Return how long each stage of the newest run took, and the time before the first."""
    steps = Refs(Warehouse(root)).newest(recipe).steps
    stages = {n: Warehouse(root).named(a).manifest().wall_seconds for n, a in steps.items()}
    return {BEGINNING: max(0.0, whole - sum(stages.values())), **stages}


def under_way(root: Path) -> str:
    """Return the stage that a killed run was at, as far as its folder tells."""
    begun = [path for path in root.glob("runs/*/steps/*.json") if path.name[0] != "."]
    if not begun:
        return BEGINNING
    stage = max(begun, key=lambda path: path.stat().st_mtime_ns).stem
    done = any(a.complete for a in Warehouse(root).artifacts() if a.folder.parent.name == stage)
    return f"after {stage}" if done else stage


def finish(words: list[str], root: Path) -> None:
    """Run the command to its end."""
    ended = subprocess.run(
        [*words, "--root", str(root)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def digests(root: Path, recipe: str) -> dict[str, str]:
    """Return the SHA-256 of every part and kept file of the newest run, by place."""
    warehouse = Warehouse(root)
    found = {}
    for name in Refs(warehouse).newest(recipe).steps.values():
        artifact = warehouse.named(name)
        for record in artifact.manifest().records:
            for table in record.parts:
                path = artifact.part(table, record.shard)
                found[str(path.relative_to(root))] = file_digest(path)
            for file in record.files:
                # fetch's index of a dump says where that dump lies, which differs by folder.
                if not (artifact.folder.parent.name == "fetch" and file.name.endswith(".json")):
                    found[f"{name}/{file.name}"] = file_digest(artifact.file(file.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
