"""What stands around the prose: infoboxes, pictures, tables, lists, references, categories."""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.sample.articles import Author, Paragraph
from stages.sample.markup import Piece, raised, words
from stages.sample.sentence import Sentence
from stages.sample.world import Entity, Fact, World

INFOBOXES = {
    "person": ("person", {"birth_place": "P19", "death_place": "P20", "nationality": "P27",
                          "education": "P69", "spouse": "P26", "employer": "P108"}),
    "country": ("country", {"capital": "P36"}),
    "region": ("settlement", {"subdivision_name": "P17", "seat": "P36"}),
    "city": ("settlement", {"subdivision_name": "P17", "subdivision_name1": "P131",
                            "leader_name": "P6"}),
    "university": ("university", {"city": "P131", "country": "P17"}),
    "company": ("company", {"hq_location": "P159", "founder": "P112", "parent": "P361"}),
    "club": ("football club", {"location": "P159"}),
    "book": ("book", {"author": "P50", "country": "P495"}),
    "film": ("film", {"director": "P57", "based_on": "P144", "country": "P495"}),
}  # fmt: skip
"""Kind -> name of its infobox, and which field shows which property."""


@dataclass
class Part:
    """A part of a page: its wikitext, and the prose in it."""

    text: str
    blocks: list[Paragraph] = field(default_factory=list)


def top(world: World, author: Author) -> Part:
    """Return what stands above the first paragraph."""
    subject, rng = author.subject, author.rng
    lines = []
    if rng.random() < 0.7:
        lines.append(f"{{{{short description|{subject.kind} of the sample world}}}}")
    if "(" in subject.title and rng.random() < 0.8:
        lines.append(f"{{{{about|the {subject.kind}|other uses|{subject.name} (disambiguation)}}}}")
    if rng.random() < 0.2:
        lines.append("{{Use dmy dates|date=January 2020}}")
    if subject.kind in INFOBOXES and rng.random() < 0.75:
        lines.append(infobox(world, author))
    blocks: list[Paragraph] = []
    if rng.random() < 0.45:
        picture = caption(world, author)
        lines.append(picture.text)
        blocks += picture.blocks
    return Part("".join(f"{line}\n" for line in lines), blocks)


def section_hatnote(world: World, author: Author) -> str:
    """Return a note that points from a section to another article, or nothing."""
    linked = [e for e in world.of_kind("country", "region") if e.page]
    if author.rng.random() > 0.2:
        return ""
    name = author.rng.choice(("main", "see also", "further"))
    return f"{{{{{name}|{author.rng.choice(linked).title}}}}}\n"


def infobox(world: World, author: Author) -> str:
    """Return the infobox of a subject, with links to what its facts name."""
    subject = author.subject
    name, fields = INFOBOXES[subject.kind]
    rows = [f"| name = {subject.name}"]
    if subject.kind == "person":
        year, month, day = subject.born
        rows.append(f"| birth_date = {{{{birth date|{year}|{month}|{day}}}}}")
    elif subject.year:
        rows.append(f"| established = {subject.year}")
    for label, pid in fields.items():
        tails = [world.entities[qid] for qid in world.tails(subject.qid, pid)]
        if tails:
            rows.append(f"| {label} = {'<br />'.join(bare_link(tail) for tail in tails)}")
    rows.append("<!-- | website = left out -->")
    return "\n".join((f"{{{{Infobox {name}", *rows, "}}"))


def bare_link(entity: Entity) -> str:
    """Return a link to an entity as it stands in tables and templates."""
    if not entity.title:
        return entity.name
    if entity.title == entity.name:
        return f"[[{entity.title}]]"
    return f"[[{entity.title}|{entity.name}]]"


def caption(world: World, author: Author) -> Part:
    """Return a picture whose caption is a sentence with a link or two in it."""
    subject, rng = author.subject, author.rng
    others = [f for f in author.own if f in author.recorded]
    pieces = [Piece(subject.name, subject.name, subject.qid), words(" in a drawing of 1899.")]
    if others:
        fact = rng.choice(others)
        other = world.entities[fact.head if fact.tail == subject.qid else fact.tail]
        there = Piece(bare_link(other), other.name, other.qid)
        pieces = [pieces[0], words(" on a postcard, with a view of "), there, words(".")]
        if other.kind == "concept":
            pieces = [pieces[0], words(" on a postcard.")]
    pieces[0] = raised(pieces[0])
    kind = "comention" if len(pieces) > 2 and len({p.qid for p in pieces}) > 2 else "filler"
    sentence = Sentence(pieces, (), kind, "caption")
    side = rng.choice(("left", "right", "upright|left"))
    file = f"{subject.name} {rng.randint(2, 99)}.jpg"
    prefix = rng.choice(("File", "File", "Image"))
    return Part(f"[[{prefix}:{file}|thumb|{side}|220px|{sentence.wiki}]]", [[sentence]])


