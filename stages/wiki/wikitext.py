"""wikitext: one page's wikitext -> plain text with blocks, sections and hyperlinks.

The grammar is mwparserfromhell's, read from its token stream without building its tree: most of
the time of a parse goes into the tree. Tokens come in matched pairs, so one pass with a handler
per kind of token is enough; what a handler opens it also closes.
"""

from __future__ import annotations

import gc
import html
from collections.abc import Mapping
from types import MappingProxyType

from stages.wiki.assembly import assemble
from stages.wiki.braces import argument, template
from stages.wiki.budget import within_budget
from stages.wiki.draft import HEADING, Draft
from stages.wiki.hidden import without_hidden
from stages.wiki.layout import plain
from stages.wiki.links import external, link, simple_link
from stages.wiki.page import Block, Hyperlink, ParsedPage, Section
from stages.wiki.simple_links import SimpleLink, tokens_of
from stages.wiki.site import Site
from stages.wiki.tags import tag
from stages.wiki.templates import rules
from stages.wiki.tokens import End, kinds
from stages.wiki.walk import Handlers, Walk

__all__ = ["Block", "Hyperlink", "ParsedPage", "Section", "parse_wikitext"]

_NO_REDIRECTS: Mapping[str, str] = MappingProxyType({})


def parse_wikitext(
    wikitext: str, site: Site, redirects: Mapping[str, str] = _NO_REDIRECTS
) -> ParsedPage:
    """Read a page.

    Never raises on any text; what the grammar cannot pair is left out or kept as words.

    Args:
        wikitext: As in the dump, entities of XML already undone.
        site: The wiki, for namespaces, link trails and templates.
        redirects: Where each redirect of the template namespace leads in the end, both without
            their namespace.
    """
    wikitext, truncated = within_budget(wikitext)
    wikitext = without_hidden(wikitext, rules(site.language), redirects)
    # A page's tokens refer to nothing but strings: looking for cycles among them would cost a
    # third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _page(Walk(tokens_of(wikitext), site, HANDLERS, redirects), truncated)
    finally:
        if collecting:
            gc.enable()


def _page(walk: Walk, truncated: bool) -> ParsedPage:
    """Walk the whole page and put the result together."""
    index = walk.walk(0)
    while type(walk.tokens[index]) is not End:
        index = walk.walk(index + 1)
    return assemble(
        walk.body,
        walk.captions,
        walk.headings,
        walk.hyperlinks,
        disambiguation=walk.disambiguation,
        dropped=walk.dropped,
        truncated=truncated,
    )


def _heading(walk: Walk, index: int) -> int:
    """== words ==."""
    level = walk.tokens[index]["level"]
    words = Draft()
    index = walk.separate(words, index + 1)
    if walk.draft is walk.body:
        walk.headings.append((level, plain("".join(words.pieces))))
        walk.body.mark(HEADING, len(walk.headings) - 1)
    walk.release(words)
    return index + 1


def _comment(walk: Walk, index: int) -> int:
    """<!-- words -->; one that has a line for itself takes the line with it."""
    while type(walk.tokens[index]) is not kinds.CommentEnd:
        index += 1
    index += 1
    pieces, following = walk.draft.pieces, walk.tokens[index]
    if type(following) is kinds.Text and (not pieces or pieces[-1].endswith("\n")):
        following["text"] = following["text"].removeprefix("\n")
    return index


def _entity(walk: Walk, index: int) -> int:
    """&name; or &#number;."""
    written = ["&"]
    index += 1
    while type(walk.tokens[index]) is not kinds.HTMLEntityEnd:
        token = walk.tokens[index]
        kind = type(token)
        if kind is kinds.HTMLEntityNumeric:
            written.append("#")
        elif kind is kinds.HTMLEntityHex:
            written.append("x")
        else:
            written.append(token["text"])
        index += 1
    walk.draft.pieces.append(html.unescape("".join(written) + ";"))
    return index + 1


HANDLERS: Handlers = {
    SimpleLink: simple_link,
    kinds.WikilinkOpen: link,
    kinds.TemplateOpen: template,
    kinds.TagOpenOpen: tag,
    kinds.CommentStart: _comment,
    kinds.ExternalLinkOpen: external,
    kinds.HTMLEntityStart: _entity,
    kinds.HeadingStart: _heading,
    kinds.ArgumentOpen: argument,
}
