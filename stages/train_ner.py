"""train_ner: learn to find mentions, from the hyperlinks of the corpus or from gold documents."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from stages.base import Inputs, Read, Rows, Stage, StageConfig, runtime
from storage.errors import ConfigError, SourceError
from storage.fingerprint import file_digest
from storage.spans import Span
from storage.tables import (
    HYPERLINKS,
    ITEMS,
    NER_SCORES,
    PAGES,
    PARAGRAPHS,
    SITE,
    TITLES,
    TRIPLES,
)

if TYPE_CHECKING:
    from stages.ner.anchors import Article
    from stages.ner.classes import ClassTypes
    from stages.ner.passage import Passage

MODEL = "ner_model.zip"
"""File beside the scores: the pipeline."""

# MD5 orders pages as good as by chance, and alike in every version of DuckDB.
SAMPLED = """
SELECT page_id FROM pages WHERE NOT disambiguation
ORDER BY md5(concat_ws(':', {seed}, page_id)), page_id LIMIT {pages}
"""
ARTICLES = """
SELECT page_id, p.title, text, bold_names, instance_of
FROM pages p JOIN sampled USING (page_id)
LEFT JOIN titles t ON t.title = p.title LEFT JOIN items USING (qid)
ORDER BY page_id
"""
BLOCKS = """
SELECT page_id, char_start, char_end FROM paragraphs JOIN sampled USING (page_id)
WHERE kind = 'prose' ORDER BY page_id, char_start
"""
LINKS = """
SELECT page_id, char_start, char_end, instance_of
FROM hyperlinks h JOIN sampled USING (page_id)
LEFT JOIN titles t ON t.title = h.target_title AND h.fragment = '' LEFT JOIN items USING (qid)
WHERE char_start < char_end ORDER BY page_id, char_start, char_end, hyperlink
"""
SUBCLASSES = """
SELECT head_qid[2:]::UINTEGER AS child, tail_qid[2:]::UINTEGER AS parent FROM triples
WHERE pid = 'P279' AND rank <> 'deprecated' AND tail_qid IS NOT NULL
"""


class TrainNerConfig(StageConfig):
    """What a pipeline learns from, and how long."""

    source: Literal["anchors", "docred"] = Field(
        "anchors",
        description="anchors: hyperlinks of the corpus, typed by the classes of their items, in "
        "any language; docred: the entities of `gold`",
    )
    # Not its place but its content counts: see `facts`.
    gold: str = runtime(
        "", description="file of DocRED's format (JSON, also gz, bz2, zst), for source docred"
    )
    pages: int = Field(2000, ge=2, description="articles to learn from, drawn by seed")
    held_out: float = Field(
        0.1,
        gt=0.0,
        lt=1.0,
        description="share of articles (documents) that early stop and scores are measured on",
    )
    max_steps: int = Field(20_000, ge=1, description="batches at most")
    # spaCy's own default is 1,600; it found nothing better that way (benchmarks/README.md).
    patience: int = Field(
        800, ge=1, description="batches without a better F1 after which training stops"
    )
    evaluate_every: int = Field(200, ge=1, description="batches between two evaluations")
    seed: int = Field(13, ge=0, description="set by the recipe's own `seed`")
    gpu: bool = runtime(True, description="use a GPU where spaCy finds one")

    @model_validator(mode="after")
    def _with_gold(self) -> TrainNerConfig:
        if (self.source == "docred") != bool(self.gold):
            raise ValueError(f"gold is {self.gold!r} with source {self.source}: docred needs it")
        return self


def train_ner(config: TrainNerConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `ner_scores`, and keep the pipeline (tok2vec and ner) that they are of.

    Drops: "block_without_mention" (anchors), "overlapping_mention" (docred; the longer one stays),
    "off_token" (mentions that no tokens of spaCy bound).
    Paper: Qin et al., ERICA (ACL 2021), section 5.2, re-tags its corpus with a tagger learnt from
    DocRED's entities; theirs is a BERT, this is spaCy's convolutional network.

    Raises:
        SourceError: If there is nothing to learn from.
    """
    from stages.ner.archive import pack
    from stages.ner.training import Settings, train

    inputs.report("gathering passages")
    found = (
        gold_documents(config, inputs) if config.source == "docred" else articles(config, inputs)
    )
    passages, held_out = parted(found, config)
    settings = Settings(config.seed, config.max_steps, config.patience, config.evaluate_every)
    language = inputs.rows(SITE)["language"][0].as_py()
    folder = inputs.scratch / "model"
    shutil.rmtree(folder, ignore_errors=True)
    learnt = train(language, passages, held_out, settings, folder, inputs, gpu=config.gpu)
    model = inputs.keep(MODEL)
    pack(folder, model)
    inputs.count("training_steps", learnt.steps)
    inputs.count("training_words", learnt.words)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    examples = Counter(kind for passage in passages for _, kind in passage.mentions)
    examples[learnt.scores[0].type] = examples.total()
    yield (
        NER_SCORES,
        NER_SCORES.batch(
            [
                (s.type, examples[s.type], s.gold, s.precision, s.recall, s.f1, digest)
                for s in sorted(learnt.scores, key=lambda score: score.type)
            ]
        ),
    )


