"""Titles: what a link's target or a page's name comes to, as MediaWiki reads it."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

from msgspec import Struct

from stages.wiki.site import Site

__all__ = ["LinkTarget", "normalise_title", "parse_target", "redirect_target"]

_SPACES = re.compile(r"[ _\s\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_UNSEEN = re.compile(r"[\u200e\u200f\u202a-\u202e]+")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_PLAIN = re.compile(r"[^\s\u0080-\uffff_&%#:<>\[\]{}|]+(?: [^\s\u0080-\uffff_&%#:<>\[\]{}|]+)*")
_IMPOSSIBLE = re.compile(r"[<>\[\]{}|\x00-\x1f\x7f\ufffd]")
MAX_TITLE_BYTES = 255


class LinkTarget(Struct, frozen=True, gc=False):
    """Where a link leads.

    Attributes:
        namespace: Key of the namespace; 0 for articles.
        title: Normalised title without its namespace; "" for a link within the page, and for one
            that MediaWiki would refuse.
        fragment: Section behind `#`; "" for none.
        interwiki: Lower-cased prefix of the other wiki; "" for this one.
    """

    namespace: int
    title: str
    fragment: str
    interwiki: str


def normalise_title(raw: str, site: Site) -> str:
    """Return a page's title as the dump's own `<title>` would have it.

    Entities are unescaped; underscores and all spaces become single spaces; a namespace gets its
    local name; the first letter is upper case where the namespace says so. `#` is kept.
    """
    title = _spaced(html.unescape(raw))
    key, title = _namespace(title, site)
    title = _first_upper(title, key, site)
    return f"{site.names[key]}:{title}" if key else title


def parse_target(raw: str, site: Site) -> LinkTarget:
    """Read what stands before the `|` of a link.

    Only namespaces of the site, canonical namespaces and known interwiki prefixes count as
    prefixes: any other colon belongs to the title. A prefix of the wiki's own language is local.
    """
    if raw.isascii() and len(raw) <= MAX_TITLE_BYTES and _PLAIN.fullmatch(raw):
        return LinkTarget(0, _first_upper(raw, 0, site) if raw[0].islower() else raw, "", "")
    if "&" in raw:
        raw = html.unescape(raw)
    if "%" in raw and _ESCAPED.search(raw):
        raw = unquote(raw)
    title, _, fragment = raw.partition("#")
    title, fragment = _spaced(title), _spaced(fragment)
    title = title.removeprefix(":").lstrip()
    interwiki, title = _interwiki(title, site)
    if interwiki:
        return LinkTarget(0, title, fragment, interwiki)
    key, title = _namespace(title, site)
    if _IMPOSSIBLE.search(title) or len(title.encode("utf-8", "replace")) > MAX_TITLE_BYTES:
        title = ""
    return LinkTarget(key, _first_upper(title, key, site), fragment, "")


def redirect_target(wikitext: str, site: Site) -> LinkTarget | None:
    """Return where a redirect page leads; None where the page is none."""
    found = site.facts.redirect.match(wikitext)
    return parse_target(found.group(1), site) if found else None


def _spaced(text: str) -> str:
    return _SPACES.sub(" ", _UNSEEN.sub("", text)).strip()


def _interwiki(title: str, site: Site) -> tuple[str, str]:
    """Return the prefix of another wiki ("" for none) and the title without local prefixes."""
    while ":" in title:
        prefix, _, rest = title.partition(":")
        name = prefix.strip().lower()
        if name in site.keys or not site.is_interwiki(name):
            break
        if name != site.language:
            return name, rest.strip()
        title = rest.strip().removeprefix(":").lstrip()
    return "", title


def _namespace(title: str, site: Site) -> tuple[int, str]:
    prefix, colon, rest = title.partition(":")
    if colon:
        key = site.keys.get(prefix.strip().lower())
        if key is not None:
            return key, rest.strip()
    return 0, title


def _first_upper(title: str, key: int, site: Site) -> str:
    first = title[:1]
    if not first or not first.islower() or key in site.sensitive:
        return title
    if first == "i" and site.facts.dotted_i:
        return "İ" + title[1:]
    upper = first.upper()
    # MediaWiki leaves letters alone whose capital is two letters, and those of Georgian.
    if len(upper) != 1 or "\u10d0" <= first <= "\u10ff":
        return title
    return upper + title[1:]
