"""Training of a spaCy pipeline (tok2vec and ner) by spaCy's own loop, stopped early."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.training.loop import (
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
)
from thinc.api import Adam, compounding, fix_random_seed, prefer_gpu

from stages.ner.passage import Passage
from stages.ner.pipeline import blank

# Sizes of spaCy's small pipelines; a batch grows from 100 to 1,000 words.
WIDTH, DEPTH = 96, 4
ROWS = {"NORM": 5000, "PREFIX": 1000, "SUFFIX": 2500, "SHAPE": 2500}
DROPOUT, LEARN_RATE = 0.1, 0.001
ALL = "all"
TOK2VEC: dict[str, Any] = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": WIDTH,
        "attrs": list(ROWS),
        "rows": list(ROWS.values()),
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": WIDTH,
        "depth": DEPTH,
        "window_size": 1,
        "maxout_pieces": 3,
    },
}
NER: dict[str, Any] = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 64,
    "maxout_pieces": 2,
    "use_upper": True,
    "nO": None,
    "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH, "upstream": "*"},
}


class Tally(Protocol):
    """Where training says what it leaves out and what it is at; `Inputs` of a stage is one."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Count what is left out."""

    def report(self, doing: str) -> None:
        """Say what it is at."""


@dataclass(frozen=True)
class Settings:
    """How long a pipeline learns.

    Attributes:
        seed: Seed of the weights, of the order of passages and of dropout.
        max_steps: Batches at most.
        patience: Batches without a better F1 on the held-out passages after which it stops.
        evaluate_every: Batches between two evaluations.
    """

    seed: int
    max_steps: int
    patience: int
    evaluate_every: int


@dataclass(frozen=True)
class Score:
    """How well a pipeline finds the mentions of one type: exact spans, shares in [0, 1].

    Attributes:
        type: Entity type, or ALL.
        gold: Mentions that are known.
    """

    type: str
    gold: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Learnt:
    """A trained pipeline.

    Attributes:
        steps: Batches until the weights that were kept.
        words: Words in the training passages.
        scores: Of all types first, then by type.
    """

    steps: int
    words: int
    scores: tuple[Score, ...]


def train(
    language: str,
    passages: Sequence[Passage],
    held_out: Sequence[Passage],
    settings: Settings,
    folder: Path,
    tally: Tally,
    *,
    gpu: bool = False,
) -> Learnt:
    """Train a pipeline and save the best of it, as `nlp.to_disk` does.

    One seed gives the same pipeline on one machine and version of spaCy.

    Drops: "off_token" (mentions that spaCy's tokens do not bound; unknown to the training).

    Args:
        language: Language code; one that spaCy does not know takes its generic rules.
        passages: What it learns from; at least one mention in all.
        held_out: What its F1 is measured on, early stop and scores; at least one mention.
        folder: Where it is saved.
        gpu: Use a GPU where spaCy finds one.
    """
    if gpu:
        prefer_gpu()
    fix_random_seed(settings.seed)
    nlp = blank(language)
    # No sentencizer: it saves its marks in another order each time. Whoever loads the rest adds it.
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
    nlp.add_pipe("ner", config={"model": NER})
    examples = [example(nlp, passage, tally) for passage in passages]
    unseen = [example(nlp, passage, tally) for passage in held_out]
    optimizer = Adam(LEARN_RATE, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True)
    nlp.initialize(lambda: examples, sgd=optimizer)
    sizes: Any = compounding(100.0, 1000.0, 1.001)
    batches: Any = partial(minibatch_by_words, size=sizes, tolerance=0.2)
    steps = 0
    with warnings.catch_warnings():
        # A batch of a few mentions may score nothing; spaCy warns of each.
        warnings.simplefilter("ignore", UserWarning)
        loop = train_while_improving(
            nlp,
            optimizer,
            create_train_batches(nlp, lambda _: examples, batches, 0),
            create_evaluation_callback(nlp, lambda _: unseen, {"ents_f": 1.0}),
            dropout=DROPOUT,
            accumulate_gradient=1,
            patience=settings.patience,
            max_steps=settings.max_steps,
            eval_frequency=settings.evaluate_every,
            exclude=[],
            annotating_components=[],
            before_update=None,
        )
        for _, info, best in loop:
            if best:
                with nlp.use_params(optimizer.averages):
                    nlp.to_disk(folder)
                steps = info["step"]
            score = max(info["checkpoints"])[0]
            tally.report(f"batch {info['step']} of at most {settings.max_steps}, F1 {score:.3f}")
    return Learnt(steps, sum(map(len, examples)), tuple(scored(spacy.load(folder), unseen)))


def example(nlp: Language, passage: Passage, tally: Tally) -> Example:
    """Return a passage in the tokens of a pipeline."""
    doc = nlp.make_doc(passage.text)
    mentions, unknown = [], []
    for (start, end), kind in passage.mentions:
        span = doc.char_span(start, end, label=kind)
        if span is None:
            tally.drop("off_token", passage.text[start:end])
            unknown.append(doc.char_span(start, end, alignment_mode="expand"))
        else:
            mentions.append(span)
    unknown += [doc.char_span(*span, alignment_mode="expand") for span in passage.unknown]
    taken = {token.i for span in mentions for token in span}
    open_tokens = {token.i for span in unknown if span is not None for token in span} - taken
    missing = [doc[i : i + 1] for i in sorted(open_tokens)]
    doc.set_ents(mentions, missing=missing, default="outside")
    return Example(nlp.make_doc(passage.text), doc)


def scored(nlp: Language, examples: Sequence[Example]) -> Iterator[Score]:
    """Yield how well a pipeline finds known mentions: of all types first, then by type.

    What it finds where nothing is known is neither right nor wrong.
    """
    gold = Counter(entity.label_ for example in examples for entity in example.y.ents)
    found = nlp.evaluate(examples)
    yield Score(ALL, gold.total(), found["ents_p"], found["ents_r"], found["ents_f"])
    for kind in sorted(gold):
        score = found["ents_per_type"][kind]
        yield Score(kind, gold[kind], score["p"], score["r"], score["f"])
