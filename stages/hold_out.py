"""hold_out: which tuples and documents may be trained on, and which a benchmark keeps from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.base import Inputs, Pending, Rows, Stage, StageConfig, by_page
from storage.tables import (
    DOCUMENT_SPLITS,
    DOCUMENTS,
    ENTITIES,
    PAGES,
    PROTECTED_SPLITS,
    RELATION_COUNTS,
    SPLITS,
    TUPLES,
)

if TYPE_CHECKING:
    from stages.holding.held_out import HeldOut, Hit

ROWS_AT_ONCE = 50_000
TRAIN, HELD_OUT, SAMPLED_OUT = "train", "held_out", "sampled_out"
COLUMNS = ["tuple_id", "page_id", "document_id", "head_entity", "tail_entity", "pids"]


class HoldOutConfig(StageConfig):
    """Nothing to choose: `protect` says what is held out, `count_relations` what is too much."""

    seed: int = Field(13, description="seed of the sample; set by the recipe's own `seed`")


def hold_out(config: HoldOutConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the split of each tuple and of each document, with the reasons.

    A tuple is held out where its pair is protected, or where its document is, as a page or as a
    text. NA tuples are, too: a held-out pair is no negative either. What no benchmark holds out may
    still be one too many of its relations, and is sampled out.

    Counts: "held_out KIND BENCHMARK" (tuples, each once a benchmark and kind),
    "held_out documents KIND BENCHMARK", "sampled_out".
    """
    from stages.holding.held_out import HeldOut

    benchmarks = {row["ordinal"]: row for row in inputs.rows(PROTECTED_SPLITS).to_pylist()}
    keep_upto = {row["pid"]: row["keep_upto"] for row in inputs.rows(RELATION_COUNTS).to_pylist()}
    held = HeldOut(inputs.files(PROTECTED_SPLITS))
    pairs, documents = held_out_of(held, inputs) if benchmarks else ({}, {})
    pending = Pending(SPLITS, DOCUMENT_SPLITS)
    for row in inputs.rows(DOCUMENTS).to_pylist():
        hits = documents.get(row["document_id"], set())
        count(hits, benchmarks, "held_out documents", inputs)
        verdict = HELD_OUT if hits else TRAIN
        place = (row["document_id"], row["page_id"], row["char_start"], row["char_end"])
        pending.add(DOCUMENT_SPLITS, (*place, verdict, reasons(hits, benchmarks)))
    for batch in inputs.rows(TUPLES).select(COLUMNS).to_batches(ROWS_AT_ONCE):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            *whole, pids = row
            name, _, document, head, tail = whole
            hits = pairs.get((document, frozenset((head, tail))), set())
            hits = hits | documents.get(document, set())
            count(hits, benchmarks, "held_out", inputs)
            verdict = HELD_OUT if hits else TRAIN
            if not hits and pids and too_many(name, pids, keep_upto, config.seed):
                verdict = SAMPLED_OUT
                inputs.count(SAMPLED_OUT)
            pending.add(SPLITS, (*whole, verdict, reasons(hits, benchmarks)))
        yield from pending.flush()
    yield from pending.flush()


def held_out_of(
    held: HeldOut, inputs: Inputs
) -> tuple[dict[tuple[str, frozenset[int]], set[Hit]], dict[str, set[Hit]]]:
    """Return which pairs of entities, and which whole documents, are protected."""
    from stages.holding.benchmark import page_key

    documents = by_page(inputs.rows(DOCUMENTS))
    entities = by_page(inputs.rows(ENTITIES))
    pairs: dict[tuple[str, frozenset[int]], set[Hit]] = {}
    whole: dict[str, set[Hit]] = {}
    for page in inputs.rows(PAGES).to_pylist():
        of_page = held.page(page_key(page["title"]))
        for row in documents.get(page["page_id"], []):
            name = row["document_id"]
            hits = of_page | held.text(page["text"][row["char_start"] : row["char_end"]])
            if hits:
                whole[name] = hits
        own: dict[str, dict[int, set[int]]] = {}
        for row in entities.get(page["page_id"], []):
            keys = entity_keys(row, page["text"], held)
            if keys:
                own.setdefault(row["document_id"], {})[row["entity"]] = keys
        for name, known in own.items():
            ordinals = list(known)
            for pair, hits in held.pairs(list(known.values())).items():
                pairs[name, frozenset(ordinals[i] for i in pair)] = hits
    return pairs, whole


def entity_keys(row: Mapping[str, Any], text: str, held: HeldOut) -> set[int]:
    """Return the keys of an entity that are ends of protected pairs."""
    names = {text[m["char_start"] : m["char_end"]] for m in row["mentions"]} | {row["name"]}
    return held.keys(row["qid"], int(row["qid"][1:]) if row["qid"] else 0, names)


def reasons(hits: set[Hit], benchmarks: Mapping[int, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return why something is held out, as the column of that name."""
    return [
        {
            "benchmark": benchmarks[hit.split]["benchmark"],
            "split": benchmarks[hit.split]["split"],
            "protect": hit.protect,
        }
        for hit in sorted(hits)
    ]


def count(
    hits: set[Hit], benchmarks: Mapping[int, Mapping[str, Any]], what: str, inputs: Inputs
) -> None:
    """Count something that is held out once for each benchmark and kind."""
    names = Counter({(hit.protect, benchmarks[hit.split]["benchmark"]) for hit in hits})
    for protect, benchmark in names:
        inputs.count(f"{what} {protect} {benchmark}")


def too_many(
    tuple_id: str, pids: Sequence[str], keep_upto: Mapping[str, int | None], seed: int
) -> bool:
    """Whether none of a tuple's relations takes it."""
    bounds = [bound for pid in pids if (bound := keep_upto[pid]) is not None]
    if len(bounds) < len(pids):
        return False
    from stages.holding.draws import drawn

    return drawn(tuple_id, seed) > max(bounds)


HOLD_OUT = Stage(
    "hold_out",
    version=1,
    config=HoldOutConfig,
    reads=(PAGES, DOCUMENTS, ENTITIES, TUPLES, PROTECTED_SPLITS, RELATION_COUNTS),
    writes=(SPLITS, DOCUMENT_SPLITS),
    run=hold_out,
)
