"""Links: [[links]] with their trails, files with their captions, and addresses."""

from __future__ import annotations

import html
import re

from stages.wiki.draft import HOLE, Draft, Link
from stages.wiki.site import Site
from stages.wiki.titles import LinkTarget, parse_target
from stages.wiki.tokens import Token, kinds
from stages.wiki.walk import Walk

__all__ = ["external", "link", "simple_link"]

FILE, CATEGORY = 6, 14

_SIZE = re.compile(
    r"\d*(?:\s*x\s*\d+)?\s*(?:px|пкс|п|پیکسل|بك|عن|פיקסלים|픽셀|像素|ピクセル)(?:px)?"
)
_PIPE_TRICK = re.compile(r"(?:[^:]*:)?(.*?)(?:\s*\([^()]*\)|,\s.*)?$", re.DOTALL)
# What stands behind most links, and in no language's trail.
_NO_TRAIL = frozenset(" ,.;:)\n")
_LINK_PARTS = frozenset((kinds.WikilinkSeparator, kinds.WikilinkClose))
# What makes a link's target depend on more than the page itself.
_DECIDING = frozenset((kinds.TemplateOpen, kinds.ArgumentOpen))


def link(walk: Walk, index: int) -> int:
    """[[target|words]] and its trail."""
    order = index
    raw, index = link_target(walk, index + 1)
    target = None
    if raw is not None:
        target = walk.targets.get(raw) or walk.targets.setdefault(raw, parse_target(raw, walk.site))
        elsewhere = target.namespace or target.interwiki
        if elsewhere and not raw.lstrip().startswith(":") and _unshown(target, walk.site):
            return attachment(walk, index, target)
    draft = walk.draft
    pieces = draft.pieces
    start = len(pieces)
    if type(walk.tokens[index]) is kinds.WikilinkSeparator:
        index = link_words(walk, index + 1)
        if raw and not "".join(pieces[start:]).strip():
            pieces.append(_trick(raw))
    elif raw:
        pieces.append(html.unescape(raw.strip().removeprefix(":")))
    index += 1
    following = walk.tokens[index]
    if type(following) is kinds.Text:
        take_trail(walk, following)
    if target and walk.counts(target):
        end = len(pieces)
        draft.links.append(Link(order, start, end, target.title, target.fragment, walk.place))
    return index


def simple_link(walk: Walk, index: int) -> int:
    """A link without other markup; its target has no colon, thus no namespace and no wiki."""
    raw, words, _ = walk.tokens[index]
    target = walk.targets.get(raw) or walk.targets.setdefault(raw, parse_target(raw, walk.site))
    draft = walk.draft
    pieces = draft.pieces
    start = len(pieces)
    if words is None:
        pieces.append(raw.strip())
    else:
        pieces.append(words)
        if words.isspace():
            pieces.append(_trick(raw))
    following = walk.tokens[index + 1]
    if type(following) is kinds.Text:
        take_trail(walk, following)
    if target.title and not walk.literal:
        end = len(pieces)
        draft.links.append(Link(index, start, end, target.title, target.fragment, walk.place))
    return index + 1


def take_trail(walk: Walk, following: Token) -> None:
    """Move the letters behind a link to its words."""
    text = following["text"]
    if text and text[0] not in _NO_TRAIL and (found := walk.trail.match(text)):
        walk.draft.pieces.append(found.group())
        following["text"] = text[found.end() :]


def link_words(walk: Walk, index: int) -> int:
    """Write what stands behind the `|` of a link; a reader sees it even in a table."""
    tokens = walk.tokens
    token = tokens[index]
    if type(token) is kinds.Text and type(tokens[index + 1]) is kinds.WikilinkClose:
        walk.draft.pieces.append(token["text"])
        return index + 1
    hidden, walk.hidden = walk.hidden, False
    index = walk.walk(index)
    walk.hidden = hidden
    return index


def link_target(walk: Walk, index: int) -> tuple[str | None, int]:
    """Return what stands before the `|` of a link, None where templates decide it."""
    tokens = walk.tokens
    token = tokens[index]
    if type(token) is kinds.Text and type(tokens[index + 1]) in _LINK_PARTS:
        return token["text"], index + 1
    title = Draft()
    begin, index = index, walk.separate(title, index)
    if any(type(token) in _DECIDING for token in tokens[begin:index]):
        return None, index
    return "".join(title.pieces), index


def attachment(walk: Walk, index: int, target: LinkTarget) -> int:
    """A file, a category or a link to the same page in another language."""
    if type(walk.tokens[index]) is not kinds.WikilinkSeparator:
        return index + 1
    if target.namespace != FILE:
        literal, walk.literal = walk.literal, True
        index = walk.separate(Draft(), index + 1)
        walk.literal = literal
        return index + 1
    caption, index = file_caption(walk, index + 1)
    if caption is None:
        return index
    if walk.hidden or walk.draft is not walk.body:
        walk.release(caption)
    else:
        walk.captions.append((len(walk.headings) - 1, caption))
    return index


def file_caption(walk: Walk, index: int) -> tuple[Draft | None, int]:
    """Return the last part of a file link that is no option, and the index behind the link."""
    parts = [Draft()]
    before = walk.draft, walk.place
    if walk.place == "prose":
        walk.place = "caption"
    walk.draft = parts[0]
    while True:
        token = walk.tokens[index]
        kind = type(token)
        if kind is kinds.Text:
            first, *more = token["text"].split("|")
            walk.draft.pieces.append(first)
            for text in more:
                parts.append(Draft([text]))
                walk.draft = parts[-1]
            index += 1
        elif kind is kinds.WikilinkClose:
            break
        elif kind in walk.handlers:
            index = walk.handlers[kind](walk, index)
        else:
            index += 1
    walk.draft, walk.place = before
    shown = [part for part in parts if not is_option(walk, "".join(part.pieces))]
    for part in parts:
        if part.links and (not shown or part is not shown[-1]):
            walk.release(part)
    return (shown[-1] if shown else None), index + 1


def is_option(walk: Walk, text: str) -> bool:
    """Whether a part of a file link says how to show the file."""
    word, equals, _ = text.strip().lower().partition("=")
    word = word.strip()
    options = walk.site.facts.image_options
    if word in options or not (word or equals):
        return True
    return bool(_SIZE.fullmatch(word)) or word.rpartition(" ")[0] == "upright"


def external(walk: Walk, index: int) -> int:
    """[address words]: the words stay, an address never."""
    index = walk.separate(Draft(), index + 1)
    if type(walk.tokens[index]) is kinds.ExternalLinkSeparator:
        index = walk.walk(index + 1)
    else:
        walk.draft.mark(HOLE)
    return index + 1


def _unshown(target: LinkTarget, site: Site) -> bool:
    if target.interwiki:
        return site.is_language(target.interwiki)
    return target.namespace in (FILE, CATEGORY)


def _trick(raw: str) -> str:
    """Return the words of a link with nothing behind its `|`."""
    found = _PIPE_TRICK.match(html.unescape(raw.removeprefix(":")))
    return found.group(1) if found else ""
