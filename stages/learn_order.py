"""learn_order: train a classifier on distant labels, and record when it learns each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.base import Inputs, Read, Rows, Share, Stage, runtime
from stages.start import StartConfig, check_start, start, start_facts
from storage.errors import ConfigError, StageError
from storage.tables import BENCHMARK_FILES, FEATURES, LEARNING_ORDERS, WORD_PIECES

if TYPE_CHECKING:
    from stages.annotated.document import Document
    from stages.model.corpus import Corpus
    from stages.model.encoder import Encoder
    from stages.model.label_records import Seen

AT_ONCE = 50_000


class LearnOrderConfig(StartConfig):
    """Which classifier learns the labels, for how long, and what is recorded.

    The defaults are FineCL's; its code clips gradients at 0.1.
    """

    unit: Literal["document", "sentence"] = Field(
        "document",
        description="document: all pairs of a text at once, through a bilinear head; sentence: the "
        "first sentence that holds a pair, with markers around head and tail",
    )
    train_on: Literal["silver", "gold"] = Field(
        "silver",
        description="silver: the distant labels themselves; gold: the training split of "
        "`benchmark`, after which the distant labels are looked at once (documents alone)",
    )
    benchmark: str = Field(
        "docred",
        description="gold: benchmark of fetch_benchmarks whose training split is learnt from",
    )
    confidence: Literal["label", "max"] = Field(
        "label",
        description="gold: which probability of the classifier is recorded: that of the distant "
        "label, or the highest of any relation and NA, as WCL may be read too; labels of relations "
        "that the gold documents do not have are counted, and have none",
    )
    epochs: int = Field(15, ge=1, description="passes over all labels: FineCL's k")
    epoch_based: bool = Field(
        False, description="look at all labels anew after each epoch, too: 1.4 times the time"
    )
    na_ratio: float | None = Field(
        3.0,
        gt=0.0,
        description="NA pairs for each label, of a document or of all sentences, drawn anew in "
        "each epoch; null for all NA pairs",
    )
    loss: Literal["ce", "bce"] = Field(
        "ce",
        description="ce: softmax over all relations and NA, without the pair's other labels; bce: "
        "each relation by itself",
    )
    batch: int = Field(32, ge=1, description="texts of an update, over all processes")
    learning_rate: float = Field(4e-5, gt=0.0, description="the highest")
    warmup: Share = Field(0.1, description="share of the updates until it is reached")
    weight_decay: float = Field(0.0, ge=0.0, description="of matrices; not of biases and norms")
    clip_norm: float = Field(1.0, gt=0.0, description="largest norm of the gradient")
    max_pieces: int = Field(512, ge=16, description="pieces of a text, all included")
    micro_tokens: int = runtime(
        16_384, ge=16, description="tokens that are encoded at once; lower it when memory runs out"
    )
    checkpoint_minutes: float = runtime(10.0, gt=0.0, description="time between checkpoints")


def learn_order(config: LearnOrderConfig, inputs: Inputs) -> Iterator[Rows]:
    """Train on the distant labels and yield what was recorded of each.

    A label is learnt when it is the classifier's answer among NA and all relations that the pair
    has not beside it. NA is recorded in the epochs that drew it.

    Drops: "behind_max_pieces", "overlapping_mentions", "too_far_apart", "in_no_sentence_together"
    (pairs that cannot be shown), "never_drawn" (NA pairs).
    Paper: Hogan et al., FineCL (NAACL 2022), section 3.1, Eq. 1.
    """
    from stages.model.label_records import LabelRecords
    from stages.model.loop import begin
    from stages.model.markers import require_tokenizer
    from stages.model.store import open_corpus, relations_of, types_of, write_corpus

    accelerator = begin(config.seed)
    inputs.require_world(accelerator.num_processes)
    encoder = start(config, inputs)
    require_tokenizer(encoder.tokenizer, inputs.rows(FEATURES)["tokenizer"], "learn_order")
    with accelerator.main_process_first():
        path = inputs.scratch / "corpus.arrow"
        if not path.exists():
            features = inputs.rows(FEATURES)
            write_corpus(path, [features], relations_of([features]), types_of([features]))
    corpus = open_corpus(path, encoder.markers)
    if config.train_on == "gold":
        yield from by_gold(corpus, encoder, config, inputs, accelerator)
        return
    records = {
        name: LabelRecords(inputs.scratch / "records" / name, inputs.rank.index)
        for name in ("batch", *(["epoch"] if config.epoch_based else []))
    }
    lost = train_on(corpus, encoder, records, config, inputs, accelerator)
    accelerator.wait_for_everyone()
    if inputs.rank.index == 0:
        for reason, count in lost.items():
            if count:
                inputs.drop(reason, "pairs", count)
        labels = len(corpus.label["relation"])
        seen = {name: own.read(labels, config.epochs) for name, own in records.items()}
        yield from rows(corpus, seen, inputs)


def train_on(
    corpus: Corpus,
    encoder: Encoder,
    records: dict[str, Any],
    config: LearnOrderConfig,
    inputs: Inputs,
    accelerator: Any,
) -> dict[str, int]:
    """Train a classifier over an encoder; return how many pairs cannot be shown, by reason.

    Raises:
        StageError: If no pair with a relation can be shown.
    """
    from stages.model.classify import Classifier
    from stages.model.label_training import LabelTraining, learn_labels
    from stages.model.relate import DocumentClassifier
    from stages.model.shown import ShownDocuments, ShownSentences

    document = config.unit == "document"
    shown = (ShownDocuments if document else ShownSentences)(
        corpus,
        max_pieces=min(config.max_pieces, encoder.max_pieces),
        na_ratio=config.na_ratio,
        seed=config.seed,
    )
    if not (shown.epoch(0) & ~shown.na_P).any():
        raise StageError(
            "no pair with a relation can be shown",
            mend="Look at the drops of align and featurize; pairs across sentences need "
            "learn_order.unit = document",
        )
    kind = DocumentClassifier if document else Classifier
    model = kind(encoder, len(corpus.relations)).to(accelerator.device)
    fields = LabelTraining.__dataclass_fields__
    learn_labels(
        model,
        corpus,
        shown,
        LabelTraining(**{name: value for name, value in config if name in fields}),
        accelerator,
        inputs.scratch,
        by_batch=records["batch"],
        by_epoch=records.get("epoch"),
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    return shown.lost


def by_gold(
    corpus: Corpus, encoder: Encoder, config: LearnOrderConfig, inputs: Inputs, accelerator: Any
) -> Iterator[Rows]:
    """Train on gold documents and yield what the classifier makes of the distant labels.

    Drops: "not_a_gold_relation" (labels that the classifier has no class for).
    Paper: the confidence of weighted contrastive learning, as Hogan et al., FineCL (NAACL 2022),
    section 4.1, compare with it.

    Raises:
        SourceError: If the benchmark has no labelled training split.
    """
    from stages.annotated import read
    from stages.model.judging import judge
    from stages.tasks.docred import require_labels

    files = inputs.files(BENCHMARK_FILES)
    documents: list[Document] = []
    for row in inputs.rows(BENCHMARK_FILES).to_pylist():
        if row["split"] == "train":
            documents += read(row["format"], files[row["file"]], inputs, split="train")
    place = f"fetch_benchmarks.benchmarks.{config.benchmark}.files.train"
    what = f"the train split of {config.benchmark}"
    require_labels(documents, what, f"Name a labelled file: --set {place}=PATH")
    seen, unknown, lost = judge(
        encoder,
        documents,
        corpus,
        {name: value for name, value in config if name not in ("train_on", "benchmark")},
        accelerator,
        inputs.scratch,
        tell=inputs.tell,
        stopping=lambda: inputs.stopping,
    )
    if inputs.rank.index:
        return
    for reason, count in lost.items():
        if count:
            inputs.drop(reason, "pairs", count)
    if unknown:
        inputs.drop("not_a_gold_relation", "labels", unknown)
    yield from rows(corpus, {"epoch": seen}, inputs, ordered=False)


def rows(
    corpus: Corpus, seen: dict[str, Seen], inputs: Inputs, *, ordered: bool = True
) -> Iterator[Rows]:
    """Yield `learning_orders`, sorted, and keep the share learnt by epoch and relation.

    Args:
        ordered: Whether epochs are those of learning; else orders are null.
    """
    pairs = inputs.rows(FEATURES)["pairs"].combine_chunks().flatten()
    pair_L = np.repeat(np.arange(len(pairs)), np.diff(corpus.labels_of_pair))
    relation = corpus.label["relation"]
    labels = pa.table(
        {
            "tuple_id": pairs.field("tuple_id").take(pa.array(pair_L)),
            "pid": pa.array(corpus.relations, pa.string()).take(pa.array(relation)),
            "label": np.arange(len(relation)),
        }
    )
    shown = next(iter(seen.values())).shown_NK.any(axis=1)
    if never := int((~shown & (relation == 0)).sum()):
        inputs.drop("never_drawn", "NA", never)
    labels = labels.filter(pa.array(shown)).sort_by(
        [("tuple_id", "ascending"), ("pid", "ascending")]
    )
    for batch in labels.combine_chunks().to_batches(AT_ONCE):
        chosen = np.asarray(batch["label"])
        columns = {"tuple_id": batch["tuple_id"], "pid": batch["pid"]}
        for name in ("batch", "epoch"):
            own = seen.get(name)
            columns |= columns_of(name, own, chosen) if own else nothing(name, len(chosen))
            if not ordered:
                columns[f"{name}_order"] = pa.nulls(len(chosen), pa.int32())
        yield (
            LEARNING_ORDERS,
            pa.RecordBatch.from_arrays(
                [columns[c.name] for c in LEARNING_ORDERS.columns], schema=LEARNING_ORDERS.schema
            ),
        )
    if not ordered:
        return
    for epoch, share in enumerate(learnt_shares(seen["batch"], shown & (relation != 0))):
        inputs.count(f"labels_learnt_by_epoch_{epoch}", share)


def columns_of(name: str, seen: Seen, chosen: Any) -> dict[str, pa.Array]:
    """Return the order of some labels, and lists with an element for each epoch."""
    missing = pa.array(~seen.shown_NK[chosen].ravel())
    bounds = pa.array(np.arange(len(chosen) + 1) * seen.shown_NK.shape[1], pa.int32())
    columns = {f"{name}_order": pa.array(seen.order_N()[chosen], pa.int32())}
    for part, values_NK in (
        ("correct", seen.correct_NK),
        ("loss", seen.loss_NK),
        ("probability", seen.probability_NK),
    ):
        kind = LEARNING_ORDERS.schema.field(f"{name}_{part}").type
        flat = pa.array(values_NK[chosen].ravel()).cast(kind.value_type)
        flat = pc.if_else(missing, pa.scalar(None, kind.value_type), flat)
        columns[f"{name}_{part}"] = pa.ListArray.from_arrays(bounds, flat, type=kind)
    return columns


def nothing(name: str, count: int) -> dict[str, pa.Array]:
    """Return columns of null."""
    names = [f"{name}_{part}" for part in ("order", "correct", "loss", "probability")]
    return {n: pa.nulls(count, LEARNING_ORDERS.schema.field(n).type) for n in names}


def learnt_shares(seen: Seen, labels: Any) -> list[int]:
    """Return how many of some labels had been learnt by the end of each epoch."""
    order = seen.order_N()[labels]
    return [int((order <= epoch).sum()) for epoch in range(seen.correct_NK.shape[1])]


def reads(config: LearnOrderConfig) -> tuple[Read, ...]:
    """Return what the stage reads: a vocabulary from scratch, a benchmark where that is gold."""
    pieces = (WORD_PIECES,) if config.untrained else ()
    gold = (BENCHMARK_FILES[config.benchmark],) if config.train_on == "gold" else ()
    return (FEATURES, *pieces, *gold)


def check(config: LearnOrderConfig) -> None:
    """Check that training can begin on this machine.

    Raises:
        ConfigError: If not, or if gold labels are asked for of sentences.
    """
    check_start(config, "learn_order")
    if config.train_on == "gold" and config.unit != "document":
        raise ConfigError(
            'learn_order.train_on = "gold" looks at documents, and learn_order.unit is sentence',
            mend='Set learn_order.unit = "document"',
        )
    if config.train_on == "silver" and config.confidence != "label":
        raise ConfigError(
            f"learn_order.confidence is {config.confidence!r}, and the classifier learns the "
            "distant labels themselves",
            mend='Leave it out, or set learn_order.train_on = "gold"',
        )


LEARN_ORDER = Stage(
    "learn_order",
    version=4,
    config=LearnOrderConfig,
    reads=reads,
    writes=(LEARNING_ORDERS,),
    run=learn_order,
    facts=start_facts,
    check=check,
    variants=True,
    launched=True,
)
