"""wikitext: one page's wikitext -> plain text with blocks, sections and hyperlinks.

The grammar is mwparserfromhell's, read from its token stream without building its tree: most of
the time of a parse goes into the tree. Tokens come in matched pairs, so one pass with a handler
per kind of token is enough; what a handler opens it also closes.
"""

from __future__ import annotations

import gc
import html
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mwparserfromhell.parser import tokens as kinds

try:
    from mwparserfromhell.parser._tokenizer import CTokenizer as Tokenizer
except ImportError:  # the wheel without the extension: the same tokens, five times slower
    from mwparserfromhell.parser.tokenizer import Tokenizer

from stages.wiki.assembly import assemble
from stages.wiki.draft import HEADING, HOLE, LIST, PARAGRAPH, Draft, Link
from stages.wiki.layout import plain
from stages.wiki.page import Block, Hyperlink, ParsedPage, Section
from stages.wiki.site import Site
from stages.wiki.templates import Arguments, Rule, render, rules
from stages.wiki.titles import LinkTarget, parse_target

__all__ = ["Block", "Hyperlink", "ParsedPage", "Section", "parse_wikitext"]

MAX_CODE_POINTS = 4_000_000
"""Longest wikitext that is read whole; twice what MediaWiki lets a page have."""

FILE, CATEGORY, MEDIA = 6, 14, -2

Token = Any


class _End(dict):  # type: ignore[type-arg]
    """Stands behind the last token, so that no handler runs off the list."""


_SILENT_TAGS = frozenset(
    "math chem ce gallery timeline score hiero graph imagemap inputbox templatedata section "
    "categorytree pre source syntaxhighlight mapframe maplink includeonly indicator templatestyles "
    "style script".split()
)
_BLOCK_TAGS = frozenset(
    "p div blockquote center ul ol dl hr h1 h2 h3 h4 h5 h6 poem tr table caption".split()
)
_ITEM_TAGS = frozenset(("li", "dt", "dd"))
_BOLD_TAGS = frozenset(("b", "strong"))
_REF_TAGS = frozenset(("ref", "references"))
_SPACE_TAGS = frozenset(("br", "wbr"))
# A reference without a link gives nothing: it is taken out before the tokens are made.
_EMPTY_REF = re.compile(
    r"<ref(?=[\s>])[^<>/\[\]{|}]*>[^<\[]*+(?:(?:<(?!/?ref\b|!--|nowiki)|\[(?!\[))[^<\[]*+)*+</ref\s*>",
    re.IGNORECASE,
)
# Likewise the arguments of a template that is dropped and has neither links nor templates in them.
_EMPTY_TEMPLATE = re.compile(r"\{\{([^{}\[\]<>|\n]+\n?)\|[^{}<>\[]*+(?:\[(?!\[)[^{}<>\[]*+)*+\}\}")
_MARKUP = re.compile(r"\[\[|\]\]|\{[{|]|[|}]\}|''|<|==|~~~|://|^[*#:;]")
_SIZE = re.compile(r"\d*(?:\s*x\s*\d+)?\s*(?:px|пкс|п|پیکسل|بك|عن|פיקסלים|픽셀|像素|ピクセル)(?:px)?")
_PIPE_TRICK = re.compile(r"(?:[^:]*:)?(.*?)(?:\s*\([^()]*\)|,\s.*)?$", re.DOTALL)


def parse_wikitext(wikitext: str, site: Site) -> ParsedPage:
    """Read a page.

    Never raises on any text; what the grammar cannot pair is left out or kept as words.

    Args:
        wikitext: As in the dump, entities of XML already undone.
        site: The wiki, for namespaces, link trails and templates.
    """
    truncated = len(wikitext) > MAX_CODE_POINTS
    kept = rules(site.language)
    wikitext = _EMPTY_REF.sub("<ref/>", wikitext[:MAX_CODE_POINTS])
    wikitext = _EMPTY_TEMPLATE.sub(lambda found: _shortened(found, kept), wikitext)
    # A page's tokens refer to nothing but strings: looking for cycles among them would cost a
    # third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        tokens: list[Token] = [*Tokenizer().tokenize(wikitext, 0, True), _End()]
        return _Walk(tokens, site).page(truncated)
    finally:
        if collecting:
            gc.enable()


