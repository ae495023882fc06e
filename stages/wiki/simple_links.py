"""Simple links: [[target]] and [[target|words]] without other markup, spared the grammar.

The grammar takes five times as long for a link as for its letters. So those that hold no other
markup are read here: a sign takes the place of each, and when the grammar is done with the rest,
one token for each link takes the place of its sign.

Where a link is none (in comments, names of templates, targets of links, addresses, tags), or may
be none, it is left to the grammar.
"""

from __future__ import annotations

import re

from stages.wiki.tokens import Token, kinds, tokenize

__all__ = ["SimpleLink", "tokens_of"]

SIGN = "\x02"
"""Stands in wikitext before the letter of a link. XML has no way to write this character."""

FIRST_LETTER = 0xF0000
LETTERS = 0x1FFFE
"""Letters for private use, with which the links of a page are counted."""

_LITERAL = (
    "nowiki|pre|math|chem|ce|source|syntaxhighlight|score|timeline|hiero|graph|templatedata|"
    "categorytree|gallery|imagemap|inputbox|section"
)
_LINK = re.compile(
    r"\[\[([^\[\]{}<>|\n&:%\x02]+)(?:\|([^\[\]{}<>|\n&:\x02]+))?\]\]"
    # What is left to the grammar, with the links in it.
    r"|\[\[[^\]|\n]*+|\{\{+[^{}|]*+|//[^\s<{]*+|<!--.*?-->"
    rf"|<({_LITERAL})\b[^<>]*(?<!/)>.*?</\3\s*>|<[A-Za-z][^<>]*+>",
    re.DOTALL | re.IGNORECASE,
)
SimpleLink: type = tuple
"""Token of a link: its target, its words or None without any, and None."""


def tokens_of(wikitext: str) -> list[Token]:
    """Return the tokens of a text, as `tokenize` does, but one `SimpleLink` for such a link."""
    links: list[tuple[str | None, ...]] = []

    def sign(found: re.Match[str]) -> str:
        link = found.groups()
        if link[0] is None or len(links) >= LETTERS:
            return found.group()
        links.append(link)
        return SIGN + chr(FIRST_LETTER + len(links) - 1)

    if SIGN in wikitext:
        wikitext = wikitext.replace(SIGN, "")
    if "[[" not in wikitext:
        return tokenize(wikitext)
    return _with_links(tokenize(_LINK.sub(sign, wikitext)), links)


def _with_links(tokens: list[Token], links: list[tuple[str | None, ...]]) -> list[Token]:
    """Put links where their signs stand."""
    whole: list[Token] = []
    add, text_kind = whole.append, kinds.Text
    for token in tokens:
        if type(token) is not text_kind or SIGN not in token["text"]:
            add(token)
            continue
        first, *parts = token["text"].split(SIGN)
        if first:
            token["text"] = first
            add(token)
        for part in parts:
            add(links[ord(part[0]) - FIRST_LETTER])
            if len(part) > 1:
                add(text_kind(text=part[1:]))
    return whole
