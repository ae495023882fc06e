"""featurize: cut documents into word pieces, once for each tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.base import Inputs, Read, Rows, Stage, StageConfig, located
from storage.errors import ConfigError
from storage.fingerprint import file_digest, fingerprint
from storage.table import Table
from storage.tables import (
    DOCUMENT_SPLITS,
    DOCUMENTS,
    ENTITIES,
    FEATURES,
    PAGES,
    SENTENCES,
    SPLITS,
    TUPLES,
    WORD_PIECES,
)

if TYPE_CHECKING:
    from stages.model.pieces import InPieces

Ints = npt.NDArray[np.int64]
SCRATCH = "scratch"
TRAIN = "train"
HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
TOKENIZER_FILES = ("token*.json", "special_tokens_map.json", "vocab*", "merges.txt", "*.model")
DOCUMENTS_AT_ONCE = 500


class FeaturizeConfig(StageConfig):
    """Which tokenizer cuts, and how much of a document is kept."""

    tokenizer: str = located(
        SCRATCH,
        min_length=1,
        description="scratch: trained on this corpus; the folder of an encoder; or a hub id of "
        "Hugging Face, such as google-bert/bert-base-uncased",
    )
    revision: str | None = Field(
        None, description="commit of the hub's repository; a hub id needs one"
    )
    max_pieces: int = Field(
        510,
        ge=8,
        description="word pieces of a document that are kept, without [CLS] and [SEP]",
    )


def featurize(config: FeaturizeConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `features` row per document that has an entity.

    Drops: "held_out_document", "held_out_tuple", "sampled_out_tuple" (by hold_out; "unknown_..."
    where it says nothing), "no_entities" (documents), "no_pieces" and "behind_max_pieces"
    (mentions), "entity_lost" (tuples whose head or tail has lost its last mention).
    """
    from stages.model.markers import load_tokenizer, tokenizer_digest
    from stages.model.pieces import in_pieces

    name: str | Path = config.tokenizer
    if config.tokenizer == SCRATCH:
        name = inputs.files(WORD_PIECES)["tokenizer.json"].parent
    tokenizer = load_tokenizer(name, config.revision)
    digest = tokenizer_digest(tokenizer)
    for chunk in chunks(inputs):
        found = in_pieces(
            tokenizer,
            chunk.texts(),
            chunk.sentences(),
            chunk.mentions(),
            chunk.entity_bounds,
            config.max_pieces,
        )
        chunk.tell(found, inputs)
        yield FEATURES, chunk.features(found, digest, inputs)
        inputs.report(f"in word pieces: {chunk.end:,} documents")


def chunks(inputs: Inputs) -> Iterator[Chunk]:
    """Yield the documents of the shard that have an entity, a few hundred at once."""
    order = [("page_id", "ascending"), ("document_id", "ascending")]
    documents = to_train_on(inputs.rows(DOCUMENTS), DOCUMENT_SPLITS, "document_id", inputs)
    documents = documents.sort_by(order)
    entities = inputs.rows(ENTITIES).sort_by([*order, ("entity", "ascending")])
    entities = entities.filter(pc.is_in(entities["document_id"], documents["document_id"]))
    tuples = to_train_on(inputs.rows(TUPLES), SPLITS, "tuple_id", inputs)
    tuples = tuples.filter(pc.is_in(tuples["document_id"], documents["document_id"]))
    tuples = tuples.sort_by([*order, ("head_entity", "ascending"), ("tail_entity", "ascending")])
    known = pc.is_in(documents["document_id"], value_set=entities["document_id"].combine_chunks())
    for name in documents.filter(pc.invert(known))["document_id"].to_pylist():
        inputs.drop("no_entities", name)
    documents = documents.filter(known).combine_chunks()
    names = documents["document_id"].combine_chunks()
    bounds = [bounds_of(names, rows) for rows in (entities, tuples)]
    pages = Pages(inputs)
    for start in range(0, len(documents), DOCUMENTS_AT_ONCE):
        end = min(start + DOCUMENTS_AT_ONCE, len(documents))
        own = [
            Owned(
                rows.slice(b[start], b[end] - b[start]).combine_chunks(),
                b[start : end + 1] - b[start],
            )
            for rows, b in zip((entities, tuples), bounds, strict=True)
        ]
        yield Chunk(documents.slice(start, end - start), own[0], own[1], pages, end)


def to_train_on(rows: pa.Table, splits: Table, key: str, inputs: Inputs) -> pa.Table:
    """Return the rows that may be trained on; the others are counted under their verdict."""
    verdicts = inputs.rows(splits)
    place = pc.index_in(rows[key], verdicts[key].combine_chunks())
    own = pc.fill_null(verdicts["verdict"].combine_chunks().take(place.combine_chunks()), "unknown")
    left_out = pc.not_equal(own, TRAIN)
    what = key.removesuffix("_id")
    for name, verdict in zip(
        rows[key].filter(left_out).to_pylist(), own.filter(left_out).to_pylist(), strict=True
    ):
        inputs.drop(f"{verdict}_{what}", name)
    return rows.filter(pc.invert(left_out))


