"""A classifier that learns gold documents and then looks at distant labels: weights for WCL.

Shapes: P pairs, L labels, R relations that the gold documents have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.annotated.document import Document
from stages.model.corpus import Corpus
from stages.model.course import cut
from stages.model.document_data import document_data
from stages.model.encoder import Encoder
from stages.model.gather import rank
from stages.model.label_records import ROW, Seen
from stages.model.loop import train
from stages.model.ragged import Ints, ranges
from stages.model.relate import DocumentClassifier
from stages.model.relating import RelateSettings, learning, loop_settings, shown_of
from stages.model.shown import ShownDocuments
from stages.tasks.docred import relations_of

__all__ = ["judge"]


def judge(
    encoder: Encoder,
    documents: Sequence[Document],
    corpus: Corpus,
    values: Mapping[str, Any],
    accelerator: Any,
    folder: Path,
    *,
    tell: Callable[[int, dict[str, float]], None],
    stopping: Callable[[], bool],
) -> tuple[Seen, int, dict[str, int]]:
    """Train on gold documents, then look at all labels of a corpus once.

    Args:
        values: Of the config of `learn_order`, by name.

    Returns:
        What was seen of each label, as one epoch; how many labels have a relation that the gold
        documents do not have; pairs of the corpus that cannot be shown, by reason.

    Raises:
        StageError: If no gold pair with a relation can be shown.
    """
    relations = relations_of([documents])
    fields = set(RelateSettings.__dataclass_fields__)
    settings = RelateSettings(
        batch_size=values["batch"], **{n: v for n, v in values.items() if n in fields}
    )
    model = DocumentClassifier(encoder, len(relations)).to(accelerator.device)
    gold = document_data(encoder, documents, relations)
    shown = shown_of(gold, settings, encoder, settings.na_ratio)
    course = learning(model, gold, shown, settings, accelerator.device)
    loop = loop_settings(settings, course.steps, round(values["warmup"] * course.steps))
    train(model, course, loop, accelerator, folder, tell=tell, stopping=stopping)
    silver = ShownDocuments(
        corpus,
        max_pieces=min(settings.max_pieces, encoder.max_pieces),
        na_ratio=None,
        seed=settings.seed,
    )
    number = {name: i for i, name in enumerate(relations)}
    class_R = np.array([number.get(name, -1) for name in corpus.relations])
    seen = Seen.nothing(len(corpus.label["relation"]), 1)
    if not rank():
        highest = values["confidence"] == "max"
        look(model, corpus, silver, class_R, seen, settings.micro_tokens, accelerator, highest)
    unknown = int((class_R[corpus.label["relation"]] < 0).sum())
    return seen, unknown, silver.lost


@torch.no_grad()
def look(
    model: DocumentClassifier,
    corpus: Corpus,
    shown: ShownDocuments,
    class_R: Ints,
    seen: Seen,
    micro_tokens: int,
    accelerator: Any,
    highest: bool,
) -> None:
    """Enter a probability for each label whose relation is a class of the model.

    Args:
        class_R: Class of each relation of the corpus, -1 for none.
        highest: Whether it is that of the pair's likeliest class, and not that of the label. The
            loss is the label's either way.
    """
    model.eval()
    pairs_P = shown.epoch(0)
    units = shown.units(pairs_P)
    bounds = corpus.labels_of_pair
    for chosen in cut(shown.lengths(units), micro_tokens):
        batch, pairs = shown.batch(units[chosen], pairs_P)
        with accelerator.autocast():
            logits_PC = model(batch.to(accelerator.device))
        probability_PC = logits_PC.double().softmax(dim=1).cpu().numpy()
        counts = bounds[pairs + 1] - bounds[pairs]
        label_L, row_L = ranges(bounds[pairs], counts), np.repeat(np.arange(len(pairs)), counts)
        class_L = class_R[corpus.label["relation"][label_L]]
        known = class_L >= 0
        label_L, row_L, class_L = label_L[known], row_L[known], class_L[known]
        rows = np.empty(len(label_L), dtype=ROW)
        rows["label"] = label_L
        own_L = probability_PC[row_L, class_L]
        rows["probability"] = probability_PC.max(axis=1)[row_L] if highest else own_L
        rows["loss"] = -np.log(np.maximum(own_L, 1e-300))
        rows["correct"] = probability_PC.argmax(axis=1)[row_L] == class_L
        seen.put(0, rows)