def _shortened(found: re.Match[str], kept: Mapping[str, Rule]) -> str:
    """Return a template without its arguments where no rule reads them."""
    raw = found.group(1)
    name = " ".join(raw.replace("_", " ").split())
    if not name or ":" in name or name[0].upper() + name[1:] in kept:
        return found.group()
    return "{{" + raw + "}}"


class _Walk:
    """One pass over a page's tokens.

    A handler gets the index of the token that it handles and returns the index of the first one
    that it did not use. `walk` stops at the first token without a handler: the one that closes
    what its caller opened.
    """

    def __init__(self, tokens: list[Token], site: Site) -> None:
        self.tokens = tokens
        self.site = site
        self.trail = site.facts.trail
        self.rules = rules(site.language)
        self.draft = self.body = Draft()
        self.captions: list[tuple[int, Draft]] = []
        self.headings: list[tuple[int, str]] = [(0, "")]
        self.hyperlinks: list[tuple[int, Hyperlink]] = []
        self.place = "prose"
        # In what a reader does not see as text only links are looked for.
        self.hidden = False
        # In what is shown as typed (code) there are no links.
        self.literal = False
        self.disambiguation = False
        self.dropped: Counter[str] = Counter()

    def page(self, truncated: bool) -> ParsedPage:
        """Walk the whole page and put the result together."""
        index = self.walk(0)
        while type(self.tokens[index]) is not _End:
            index = self.walk(index + 1)
        return assemble(
            self.body,
            self.captions,
            self.headings,
            self.hyperlinks,
            disambiguation=self.disambiguation,
            dropped=self.dropped,
            truncated=truncated,
        )

    def walk(self, index: int) -> int:
        """Write what is shown into the draft, up to a token that closes."""
        tokens, write = self.tokens, self.draft.pieces.append
        while True:
            token = tokens[index]
            kind = type(token)
            if kind is kinds.Text:
                write(token["text"])
                index += 1
                continue
            handler = _HANDLERS.get(kind)
            if handler is None:
                return index
            index = handler(self, index)

    def search(self, index: int) -> int:
        """Look for links only, up to a token that closes a tag or template."""
        tokens = self.tokens
        while True:
            kind = type(tokens[index])
            if kind is kinds.Text:
                index += 1
            elif kind in _NESTING:
                index = _HANDLERS[kind](self, index)
            elif kind in _SEARCH_ENDS:
                return index
            else:
                index += 1

    def aside(self, index: int, place: str) -> int:
        """Search what is not part of the text; its links are kept without a span."""
        before = self.draft, self.place, self.hidden
        self.draft = Draft()
        self.place, self.hidden = _inner(self.place, place), True
        index = self.search(index)
        found = self.draft
        self.draft, self.place, self.hidden = before
        self.release(found)
        return index

    def release(self, draft: Draft) -> None:
        """Keep the links of a draft that does not become text."""
        for link in draft.links:
            surface = plain("".join(draft.pieces[link.start : link.end]))
            self.hyperlinks.append(
                (link.order, Hyperlink(None, None, surface, link.title, link.fragment, link.place))
            )

    def separate(self, write: Draft, index: int) -> int:
        """Walk with another draft to write to."""
        before, self.draft = self.draft, write
        index = self.walk(index)
        self.draft = before
        return index

    def link(self, index: int) -> int:
        """[[target|words]] and its trail."""
        order = index
        raw, index = self.target(index + 1)
        target = parse_target(raw, self.site) if raw is not None else None
        if target and not raw.lstrip().startswith(":") and _unshown(target, self.site):
            return self.attachment(index, target)
        draft = self.draft
        start = len(draft.pieces)
        if type(self.tokens[index]) is kinds.WikilinkSeparator:
            index = self.words(index + 1)
            if raw and not "".join(draft.pieces[start:]).strip():
                draft.pieces.append(_trick(raw))
        elif raw:
            draft.pieces.append(html.unescape(raw.strip().removeprefix(":")))
        index += 1
        following = self.tokens[index]
        if type(following) is kinds.Text and (found := self.trail.match(following["text"])):
            draft.pieces.append(found.group())
            following["text"] = following["text"][found.end() :]
        if target and target.title and not target.namespace and not target.interwiki:
            if not self.literal:
                end = len(draft.pieces)
                draft.links.append(
                    Link(order, start, end, target.title, target.fragment, self.place)
                )
        return index

    def words(self, index: int) -> int:
        """Write what stands behind the `|` of a link; a reader sees it even in a table."""
        tokens = self.tokens
        token = tokens[index]
        if type(token) is kinds.Text and type(tokens[index + 1]) is kinds.WikilinkClose:
            self.draft.pieces.append(token["text"])
            return index + 1
        hidden, self.hidden = self.hidden, False
        index = self.walk(index)
        self.hidden = hidden
        return index

    def target(self, index: int) -> tuple[str | None, int]:
        """Return what stands before the `|` of a link, None where templates decide it."""
        tokens = self.tokens
        token = tokens[index]
        if type(token) is kinds.Text and type(tokens[index + 1]) in _LINK_PARTS:
            return token["text"], index + 1
        title = Draft()
        begin, index = index, self.separate(title, index)
        if any(type(token) in _DECIDING for token in tokens[begin:index]):
            return None, index
        return "".join(title.pieces), index

    def attachment(self, index: int, target: LinkTarget) -> int:
        """A file, a category or a link to the same page in another language."""
        if type(self.tokens[index]) is not kinds.WikilinkSeparator:
            return index + 1
        if target.namespace != FILE:
            literal, self.literal = self.literal, True
            index = self.separate(Draft(), index + 1)
            self.literal = literal
            return index + 1
        caption, index = self.caption(index + 1)
        if caption is None:
            return index
        if self.hidden or self.draft is not self.body:
            self.release(caption)
        else:
            self.captions.append((len(self.headings) - 1, caption))
        return index

    def caption(self, index: int) -> tuple[Draft | None, int]:
        """Return the last part of a file link that is no option, and the index behind the link."""
        parts = [Draft()]
        before = self.draft, self.place
        if self.place == "prose":
            self.place = "caption"
        self.draft = parts[0]
        while True:
            token = self.tokens[index]
            kind = type(token)
            if kind is kinds.Text:
                first, *more = token["text"].split("|")
                self.draft.pieces.append(first)
                for text in more:
                    parts.append(Draft([text]))
                    self.draft = parts[-1]
                index += 1
            elif kind is kinds.WikilinkClose:
                break
            elif kind in _HANDLERS:
                index = _HANDLERS[kind](self, index)
            else:
                index += 1
        self.draft, self.place = before
        shown = [part for part in parts if not self.is_option("".join(part.pieces))]
        for part in parts:
            if part.links and (not shown or part is not shown[-1]):
                self.release(part)
        return (shown[-1] if shown else None), index + 1

    def is_option(self, text: str) -> bool:
        """Whether a part of a file link says how to show the file."""
        word, equals, _ = text.strip().lower().partition("=")
        word = word.strip()
        options = self.site.facts.image_options
        if word in options or not (word or equals):
            return True
        return bool(_SIZE.fullmatch(word)) or word.rpartition(" ")[0] == "upright"

    def template(self, index: int) -> int:
        """{{name|arguments}}: rendered, unwrapped or dropped as its rule says."""
        name, index = self.name(index + 1)
        if self.hidden:
            return self.drop(index)
        if name.lower() in self.site.facts.disambiguation:
            self.disambiguation = True
        rule = self.rules.get(name)
        if rule is None:
            if self.place in ("prose", "caption"):
                self.dropped[name] += 1
            self.draft.mark(HOLE)
            return self.drop(index)
        return self.replace(index, rule)

    def drop(self, index: int) -> int:
        """Search a template's arguments for links."""
        return self.aside(index, "template") + 1

    def name(self, index: int) -> tuple[str, int]:
        """Return a template's name with a capital, and the index of what ends it."""
        tokens = self.tokens
        token = tokens[index]
        if type(token) is kinds.Text and type(tokens[index + 1]) in _TEMPLATE_PARTS:
            raw, index = token["text"], index + 1
        else:
            name = Draft()
            index = self.separate(name, index)
            raw = "".join(name.pieces)
        name_ = " ".join(raw.replace("_", " ").split())
        prefix, colon, rest = name_.partition(":")
        if colon:
            if self.site.keys.get(prefix.strip().lower()) == 10:
                name_ = rest.strip()
            else:
                name_ = prefix + ":"
        return name_[:1].upper() + name_[1:], index

    def replace(self, index: int, rule: Rule) -> int:
        """Write what a rule makes of a template's arguments."""
        arguments: Arguments = {}
        position = 0
        order = index
        while type(self.tokens[index]) is kinds.TemplateParamSeparator:
            value = Draft()
            index = self.separate(value, index + 1)
            key = ""
            if type(self.tokens[index]) is kinds.TemplateParamEquals:
                key = "".join(value.pieces).strip()
                value = Draft()
                index = self.separate(value, index + 1)
            if not key:
                position += 1
                key = str(position)
            arguments[key] = value
        written = render(rule, arguments)
        used = {id(value) for value in written if isinstance(value, Draft)}
        for part in written:
            if isinstance(part, Draft):
                self.draft.splice(part)
            elif isinstance(part, str):
                self.draft.pieces.append(part)
            else:
                self.linked(order, part.target, part.words)
        for value in arguments.values():
            if id(value) not in used and value.links:
                self.release(value)
        if not written:
            self.draft.mark(HOLE)
        return index + 1

    def linked(self, order: int, title: str, words: str) -> None:
        """Write words that a template links."""
        target = parse_target(title, self.site)
        start = len(self.draft.pieces)
        self.draft.pieces.append(words)
        if target.title and not target.namespace and not target.interwiki and not self.literal:
            self.draft.links.append(
                Link(order, start, start + 1, target.title, target.fragment, self.place)
            )

    def argument(self, index: int) -> int:
        """{{{name|default}}}: only templates have a use for it."""
        depth = 0
        while True:
            kind = type(self.tokens[index])
            depth += (kind is kinds.ArgumentOpen) - (kind is kinds.ArgumentClose)
            index += 1
            if not depth:
                return index

    def external(self, index: int) -> int:
        """[address words]: the words stay, an address never."""
        index = self.separate(Draft(), index + 1)
        if type(self.tokens[index]) is kinds.ExternalLinkSeparator:
            index = self.walk(index + 1)
        else:
            self.draft.mark(HOLE)
        return index + 1

    def entity(self, index: int) -> int:
        """&name; or &#number;"""
        written = ["&"]
        index += 1
        while type(self.tokens[index]) is not kinds.HTMLEntityEnd:
            token = self.tokens[index]
            kind = type(token)
            if kind is kinds.HTMLEntityNumeric:
                written.append("#")
            elif kind is kinds.HTMLEntityHex:
                written.append("x")
            else:
                written.append(token["text"])
            index += 1
        self.draft.pieces.append(html.unescape("".join(written) + ";"))
        return index + 1

    def heading(self, index: int) -> int:
        """== words =="""
        level = self.tokens[index]["level"]
        words = Draft()
        index = self.separate(words, index + 1)
        if self.draft is self.body:
            self.headings.append((level, plain("".join(words.pieces))))
            self.body.mark(HEADING, len(self.headings) - 1)
        self.release(words)
        return index + 1

    def comment(self, index: int) -> int:
        """<!-- words -->; one that has a line for itself takes the line with it."""
        while type(self.tokens[index]) is not kinds.CommentEnd:
            index += 1
        index += 1
        pieces, following = self.draft.pieces, self.tokens[index]
        if type(following) is kinds.Text and (not pieces or pieces[-1].endswith("\n")):
            following["text"] = following["text"].removeprefix("\n")
        return index

    def tag(self, index: int) -> int:
        """<name attributes>content</name>, and the wiki's own marks of lists and tables."""
        mark = self.tokens[index].get("wiki_markup")
        name = self.tokens[index + 1]
        word = name["text"].strip().lower() if type(name) is kinds.Text else ""
        index, unseen = self.attributes(index + 2)
        if type(self.tokens[index]) is not kinds.TagCloseOpen:
            self.single(word, mark)
            return index + 1
        index = self.content(index + 1, word, unseen)
        while type(self.tokens[index]) is not kinds.TagCloseClose:
            index += 1
        return index + 1

    def attributes(self, index: int) -> tuple[int, bool]:
        """Return the index of what ends a tag's attributes, and whether they hide the tag."""
        unseen = False
        while True:
            token = self.tokens[index]
            kind = type(token)
            if kind is kinds.TagCloseOpen or kind is kinds.TagCloseSelfclose:
                return index, unseen
            if kind is kinds.TagOpenOpen or kind is kinds.WikilinkOpen:
                literal, self.literal = self.literal, True
                before, self.draft = self.draft, Draft()
                index = _HANDLERS[kind](self, index)
                self.draft, self.literal = before, literal
                continue
            if kind is kinds.Text and "display" in token["text"]:
                unseen = unseen or "none" in token["text"]
            index += 1

    def single(self, word: str, mark: str | None) -> None:
        """A tag without content: a list mark, a line, a break, a reference by name."""
        draft = self.draft
        if word in _ITEM_TAGS:
            draft.mark(LIST)
        elif word in _SPACE_TAGS:
            draft.pieces.append(" ")
        elif word in _BLOCK_TAGS:
            draft.mark(PARAGRAPH)
        elif word in _REF_TAGS:
            draft.mark(HOLE)

    def content(self, index: int, word: str, unseen: bool) -> int:
        """Handle what stands between the two tags."""
        draft = self.draft
        if word in _REF_TAGS:
            draft.mark(HOLE)
            return self.aside(index, "ref")
        if word == "table":
            draft.mark(PARAGRAPH)
            index = self.aside(index, "table")
            draft.mark(PARAGRAPH)
            return index
        if word in _SILENT_TAGS or unseen:
            draft.mark(HOLE)
            literal, self.literal = self.literal, True
            index = self.aside(index, self.place)
            self.literal = literal
            return index
        if word == "nowiki":
            return self.verbatim(index)
        if self.hidden:
            return self.search(index)
        return self.inside(index, word)

    def inside(self, index: int, word: str) -> int:
        """Walk the content of a tag that only dresses it up."""
        draft = self.draft
        if word in _BOLD_TAGS:
            draft.pieces.append("'''")
            index = self.walk(index)
            draft.pieces.append("'''")
        elif word in _BLOCK_TAGS or word in _ITEM_TAGS:
            draft.mark(LIST if word in _ITEM_TAGS else PARAGRAPH)
            index = self.walk(index)
            draft.mark(PARAGRAPH)
        elif word == "code":
            literal, self.literal = self.literal, True
            index = self.walk(index)
            self.literal = literal
        else:
            index = self.walk(index)
        return index

    def verbatim(self, index: int) -> int:
        """<nowiki>: kept where it only protects words, dropped where it shows markup."""
        words = Draft()
        index = self.separate(words, index)
        text = "".join(words.pieces)
        if _MARKUP.search(text):
            self.draft.mark(HOLE)
        else:
            self.draft.pieces.append(html.unescape(text))
        return index