def bounds_of(names: pa.Array, rows: pa.Table) -> Ints:
    """Return where the rows of each document begin and end; both are in the same order."""
    owner = pc.index_in(rows["document_id"], value_set=names).to_numpy()
    return np.searchsorted(owner, np.arange(len(names) + 1))


class Pages:
    """Texts and sentences of the pages of a shard."""

    def __init__(self, inputs: Inputs) -> None:
        pages = inputs.rows(PAGES)
        self._place = {page: i for i, page in enumerate(pages["page_id"].to_pylist())}
        self._texts = pages["text"]
        sentences = inputs.rows(SENTENCES).sort_by(
            [("page_id", "ascending"), ("sentence", "ascending")]
        )
        self.starts = np.asarray(sentences["char_start"])
        self.ends = np.asarray(sentences["char_end"])
        self._pages = np.asarray(sentences["page_id"])

    def text(self, page_id: int, start: int, end: int) -> str:
        """Return a part of a page's text."""
        text: str = self._texts[self._place[page_id]].as_py()[start:end]
        return text

    def sentences(self, page_id: int, start: int, end: int) -> tuple[int, int, int]:
        """Return the rows of the sentences of a span, and the row of the page's first one."""
        first, behind = np.searchsorted(self._pages, [page_id, page_id + 1])
        from_row = first + np.searchsorted(self.ends[first:behind], start, "right")
        to_row = first + np.searchsorted(self.starts[first:behind], end, "left")
        return int(from_row), int(max(to_row, from_row)), int(first)


@dataclass(frozen=True)
class Owned:
    """Rows that some documents have, and where those of each begin and end."""

    rows: pa.Table
    bounds: Ints


class Chunk:
    """Some documents with their entities and tuples."""

    def __init__(
        self, documents: pa.Table, entities: Owned, tuples: Owned, pages: Pages, end: int
    ) -> None:
        self.end = end
        self.entity_bounds, self._tuple_bounds = entities.bounds, tuples.bounds
        self._documents, self._entities, self._tuples = documents, entities.rows, tuples.rows
        self._pages = pages
        self._page_ids = documents["page_id"].to_pylist()
        self._starts = np.asarray(documents["char_start"]).astype(np.int64)
        self._spans = list(
            zip(self._starts.tolist(), documents["char_end"].to_pylist(), strict=True)
        )
        self._sentences = np.array(
            [pages.sentences(p, *span) for p, span in self._each()], dtype=np.int64
        ).reshape(-1, 3)

    def _each(self) -> Iterator[tuple[int, tuple[int, int]]]:
        yield from zip(self._page_ids, self._spans, strict=True)

    def texts(self) -> list[str]:
        """Return the text of each document."""
        return [self._pages.text(page, *span) for page, span in self._each()]

    def sentences(self) -> Any:
        """Return the code points of each document's sentences, as `Lists`."""
        from stages.model.corpus import Lists
        from stages.model.ragged import offsets, owners, ranges

        counts = self._sentences[:, 1] - self._sentences[:, 0]
        rows = ranges(self._sentences[:, 0], counts)
        shift = self._starts[owners(counts)]
        columns = {
            "start": np.maximum(self._pages.starts[rows] - shift, 0),
            "end": self._pages.ends[rows] - shift,
        }
        return Lists(offsets(counts), columns)

    def mentions(self) -> Any:
        """Return the code points, entity and sentence of each document's mentions, as `Lists`."""
        from stages.model.corpus import Lists
        from stages.model.ragged import owners

        mentions = self._entities["mentions"].combine_chunks()
        entity_counts = np.asarray(pc.list_value_length(mentions)).astype(np.int64)
        starts, ends, sentences = (np.asarray(c) for c in mentions.flatten().flatten())
        entity_rows = owners(entity_counts)
        entity_documents = owners(np.diff(self.entity_bounds))
        mention_documents = entity_documents[entity_rows]
        first_row = self._sentences[mention_documents, 0] - self._sentences[mention_documents, 2]
        before = np.concatenate([[0], np.cumsum(entity_counts)])
        columns = {
            "start": starts - self._starts[mention_documents],
            "end": ends - self._starts[mention_documents],
            "entity": entity_rows - self.entity_bounds[mention_documents],
            "sentence": sentences - first_row,
        }
        return Lists(before[self.entity_bounds], columns)

    def tell(self, found: InPieces, inputs: Inputs) -> None:
        """Count mentions that were lost."""
        for reason, lost in (
            ("no_pieces", found.no_pieces_M),
            ("behind_max_pieces", found.behind_M),
        ):
            if lost.any():
                document = np.searchsorted(found.given_bounds, np.flatnonzero(lost), "right") - 1
                for at in document.tolist():
                    inputs.drop(reason, self._documents["document_id"][at].as_py())

    def features(self, found: InPieces, digest: str, inputs: Inputs) -> pa.RecordBatch:
        """Return the rows of `features`; the digest is the tokenizer's."""
        columns = {
            "document_id": self._documents["document_id"].combine_chunks(),
            "page_id": self._documents["page_id"].combine_chunks(),
            "tokenizer": pa.array([digest] * len(self._documents), pa.string()),
            "pieces": listed("pieces", found.piece.bounds, *found.piece.columns.values()),
            "sentences": listed("sentences", found.sentence.bounds, *columns_of(found.sentence)),
            "mentions": listed("mentions", found.mention.bounds, *columns_of(found.mention)),
            "entities": self._entity_lists(found),
            "pairs": self._pair_lists(found, inputs),
        }
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=FEATURES.schema)

    def _entity_lists(self, found: InPieces) -> pa.Array:
        kept = self._entities.filter(pa.array(found.place_E >= 0))
        values = [kept[name].combine_chunks() for name in ("entity", "qid", "type")]
        return listed("entities", found.entity_bounds, *values)

    def _pair_lists(self, found: InPieces, inputs: Inputs) -> pa.Array:
        pair_documents = np.repeat(np.arange(len(self._documents)), np.diff(self._tuple_bounds))
        places = []
        for side in ("head_entity", "tail_entity"):
            ordinals = np.asarray(self._tuples[side])
            # Ordinals count from 0 in each document, so they are places among its entities.
            places.append(found.place_E[self.entity_bounds[pair_documents] + ordinals])
        stays = (places[0] >= 0) & (places[1] >= 0)
        for name in self._tuples.filter(pa.array(~stays))["tuple_id"].to_pylist():
            inputs.drop("entity_lost", name)
        kept = self._tuples.filter(pa.array(stays))
        bounds = np.concatenate([[0], np.cumsum(stays)])[self._tuple_bounds]
        values = [kept[name].combine_chunks() for name in ("tuple_id", "intra", "pids")]
        return listed("pairs", bounds, *(place[stays] for place in places), *values)


