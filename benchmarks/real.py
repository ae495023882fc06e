"""Real articles from the dump to a leaderboard: one recipe, one command.

    python -m benchmarks.real --data FOLDER [--root WAREHOUSE]

106 articles of English Wikipedia and 47,000 items of Wikidata to tuples, learning order,
pre-training by FineCL and fine-tuning on Re-DocRED: 400 documents of its dev part are trained on,
the other 100 choose epoch and threshold, 250 of its test part are scored. That is not comparable
with published figures, which train on 3,053 documents. What there is of the corpus is printed
before training begins.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.articles import data_folder
from benchmarks.cells import encoder_folder, recipe_of, released
from storage.aside import write_json

HERE = Path(__file__).parent
TRAIN = 400
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of data sets; else RELMILL_REAL_DATA")
    parser.add_argument("--root", type=Path, default=Path("warehouse/real"))
    arguments = parser.parse_args()
    data, root = (arguments.data or data_folder()).absolute(), arguments.root.absolute()
    values: dict[str, object] = {"data": data, "encoder": encoder_folder()}
    values |= split_files(data, root)
    recipe_of(root / "real.toml", HERE / "real.toml", **values)
    for words in (("run", "--to", "featurize"), ("card",), ("run",)):
        command, *more = words
        line = [sys.executable, "-m", "flows.cli", command, str(root / "real.toml"), *more]
        subprocess.run([*line, "--root", str(root)], check=True)


def split_files(data: Path, root: Path) -> dict[str, Path]:
    """Write the parts of Re-DocRED that are trained on, chosen by and scored."""
    dev, test = (
        released(data, f"re-docred/{name}.json")
        for name in ("dev_revised", "test_revised.first250")
    )
    order = np.random.default_rng(SEED).permutation(len(dev)).tolist()
    parts = {
        "train": [dev[n] for n in order[:TRAIN]],
        "dev": [dev[n] for n in order[TRAIN:]],
        "test": test,
    }
    folder = root / "re-docred"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.json" for name in parts}
    for name, documents in parts.items():
        write_json(paths[name], documents)
    return paths


if __name__ == "__main__":
    main()
