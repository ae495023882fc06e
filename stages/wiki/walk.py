"""Walk: one pass over a page's tokens, which writes what is shown into drafts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from stages.wiki.draft import Draft
from stages.wiki.layout import plain
from stages.wiki.page import Hyperlink
from stages.wiki.simple_links import SimpleLink
from stages.wiki.site import Site
from stages.wiki.templates import rules
from stages.wiki.titles import LinkTarget
from stages.wiki.tokens import End, Token, kinds

__all__ = ["Handlers", "Walk"]

_NESTING = frozenset(
    (SimpleLink, kinds.WikilinkOpen, kinds.TemplateOpen, kinds.TagOpenOpen, kinds.CommentStart)
)
_SEARCH_ENDS = frozenset((kinds.TagOpenClose, kinds.TemplateClose, End))


class Walk:
    """One pass over a page's tokens.

    A handler gets the walk and the index of the token that it handles; it returns the index of the
    first one that it did not use. `walk` stops at the first token without a handler: the one that
    closes what its caller opened.
    """

    def __init__(
        self, tokens: list[Token], site: Site, handlers: Handlers, redirects: Mapping[str, str]
    ) -> None:
        self.tokens = tokens
        self.handlers = handlers
        self.site = site
        self.trail = site.facts.trail
        self.rules = rules(site.language)
        self.redirects = redirects
        self.targets: dict[str, LinkTarget] = {}
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
            handler = self.handlers.get(kind)
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
                index = self.handlers[kind](self, index)
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

    def counts(self, target: LinkTarget) -> bool:
        """Whether a link to this target is a hyperlink here."""
        local = target.title and not target.namespace and not target.interwiki
        return bool(local) and not self.literal


Handlers = dict[type, Callable[[Walk, int], int]]


def _inner(outer: str, inner: str) -> str:
    """Return the place of a link within both; a reference counts most, a table least."""
    ranks = ("table", "template", "ref")
    if outer not in ranks or inner not in ranks:
        return inner if inner in ranks else outer
    return max(outer, inner, key=ranks.index)
