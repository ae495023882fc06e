"""Why a pair of entities of a page is no tuple: the first step on the way that let go of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.dag import stage
from pipeline.pairs import Row, ask, page_named, statements
from stages.align import AlignConfig
from stages.link import SURE, LinkConfig
from stages.segment import words
from storage.reading import Tables


class LostError(Exception):
    """The pair goes no further; the message says why."""


class Trail:
    """A pair's way through the tables.

    Attributes:
        lines: What was found, step by step.
        tuples: The tuples that the pair has after all.
        lost: Why it is no tuple; empty where it is one.
    """

    def __init__(self, tables: Tables, title: str, head: str, tail: str) -> None:
        self._tables = tables
        self._title = title
        self._page_id = page_named(tables, title)
        self.lines: list[str] = []
        self.tuples: list[str] = []
        self.lost = ""
        try:
            self._follow(head, tail)
        except LostError as reason:
            self.lost = str(reason)

    def _follow(self, head: str, tail: str) -> None:
        page = self._tables.sql(
            "SELECT text, disambiguation FROM pages WHERE page_id = $p", {"p": self._page_id}
        ).to_pylist()[0]
        self.lines.append(f"page       {self._title} (page_id {self._page_id})")
        if page["disambiguation"]:
            raise LostError("the page only tells apart equal names: it gives no documents")
        ends = [
            self._end(role, asked, page["text"]) for role, asked in (("head", head), ("tail", tail))
        ]
        heads, tails = ends
        if {m["qid"] for m in heads} == {m["qid"] for m in tails} and len(heads) == len(tails):
            raise LostError(f"head and tail are the same entity, {heads[0]['qid']}")
        whys = list(self._in_documents(heads, tails))
        if not self.tuples:
            raise LostError("; ".join(whys))

    def _end(self, role: str, asked: str, text: str) -> list[Row]:
        """Return the linked mentions that a name or QID means."""
        found = ask(self._tables, "named", page_id=self._page_id, asked=asked)
        self.lines += [f"{role:<10} {mention_text(m)}" for m in found]
        if not found:
            raise LostError(self._never_found(role, asked, text))
        linked = [m for m in found if m["qid"] is not None]
        if not linked:
            raise LostError(f"the {role} was not linked to an item: {self._left_open(found[0])}")
        return linked

    def _never_found(self, role: str, asked: str, text: str) -> str:
        if asked[:1] == "Q" and asked[1:].isdigit():
            near = ask(self._tables, "open", page_id=self._page_id, qid=asked)
            if near:
                names = ", ".join(f"{m['surface']!r} (prior {m['prior']:.2f})" for m in near[:3])
                return f"no mention was linked to the {role} {asked}; left open, it may be: {names}"
            return f"no mention of the page was linked to the {role} {asked}"
        if asked in text:
            count = text.count(asked)
            return (
                f"the {role} {asked!r} stands in the text ({count} times), but recognize found no "
                "mention there"
            )
        return f"the {role} {asked!r} does not stand in the text of the page"

    def _left_open(self, mention: Row) -> str:
        """Say why a mention has no item."""
        surface = mention["surface"]
        if mention["source"] in SURE:
            return f"the {mention['source']} {surface!r} leads to no item, or to a section"
        start = mention["char_start"]
        for value in ask(self._tables, "literal", page_id=self._page_id, char_start=start):
            return f"{surface!r} is a {value['kind']}, {value['value']}, and no item"
        candidates = ask(self._tables, "candidates", surface=surface)
        if not candidates:
            return f"no item is known under {surface!r}"
        shown = ", ".join(f"{c['qid']} {c['label'] or ''} {c['prior']:.2f}" for c in candidates)
        config = LinkConfig.model_validate(self._config("link"), strict=False)
        typed = f", or none fits its type {mention['type']}" if mention["type"] else ""
        return (
            f"{surface!r} was not sure enough of any of: {shown} "
            f"(min_margin {config.min_margin:g}{typed})"
        )

    def _in_documents(self, heads: Sequence[Row], tails: Sequence[Row]) -> Iterator[str]:
        """Yield why each document that holds both gave no tuple; note the tuples of others."""
        documents = ask(self._tables, "documents", page_id=self._page_id)
        shared = [d for d in documents if inside(d, heads) and inside(d, tails)]
        if not shared:
            raise LostError(self._apart(documents, heads, tails))
        for document in shared:
            name = document["document_id"]
            self.lines.append(f"document   {name} ({document['unit']}, {document['words']} words)")
            why = self._in_document(document, heads, tails)
            if why is not None:
                yield f"in document {name}: {why}"

    def _apart(self, documents: Sequence[Row], heads: Sequence[Row], tails: Sequence[Row]) -> str:
        places = []
        for role, mentions in (("head", heads), ("tail", tails)):
            within = [d["document_id"] for d in documents if inside(d, mentions)]
            shown = f"in {', '.join(within)}" if within else self._outside(mentions[0])
            places.append(f"the {role} stands {shown}")
        return f"no document holds both: {'; '.join(places)}"

    def _outside(self, mention: Row) -> str:
        blocks = ask(self._tables, "paragraphs", page_id=self._page_id)
        block = next((b for b in blocks if inside(b, [mention])), None)
        if block is None:
            return "in no document"
        size = words(block["text"], (0, len(block["text"])))
        made = self._config("segment")
        config = stage("segment").config.model_validate(made, strict=False).model_dump()
        return (
            f"in no document: in a {block['kind']} of {size} words, where segment takes "
            f"{config['unit']}s of {config['min_words']} to {config['max_words']} words"
        )

    def _in_document(self, document: Row, heads: Sequence[Row], tails: Sequence[Row]) -> str | None:
        """Say why a document that holds both gave no tuple; None where it gave one."""
        config = AlignConfig.model_validate(self._config("align"), strict=False)
        if not document["kept"]:
            return self._document_left_out(document, config)
        head, tail = (self._entity(document, mentions) for mentions in (heads, tails))
        place = {"page_id": self._page_id, "document_id": document["document_id"]}
        found = ask(self._tables, "tuple", **place, head=head["entity"], tail=tail["entity"])
        if found:
            self.tuples.append(found[0]["tuple_id"])
            return None
        if head["entity"] == tail["entity"]:
            return "head and tail are one entity there"
        return self._pair_left_out(head, tail, config)

    def _entity(self, document: Row, mentions: Sequence[Row]) -> Row:
        place = {"page_id": self._page_id, "document_id": document["document_id"]}
        starts = [m["char_start"] for m in mentions]
        return ask(self._tables, "entities", **place, starts=starts)[0]

    def _document_left_out(self, document: Row, config: AlignConfig) -> str:
        if found := ask(self._tables, "nameless", title=self._title):
            return f"the page's item {found[0]['qid']} is a disambiguation page by its P31"
        bounds = {name: document[name] for name in ("char_start", "char_end")}
        size = ask(self._tables, "clusters", page_id=self._page_id, **bounds)[0]
        if size["entities"] < config.min_entities:
            return f"it has {size['entities']} entities, align wants {config.min_entities}"
        return (
            f"the pairs of its {size['entities']} entities have {size['labels']} labels, align "
            f"wants {config.min_triples}"
        )

    def _pair_left_out(self, head: Row, tail: Row, config: AlignConfig) -> str:
        sentences = [[m["sentence"] for m in end["mentions"]] for end in (head, tail)]
        distance = min(abs(a - b) for a in sentences[0] for b in sentences[1])
        if config.max_sentence_distance is not None and distance > config.max_sentence_distance:
            return (
                f"the nearest mentions are {distance} sentences apart, align takes "
                f"{config.max_sentence_distance}"
            )
        stated = statements(self._tables, head["qid"], tail["qid"]) or []
        if stated and all(s["rank"] == "deprecated" for s in stated):
            return f"only deprecated statements relate them ({stated[0]['pid']})"
        if not stated and config.keep_na < 1:
            return f"nothing is stated of them (NA), and align keeps {config.keep_na:g} of such"
        if stated and config.max_labelled_per_page is not None:
            return (
                "the page has more pairs with a label than align takes of one "
                f"({config.max_labelled_per_page}), and this one was not drawn"
            )
        drops = ", ".join(self._tables.manifest("tuples").drops()) or "nothing"
        return f"align left the pair out; what it left out altogether: {drops}"

    def _config(self, name: str) -> dict[str, Any]:
        manifest = self._tables.manifests.get(name)
        return manifest.config if manifest is not None else {}


def inside(outer: Row, mentions: Sequence[Row]) -> bool:
    """Whether some mention lies within a span."""
    return any(
        outer["char_start"] <= m["char_start"] and m["char_end"] <= outer["char_end"]
        for m in mentions
    )


def mention_text(mention: Row) -> str:
    """Return a mention as a line: its words, place, source and link."""
    place = f"{mention['surface']!r} at {mention['char_start']}-{mention['char_end']}"
    kind = f", {mention['type']}" if mention["type"] else ""
    if mention["qid"] is None:
        return f"{place} ({mention['source']}{kind}): not linked"
    link = f"{mention['qid']} by {mention['method']}, score {mention['score']:.2f}"
    return f"{place} ({mention['source']}{kind}): {link}"
