"""Braces: {{templates}} and {{{arguments}}}."""

from __future__ import annotations

from stages.wiki.draft import HOLE, Draft, Link
from stages.wiki.templates import Arguments, Rule, render
from stages.wiki.titles import parse_target
from stages.wiki.tokens import kinds
from stages.wiki.walk import Walk

__all__ = ["argument", "template"]

_TEMPLATE_PARTS = frozenset((kinds.TemplateParamSeparator, kinds.TemplateClose))
TEMPLATE = 10


def template(walk: Walk, index: int) -> int:
    """{{name|arguments}}: rendered, unwrapped or dropped as its rule says."""
    name, subject, index = template_name(walk, index + 1)
    if walk.hidden:
        return drop_arguments(walk, index)
    canonical = walk.redirects.get(name, name)
    marks = walk.site.facts.disambiguation
    if name.lower() in marks or canonical.lower() in marks:
        walk.disambiguation = True
    rule = walk.rules.get(canonical) or walk.rules.get(name)
    if rule is None:
        if walk.place in ("prose", "caption"):
            walk.dropped[canonical] += 1
        walk.draft.mark(HOLE)
        return drop_arguments(walk, index)
    return replace_template(walk, index, rule, {"0": Draft([subject])} if subject else {})


def drop_arguments(walk: Walk, index: int) -> int:
    """Search a template's arguments for links."""
    return walk.aside(index, "template") + 1


def template_name(walk: Walk, index: int) -> tuple[str, str, int]:
    """Return a template's name with a capital, its subject, and the index of what ends the name.

    The subject of {{lc:WORDS}} is WORDS; a template in the proper sense has none.
    """
    tokens = walk.tokens
    token = tokens[index]
    if type(token) is kinds.Text and type(tokens[index + 1]) in _TEMPLATE_PARTS:
        raw, index = token["text"], index + 1
    else:
        name = Draft()
        index = walk.separate(name, index)
        raw = "".join(name.pieces)
    name_ = " ".join(raw.replace("_", " ").split())
    subject = ""
    prefix, colon, rest = name_.partition(":")
    if colon:
        if walk.site.keys.get(prefix.strip().lower()) == TEMPLATE:
            name_ = rest.strip()
        else:
            name_, subject = prefix + ":", rest.strip()
    return name_[:1].upper() + name_[1:], subject, index


def replace_template(walk: Walk, index: int, rule: Rule, arguments: Arguments) -> int:
    """Write what a rule makes of a template's arguments, those that are given and those to read."""
    position = 0
    order = index
    while type(walk.tokens[index]) is kinds.TemplateParamSeparator:
        value = Draft()
        index = walk.separate(value, index + 1)
        key = ""
        if type(walk.tokens[index]) is kinds.TemplateParamEquals:
            key = "".join(value.pieces).strip()
            value = Draft()
            index = walk.separate(value, index + 1)
        if not key:
            position += 1
            key = str(position)
        arguments[key] = value
    written = render(rule, arguments)
    used = {id(value) for value in written if isinstance(value, Draft)}
    for part in written:
        if isinstance(part, Draft):
            walk.draft.splice(part)
        elif isinstance(part, str):
            walk.draft.pieces.append(part)
        else:
            write_linked(walk, order, part.target, part.words)
    for value in arguments.values():
        if id(value) not in used and value.links:
            walk.release(value)
    if not written:
        walk.draft.mark(HOLE)
    return index + 1


def write_linked(walk: Walk, order: int, title: str, words: str) -> None:
    """Write words that a template links."""
    target = parse_target(title, walk.site)
    start = len(walk.draft.pieces)
    walk.draft.pieces.append(words)
    if walk.counts(target):
        walk.draft.links.append(
            Link(order, start, start + 1, target.title, target.fragment, walk.place)
        )


def argument(walk: Walk, index: int) -> int:
    """{{{name|default}}}: only templates have a use for it."""
    depth = 0
    while True:
        kind = type(walk.tokens[index])
        depth += (kind is kinds.ArgumentOpen) - (kind is kinds.ArgumentClose)
        index += 1
        if not depth:
            return index
