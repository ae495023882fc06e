"""Peers: other cleaners of wikitext, each as a function from wikitext to plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import mwparserfromhell

Cleaner = Callable[[str], str]
_ANCHOR = re.compile(r"</?a\b[^>]*>")


def strip_code(wikitext: str) -> str:
    """Return what mwparserfromhell's own cleaner leaves."""
    return str(mwparserfromhell.parse(wikitext).strip_code())


def wikiextractor(*, links: bool) -> Cleaner | None:
    """Return wikiextractor without templates, as its command runs it; None where not installed."""
    try:
        from wikiextractor import extract
    except ImportError:
        return None
    patterns = list(extract._DEFAULT_IGNORED_TAG_PATTERNS)
    if not links:
        patterns.append(extract.ignoreTag("a"))

    def clean(wikitext: str) -> str:
        extractor = extract.Extractor(
            "1", "1", "", "Title", [], ignored_tag_patterns=patterns, keepLinks=links
        )
        return "\n".join(extractor.clean_text(wikitext, expand_templates=False, html_safe=False))

    return clean


def filter_wiki() -> Cleaner | None:
    """Return gensim's cleaner; None where it is not installed."""
    try:
        from gensim.corpora.wikicorpus import filter_wiki as clean
    except ImportError:
        return None
    cleaner: Cleaner = clean
    return cleaner


def without_anchors(text: str) -> str:
    """Return the output of wikiextractor with links as plain text."""
    return html.unescape(_ANCHOR.sub("", text))


def installed() -> dict[str, Cleaner]:
    """Return the cleaners that are installed, by name."""
    found: dict[str, Any] = {
        "strip_code": strip_code,
        "filter_wiki": filter_wiki(),
        "wikiextractor": wikiextractor(links=False),
    }
    return {name: cleaner for name, cleaner in found.items() if cleaner is not None}
