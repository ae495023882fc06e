"""Hidden: what no reader sees as text is cut down to its links before tokens are made of it.

References, arguments of templates that are dropped, and tables give hyperlinks and nothing else.
They are half of the tokens of an article, and tokens are what a parse spends its time on. Only what
surely closes is cut: all else is left to the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stages.wiki.draft import HOLE_SIGN
from stages.wiki.templates import Rule

__all__ = ["without_hidden"]

# A link whose words hold no markup but quote runs, and the letters behind it.
_LINK = r"\[\[[^\[\]{}<>|\n]+(?:\|[^\[\]{}<>]*+)?\]\]"
_LINKS = re.compile(_LINK + r"[^\s\[\]{}<>|=]*+")
_REFERENCE = re.compile(
    r"<ref(?:\s[^<>\[\]{|}]*)?/>"
    r"|<ref(?=[\s>])[^<>/\[\]{|}]*>"
    r"[^<\[]*+(?:(?:<(?!/?ref\b|!--|nowiki)|\[(?!\[))[^<\[]*+)*+</ref\s*>",
    re.IGNORECASE,
)
# A bare address ends at a tag, but not at the sign.
_BEHIND_ADDRESS = re.compile(r"(://[^\s<>\[\]{}|\x01]*+)\x01")
_WORDS = rf"[^{{}}<>\[]|\[(?!\[)|{_LINK}"
_TEMPLATE = re.compile(
    r"\{\{([^{}\[\]<>|\n]+\n?)\|"
    rf"((?:[^{{}}<>\[]++|\[(?!\[)|{_LINK}|\{{\{{(?:{_WORDS})*+\}}\}}|<br ?/?>|</?small>)*+)\}}\}}"
)
_DRESSING = r"</?(?:br|small|big|sup|sub|center|span|s|u|b|i)(?:\s[^<>\[\]{|}]*)?/?>"
_INNER = rf"\{{\{{(?:{_WORDS})*+\}}\}}"
_TABLE = re.compile(
    rf"^\{{\|((?:[^{{}}<\[|]++|\|(?!\}})|\[(?!\[)|{_LINK}|{_INNER}|{_DRESSING})*+)(?<=\n)\|\}}(?!\}})",
    re.MULTILINE,
)
_TABLE_LINKS = re.compile(rf"{_INNER}|{_LINK}[^\s\[\]{{}}<>|=]*+")


def without_hidden(wikitext: str, kept: Mapping[str, Rule], redirects: Mapping[str, str]) -> str:
    """Return wikitext that gives the same page and is quicker to read.

    Args:
        wikitext: Of one page.
        kept: Rules of templates, which are not dropped.
        redirects: Where each redirect of the template namespace leads.
    """

    def template(found: re.Match[str]) -> str:
        return _shortened(found, kept, redirects)

    if HOLE_SIGN in wikitext:
        wikitext = wikitext.replace(HOLE_SIGN, "")
    if "<ref" in wikitext:
        wikitext = _REFERENCE.sub(HOLE_SIGN, wikitext)
        wikitext = _BEHIND_ADDRESS.sub(r"\1<ref/>", wikitext)
    if "{{" in wikitext:
        # Twice: the second time for those around what the first time made short.
        wikitext = _TEMPLATE.sub(template, _TEMPLATE.sub(template, wikitext))
    if "{|" in wikitext:
        wikitext = _TABLE.sub(_table, wikitext)
    return wikitext


def _shortened(found: re.Match[str], kept: Mapping[str, Rule], redirects: Mapping[str, str]) -> str:
    """Return a template with nothing but the links of its arguments where no rule reads them."""
    raw, arguments = found.groups()
    name = " ".join(raw.replace("_", " ").split())
    if not name or ":" in name:
        return found.group()
    name = name[0].upper() + name[1:]
    if name in kept or redirects.get(name) in kept:
        return found.group()
    links = _LINKS.findall(arguments) if "[[" in arguments else None
    return "{{" + raw + "|" + " ".join(links) + "}}" if links else "{{" + raw + "}}"


def _table(found: re.Match[str]) -> str:
    """Return a table with nothing but its links, and templates that may have some."""
    parts = (part for part in _TABLE_LINKS.findall(found.group(1)) if "[[" in part)
    return "{|\n" + " ".join(parts) + "\n|}"
