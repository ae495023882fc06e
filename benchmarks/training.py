"""Training against loops as they are usually written.

    python -m benchmarks.training assembly CORPUS.json[.gz] [--documents N] [--rounds N]
    python -m benchmarks.training loop ENCODER CORPUS [--format F] [--length L] [--micro-tokens N]
        [--as-usual]

`assembly`: batches against a loop over entities, as loaders of this field are written.

CORPUS is a file in DocRED's format. It goes through the pipeline as far as `features`, with a
vocabulary of its own. Timed is CPU time of one thread, the best of the rounds, without the encoder:

- batch: pieces of N documents with mentions, entities, labelled pairs and 32 NA pairs each, and
  what pools states into pairs. The loop pads to 512 and fills a dense map from pieces to the head
  and one to the tail of each pair; ours are flat columns and an index of terms.
- masks: which labels of the batch are positives of an anchor, which are negatives, without tuples
  of the anchor's document that share an entity with it and pairs that hold its relation too. One
  loop sets cells of two dense tensors, as released loaders do; another, the leanest that we could
  write, only puts places into lists.

Both are held against each other first: the same pieces, the same vectors of pairs, the same masks.

`loop`: updates of a fine-tuning against the usual loop, which pads every text to one length. Both
have the same encoder, the same texts in the same updates, the same optimiser, and no dropout, so
that their losses must be equal, and are compared. Timed is CPU time of one thread: cutting and
padding, forward and backward pass, the step; of each the best epoch of several, in turns. Texts
are in word pieces before the clock starts. `--as-usual` trains as one does: in bf16, and with the
dropout that the encoder's config states, which each draws for itself; losses then have to agree
within a tenth.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.annotated import read
from stages.base import Inputs
from stages.model.batch import Batch, keep
from stages.model.chance import Chance
from stages.model.classify import Classifier, ClassifyCourse
from stages.model.corpus import Corpus
from stages.model.encoder import load_encoder
from stages.model.loop import LoopSettings, begin, one_update
from stages.model.markers import load_tokenizer, markers_of
from stages.model.optimizer import make_optimizer
from stages.model.pooling import Index, entity_means, pool
from stages.model.store import open_corpus, relations_of, types_of, write_corpus
from stages.model.task_data import TaskData, task_data
from stages.objectives.rd import label_rows, some_na
from stages.objectives.relation_pool import (
    LabelRows,
    relations_of_pairs,
    same_pair,
    shares_an_entity,
)
from stages.tasks.base import Example, pair_examples
from stages.tasks.scores import label_ids
from storage.artifact import Shard, Shards
from storage.tables import FEATURES
from storage.warehouse import Warehouse, read_part

NA_PAIRS, LENGTH, WIDTH = 32, 512, 768
SEED, RATE, DECAY = 13, 3e-5, 0.01
RECIPE = """
corpus = {{ format = "docred", path = "{path}" }}
shards = {{ page = 1 }}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(required=True)
    assembly = commands.add_parser("assembly", help="batches and masks of pairs")
    assembly.add_argument("corpus", type=Path)
    assembly.add_argument("--documents", type=int, default=16)
    assembly.add_argument("--rounds", type=int, default=5)
    assembly.set_defaults(work=batches_and_masks)
    loop = commands.add_parser("loop", help="updates, padded and not")
    loop.add_argument("encoder", type=Path, help="folder of an encoder")
    loop.add_argument("corpus", type=Path)
    loop.add_argument("--format", default="docred", help="docred, opennre, ...")
    loop.add_argument("--length", type=int, default=512, help="pieces that texts are padded to")
    loop.add_argument("--texts", type=int, default=128)
    loop.add_argument("--batch", type=int, default=64, help="texts of an update")
    loop.add_argument("--micro-tokens", type=int, default=1024, help="ours: encoded at once")
    loop.add_argument("--rounds", type=int, default=3, help="epochs of each, in turns")
    loop.add_argument("--as-usual", action="store_true", help="in bf16 and with dropout")
    loop.set_defaults(work=updates)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work(arguments)


