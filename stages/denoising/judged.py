"""Distant labels of which it is known whether they are right: the sets that methods are tried on.

Each set is read from a folder of released files, by the names that their publishers gave them.
Papers: planted noise on Wiki80, Han et al., OpenNRE (EMNLP 2019); ARNOR, Jia et al. (ACL 2019);
MultiR's sentences, Hoffmann et al. (ACL 2011), section 6; Google's relation extraction corpus, Orr
(2013); Revisit-DocRED, Huang et al. (ACL 2022).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stages.annotated import read
from stages.annotated.document import Document
from stages.annotated.files import lines
from stages.denoising.google_re import judged_facts, mids_of, names_of, without_fact
from stages.denoising.noise import NO_RELATION, Planting, planted
from stages.tasks.base import Example, pair_examples
from stages.tasks.docred import Fact, facts_of
from storage.errors import SourceError

__all__ = ["SETS", "JudgedDocuments", "JudgedSentences", "Left"]

MARKED = re.compile(r"\[([^\]]*)\]([12])")
NEW_YORK_TIMES_NA = 800
WIKIPEDIA_NA = 800


class Left:
    """Counts what readers leave out."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()

    def drop(self, reason: str, key: object, count: int = 1) -> None:
        """Count what is left out."""
        self.drops[reason] += count

    def count(self, name: str, count: int = 1) -> None:
        """Forget what is worth telling."""


@dataclass(frozen=True)
class JudgedSentences:
    """Sentences with one label each.

    Attributes:
        right_N: Whether the label of each is right; None where nobody said, or it is NA.
    """

    examples: Sequence[Example]
    right_N: Sequence[bool | None]


@dataclass(frozen=True)
class JudgedDocuments:
    """Documents whose NA pairs are asked about: facts were missed, and are known since.

    Attributes:
        complete: For each document all facts of it.
    """

    documents: Sequence[Document]
    complete: Sequence[frozenset[Fact]]


Judged = JudgedSentences | JudgedDocuments


def wiki80(folder: Path, seed: int, left: Left, *, wrong: float) -> JudgedSentences:
    """Return sentences of Wiki80 with planted noise."""
    examples: list[Example] = []
    for name in ("dev", "train_0.1", "train_0.01"):
        path = file_of(folder, f"wiki80-part/{name}.txt")
        examples += pair_examples(read("opennre", path, left, split=name))
    found = planted(examples, Planting(wrong=wrong), seed)
    return JudgedSentences(
        [each.example for each in found],
        [None if each.example.relation == NO_RELATION else each.right for each in found],
    )


def arnor(folder: Path, seed: int, left: Left) -> JudgedSentences:
    """Return the judged distant labels of ARNOR, with 800 sentences that hold no relation."""
    judged = [
        document
        for document in read("arnor", file_of(folder, "arnor-nyt/test_noise_ner.json"), left)
        if document.relations
    ]
    examples = [as_na(e) for e in pair_examples(judged)]
    right: list[bool | None] = [
        None
        if e.relation == NO_RELATION or d.relations[0].noisy is None
        else not d.relations[0].noisy
        for e, d in zip(examples, judged, strict=True)
    ]
    others = read("arnor", file_of(folder, "arnor-nyt/dev_part_ner.json"), left, split="dev")
    absent = [e for e in map(as_na, pair_examples(others)) if e.relation == NO_RELATION]
    chosen = np.random.default_rng(seed).permutation(len(absent))[:NEW_YORK_TIMES_NA]
    examples += [absent[i] for i in chosen]
    return JudgedSentences(examples, right + [None] * len(chosen))


def as_na(example: Example) -> Example:
    """Return an example under our name for no relation."""
    none = example.relation in ("Na", "NA", "None")
    return replace(example, relation=NO_RELATION) if none else example


