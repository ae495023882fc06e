"""Sentences in two forms at once: as wikitext, and as the plain text that a right parse gives.

A template's slots: `{h}`, `{t}`, `{a}`, `{b}`, `{s}` mention an entity; `{he:h}`, `{his:h}`,
`{him:h}`, `{son:h}`, `{father:h}`, `{wife:h}`, `{y:h}` are words that depend on it; `{a:t}`
mentions it after a or an; `{dem:t}` is its demonym; `{c:bridge}`, `{c:bridge:s}` and
`{c:bridge:a}` link a common noun, its plural, or it after an article; `{convert:km}`, `{circa}`,
`{lang}`, `{nbsp}`, `{nowiki}` and `{section}` are pieces of markup. `<a|b>` is a choice.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stages.sample import markup
from stages.sample.fillers import OPENERS, TRAILS
from stages.sample.markup import Piece, words
from stages.sample.sentence import Sentence
from stages.sample.world import Entity, Fact, World

_CHOICE = re.compile(r"<([^<>]*)>")
_SLOT = re.compile(r"\{(\w+)(?::([\w ]+))?(?::(\w+))?\}")
_SEXED = {
    "he": ("he", "she", "it"),
    "his": ("his", "her", "its"),
    "him": ("him", "her", "it"),
    "son": ("son", "daughter", "child"),
    "father": ("father", "mother", "parent"),
    "wife": ("husband", "wife", "partner"),
}
LINK_FIRST, LINK_AGAIN = 0.9, 0.4
PRONOUN, LAST_NAME, APPOSITION = 0.4, 0.7, 0.28


def resolve(template: str, rng: random.Random) -> str:
    """Return a template with every `<a|b>` decided."""
    return _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), template)


@dataclass
class Composer:
    """Writes the sentences of one page and remembers what it has linked and named.

    Args:
        subject: What the page is about.
    """

    world: World
    rng: random.Random
    subject: Entity
    linked: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    linked_here: set[str] = field(default_factory=set)
    near_subject: bool = False
    in_sentence: list[Entity] = field(default_factory=list)

    def open_paragraph(self) -> None:
        """Forget what only the last paragraph knew: its links, and whom a pronoun meant."""
        self.linked_here.clear()
        self.near_subject = False

    def sentence(
        self,
        template: str,
        slots: Mapping[str, Entity],
        states: Iterable[Fact] = (),
        kind: str = "filler",
        *,
        plainly: bool = False,
    ) -> Sentence:
        """Return the sentence of a template.

        Args:
            template: See the module.
            slots: The entities behind its one-letter slots.
            states: The facts that the template states of them.
            kind: See `Sentence`.
            plainly: Neither an opener nor a trail is put around it, and no pronoun is used.
        """
        text = resolve(template, self.rng)
        opener = self._maybe(OPENERS, 0.2) if not plainly else ""
        trail = self._maybe(TRAILS, 0.3) if not plainly and "," not in text[-30:] else ""
        if opener and not text.startswith("{"):
            text = text[0].lower() + text[1:]
        stated = list(states)
        self.in_sentence = list(slots.values())
        pieces = [words(opener), *self._pieces(text + trail + ".", slots, stated, plainly=plainly)]
        pieces = [piece for piece in pieces if piece.wiki]
        self.near_subject = self.subject in self.in_sentence
        if not opener:
            pieces[0] = markup.raised(pieces[0])
        return Sentence(pieces, tuple(dict.fromkeys(stated)), kind)

    def _pieces(
        self, text: str, slots: Mapping[str, Entity], stated: list[Fact], *, plainly: bool
    ) -> Iterator[Piece]:
        """Yield the pieces of a text, and add to `stated` what an apposition states."""
        here = {entity.qid for entity in slots.values()}
        position = 0
        for match in _SLOT.finditer(text):
            yield words(text[position : match.start()])
            possessive = text.startswith("'s", match.end())
            may_be_pronoun = match.start() == 0 and not plainly and not possessive
            pronoun = may_be_pronoun and not self._rival(match[1], slots)
            yield from self._slot(match, slots, pronoun=pronoun)
            entity = slots.get(match[1]) if not match[2] else None
            if entity and not plainly and not possessive:
                yield from self._apposition(entity, here, stated)
            position = match.end()
        yield words(text[position:])

    def _maybe(self, phrases: Sequence[str], chance: float) -> str:
        return self.rng.choice(phrases) if self.rng.random() < chance else ""

    def _rival(self, slot: str, slots: Mapping[str, Entity]) -> bool:
        # A pronoun for one of two people of the same sex would leave open who is meant.
        others = [entity for name, entity in slots.items() if name != slot]
        return any(other.sex == self.subject.sex for other in others if other.sex)

    def _slot(
        self, match: re.Match[str], slots: Mapping[str, Entity], *, pronoun: bool
    ) -> list[Piece]:
        name, argument, form = match[1], match[2], match[3]
        if name == "c":
            return self._noun(argument, form)
        if argument in slots:
            return self._about(name, slots[argument])
        if name in slots:
            return [self._mention_or_pronoun(slots[name], pronoun)]
        if name == "section":
            return [markup.section(self.rng.choice(self.world.without_qid), self.rng)]
        return [markup.special(name, argument or "", self.rng)]

    def _about(self, name: str, entity: Entity) -> list[Piece]:
        """Return the word or mention that a slot such as `{his:h}` or `{a:t}` asks for."""
        if name == "y":
            return [words(str(entity.year))]
        if name == "a":
            mention = self.mention(entity)
            return [words(_article(mention.plain)), mention]
        if name in ("dem", "dem_only"):
            return self._demonym(entity)[name == "dem_only" :]
        sexes = ("male", "female")
        return [words(_SEXED[name][sexes.index(entity.sex) if entity.sex in sexes else 2])]

    def _mention_or_pronoun(self, entity: Entity, pronoun: bool) -> Piece:
        known = entity is self.subject and self.near_subject
        if known and pronoun and self.rng.random() < PRONOUN:
            return words({"male": "he", "female": "she"}.get(entity.sex, "it"))
        return self.mention(entity)

    def mention(self, entity: Entity) -> Piece:
        """Return a mention of an entity: linked where it is due, by whatever name is due."""
        rng = self.rng
        first, qid = entity.qid not in self.named, entity.qid
        surface = self._surface(entity, first)
        self.named.add(qid)
        chance = LINK_AGAIN if qid in self.linked else LINK_FIRST
        wanted = rng.random() < chance and qid not in self.linked_here
        if entity is self.subject or not wanted:
            return markup.unlinked(entity, surface)
        if not entity.title:
            return markup.without_article(entity, surface, rng)
        self.linked.add(qid)
        self.linked_here.add(qid)
        return markup.link(entity, surface, rng)

    def _surface(self, entity: Entity, first: bool) -> str:
        rng = self.rng
        if first or entity.kind == "concept":
            return entity.name
        if entity.kind == "person":
            by_last_name = rng.random() < LAST_NAME and not self._clashes(entity)
            return entity.short if by_last_name else entity.name
        by_alias = rng.random() < 0.15 and entity.kind != "country"
        return entity.short if by_alias else entity.name

    def _clashes(self, person: Entity) -> bool:
        """Whether the last name alone could mean another person; of the page, or its subject."""
        known = list(self.in_sentence)
        if person is not self.subject:
            known += [self.subject, *(self.world.entities[qid] for qid in self.named)]
        return any(
            other.kind == "person" and other is not person and other.short == person.short
            for other in known
        )

    def _noun(self, label: str, form: str | None) -> list[Piece]:
        concept = next(e for e in self.world.of_kind("concept") if e.name == label)
        linked = concept.qid not in self.linked
        self.linked.add(concept.qid)
        if form == "s":
            return [markup.plural(concept, linked, self.rng)]
        noun = markup.noun(concept, linked)
        return [words(_article(label)), noun] if form == "a" else [noun]

    def _demonym(self, country: Entity) -> list[Piece]:
        linked = country.qid not in self.linked
        self.linked.add(country.qid)
        self.linked_here.add(country.qid)
        return [words(_article(country.demonym)), markup.demonym(country, linked, self.rng)]

    def _apposition(self, entity: Entity, here: set[str], stated: list[Fact]) -> list[Piece]:
        """Return ` in Country` behind a town now and then: it states where the town lies."""
        if entity is self.subject or entity.kind != "city" or self.rng.random() > APPOSITION:
            return []
        pid = self.rng.choice(("P17", "P131"))
        tails = self.world.tails(entity.qid, pid)
        if not tails or tails[0] in here:
            return []
        stated.append(Fact(entity.qid, pid, tails[0]))
        here.add(tails[0])
        return [words(" in "), self.mention(self.world.entities[tails[0]])]


def _article(word: str) -> str:
    return "an " if word[0].lower() in "aeiou" else "a "
