"""Made-up corpora and tokenizers for tests of the model kit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from transformers import PreTrainedTokenizerBase

from stages.model.corpus import Corpus, Lists
from stages.model.markers import Markers, load_tokenizer, markers_of
from stages.model.ragged import offsets
from stages.model.vocabulary import train_vocabulary

TEXT = (
    "Ada Lovelace was born in London. Her notes on the engine of Charles Babbage appeared in 1843, "
    "and Babbage, who lived in London too, called her the enchantress of number."
)


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    """A tokenizer with markers, trained on a few words."""
    with TemporaryDirectory() as folder:
        train_vocabulary(
            lambda: [TEXT] * 3, Path(folder), size=800, lowercase=True, min_frequency=1
        )
        return load_tokenizer(folder)


def markers() -> Markers:
    return markers_of(tokenizer())


def corpus(seed: int, documents: int = 6, relations: int = 4) -> Corpus:
    """Documents of random pieces; no two mentions overlap, each entity has one at least."""
    dice = np.random.default_rng(seed)
    first = int(markers().special.max()) + 1
    rows: dict[str, list[list[tuple[float, ...]]]] = {
        name: [] for name in ("piece", "sentence", "mention", "entity", "pair", "label")
    }
    for _ in range(documents):
        for name, found in document(dice, relations, first).items():
            rows[name].append(found)
    columns = {
        "piece": [("id", np.int32), ("word", bool)],
        "sentence": [("start", np.int32), ("end", np.int32)],
        "mention": [(n, np.int32) for n in ("start", "end", "entity", "sentence")],
        "entity": [("qid", np.int64), ("type", np.int32)],
        "pair": [("head", np.int32), ("tail", np.int32), ("intra", bool)],
        "label": [("pair", np.int32), ("relation", np.int32), ("weight", np.float32)],
    }
    lists = {}
    for name, kinds in columns.items():
        flat = [row for found in rows[name] for row in found]
        values = {
            column: np.array([row[i] for row in flat], dtype=kind)
            for i, (column, kind) in enumerate(kinds)
        }
        lists[name] = Lists(offsets(np.array([len(found) for found in rows[name]])), values)
    names = [f"{i}:0-9" for i in range(documents)]
    keys = dice.integers(0, 2**63, documents).astype(np.uint64)
    return Corpus(
        keys, names, lists, ["NA", *(f"P{r}" for r in range(1, relations))], [], markers()
    )


def document(
    dice: np.random.Generator, relations: int, first: int
) -> dict[str, list[tuple[float, ...]]]:
    """The lists of one document; mentions stand in stretches of four pieces, eight a sentence."""
    entities = int(dice.integers(2, 5))
    stretches = int(dice.integers(entities, entities + 5))
    named = [*range(entities), *dice.integers(0, entities, stretches - entities).tolist()]
    dice.shuffle(named)
    mentions = []
    for place, entity in enumerate(named):
        start = 4 * place + int(dice.integers(0, 2))
        mentions.append((start, start + int(dice.integers(1, 4)), entity, place // 2))
    mentions.sort(key=lambda mention: (mention[2], mention[0]))
    size = 4 * stretches + 3
    sentences = [(s, min(s + 8, size)) for s in range(0, size, 8)]
    pairs, labels = [], []
    for head in range(entities):
        for tail in range(entities):
            if head == tail or dice.random() < 0.3:
                continue
            shared = {m[3] for m in mentions if m[2] == head} & {
                m[3] for m in mentions if m[2] == tail
            }
            own = sorted(set(dice.integers(1, relations, dice.integers(0, 3)).tolist())) or [0]
            labels += [(len(pairs), r, float(np.float32(dice.uniform(0.5, 2)))) for r in own]
            pairs.append((head, tail, bool(shared)))
    return {
        "piece": [(int(p), dice.random() < 0.7) for p in dice.integers(first, first + 40, size)],
        "sentence": sentences,
        "mention": mentions,
        "entity": [(int(q), int(t)) for q, t in dice.integers(-1, 30, (entities, 2))],
        "pair": pairs,
        "label": labels,
    }
