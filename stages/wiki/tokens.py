"""Tokens: the token stream of mwparserfromhell, the only grammar of wikitext that we know."""

from __future__ import annotations

from typing import Any

from mwparserfromhell.parser import tokens as kinds

try:
    from mwparserfromhell.parser._tokenizer import CTokenizer as Tokenizer  # type: ignore
except ImportError:  # an installation without the extension: the same tokens, five times slower
    from mwparserfromhell.parser.tokenizer import Tokenizer

__all__ = ["End", "Token", "kinds", "tokenize"]

Token = Any
"""A dictionary whose class is one of `kinds`."""


class End(dict):  # type: ignore[type-arg]
    """Stands behind the last token, so that no handler runs off the list."""


def tokenize(wikitext: str) -> list[Token]:
    """Return the tokens of a text, in matched pairs, with `End` behind them.

    Quote runs stay in the text: what they mean is decided a line at a time, as MediaWiki does.
    """
    return [*Tokenizer().tokenize(wikitext, 0, True), End()]
