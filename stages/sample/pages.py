"""Whole pages: the prose of an article with all that stands around it, and the other pages."""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.sample import furniture
from stages.sample.articles import Author, Paragraph
from stages.sample.sentence import Sentence
from stages.sample.world import Entity, World

SECTIONS = {
    "person": ("Life", "Career", "Later years"),
    "country": ("History", "Geography", "Society"),
    "region": ("History", "Economy", "Culture"),
    "city": ("History", "Economy", "Culture"),
    "university": ("History", "Campus", "People"),
    "company": ("History", "Products", "Disputes"),
    "club": ("History", "Ground", "Players"),
    "book": ("Plot", "Reception", "Legacy"),
    "film": ("Production", "Reception", "Legacy"),
    "concept": ("History", "Use", "Types"),
}
STUB_SHARE = 0.16


@dataclass
class Page:
    """A page of the dump.

    Args:
        page_id: Unique, greater than 0.
        title: With its namespace's prefix.
        namespace: 0 article, 4 project, 10 template, 14 category.
        text: Wikitext.
        redirect: The title that it leads to, without a fragment; empty for none.
        blocks: Its prose in order: paragraphs, list items and captions.
    """

    page_id: int
    title: str
    namespace: int
    text: str
    redirect: str = ""
    blocks: list[Paragraph] = field(default_factory=list)


def article(world: World, author: Author) -> Page:
    """Return an article, without its page id."""
    subject, rng = author.subject, author.rng
    stub = subject.kind == "concept" or rng.random() < STUB_SHARE
    count = 1 if stub else rng.choice((1, 2, 2, 3))
    lengths = [rng.randint(20, 55)] if stub else [_length(author) for _ in range(count)]
    head = furniture.top(world, author)
    paragraphs = [
        author.paragraph(length, opening=index == 0) for index, length in enumerate(lengths)
    ]
    blocks: list[Paragraph] = [*head.blocks, paragraphs[0]]
    parts = [head.text + wikitext(paragraphs[0], author)]
    for heading, paragraph in zip(SECTIONS[subject.kind], paragraphs[1:], strict=False):
        hatnote = furniture.section_hatnote(world, author)
        parts.append(f"== {heading} ==\n{hatnote}{wikitext(paragraph, author)}")
        blocks.append(paragraph)
    tail = furniture.bottom(world, author, stub=stub)
    blocks += tail.blocks
    parts.append(tail.text)
    return Page(0, subject.title, 0, "\n\n".join(parts), blocks=blocks)


def _length(author: Author) -> int:
    # Above and below the 128 words from which ERICA's filter takes a paragraph.
    return (
        author.rng.randint(126, 205) if author.rng.random() < 0.72 else author.rng.randint(60, 120)
    )


def wikitext(paragraph: Paragraph, author: Author) -> str:
    """Return a paragraph's wikitext, with references and comments strewn in."""
    return " ".join(sentence.wiki + furniture.after_sentence(author) for sentence in paragraph)


def held_out(author: Author) -> list[Sentence]:
    """Return the sentences of a page of the gold benchmark, which no dump holds."""
    return author.paragraph(author.rng.randint(150, 250), opening=True)


def published(world: World) -> list[Entity]:
    """Return the entities that have an article, in the order of their making."""
    return [entity for entity in world.entities.values() if entity.page]
