"""Tags: HTML, what extensions added to it, and the wiki's own marks of lists and tables."""

from __future__ import annotations

import html
import re

from stages.wiki.draft import HOLE, LIST, PARAGRAPH, Draft
from stages.wiki.simple_links import SimpleLink
from stages.wiki.tokens import kinds
from stages.wiki.walk import Walk

__all__ = ["tag"]

_SILENT_TAGS = frozenset(
    (
        "math", "chem", "ce", "gallery", "timeline", "score", "hiero", "graph", "imagemap",
        "inputbox", "templatedata", "section", "categorytree", "pre", "source",
        "syntaxhighlight", "mapframe", "maplink", "includeonly", "indicator",
        "templatestyles", "style", "script",
    )
)  # fmt: skip
_BLOCK_TAGS = frozenset(
    (
        "p", "div", "blockquote", "center", "ul", "ol", "dl", "hr", "h1", "h2", "h3", "h4",
        "h5", "h6", "poem", "tr", "table", "caption",
    )
)  # fmt: skip
_ITEM_TAGS = frozenset(("li", "dt", "dd"))
_BOLD_TAGS = frozenset(("b", "strong"))
_REF_TAGS = frozenset(("ref", "references"))
_IN_ATTRIBUTES = frozenset((SimpleLink, kinds.TagOpenOpen, kinds.WikilinkOpen))
_SPACE_TAGS = frozenset(("br", "wbr"))
_MARKUP = re.compile(r"\{[{|]|[|}]\}|''|<|==|~~~|://|^[*#:;]|\[\[[^\]]*[|:]|\n|\x01")


def tag(walk: Walk, index: int) -> int:
    """<name attributes>content</name>, and the wiki's own marks of lists and tables."""
    name = walk.tokens[index + 1]
    if type(name) is kinds.Text and type(walk.tokens[index + 2]) is kinds.TagCloseSelfclose:
        single_tag(walk, name["text"].strip().lower())
        return index + 3
    word = name["text"].strip().lower() if type(name) is kinds.Text else ""
    index, unseen = tag_attributes(walk, index + 2)
    if type(walk.tokens[index]) is not kinds.TagCloseOpen:
        single_tag(walk, word)
        return index + 1
    index = tag_content(walk, index + 1, word, unseen)
    while type(walk.tokens[index]) is not kinds.TagCloseClose:
        index += 1
    return index + 1


def tag_attributes(walk: Walk, index: int) -> tuple[int, bool]:
    """Return the index of what ends a tag's attributes, and whether they hide the tag."""
    unseen = False
    while True:
        token = walk.tokens[index]
        kind = type(token)
        if kind is kinds.TagCloseOpen or kind is kinds.TagCloseSelfclose:
            return index, unseen
        if kind in _IN_ATTRIBUTES:
            literal, walk.literal = walk.literal, True
            before, walk.draft = walk.draft, Draft()
            index = walk.handlers[kind](walk, index)
            walk.draft, walk.literal = before, literal
            continue
        if kind is kinds.Text and "display" in token["text"]:
            unseen = unseen or "none" in token["text"]
        index += 1


def single_tag(walk: Walk, word: str) -> None:
    """A tag without content: a list mark, a line, a break, a reference by name."""
    draft = walk.draft
    if word in _ITEM_TAGS:
        draft.mark(LIST)
    elif word in _SPACE_TAGS:
        draft.pieces.append(" ")
    elif word in _BLOCK_TAGS:
        draft.mark(PARAGRAPH)
    elif word in _REF_TAGS:
        draft.mark(HOLE)


def tag_content(walk: Walk, index: int, word: str, unseen: bool) -> int:
    """Handle what stands between the two tags."""
    draft = walk.draft
    if word in _REF_TAGS:
        draft.mark(HOLE)
        return walk.aside(index, "ref")
    if word == "table":
        draft.mark(PARAGRAPH)
        index = walk.aside(index, "table")
        draft.mark(PARAGRAPH)
        return index
    if word in _SILENT_TAGS or unseen:
        draft.mark(HOLE)
        literal, walk.literal = walk.literal, True
        index = walk.aside(index, walk.place)
        walk.literal = literal
        return index
    if word == "nowiki":
        return verbatim(walk, index)
    if walk.hidden:
        return walk.search(index)
    return dressed(walk, index, word)


def dressed(walk: Walk, index: int, word: str) -> int:
    """Walk the content of a tag that only dresses it up."""
    draft = walk.draft
    if word in _BOLD_TAGS:
        draft.pieces.append("'''")
        index = walk.walk(index)
        draft.pieces.append("'''")
    elif word in _BLOCK_TAGS or word in _ITEM_TAGS:
        draft.mark(LIST if word in _ITEM_TAGS else PARAGRAPH)
        index = walk.walk(index)
        draft.mark(PARAGRAPH)
    elif word == "code":
        literal, walk.literal = walk.literal, True
        index = walk.walk(index)
        walk.literal = literal
    else:
        index = walk.walk(index)
    return index


def verbatim(walk: Walk, index: int) -> int:
    """<nowiki>: kept where it only protects words, dropped where it shows markup.

    Words in double brackets are no link here; they lose the brackets like all that do not pair.
    """
    words = Draft()
    index = walk.separate(words, index)
    text = "".join(words.pieces)
    if _MARKUP.search(text):
        walk.draft.mark(HOLE)
    else:
        walk.draft.pieces.append(html.unescape(text))
    return index