def batches_and_masks(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = features(arguments.corpus, Path(folder))
        compare(corpus, arguments.documents, arguments.rounds)


def updates(arguments: argparse.Namespace) -> None:
    """Time an epoch of ours and one of the padded loop."""
    examples = first_pairs(arguments.format, arguments.corpus)[: arguments.texts]
    classes = label_ids([example.relation or "" for example in examples], ())
    models = [classifier(arguments.encoder, len(classes)) for _ in range(2)]
    # The plain loop attends as transformers does by itself.
    models[1].encoder.model.set_attn_implementation("sdpa")
    if arguments.as_usual:
        os.environ |= {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_USE_CPU": "true"}
        for model in models:
            model.train()
    close = {"rtol": 0.1, "atol": 0.0} if arguments.as_usual else {"rtol": 1e-3, "atol": 1e-4}
    data = task_data(
        models[0].encoder,
        examples,
        classes=classes,
        types=[],
        form="C+M",
        max_pieces=arguments.length,
    )
    ours = theirs = float("inf")
    for _ in range(arguments.rounds):
        spent, our_losses = our_epoch(models[0], data, arguments.batch, arguments.micro_tokens)
        ours = min(ours, spent)
        spent, their_losses = padded_epoch(models[1], data, arguments.batch, arguments.length)
        theirs = min(theirs, spent)
        torch.testing.assert_close(our_losses, their_losses, **close)
    pieces = sum(int(data.batch(np.array([row])).pieces) for row in range(len(data)))
    print(
        f"{len(data)} texts of {pieces / len(data):.1f} pieces, {len(our_losses)} updates, "
        f"losses alike; padded to {arguments.length}: {len(data) / theirs:.2f} texts/s, ours: "
        f"{len(data) / ours:.2f} texts/s, {theirs / ours:.2f}x"
    )


def first_pairs(format: str, path: Path) -> list[Example]:
    """The first labelled pair of each text."""
    tally = Inputs({}, shard=Shard(0, Shards()), scratch=path, files=path, downloads=path)
    labelled = (d for d in read(format, path, tally) if d.relations)
    return list(pair_examples(replace(d, relations=d.relations[:1]) for d in labelled))


def classifier(folder: Path, classes: int) -> Classifier:
    """The same weights each time, without dropout."""
    torch.manual_seed(0)
    return Classifier(load_encoder(folder), classes).eval()


def our_epoch(
    model: Classifier, data: TaskData, batch: int, micro_tokens: int
) -> tuple[float, Tensor]:
    """CPU seconds and losses of an epoch."""
    accelerator = begin(0)
    course = ClassifyCourse(
        model,
        data,
        None,
        epochs=1,
        batch_size=batch,
        micro_tokens=micro_tokens,
        seed=SEED,
        score=lambda _: 0.0,
        best=Path(),
        device=torch.device("cpu"),
    )
    settings = LoopSettings(learning_rate=RATE, total_steps=course.steps)
    optimizer = make_optimizer(model, learning_rate=RATE, weight_decay=DECAY, bias_correction=True)
    losses = []
    began = time.process_time()
    for step in range(course.steps):
        told = one_update(model, course.update(step), optimizer, settings, accelerator)
        losses.append(told["loss/relation"])
    return time.process_time() - began, torch.tensor(losses)


def padded_epoch(
    model: Classifier, data: TaskData, batch: int, length: int
) -> tuple[float, Tensor]:
    """The same in a plain loop, every text padded to one length."""
    tokenizer, encoder = model.encoder.tokenizer, model.encoder.model.base_model
    texts = [data.batch(np.array([row])).ids_T.tolist() for row in range(len(data))]
    starts = torch.tensor([[model.encoder.markers.head_start], [model.encoder.markers.tail_start]])
    optimizer = make_optimizer(model, learning_rate=RATE, weight_decay=DECAY, bias_correction=True)
    order = np.random.default_rng([SEED, 0]).permutation(len(data))
    losses = []
    began = time.process_time()
    for chosen in np.array_split(order, -(-len(data) // batch)):
        given = tokenizer.pad(
            {"input_ids": [texts[row] for row in chosen]},
            padding="max_length",
            max_length=length,
            return_tensors="pt",
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=model.training):
            states = encoder(**given).last_hidden_state
        at = (given["input_ids"][None] == starts[:, :, None]).int().argmax(dim=-1)
        rows = torch.arange(len(chosen))
        pairs = torch.cat([states[rows, at[0]], states[rows, at[1]]], dim=1)
        loss = torch.nn.functional.cross_entropy(
            model.head(pairs.float()), torch.as_tensor(data.class_N[chosen])
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return time.process_time() - began, torch.tensor(losses)


def features(path: Path, folder: Path) -> Corpus:
    """Take a corpus through the pipeline and map what a training would map."""
    recipe = folder / "benchmark.toml"
    recipe.write_text(RECIPE.format(path=path.absolute()), encoding="utf-8")
    command = [sys.executable, "-m", "flows.cli", "run", str(recipe), "--to", "featurize"]
    subprocess.run([*command, "--root", str(folder), "--in-process"], check=True)
    warehouse = Warehouse(folder)
    made, vocabulary = (warehouse.complete(n)[0] for n in ("featurize", "train_tokenizer"))
    table = read_part(made.part("features", 0), FEATURES)
    markers = markers_of(load_tokenizer(vocabulary.file("tokenizer.json").parent))
    write_corpus(folder / "corpus", [table], relations_of([table]), types_of([table]))
    return open_corpus(folder / "corpus", markers)


def compare(corpus: Corpus, documents: int, rounds: int) -> None:
    """Hold both ways against each other, then time them."""
    chosen = np.random.default_rng(0).permutation(len(corpus))[:documents]
    records = [record(corpus, int(d)) for d in chosen]
    kept = drawn(corpus, chosen)
    batch, index = assembled(corpus, chosen, kept)
    loop = loop_batch(records)
    hidden = torch.randn(batch.pieces, WIDTH)
    require_equal(batch, index, loop, hidden)
    own = rows_of(batch, chosen)
    ours, theirs = masks(own, len(batch.pair_head_P)), loop_masks(loop["labels"])
    anchors = torch.nonzero(own.relation_L != 0).flatten().tolist()
    for a, (positive, negative) in enumerate(theirs):
        assert torch.nonzero(ours[0][a]).flatten().tolist() == positive, anchors[a]
        assert torch.nonzero(ours[1][a]).flatten().tolist() == negative, anchors[a]
    print(
        f"{documents} documents, {batch.pieces:,} pieces, {len(batch.entity_sequence_E):,} "
        f"entities, {len(batch.pair_head_P):,} pairs, {len(own):,} labels, {len(anchors):,} anchors"
    )
    batches = (
        best(lambda: loop_batch(records), rounds),
        best(lambda: assembled(corpus, chosen, kept), 10 * rounds),
    )
    fast = best(lambda: masks(rows_of(batch, chosen), len(batch.pair_head_P)), 10 * rounds)
    tell("batch", *batches)
    for name, loops in (("cells", cell_masks), ("lists", loop_masks)):
        slow = best(lambda loops=loops: loops(loop["labels"]), max(1, rounds // 3))  # type: ignore[misc]
        tell(f"masks, {name}", slow, fast)
        tell(f"both, {name}", batches[0] + slow, batches[1] + fast)


def tell(name: str, loop: float, ours: float) -> None:
    print(f"{name:<14}{1000 * loop:>12.1f} ms{1000 * ours:>10.2f} ms{loop / ours:>8.0f}x")


def best(work: Callable[[], Any], rounds: int) -> float:
    """CPU seconds of one call, the least of several."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def drawn(corpus: Corpus, chosen: Any) -> Any:
    """Which pairs stay: drawn once, for both ways."""
    return some_na(corpus.take(chosen), NA_PAIRS, Chance(13, 0))


def assembled(corpus: Corpus, chosen: Any, kept: Any) -> tuple[Batch[Any], Index]:
    batch = keep(corpus.take(chosen), {"P": kept})
    return batch, entity_means(batch.to("cpu"))


def rows_of(batch: Batch[Any], chosen: Any) -> LabelRows:
    micro: Any = SimpleNamespace(batch=batch, document_B=chosen)
    return label_rows([micro], torch.empty(0))


def masks(rows: LabelRows, pairs: int) -> tuple[Tensor, Tensor]:
    anchors = rows[torch.nonzero(rows.relation_L != 0).flatten()]
    usable = ~shares_an_entity(anchors, rows)
    same = anchors.relation_L[:, None] == rows.relation_L[None]
    holds = relations_of_pairs(rows, pairs)[rows.pair_L][:, anchors.relation_L].T
    return usable & same & ~same_pair(anchors, rows), usable & ~same & ~holds


def record(corpus: Corpus, document: int) -> dict[str, Any]:
    """A document as lists and dictionaries, as a loader finds it."""
    batch = corpus.take(np.array([document]))
    batch = keep(batch, {"P": drawn(corpus, np.array([document]))})
    entities: list[list[tuple[int, int]]] = [[] for _ in batch.entity_sequence_E]
    for start, end, entity in zip(
        batch.mention_start_M.tolist(),
        batch.mention_end_M.tolist(),
        batch.mention_entity_M.tolist(),
        strict=True,
    ):
        entities[entity].append((start, end))
    labels: list[list[int]] = [[] for _ in batch.pair_head_P]
    for pair, relation in zip(
        batch.label_pair_L.tolist(), batch.label_relation_L.tolist(), strict=True
    ):
        labels[pair].append(relation)
    ends = zip(batch.pair_head_P.tolist(), batch.pair_tail_P.tolist(), strict=True)
    return {
        "document": document,
        "pieces": batch.ids_T.tolist(),
        "entities": entities,
        "pairs": [(head, tail, own) for (head, tail), own in zip(ends, labels, strict=True)],
    }


def loop_batch(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The loop: padded pieces, and for each pair a dense map to its head and one to its tail."""
    ids = torch.zeros(len(records), LENGTH, dtype=torch.long)
    shown = torch.zeros(len(records), LENGTH)
    heads, tails, owner, labels = [], [], [], []
    for at, each in enumerate(records):
        for place, piece in enumerate(each["pieces"]):
            ids[at, place] = piece
        shown[at, : len(each["pieces"])] = 1
        for head, tail, relations in each["pairs"]:
            for found, entity in ((heads, head), (tails, tail)):
                row = torch.zeros(LENGTH)
                mentions = each["entities"][entity]
                for start, end in mentions:
                    row[start:end] += 1.0 / len(mentions) / (end - start)
                found.append(row)
            held = set(relations)
            labels += [(each["document"], head, tail, relation, held) for relation in relations]
            owner.append(at)
    return {
        "ids": ids,
        "shown": shown,
        "heads": torch.stack(heads),
        "tails": torch.stack(tails),
        "owner": torch.tensor(owner),
        "labels": labels,
    }


def cell_masks(labels: list[Any]) -> tuple[Tensor, Tensor]:
    """The loop as released loaders have it: cells of dense tensors are set one by one."""
    anchors = [label for label in labels if label[3] != 0]
    positive = torch.zeros(len(anchors), len(labels))
    negative = torch.zeros(len(anchors), len(labels))
    for a, (document, head, tail, relation, _) in enumerate(anchors):
        for at, (other, other_head, other_tail, other_relation, held) in enumerate(labels):
            if other == document and (other_head == head or other_tail == tail):
                continue
            if other_relation == relation:
                positive[a, at] = 1
            elif relation not in held:
                negative[a, at] = 1
    return positive, negative


def loop_masks(labels: list[Any]) -> list[tuple[list[int], list[int]]]:
    """The leanest loop: places of each anchor's positives and negatives, in lists."""
    found = []
    for document, head, tail, relation, _ in labels:
        if relation == 0:
            continue
        positive, negative = [], []
        for at, (other, other_head, other_tail, other_relation, held) in enumerate(labels):
            if other == document and (other_head == head or other_tail == tail):
                continue
            if other_relation == relation:
                positive.append(at)
            elif relation not in held:
                negative.append(at)
        found.append((positive, negative))
    return found


def require_equal(batch: Batch[Any], index: Index, loop: dict[str, Any], hidden: Tensor) -> None:
    padded = torch.zeros(len(batch), LENGTH, WIDTH)
    lengths = batch.lengths_B.tolist()
    for at, (start, length) in enumerate(zip(batch.cu_seqlens, lengths, strict=False)):
        assert loop["ids"][at, :length].tolist() == batch.ids_T[start : start + length].tolist()
        padded[at, :length] = hidden[start : start + length]
    entity = pool(hidden, index)
    for side, which in (("heads", batch.pair_head_P), ("tails", batch.pair_tail_P)):
        wanted = torch.einsum("pl,pld->pd", loop[side], padded[loop["owner"]])
        torch.testing.assert_close(entity[torch.as_tensor(which)], wanted, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    main()