def after_sentence(author: Author) -> str:
    """Return a reference or a comment, or nothing."""
    rng = author.rng
    draw = rng.random()
    if draw > 0.2:
        return ""
    surname, year = rng.choice(("Oldermott", "Vrandar", "Tivanen")), rng.randint(1950, 2020)
    if draw > 0.14:
        return (
            f"<ref>{{{{cite book|last={surname}|title=Papers and Proofs|year={year}"
            f"|pages={rng.randint(1, 400)}}}}}</ref>"
        )
    if draw > 0.09:
        return f'<ref name="{surname}{year}">{surname} ({year}), p. 12. See also [[Library]].</ref>'
    if draw > 0.06:
        return f'<ref name="{surname}" />'
    if draw > 0.03:
        return "<!-- a source for this would be welcome -->"
    return "{{citation needed|date=May 2024}}"


def bottom(world: World, author: Author, *, stub: bool) -> Part:
    """Return what stands below the last paragraph."""
    parts: list[Part] = []
    if not stub:
        parts.append(works_list(world, author))
        parts.append(table(world, author))
        parts.append(definitions(author))
    parts.append(Part("== References ==\n{{reflist}}"))
    text = "\n\n".join(part.text for part in parts if part.text)
    blocks = [block for part in parts for block in part.blocks]
    return Part(f"{text}\n\n{closing(world, author, stub=stub)}", blocks)


def closing(world: World, author: Author, *, stub: bool) -> str:
    """Return sort key, categories, interlanguage links and the stub mark."""
    subject, rng = author.subject, author.rng
    lines = []
    if subject.kind == "person":
        given, last = subject.name.rsplit(" ", 1)
        lines.append(f"{{{{DEFAULTSORT:{last}, {given}}}}}")
    lines.append(f"[[Category:{subject.kind.capitalize()} articles of the sample]]")
    if subject.country:
        lines.append(f"[[Category:{world.entities[subject.country].name}|{subject.name}]]")
    if rng.random() < 0.3:
        lines += [f"[[fr:{subject.name}]]", f"[[de:{subject.name}]]"]
    if stub:
        lines.append(f"{{{{stub|{subject.kind}}}}}")
    return "\n".join(lines)


def works_list(world: World, author: Author) -> Part:
    """Return a list of what a person made, or of who was born in a town; items are prose."""
    subject, rng = author.subject, author.rng
    items: Paragraph = []
    for fact in [f for f in author.own if f.tail == subject.qid][:7]:
        other = world.entities[fact.head]
        if fact.pid in ("P50", "P57") and other.year:
            items.append(_work_item(other, fact, author))
        elif fact.pid in ("P19", "P27", "P69") and other.title:
            items.append(_person_item(other))
    if len(items) < 2:
        return Part("")
    heading = "Works" if subject.kind == "person" else "Notable people"
    marks = ["*" if rng.random() < 0.8 or not i else "**" for i in range(len(items))]
    lines = [f"{mark} {item.wiki}" for mark, item in zip(marks, items, strict=True)]
    return Part(f"== {heading} ==\n" + "\n".join(lines), [[item] for item in items])


def _work_item(work: Entity, fact: Fact, author: Author) -> Sentence:
    link = Piece(f"''{bare_link(work)}''", work.name, work.qid)
    if author.rng.random() < 0.5:
        maker = author.subject
        name = Piece(maker.short, maker.short, maker.qid)
        stated = words(f" ({work.year}), {'written' if work.kind == 'book' else 'directed'} by ")
        kind = "fact" if fact in author.recorded else "missing"
        return Sentence([link, stated, name, words(".")], (fact,), kind, "list")
    return Sentence([link, words(f" ({work.year}).")], (), "filler", "list")


def _person_item(person: Entity) -> Sentence:
    link = Piece(bare_link(person), person.name, person.qid)
    years = f" ({person.year}\u2013{person.end_year or ''})."
    return Sentence([link, words(years)], (), "filler", "list")


def table(world: World, author: Author) -> Part:
    """Return a table of places or organizations in a country or a town; cells are no prose."""
    subject, rng = author.subject, author.rng
    rows = [f for f in author.own if f.tail == subject.qid and f.pid in ("P17", "P131", "P159")]
    if len(rows) < 2 or rng.random() < 0.3:
        return Part("")
    lines = ['{| class="wikitable sortable"', "|+ Places and bodies", "! Name !! Founded"]
    for fact in rows[:6]:
        other = world.entities[fact.head]
        lines += ["|-", f"| {bare_link(other)} || {other.year or ''}"]
    return Part("\n".join((*lines, "|}")))


def definitions(author: Author) -> Part:
    """Return a definition list, on some pages."""
    subject = author.subject
    if subject.kind not in ("region", "club", "university") or author.rng.random() < 0.4:
        return Part("")
    term = Sentence([words("Colours")], (), "filler", "list")
    text = Sentence([words("Green and white, as on the oldest flag.")], (), "filler", "list")
    return Part(f"== Symbols ==\n; {term.wiki}\n: {text.wiki}", [[term], [text]])
