"""import_annotated: enter in the middle, with a corpus that others have annotated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from stages.base import Inputs, Pending, Rows, Stage, StageConfig
from storage.errors import ConfigError, SourceError
from storage.fingerprint import rows_digest
from storage.lookup import text_key
from storage.spans import holder, overlaps
from storage.tables import (
    ANNOTATIONS,
    DOCUMENTS,
    ENTITIES,
    LINKS,
    MENTIONS,
    PAGES,
    PARAGRAPHS,
    SENTENCES,
    TUPLES,
)

if TYPE_CHECKING:
    from stages.annotated import Document

PAGE_ID_BITS = 52
"""An id of so many bits is exact in every tool that reads numbers as floating point."""

DOCUMENTS_AT_ONCE = 500
GOLD = "gold"


class ImportAnnotatedConfig(StageConfig):
    """Which corpus takes the place of dumps."""

    format: str | None = Field(
        None,
        description="format of the files: "
        "docred, erica, opennre, arnor, tacred, semeval, scibert, fewrel or jsonl",
    )
    path: str | list[str] = Field(
        [],
        description="file of the corpus, or several of one format; every shard reads them all, so "
        "a few shards are best: shards = { page = 4 }",
    )
    na: list[str] = Field(
        ["NA", "Na", "no_relation", "P0", "Other"],
        description="relations that mean that there is none",
    )
    without_relations: list[str] = Field(
        [],
        description="relations that are left out, as the files name them: those of a benchmark "
        "whose relations are to be new, as FewRel's. Documents that state no other are left out",
    )

    @field_validator("format")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        from stages.annotated import known_format

        return None if name is None else known_format(name)

    @property
    def files(self) -> list[Path]:
        """The files, as absolute paths."""
        given = [self.path] if isinstance(self.path, str) else self.path
        return [Path(path).expanduser().absolute() for path in given]


def facts(config: ImportAnnotatedConfig) -> dict[str, Any]:
    """Return what the files are known by before they are read; not their place."""
    known = {}
    for ordinal, path in enumerate(config.files):
        if path.is_file():
            stat = path.stat()
            known[f"{ordinal}-{path.name}"] = [stat.st_size, stat.st_mtime_ns]
    return known


def check(config: ImportAnnotatedConfig) -> None:
    """Check that format and files are named, and that the files are there.

    Raises:
        ConfigError: If one is not named, or two files have one name.
        SourceError: For the first file that is not there.
    """
    if config.format is None or not config.files:
        raise ConfigError(
            "the corpus has no format or no path",
            mend='Name both: corpus = { format = "docred", path = "train.json" }',
        )
    names = [path.name for path in config.files]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"two files of the corpus have one name: {', '.join(sorted(names))}",
            mend="Give each a name of its own: ids of documents are made with it",
        )
    for path in config.files:
        if not path.is_file():
            raise SourceError(f"there is no file {path}", mend="Give the path of the corpus")


def import_annotated(config: ImportAnnotatedConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the tables of a corpus as if it came from dumps: one page and document a record.

    Every span, order and label of the file survives; `annotations` holds what other tables do not.
    In `mentions` and `links`, where no two may overlap, the first of two stays.

    Drops: "overlaps_mention" (mentions; in `entities` they stay), "left_out_document" and
    "left_out_relation" (see `without_relations`), and what `stages.annotated.read` drops of the
    format.

    Raises:
        ConfigError: If a relation is to be left out that there is not.
        SourceError: If a record is wrong, or two documents get one page id.
    """
    from stages.annotated import read
    from stages.annotated.without import Without

    tables = (
        *(PAGES, PARAGRAPHS, SENTENCES, MENTIONS, DOCUMENTS),
        *(LINKS, ENTITIES, TUPLES, ANNOTATIONS),
    )
    pending = Pending(*tables)
    without = Without(config.without_relations, config.na)
    keys: dict[int, str] = {}
    held = 0
    for path in config.files:
        # Each shard reads the whole file: what is left out is counted by the first alone.
        tally = inputs if inputs.shard.index == 0 else Nobody()
        for document in read(config.format or "", path, tally):
            without.see(document)
            key = f"{path.name}:{document.id}"
            page_id = page_id_of(key)
            if inputs.shard.shards.of(page_id) != inputs.shard.index:
                continue
            if keys.setdefault(page_id, key) != key:
                raise SourceError(
                    f"{key} and {keys[page_id]} have the same page id {page_id}",
                    mend="Give one of them another id",
                )
            left = without.left(document, inputs)
            if left is None:
                continue
            add(left, page_id, path.name, config, inputs, pending)
            held += 1
            if held % DOCUMENTS_AT_ONCE == 0:
                inputs.report(f"importing {path.name}: {held:,} documents")
                yield from pending.flush()
    without.require_all_seen()
    yield from pending.flush()


class Nobody:
    """Counts nothing: another shard does."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Forget what is left out."""

    def count(self, name: str, count: int = 1) -> None:
        """Forget what is worth telling."""


def page_id_of(key: str) -> int:
    """Return the page id of a document: from its file's name and its id, so it stays the same."""
    return text_key(key) >> (64 - PAGE_ID_BITS)


