"""Pieces of wikitext beside the plain text that they render to."""

from __future__ import annotations

import random
from typing import NamedTuple

from stages.sample.world import Entity

ITALIC = ("book", "film")
_LANG = (("la", "Per aquas"), ("la", "Semper idem"), ("got", "𐌰𐌽𐌰 𐌼𐌰𐍂𐌴𐌹"), ("el", "πέτρα"))
_MILES = {"km": ("kilometres", 0.6214, "mi"), "m": ("metres", 3.2808, "ft")}


class Piece(NamedTuple):
    """A run of wikitext and what it reads as.

    Args:
        wiki: The wikitext.
        plain: What a right parse makes of it.
        qid: The entity that `plain` names; empty for none.
        template: The template that `plain` comes out of; empty for none.
    """

    wiki: str
    plain: str
    qid: str = ""
    template: str = ""


def words(text: str) -> Piece:
    """Return text that is the same in both forms."""
    return Piece(text, text)


def raised(piece: Piece) -> Piece:
    """Return a piece with its first letter raised, as at the start of a sentence."""
    if not piece.plain[:1].islower():
        return piece
    plain = piece.plain[0].upper() + piece.plain[1:]
    at = piece.wiki.rfind(piece.plain) if piece.wiki != piece.plain else 0
    if at < 0:
        return piece
    wiki = piece.wiki[:at] + plain[0] + piece.wiki[at + 1 :]
    return piece._replace(wiki=wiki, plain=plain)


def unlinked(entity: Entity, surface: str) -> Piece:
    """Return a mention without a link; titles of works are in italics."""
    wiki = f"''{surface}''" if entity.kind in ITALIC else surface
    return Piece(wiki, surface, entity.qid)


def without_article(entity: Entity, surface: str, rng: random.Random) -> Piece:
    """Return a mention of what has no article: plain, a red link, or a link to another wiki."""
    shape = rng.random()
    if shape < 0.25 and "(" not in surface:
        return Piece(f"[[{surface}]]", surface, entity.qid)
    if shape < 0.32:
        return Piece(f"[[:fr:{surface}|{surface}]]", surface, entity.qid)
    return unlinked(entity, surface)


def link(entity: Entity, surface: str, rng: random.Random) -> Piece:
    """Return a link in one of the shapes that editors use."""
    shape, target = rng.random(), entity.title
    if entity.kind == "concept":
        return noun(entity, linked=True)
    if entity.redirects and shape < 0.3:
        target = rng.choice(entity.redirects)
        # A redirect stands in the text under its own name as often as behind a pipe.
        by_redirect = rng.random() < 0.5 and entity.kind != "country"
        surface = target if by_redirect else surface
    elif shape > 0.97:
        target = target.replace(" ", "_")
    elif shape > 0.95:
        target = target.replace(" ", "&nbsp;")
    target = target.replace("& ", "&amp; ") if rng.random() < 0.5 else target
    inner = f"[[{surface}]]" if target == surface else f"[[{target}|{surface}]]"
    if entity.kind in ITALIC:
        inner = f"''{inner}''"
    elif rng.random() < 0.05:
        return Piece(f"{{{{nowrap|{inner}}}}}", surface, entity.qid, "nowrap")
    return Piece(inner, surface, entity.qid)


def noun(concept: Entity, linked: bool) -> Piece:
    """Return a common noun; linked, it begins with a small letter, as most links in prose do."""
    wiki = f"[[{concept.name}]]" if linked and concept.page else concept.name
    return Piece(wiki, concept.name, concept.qid)


def plural(concept: Entity, linked: bool, rng: random.Random) -> Piece:
    """Return a common noun with a link trail: `[[bridge]]s`; a `<nowiki/>` may end the trail."""
    hissing = concept.name.endswith("ch")
    ending = "ies" if concept.name.endswith("y") else "es" if hissing else "s"
    stem = concept.name[:-1] if ending == "ies" else concept.name
    if not (linked and concept.page):
        return Piece(stem + ending, stem + ending, concept.qid)
    if ending == "ies":
        return Piece(f"[[{concept.name}|{stem}ies]]", stem + "ies", concept.qid)
    if rng.random() < 0.1:
        return Piece(f"[[{concept.name}]]<nowiki/>{ending}", stem + ending, concept.qid)
    return Piece(f"[[{concept.name}]]{ending}", stem + ending, concept.qid)


def demonym(country: Entity, linked: bool, rng: random.Random) -> Piece:
    """Return the adjective of a country, by a link trail or a pipe."""
    if not linked:
        return Piece(country.demonym, country.demonym, country.qid)
    trail = country.demonym.removeprefix(country.name)
    by_trail = f"[[{country.name}]]{trail}"
    by_pipe = f"[[{country.title}|{country.demonym}]]"
    return Piece(rng.choice((by_trail, by_pipe)), country.demonym, country.qid)


def section(target: str, rng: random.Random) -> Piece:
    """Return a link that leads to no item: to a section, of the page itself or of another."""
    surface = rng.choice(("old quarter", "wool fair", "upper harbour"))
    return Piece(f"[[{rng.choice((target, '#History'))}|{surface}]]", surface)


def special(name: str, argument: str, rng: random.Random) -> Piece:
    """Return a template or another piece of markup that stands in prose."""
    if name == "convert":
        return _convert(argument, rng)
    if name == "circa":
        year = rng.randint(1780, 1930)
        return Piece(f"{{{{circa|{year}}}}}", f"c. {year}", "", "circa")
    if name == "lang":
        code, text = rng.choice(_LANG)
        return Piece(f"{{{{lang|{code}|{text}}}}}", text, "", "lang")
    if name == "nbsp":
        count = rng.randint(2, 90) * 10
        return Piece(f"{count}&nbsp;{argument}", f"{count}\u00a0{argument}")
    if name == "nowiki":
        return Piece("<nowiki>[[?]]</nowiki>", "[[?]]")
    raise KeyError(name)


def _convert(unit: str, rng: random.Random) -> Piece:
    amount = rng.randint(4, 95)
    if unit == "years":
        return words(f"{amount} years")
    name, factor, other = _MILES[unit]
    # Module:Convert rounds to the digits of its input, and to no less than two.
    converted = amount * factor
    shown = f"{converted:.1f}" if converted < 10 else f"{converted:.0f}"
    plain = f"{amount} {name} ({shown} {other})"
    return Piece(f"{{{{convert|{amount}|{unit}|{other}}}}}", plain, "", "convert")
