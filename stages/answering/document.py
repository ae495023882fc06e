"""A bilinear form over all pairs of entities of a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stages.answering.cell import CellConfig, Told, count_lost, curve, place_of, values_of
from stages.base import Inputs

if TYPE_CHECKING:
    from stages.answering.cell import Splits
    from stages.model.encoder import Encoder
    from stages.tasks.base import Task


def document_relations(
    config: CellConfig,
    task: Task,
    splits: Splits,
    encoder: Encoder,
    accelerator: Any,
    inputs: Inputs,
) -> Iterator[Told]:
    """Train a bilinear head and the encoder below it, and yield facts of dev and test."""
    from stages.model.relating import RelateSettings, relate
    from stages.tasks import docred
    from stages.tasks.facts import chosen_threshold, rows_of_facts

    for name in ("train", "dev"):
        what = f"the {name} split of {config.source}"
        mend = f"Name a labelled file: --set {place_of(config, name)}=PATH"
        docred.require_labels(splits.get(name, ()), what, mend)
    subset = docred.draw_documents(splits["train"], config.fraction, config.seed)
    choosing, dev = docred.parted(splits["dev"], config.threshold_share, config.seed)
    asked = {"dev": dev, "test": splits.get("test", ())}
    found = relate(
        encoder,
        RelateSettings(**values_of(config, task, RelateSettings)),
        docred.relations_of(splits.values()),
        subset,
        choosing,
        {split: own for split, own in asked.items() if own},
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    if found is None:
        return
    drawn = docred.manifest(subset, len(splits["train"]), config.fraction, config.seed)
    inputs.keep("subset.json").write_text(drawn, encoding="utf-8")
    inputs.keep("threshold.json").write_text(chosen_threshold(found, choosing), encoding="utf-8")
    count_lost(config, "train", found.lost, inputs)
    names = docred.names_of_facts(splits["train"])
    for split, answers in found.answers.items():
        count_lost(config, split, answers.lost, inputs)
        text = docred.submission((document, fact) for document, fact, _ in answers.facts)
        inputs.keep(f"submission-{split}.json").write_text(text, encoding="utf-8")
        if docred.is_labelled(asked[split]):
            cell = config.cell()
            told = rows_of_facts(split, asked[split], answers, names)
            rows = [(*cell.values(), split, *row) for row in told]
            yield "predictions", rows
    yield "curves", curve(config, inputs)
