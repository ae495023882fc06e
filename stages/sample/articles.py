"""The prose of an article: which sentences stand in which paragraph. Here lies the noise model.

A paragraph is drawn sentence by sentence. Each is of a kind with the chances of `KINDS`:

* `fact` states a fact that holds, by a pattern of its relation. If Wikidata lacks the fact the
  sentence is called `missing`: no distant label is there for what it states.
* `comention` names two entities that Wikidata relates and says something else of them.
* `filler` names one entity, or none.

Beside these every paragraph relates entities that never meet in a sentence (a town named in one,
its country in another). Both make distant labels wrong. `tests/stages/test_sample.py` measures
how many are.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from stages.sample.comentions import COMENTIONS, GROUPS
from stages.sample.fillers import FILLERS, GENERAL
from stages.sample.leads import lead
from stages.sample.patterns import PATTERNS
from stages.sample.sentence import Sentence
from stages.sample.text import Composer
from stages.sample.world import Entity, Fact, World, unique

KINDS = {"fact": 0.41, "comention": 0.41, "filler": 0.18}
ABOUT_SUBJECT = 0.6
HUB_SHARE = 0.6
"""Share of the facts with a country in them that an article may speak of: a country is related to
all else in its paragraph, and too many of them would leave few labels that the text states."""
COHESION = 0.45
"""Chance that a `fact` or `comention` sentence is about two entities named in its paragraph."""
MISSING_BOOST = 0.15
"""Chance that a `fact` sentence is looked for among the facts that Wikidata lacks."""

Paragraph = list[Sentence]


class Author:
    """Writes paragraphs about one entity, and says nothing twice on a page."""

    def __init__(self, world: World, subject: Entity, recorded: set[Fact], seed: int) -> None:
        self.world, self.subject = world, subject
        self.rng = random.Random(f"article {seed} {subject.qid} {subject.title}")
        self.composer = Composer(world, self.rng, subject)
        self.own, self.around = _pools(world, subject, self.rng)
        self.recorded = recorded
        self.told: set[Fact] = set()
        self.paired: set[frozenset[str]] = set()
        self.spoken: set[str] = set()
        self.present: list[str] = []

    def paragraph(self, word_count: int, *, opening: bool = False) -> Paragraph:
        """Return a paragraph of about so many words; the first one opens with the lead."""
        self.composer.open_paragraph()
        self.present = [self.subject.qid]
        sentences: Paragraph = []
        if opening:
            sentences += lead(self.composer)
            stated = sentences[0].states
            recorded = any(fact in self.recorded for fact in stated)
            sentences[0].kind = "fact" if recorded else "missing" if stated else "filler"
            self.told.update(stated)
            self._note(sentences[0])
        while sum(len(s.plain.split()) for s in sentences) < word_count:
            sentences.append(self.next_sentence(first=not sentences))
            self._note(sentences[-1])
        return sentences

    def _note(self, sentence: Sentence) -> None:
        named = [mention.qid for mention in sentence.mentions()]
        self.present += [qid for qid in dict.fromkeys(named) if qid not in self.present]

    def next_sentence(self, *, first: bool = False) -> Sentence:
        """Return one more sentence; the first of a paragraph names the subject."""
        kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0]
        made = None
        if kind == "fact":
            made = self._fact(first)
        if kind == "comention" or (kind == "fact" and made is None):
            made = self._comention(first)
        return made or self._filler(first)

    def _pool(self, first: bool) -> list[Fact]:
        """Return facts to speak of: of what is named here, of the subject, or of what is near."""
        if not first and self.rng.random() < COHESION:
            here = set(self.present)
            facts = [f for qid in self.present for f in self.world.near(qid)]
            return unique(
                f for f in facts if {f.head, f.tail} <= here and f.pid not in ("P31", "P279")
            )
        own = first or self.rng.random() < ABOUT_SUBJECT
        return self.own if own else self.around

    def _fact(self, first: bool) -> Sentence | None:
        pool = [f for f in self._pool(first) if f not in self.told and f.pid in PATTERNS]
        lacking = [f for f in pool if f not in self.recorded]
        if lacking and self.rng.random() < MISSING_BOOST:
            pool = lacking
        if not pool:
            return None
        return self.state(self.rng.choice(pool))

    def state(self, fact: Fact, *, plainly: bool = False) -> Sentence:
        """Return a sentence that states a fact, and all that its words imply."""
        head, tail = self.world.entities[fact.head], self.world.entities[fact.tail]
        if fact.pid == "P40":
            head, tail = tail, head
        stated = implied(self.world, fact)
        self.told.update(stated)
        self.paired.add(frozenset((fact.head, fact.tail)))
        kind = "fact" if fact in self.recorded else "missing"
        template = self._fresh(PATTERNS[fact.pid])
        return self.composer.sentence(
            template, {"h": head, "t": tail}, stated, kind, plainly=plainly
        )

    def _comention(self, first: bool) -> Sentence | None:
        pairs = [
            fact
            for fact in self._pool(first)
            if fact in self.recorded and frozenset((fact.head, fact.tail)) not in self.paired
        ]
        self.rng.shuffle(pairs)
        for fact in pairs:
            one, other = self.world.entities[fact.head], self.world.entities[fact.tail]
            for a, b in ((one, other), (other, one)):
                key = (GROUPS.get(a.kind, a.kind), GROUPS.get(b.kind, b.kind))
                if key in COMENTIONS:
                    self.paired.add(frozenset((a.qid, b.qid)))
                    template = self._fresh(COMENTIONS[key])
                    return self.composer.sentence(template, {"a": a, "b": b}, (), "comention")
        return None

    def _fresh(self, templates: Sequence[str]) -> str:
        """Return a template that the page has not used, while there is one."""
        unused = [t for t in templates if t not in self.spoken]
        template = self.rng.choice(unused or templates)
        self.spoken.add(template)
        return template

    def _filler(self, first: bool) -> Sentence:
        if not first and self.rng.random() < 0.2:
            return self.composer.sentence(self._fresh(GENERAL), {})
        group = GROUPS.get(self.subject.kind, self.subject.kind)
        return self.composer.sentence(self._fresh(FILLERS[group]), {"s": self.subject})


def _pools(world: World, subject: Entity, rng: random.Random) -> tuple[list[Fact], list[Fact]]:
    """Return the facts about an entity, and those about what is near it."""
    own = [f for f in world.near(subject.qid) if f.pid not in ("P31", "P279")]
    if subject.kind != "country":
        own = [f for f in own if not _with_country(world, f) or rng.random() < HUB_SHARE]
    # A country has hundreds of citizens: those with an article, and a few of the others.
    known = [f for f in own if world.entities[_other(f, subject)].title]
    rest = [f for f in own if not world.entities[_other(f, subject)].title]
    own = rng.sample(known, min(len(known), 24)) + rng.sample(rest, min(len(rest), 4))
    near = {_other(fact, subject) for fact in own}
    around: list[Fact] = []
    for qid in sorted(near):
        if world.entities[qid].kind == "concept":
            continue
        for fact in world.near(qid):
            ends = {fact.head, fact.tail}
            closes = ends <= near
            famous = all(world.entities[end].title for end in ends)
            if _with_country(world, fact) and rng.random() > HUB_SHARE:
                continue
            if subject.qid not in ends and fact.pid not in ("P31", "P279", "P106"):
                around += [fact] * (closes or (famous and rng.random() < 0.3))
    return own, unique(around)


def _with_country(world: World, fact: Fact) -> bool:
    return "country" in (world.entities[fact.head].kind, world.entities[fact.tail].kind)


def _other(fact: Fact, entity: Entity) -> str:
    return fact.tail if fact.head == entity.qid else fact.head


def implied(world: World, fact: Fact) -> list[Fact]:
    """Return what a sentence that states a fact states beside it: its inverse, or where it lies."""
    head, tail = fact.head, fact.tail
    holding = set(world.near(head)) & set(world.near(tail))
    stated = [fact]
    if fact.pid in ("P17", "P131"):
        stated += [Fact(head, pid, tail) for pid in ("P17", "P131")]
    elif fact.pid in ("P26", "P47"):
        stated.append(Fact(tail, fact.pid, head))
    elif fact.pid in ("P22", "P25"):
        stated.append(Fact(tail, "P40", head))
    elif fact.pid == "P40":
        stated += [Fact(tail, pid, head) for pid in ("P22", "P25")]
    elif fact.pid == "P36":
        stated += [Fact(tail, pid, head) for pid in ("P17", "P131")]
    return unique([fact, *(f for f in stated if f in holding)])
