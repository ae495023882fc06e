"""Relations of a person's own text, by a model that finetune kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.selection import select
from storage.errors import ConfigError
from storage.spans import Span
from storage.warehouse import Warehouse

if TYPE_CHECKING:
    from stages.annotated import Document

STAGE, TABLE, NAMES = "finetune", "predictions", "relations.json"
AT_ONCE = 512
"""Pairs that are answered together."""


@dataclass(frozen=True)
class Asked:
    """A pair of mentions whose relation is asked for.

    Attributes:
        line: Line of the file, from 1.
        text: What the model sees: a sentence, or the whole text of a line.
        head: Span in that text, in code points.
        tail: Likewise.
        told: Position of the head and of the tail, as the file counts.
    """

    line: int
    text: str
    head: Span
    tail: Span
    head_type: str | None
    tail_type: str | None
    told: tuple[Span, Span]


def find_model(
    warehouse: Warehouse, name: str, overrides: Sequence[str] = (), tag: str | None = None
) -> Path:
    """Return the folder of a fine-tuned model.

    Args:
        name: A folder, or RECIPE@STEP.

    Raises:
        ConfigError: If it is neither, or the step kept no model.
        MissingArtifactError: If the step has not been made.
    """
    if Path(name).is_dir():
        return Path(name)
    recipe, at, step = name.rpartition("@")
    stage, _, variant = step.partition(".")
    if not at or stage != STAGE:
        raise ConfigError(
            f"there is no folder {name}, and it names no step",
            mend="Name a folder, or the step of a recipe that kept its model: mine.toml@finetune.x",
        )
    tables = select(warehouse, recipe, overrides, tag)
    files = tables.files(TABLE, variant or None)
    if NAMES not in files:
        made = tables.step(TABLE, variant or None)
        raise ConfigError(
            f"{made} of {recipe} kept no model",
            mend=f"Make it with one: relmill run {recipe} --set {made}.keep_model=true",
        )
    return files[NAMES].parent


def require_torch() -> None:
    """Check that a model can be asked on this machine.

    Raises:
        ConfigError: If torch is not installed.
    """
    if find_spec("torch") is None:
        raise ConfigError(
            "a model needs torch, which is not installed",
            mend='Install what training needs: pip install "relmill[train]"',
        )


def marked(path: Path) -> Iterator[Asked]:
    """Yield the pair of each line of a file in OpenNRE's form; a relation there is not read.

    Raises:
        SourceError: If a line is wrong: it is named, with the value.
    """
    from stages.annotated import read

    for document in read("opennre", path, Unheard()):
        head, tail = (entity.mentions[0] for entity in document.entities)
        told = (as_counted(document, head.span), as_counted(document, tail.span))
        yield Asked(
            int(document.id), document.text, head.span, tail.span, head.type, tail.type, told
        )


def as_counted(document: Document, span: Span) -> Span:
    """Return a span as the line counts: in tokens where it has tokens, else in code points."""
    if not document.tokens:
        return span
    first = [start for start, _ in document.tokens].index(span[0])
    return first, 1 + [end for _, end in document.tokens].index(span[1])


class Unheard:
    """Counts nothing: lines may repeat."""

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Forget what is left out."""

    def count(self, name: str, count: int = 1) -> None:
        """Forget what is worth telling."""


def recognised(path: Path, model: str) -> Iterator[Asked]:
    """Yield every ordered pair of mentions within a sentence that a spaCy pipeline finds.

    Args:
        path: JSON lines with `text`.
        model: An installed pipeline, or the folder of one, also zipped.

    Raises:
        SourceError: If a line is wrong.
        ConfigError: If spaCy cannot load the model.
    """
    from stages.annotated import plain
    from stages.ner.pipeline import load, split

    nlp = load(model, "xx")
    records = list(plain.read(path))
    found = split(nlp, (text for _, text in records), batch_size=64)
    for (record, text), (sentences, mentions) in zip(records, found, strict=True):
        for start, end in sentences:
            inside = [(span, kind) for span, kind in mentions if start <= span[0] < span[1] <= end]
            for (head, head_type), (tail, tail_type) in permutations(inside, 2):
                yield Asked(
                    line=record.number,
                    text=text[start:end],
                    head=(head[0] - start, head[1] - start),
                    tail=(tail[0] - start, tail[1] - start),
                    head_type=head_type,
                    tail_type=tail_type,
                    told=(head, tail),
                )


def answers(folder: Path, asked: Sequence[Asked], lost: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair: its line, head, tail, relation and probability.

    A pair that the model cannot be shown has neither relation nor probability.

    Args:
        folder: The model.
        lost: Pairs that cannot be shown are counted here, by reason.

    Raises:
        ConfigError: If the folder holds no such model, or torch is not installed.
    """
    require_torch()
    from stages.model.relation_model import load_relation_model
    from stages.tasks.base import Example

    model = load_relation_model(folder)
    for begin in range(0, len(asked), AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        examples = [
            Example(f"{begin + i}", a.text, a.head, a.tail, a.head_type, a.tail_type, None)
            for i, a in enumerate(some)
        ]
        found, missed = model.answer(examples)
        for reason, count in missed.items():
            lost[reason] = lost.get(reason, 0) + count
        for each, answer in zip(some, found, strict=True):
            sides = zip((each.head, each.tail), each.told, strict=True)
            head, tail = ({"name": each.text[slice(*s)], "pos": list(told)} for s, told in sides)
            yield {
                "line": each.line,
                "h": head,
                "t": tail,
                "relation": answer and answer.relation,
                "probability": answer and round(answer.probability, 6),
            }
