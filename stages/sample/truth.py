"""What the text really says: the truth of every sentence, and the gold benchmark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.sample.pages import Page
from stages.sample.sentence import Mention, Sentence
from stages.sample.world import Fact, World

_TOKEN = re.compile(r"\w+|[^\w\s]")
Json = dict[str, Any]


def truth_rows(pages: Iterable[Page]) -> Iterable[Json]:
    """Yield one row per sentence of the articles.

    `block` counts the paragraphs, captions and list items of a page from 0; `mentions` are
    `[char_start, char_end, qid]` in code points of `sentence`; `templates` names those whose text
    stands in it, which a parser may drop. `&nbsp;` is U+00A0 here: compare with white space folded.
    """
    for page in pages:
        for block, sentences in enumerate(page.blocks):
            for sentence in sentences:
                yield {
                    "page_id": page.page_id,
                    "title": page.title,
                    "block": block,
                    "place": sentence.place,
                    "kind": sentence.kind,
                    "sentence": sentence.plain,
                    "states": [list(fact) for fact in sentence.states],
                    "mentions": [list(mention) for mention in sentence.mentions()],
                    "templates": sentence.templates,
                }


def write_truth(pages: Iterable[Page], path: Path) -> None:
    """Write the truth as JSON lines."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in truth_rows(pages)]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def gold_document(title: str, sentences: Sequence[Sentence], world: World) -> Json:
    """Return a page as DocRED has it: tokens, entities with their mentions, labels with evidence.

    Labels hold every triple that the text states between two of its entities, and no other.
    """
    tokens, vertices = [], dict[str, list[Json]]()
    for number, sentence in enumerate(sentences):
        spans = [match.span() for match in _TOKEN.finditer(sentence.plain)]
        tokens.append([sentence.plain[start:end] for start, end in spans])
        for mention in sentence.mentions():
            start, end = _token_span(mention, spans)
            vertices.setdefault(mention.qid, []).append(
                {
                    "name": sentence.plain[mention.char_start : mention.char_end],
                    "pos": [start, end],
                    "sent_id": number,
                    "type": world.entities[mention.qid].ner_type,
                }
            )
    order = {qid: index for index, qid in enumerate(vertices)}
    evidence: dict[Fact, list[int]] = {}
    for number, sentence in enumerate(sentences):
        for fact in sentence.states:
            evidence.setdefault(fact, []).append(number)
    labels = [
        {"h": order[fact.head], "t": order[fact.tail], "r": fact.pid, "evidence": numbers}
        for fact, numbers in evidence.items()
        if fact.head in order and fact.tail in order
    ]
    return {"title": title, "sents": tokens, "vertexSet": list(vertices.values()), "labels": labels}


def _token_span(mention: Mention, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    inside = [
        index
        for index, (start, end) in enumerate(spans)
        if start < mention.char_end and end > mention.char_start
    ]
    return inside[0], inside[-1] + 1


def write_gold(documents: Sequence[Json], path: Path) -> None:
    """Write the gold benchmark as one JSON list."""
    text = json.dumps(documents, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