def _inner(outer: str, inner: str) -> str:
    """Return the place of a link within both; a reference counts most, a table least."""
    ranks = ("table", "template", "ref")
    if outer not in ranks or inner not in ranks:
        return inner if inner in ranks else outer
    return max(outer, inner, key=ranks.index)


def _unshown(target: LinkTarget, site: Site) -> bool:
    if target.interwiki:
        return site.is_language(target.interwiki)
    return target.namespace in (FILE, CATEGORY)


def _trick(raw: str) -> str:
    """Return the words of a link with nothing behind its `|`."""
    found = _PIPE_TRICK.match(html.unescape(raw.removeprefix(":")))
    return found.group(1) if found else ""


_HANDLERS: dict[type, Any] = {
    kinds.WikilinkOpen: _Walk.link,
    kinds.TemplateOpen: _Walk.template,
    kinds.TagOpenOpen: _Walk.tag,
    kinds.CommentStart: _Walk.comment,
    kinds.ExternalLinkOpen: _Walk.external,
    kinds.HTMLEntityStart: _Walk.entity,
    kinds.HeadingStart: _Walk.heading,
    kinds.ArgumentOpen: _Walk.argument,
}
_NESTING = frozenset((kinds.WikilinkOpen, kinds.TemplateOpen, kinds.TagOpenOpen, kinds.CommentStart))
_SEARCH_ENDS = frozenset((kinds.TagOpenClose, kinds.TemplateClose, _End))
_LINK_PARTS = frozenset((kinds.WikilinkSeparator, kinds.WikilinkClose))
_TEMPLATE_PARTS = frozenset((kinds.TemplateParamSeparator, kinds.TemplateClose))
# What makes a link's target depend on more than the page itself.
_DECIDING = frozenset((kinds.TemplateOpen, kinds.ArgumentOpen))