def multir(folder: Path, seed: int, left: Left) -> JudgedSentences:
    """Return the judged sentences of MultiR.

    Left out: labels that hold only indirectly, sentences without both marks, and repeated ones, of
    which the first judgement counts.
    """
    path = file_of(folder, "multir-sentential/sentential.txt")
    found: dict[tuple[object, ...], tuple[Example, bool]] = {}
    for record in lines(path):
        columns = record.raw.decode("utf-8").rstrip("\n").split("\t")
        if len(columns) < 6:
            raise record.error(f"it has {len(columns)} columns", "Get the file anew")
        name = f"multir/{record.number}"
        example = marked_sentence(name, columns[5].strip('"'), columns[3])
        if example is None or columns[4] not in ("y", "n"):
            left.drop("not_judged" if example else "not_marked", name)
            continue
        key = (example.text, example.head, example.tail, example.relation)
        if key in found:
            left.drop("repeated", name)
            continue
        found[key] = (example, columns[4] == "y")
    return JudgedSentences([e for e, _ in found.values()], [r for _, r in found.values()])


def google_re(folder: Path, seed: int, left: Left) -> JudgedSentences:
    """Return the judged passages of Google's corpus, and up to 800 pairs without a fact.

    Left out: repeated passages. Places that a passage names beside that of the fact make the pairs
    without one. People said yes far more often here than in the other sets.
    """
    names = names_of(file_of(folder, "entity2wikidata/entity2wikidata.json"))
    found: dict[tuple[object, ...], tuple[Example, bool]] = {}
    absent: list[Example] = []
    for name in ("place_of_death", "education-degree"):
        path = file_of(folder, f"google-re/20131104-{name}.json")
        mids = mids_of(path, names) if name == "place_of_death" else {}
        for example, right, heads in judged_facts(path, names, left):
            key = (example.text, example.head, example.tail, example.relation)
            if key in found:
                left.drop("repeated", example.id)
                continue
            found[key] = example, right
            other = without_fact(example, heads, mids, NO_RELATION)
            absent += [other] if other else []
    chosen = np.random.default_rng(seed).permutation(len(absent))[:WIKIPEDIA_NA]
    examples = [e for e, _ in found.values()] + [absent[i] for i in chosen]
    return JudgedSentences(examples, [r for _, r in found.values()] + [None] * len(chosen))


def marked_sentence(name: str, marked: str, relation: str) -> Example | None:
    """Return a sentence in which [...]1 is the head and [...]2 the tail; None without both."""
    text, at = "", 0
    spans: dict[str, tuple[int, int]] = {}
    for match in MARKED.finditer(marked):
        text += marked[at : match.start()]
        spans.setdefault(match[2], (len(text), len(text) + len(match[1])))
        text, at = text + match[1], match.end()
    text += marked[at:]
    if set(spans) != {"1", "2"}:
        return None
    return Example(name, text, spans["1"], spans["2"], None, None, relation)


def revisit_docred(folder: Path, seed: int, left: Left) -> JudgedDocuments:
    """Return documents whose labels people mended, and beside them all labels they made anew."""
    mended, made_anew = (
        {d.id: d for d in read("docred", file_of(folder, f"revisit-docred/{name}.json"), left)}
        for name in ("valid_revise", "valid_scratch")
    )
    both = sorted(mended.keys() & made_anew.keys())
    for name in sorted(mended.keys() ^ made_anew.keys()):
        left.drop("in_one_file_alone", name)
    complete = [frozenset(facts_of(made_anew[i]) | facts_of(mended[i])) for i in both]
    return JudgedDocuments([mended[i] for i in both], complete)


def file_of(folder: Path, name: str) -> Path:
    """Return a file of a folder, as it is or packed.

    Raises:
        SourceError: If it is not there.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise SourceError(f"there is no file {folder / name}", mend="Name the folder that holds it")


def planted_sets() -> Iterator[tuple[str, Callable[[Path, int, Left], Judged]]]:
    """Yield Wiki80 with less and more noise."""
    for percent in (20, 40, 53):
        yield f"wiki80-{percent}", partial(wiki80, wrong=percent / 100)


SETS: dict[str, Callable[[Path, int, Left], Judged]] = {
    **dict(planted_sets()),
    "arnor": arnor,
    "multir": multir,
    "google-re": google_re,
    "revisit-docred": revisit_docred,
}
"""Every set by name: from a folder and a seed to labels with judgements."""
