"""semeval: the official text of SemEval-2010 task 8.

A block of lines an example, with an empty line between: `number<tab>"sentence"` with <e1> and <e2>
tags, the relation, `Comment: ...`. A test file without answers holds the first line alone. e1 is
the head and e2 the tail, so the direction of a relation stays in its name: Cause-Effect(e2,e1).
Paper: Hendrickx et al. (SemEval 2010), section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stages.annotated.document import Document
from stages.annotated.files import Record, lines
from stages.annotated.pair import Side, of_text
from storage.errors import SourceError

FORM = 'number<tab>"words <e1>words</e1> words <e2>words</e2> words", then the relation'
SENTENCE = re.compile(r'(\S+)\t"(.*)"')
TAG = re.compile(r"<(/?)(e[12])>")
COMMENT = "Comment:"


def read(path: Path) -> Iterator[tuple[Record, Document]]:
    """Yield one document an example."""
    waiting: tuple[Record, Document] | None = None
    for record in lines(path):
        line = record.raw.decode("utf-8", "replace").strip()
        if line.startswith(COMMENT):
            continue
        if match := SENTENCE.fullmatch(line):
            if waiting is not None:
                yield waiting
            waiting = record, example(record, match[1], match[2])
        elif waiting is not None and not waiting[1].relations and "\t" not in line:
            document = waiting[1]
            labelled = of_text(document.id, document.text, *sides(document), line)
            waiting = waiting[0], labelled
        else:
            raise stray(record, line)
    if waiting is not None:
        yield waiting


def example(record: Record, number: str, marked: str) -> Document:
    """Return the unlabelled example of a sentence with tags.

    Raises:
        SourceError: If it has not each tag once, closed, and the two apart.
    """
    bounds: dict[str, list[int]] = {}
    text, at = "", 0
    open_tag = ""
    for tag in TAG.finditer(marked):
        text += marked[at : tag.start()]
        at = tag.end()
        closes, name = tag[1] == "/", tag[2]
        if closes != (open_tag == name) or (not closes and (open_tag or name in bounds)):
            raise record.error(f"the tag {tag[0]} of {marked!r} is out of place", FORM_MEND)
        bounds.setdefault(name, []).append(len(text))
        open_tag = "" if closes else name
    text += marked[at:]
    if open_tag or set(bounds) != {"e1", "e2"} or any(a == b for a, b in bounds.values()):
        raise record.error(f"{marked!r} does not mark e1 and e2 once each", FORM_MEND)
    head, tail = (Side(((bounds[e][0], bounds[e][1]),)) for e in ("e1", "e2"))
    return of_text(number, text, head, tail, None)


def sides(document: Document) -> tuple[Side, Side]:
    """Return head and tail of an example."""
    head, tail = (Side((entity.mentions[0].span,)) for entity in document.entities)
    return head, tail


FORM_MEND = f"An example is {FORM}"


def stray(record: Record, line: str) -> SourceError:
    """Return the error of a line that is neither a sentence nor the relation of one."""
    return record.error(f"{line[:80]!r} is no sentence, relation or comment", FORM_MEND)