def columns_of(lists: Any) -> Iterator[npt.NDArray[Any]]:
    """Yield the columns of a `Lists`."""
    yield from lists.columns.values()


def listed(column: str, bounds: Ints, *values: Any) -> pa.Array:
    """Return the lists of a column of `features` from the values of its fields."""
    kind = FEATURES.schema.field(column).type
    fields = [kind.value_type.field(i) for i in range(kind.value_type.num_fields)]
    arrays = [
        value if isinstance(value, pa.Array) else pa.array(value, field.type)
        for field, value in zip(fields, values, strict=True)
    ]
    rows = pa.StructArray.from_arrays(arrays, fields=fields)
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), rows, type=kind)


def reads(config: FeaturizeConfig) -> tuple[Read, ...]:
    """Return what the stage reads: the vocabulary too where it is the corpus's own."""
    tables: tuple[Read, ...] = (
        PAGES,
        DOCUMENTS,
        SENTENCES,
        ENTITIES,
        TUPLES,
        SPLITS,
        DOCUMENT_SPLITS,
    )
    return (*tables, WORD_PIECES) if config.tokenizer == SCRATCH else tables


def facts(config: FeaturizeConfig) -> dict[str, str]:
    """Return the digest of a local tokenizer's files; a hub id is known by its revision.

    Raises:
        ConfigError: If a hub id has no revision, or there is no such folder.
    """
    folder = Path(config.tokenizer).expanduser()
    if config.tokenizer == SCRATCH:
        return {}
    if folder.is_dir():
        files = sorted({path for form in TOKENIZER_FILES for path in folder.glob(form)})
        return {"tokenizer": fingerprint([[path.name, file_digest(path)] for path in files])}
    if not HUB.fullmatch(config.tokenizer):
        raise ConfigError(
            f"featurize.tokenizer is {config.tokenizer!r}: no folder, and no hub id either",
            mend="Name a folder that is there, a hub id (OWNER/NAME), or scratch",
        )
    if config.revision is None:
        raise ConfigError(
            f"featurize.tokenizer is {config.tokenizer!r}, and no revision says which one of it",
            mend="Take the commit from the hub's page: --set featurize.revision=COMMIT; or name a "
            "folder that is there",
        )
    return {}


def check(config: FeaturizeConfig) -> None:
    """Check that the tokenizer is known by its content.

    Raises:
        ConfigError: As `facts`.
    """
    facts(config)


FEATURIZE = Stage(
    "featurize",
    version=1,
    config=FeaturizeConfig,
    reads=reads,
    writes=(FEATURES,),
    run=featurize,
    facts=facts,
    check=check,
    optional=True,
)