def add(
    document: Document,
    page_id: int,
    file: str,
    config: ImportAnnotatedConfig,
    inputs: Inputs,
    pending: Pending,
) -> None:
    """Hold the rows of a document."""
    size = len(document.text)
    name = f"{page_id}:0-{size}"
    unit = "sentence" if len(document.sentences) == 1 else "paragraph"
    words = len(document.tokens) or len(document.text.split())
    title = document.title or f"{file}:{document.id}"
    digest = rows_digest([title, document.text])
    pending.add(PAGES, (page_id, title, document.text, 0, None, False, [], digest))
    pending.add(PARAGRAPHS, (page_id, 0, 0, "prose", 0, size))
    pending.add(
        SENTENCES, *((page_id, i, start, end) for i, (start, end) in enumerate(document.sentences))
    )
    pending.add(DOCUMENTS, (name, page_id, 0, size, unit, words))
    mentions, links = mention_rows(document, page_id, inputs)
    pending.add(MENTIONS, *mentions)
    pending.add(LINKS, *links)
    pending.add(ENTITIES, *entity_rows(document, page_id, name))
    pending.add(TUPLES, *tuple_rows(document, page_id, name, config.na))
    pending.add(ANNOTATIONS, annotation_row(document, page_id, name, file))


def mention_rows(
    document: Document, page_id: int, inputs: Inputs
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the rows of `mentions` and of `links`, without those that overlap an earlier one."""
    mentions: list[tuple[Any, ...]] = []
    links: list[tuple[Any, ...]] = []
    found = [(m.span, m.type, e.qid) for e in document.entities for m in e.mentions]
    last = (0, 0)
    for span, kind, qid in sorted(found, key=lambda each: each[0]):
        if mentions and overlaps(last, span):
            inputs.drop("overlaps_mention", f"{page_id}:{span[0]}-{span[1]}")
            continue
        last = span
        mentions.append((page_id, *span, document.text[slice(*span)], kind, GOLD))
        if qid is not None:
            # No item's classes are at hand; the file's own type stands in `mentions`.
            links.append((page_id, *span, qid, GOLD, 1.0, None))
    return mentions, links


def entity_rows(document: Document, page_id: int, name: str) -> Iterator[tuple[Any, ...]]:
    """Yield the `entities` rows of a document, in the order of the file."""
    for ordinal, entity in enumerate(document.entities):
        mentions = [
            {"char_start": m.span[0], "char_end": m.span[1], "sentence": m.sentence}
            for m in entity.mentions
        ]
        yield (name, page_id, ordinal, entity.qid, entity.name, entity.type, mentions)


def tuple_rows(
    document: Document, page_id: int, name: str, na: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the `tuples` rows: each labelled pair, and each that is known to be NA."""
    count = len(document.entities)
    pairs: dict[tuple[int, int], set[str]] = {}
    for relation in document.relations:
        found = pairs.setdefault((relation.head, relation.tail), set())
        found.update({relation.name} - set(na))
    others = ((h, t) for h in range(count) for t in range(count) if h != t)
    for pair in others if document.na is None else document.na:
        pairs.setdefault(pair, set())
    for (head, tail), pids in sorted(pairs.items()):
        first, second = document.entities[head], document.entities[tail]
        distance = min(
            abs(a.sentence - b.sentence) for a in first.mentions for b in second.mentions
        )
        yield (
            f"{name}/{head}-{tail}",
            name,
            page_id,
            head,
            tail,
            first.qid,
            second.qid,
            sorted(pids),
            distance,
            distance == 0,
        )


def annotation_row(document: Document, page_id: int, name: str, file: str) -> tuple[Any, ...]:
    """Return the `annotations` row of a document."""
    tokens: list[list[dict[str, int]]] = [[] for _ in document.sentences]
    starts = [start for start, _ in document.sentences]
    for start, end in document.tokens:
        tokens[holder(starts, start)].append({"char_start": start, "char_end": end})
    labelled = document.relations or document.na is None
    labels = [
        {
            "head_entity": relation.head,
            "tail_entity": relation.tail,
            "relation": relation.name,
            "evidence": None if relation.evidence is None else list(relation.evidence),
            "noisy": relation.noisy,
        }
        for relation in document.relations
    ]
    return (
        name,
        page_id,
        document.id,
        file,
        tokens if document.tokens else None,
        [[mention.name for mention in entity.mentions] for entity in document.entities],
        [[mention.type for mention in entity.mentions] for entity in document.entities],
        labels if labelled else None,
    )


IMPORT_ANNOTATED = Stage(
    "import_annotated",
    version=2,
    config=ImportAnnotatedConfig,
    reads=(),
    writes=(
        PAGES,
        PARAGRAPHS,
        SENTENCES,
        MENTIONS,
        DOCUMENTS,
        LINKS,
        ENTITIES,
        TUPLES,
        ANNOTATIONS,
    ),
    run=import_annotated,
    facts=facts,
    check=check,
    replaces=(
        "fetch",
        "parse_wikidata",
        "parse_wikipedia",
        "train_ner",
        "recognize",
        "segment",
        "index_aliases",
        "link",
        "align",
    ),
)
