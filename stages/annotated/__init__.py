"""Released corpora: one reader a format, one typed document behind all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from stages.annotated.check import Overlaps, overlapping, require_labels, require_sound
from stages.annotated.document import Document, Tally
from stages.annotated.files import Record
from storage.errors import ConfigError

__all__ = ["FORMATS", "Document", "Format", "format_named", "known_format", "read"]


@dataclass(frozen=True)
class Format:
    """One format of annotated text.

    Attributes:
        reader: "module:function" that yields the documents of a file.
        overlaps: What becomes of a document with overlapping mentions.
        repeats: Whether released files hold documents twice, so that it is counted and no error.
    """

    reader: str
    overlaps: Overlaps = "refuse"
    repeats: bool = False

    def documents(self, path: Path) -> Iterator[tuple[Record, Document]]:
        """Yield the documents of a file, as its reader finds them."""
        module, _, function = self.reader.partition(":")
        read_file: Callable[[Path], Iterator[tuple[Record, Document]]]
        read_file = getattr(import_module(module), function)
        yield from read_file(path)


FORMATS: dict[str, Format] = {
    "docred": Format("stages.annotated.docred:read", overlaps="keep"),
    "erica": Format("stages.annotated.erica:read", overlaps="keep", repeats=True),
    "opennre": Format("stages.annotated.opennre:read", repeats=True),
    "arnor": Format("stages.annotated.arnor:read", overlaps="drop", repeats=True),
    "tacred": Format("stages.annotated.tacred:read"),
    "semeval": Format("stages.annotated.semeval:read"),
    "scibert": Format("stages.annotated.scibert:read", repeats=True),
    "fewrel": Format("stages.annotated.fewrel:read", repeats=True),
    "jsonl": Format("stages.annotated.jsonl:read"),
}
"""Every format by name."""


def format_named(name: str) -> Format:
    """Return a format.

    Raises:
        ConfigError: If there is none of that name; it names the nearest one.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name, FORMATS, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"there is no format {name!r} of annotated text",
        mend=f"{guess}There are: {', '.join(FORMATS)}",
    )


def known_format(name: str) -> str:
    """Return the name of a format, for a config that is checked with it.

    Raises:
        ValueError: If there is none of that name, as pydantic expects it.
    """
    try:
        format_named(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name


def read(
    format: str,
    path: Path,
    tally: Tally,
    *,
    split: str = "",
    relations: Collection[str] | None = None,
) -> Iterator[Document]:
    """Yield the documents of a file, each checked.

    Drops: "overlapping_mentions" (documents of arnor), "self_relation", "repeated_relation".
    Counts: "overlapping_mentions" (documents of docred and erica, which are kept),
    "repeated_documents" (of arnor, erica, fewrel, opennre and scibert, which are kept).

    Args:
        format: Name of one of FORMATS.
        path: The file: plain, gz, bz2 or zst.
        tally: Where drops and counts go.
        split: What the documents' `split` shall be.
        relations: The relations that may occur; None for any.

    Raises:
        ConfigError: If there is no such format.
        SourceError: If the file cannot be read, or a record of it is wrong: the message names the
            record and the value. Overlapping mentions and repeated documents are such errors,
            except where released files of the format are known to have them.
    """
    chosen = format_named(format)
    seen: dict[object, int] = {}
    for record, found in chosen.documents(path):
        document = require_sound(record, found, tally)
        if relations is not None:
            require_labels(record, document, relations)
        shared = overlapping(document.entities)
        if shared is not None and chosen.overlaps == "refuse":
            raise record.error(
                f"the mentions {list(shared[0])} and {list(shared[1])} overlap (characters of the "
                f"text {document.text[:60]!r})",
                "Keep one of the two",
            )
        if shared is not None and chosen.overlaps == "drop":
            tally.drop("overlapping_mentions", document.id)
            continue
        if shared is not None:
            tally.count("overlapping_mentions")
        require_new(record, document, seen, chosen.repeats, tally)
        yield document.within(split)


def require_new(
    record: Record, document: Document, seen: dict[object, int], repeats: bool, tally: Tally
) -> None:
    """Check that neither the id nor the content of a document stood in the file before.

    Raises:
        SourceError: If one did, unless `repeats` says that content may; that is counted.
    """
    content = hash((document.text, document.entities, document.relations))
    for what, key in (("id", ("id", document.id)), ("content", content)):
        before = seen.setdefault(key, record.number)
        if before == record.number:
            continue
        if what == "content" and repeats:
            tally.count("repeated_documents")
            continue
        raise record.error(
            f"document {document.id!r} stands in the file already, as number {before} "
            f"(same {what})",
            "Take one of them out, or give it an id of its own",
        )