def parted(
    found: Mapping[str, Sequence[Passage]], config: TrainNerConfig
) -> tuple[list[Passage], list[Passage]]:
    """Return the passages to learn from, and those of the documents that are held out.

    Raises:
        SourceError: If not at least two documents have a mention.
    """
    names = [name for name, passages in found.items() if any(p.mentions for p in passages)]
    if len(names) < 2:
        what = "documents of the gold file" if config.source == "docred" else "sampled articles"
        raise SourceError(
            f"{len(names)} of {len(found):,} {what} have a mention to learn from, and it takes two",
            mend="Anchors are learnt from where hyperlinks lead to items with a known class: does "
            "the Wikidata dump fit the wiki? Or do without: --set recognize.model=blank",
        )
    drawn = sorted(names, key=lambda name: hashlib.md5(f"{config.seed}:{name}".encode()).digest())
    kept_back = set(drawn[: max(1, min(round(len(drawn) * config.held_out), len(drawn) - 1))])
    passages = [p for name in found if name not in kept_back for p in found[name]]
    return passages, [p for name in found if name in kept_back for p in found[name]]


def articles(config: TrainNerConfig, inputs: Inputs) -> dict[str, list[Passage]]:
    """Return the passages of each sampled article, by page id."""
    from stages.ner.anchors import passages
    from stages.ner.words import lower_case_words

    query = SAMPLED.format(seed=config.seed, pages=config.pages)
    sampled = pa.Table.from_batches(list(inputs.sql(query)), pa.schema([("page_id", pa.int64())]))
    read = list(articles_of(sampled, inputs))
    plain = {word for _, article in read for word in lower_case_words(article.text)}
    found = {}
    for page_id, article in read:
        found[str(page_id)] = list(passages(article, plain))
        if silent := len(article.blocks) - len(found[str(page_id)]):
            inputs.drop("block_without_mention", page_id, silent)
    return found


def articles_of(sampled: pa.Table, inputs: Inputs) -> Iterator[tuple[int, Article]]:
    """Yield what is known of each sampled article, with its page id."""
    from stages.ner.anchors import Article, names_of

    types = types_of_classes(inputs)
    given = {"sampled": sampled}
    blocks: dict[int, list[Span]] = {}
    for row in rows_of(inputs, BLOCKS, given):
        blocks.setdefault(row["page_id"], []).append((row["char_start"], row["char_end"]))
    links: dict[int, dict[Span, str | None]] = {}
    for row in rows_of(inputs, LINKS, given):
        kind = types.of_item(row["instance_of"] or ())
        links.setdefault(row["page_id"], {})[row["char_start"], row["char_end"]] = kind
    for row in rows_of(inputs, ARTICLES, given):
        page_id, text = row["page_id"], row["text"]
        bold = [text[b["char_start"] : b["char_end"]] for b in row["bold_names"]]
        yield (
            page_id,
            Article(
                text,
                blocks.get(page_id, []),
                tuple(links.get(page_id, {}).items()),
                names_of(row["title"], bold),
                types.of_item(row["instance_of"] or ()),
            ),
        )


def rows_of(
    inputs: Inputs, query: str, given: Mapping[str, pa.Table] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query over the inputs."""
    for batch in inputs.sql(query, given):
        yield from batch.to_pylist()


def types_of_classes(inputs: Inputs) -> ClassTypes:
    """Return the entity type of every class that P279 leads to from the class table."""
    from stages.ner.classes import class_types

    edges = inputs.sql(SUBCLASSES)
    none = np.empty((2, 0), np.uint32)
    found = (np.stack([np.asarray(b["child"]), np.asarray(b["parent"])]) for b in edges)
    return class_types(*np.concatenate([none, *found], axis=1))


def gold_documents(config: TrainNerConfig, inputs: Inputs) -> dict[str, list[Passage]]:
    """Return the one passage of each gold document, by id.

    Raises:
        SourceError: If the file is not of DocRED's format.
    """
    from stages.annotated import read
    from stages.ner.passage import Passage, disjoint

    found = {}
    for document in read("docred", Path(config.gold), inputs):
        typed = [(m.span, m.type) for e in document.entities for m in e.mentions if m.type]
        mentions = disjoint(typed)
        if lost := len({span for span, _ in typed}) - len(mentions):
            inputs.drop("overlapping_mention", document.id, lost)
        found[document.id] = [Passage(document.text, tuple(mentions))]
    return found


def reads(config: TrainNerConfig) -> tuple[Read, ...]:
    """Return what it reads: of gold documents only their language."""
    if config.source == "docred":
        return (SITE,)
    return (PAGES, PARAGRAPHS, HYPERLINKS, TITLES, ITEMS, TRIPLES, SITE)


def facts(config: TrainNerConfig) -> dict[str, str]:
    """Return what counts beside the config: the version of spaCy, and the gold file's content.

    Raises:
        ConfigError: If the gold file is not there.
    """
    check(config)
    known = {"spacy": metadata.version("spacy")}
    return known | ({"gold": file_digest(Path(config.gold))} if config.gold else {})


def check(config: TrainNerConfig) -> None:
    """Check that the gold file is there.

    Raises:
        ConfigError: If it is not.
    """
    if config.gold and not Path(config.gold).is_file():
        raise ConfigError(
            f"train_ner.gold is {config.gold!r}, and there is no such file",
            mend="Name a file of DocRED's format: --set train_ner.gold=PATH",
        )


TRAIN_NER = Stage(
    "train_ner",
    version=2,
    config=TrainNerConfig,
    reads=reads,
    writes=(NER_SCORES,),
    run=train_ner,
    facts=facts,
    check=check,
    optional=True,
)
