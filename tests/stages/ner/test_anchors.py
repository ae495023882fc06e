"""Passages out of articles: what is a mention, what is none, and what nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ner.anchors import Article, names_of, passages
from stages.ner.classes import NO_ENTITY
from stages.ner.passage import disjoint
from stages.ner.words import lower_case_words, may_name, name_like, whole_words
from storage.spans import overlaps


def article(
    text: str,
    links: Mapping[str, str | None] = {},
    *,
    names: Sequence[str] = (),
    type: str | None = None,
) -> Article:
    """An article whose lines are its blocks; a link stands at the first place of its words."""
    blocks, start = [], 0
    for line in text.split("\n"):
        blocks.append((start, start + len(line)))
        start += len(line) + 1
    spans = sorted(((text.index(w), text.index(w) + len(w)), kind) for w, kind in links.items())
    return Article(text, blocks, spans, names, type)


def learnt(given: Article, plain: str = "the in he a she") -> list[tuple[list[str], list[str]]]:
    """Of each passage the mentions as "words TYPE", and the unknown words."""
    found = []
    for passage in passages(given, set(plain.split())):
        text = passage.text
        mentions = [f"{text[slice(*span)]} {kind}" for span, kind in passage.mentions]
        found.append((mentions, [text[slice(*span)] for span in passage.unknown]))
    return found


def test_a_link_to_an_item_with_a_type_is_a_mention_and_so_are_the_same_words_later() -> None:
    given = article("Oslo is big. He left Oslo for Osloborg.", {"Oslo": "LOC"})
    assert learnt(given) == [(["Oslo LOC", "Oslo LOC"], ["Osloborg"])]


def test_what_no_link_covers_and_looks_like_a_name_is_unknown_and_never_said_to_be_none() -> None:
    given = article("In Oslo the painter Ada Berg often met the young Kim.", {"Oslo": "LOC"})
    assert learnt(given) == [(["Oslo LOC"], ["Ada Berg", "Kim"])]


def test_a_link_to_an_item_without_a_known_class_is_unknown_even_in_small_letters() -> None:
    given = article("In Oslo they ate lutefisk with Kim.", {"Oslo": "LOC", "lutefisk": None})
    assert learnt(given) == [(["Oslo LOC"], ["lutefisk", "Kim"])]


def test_a_link_to_what_names_no_entity_is_known_to_be_none() -> None:
    given = article("In Oslo a Spruce grew.", {"Oslo": "LOC", "Spruce": NO_ENTITY})
    assert learnt(given) == [(["Oslo LOC"], [])]


def test_words_in_small_letters_that_lead_to_an_entity_are_no_name_of_it() -> None:
    given = article("In Oslo the church stood.", {"Oslo": "LOC", "church": "ORG"})
    assert learnt(given) == [(["Oslo LOC"], [])]


def test_a_block_without_a_mention_teaches_nothing() -> None:
    assert learnt(article("He came.\nIn Oslo he slept.\nKim did not.", {"Oslo": "LOC"})) == [
        (["Oslo LOC"], [])
    ]


def test_the_article_itself_and_its_bold_names_are_mentions_of_its_own_type() -> None:
    given = article(
        "Ada Berg (Addie) wrote. Berg died, and Addie too.",
        names=["Ada Berg", "Addie"],
        type="PERSON",
    )
    assert learnt(given) == [
        (["Ada Berg PERSON", "Addie PERSON", "Berg PERSON", "Addie PERSON"], [])
    ]


@pytest.mark.parametrize("kind", [None, NO_ENTITY])
def test_an_article_without_a_type_names_no_mention(kind: str | None) -> None:
    given = article("Spruce grows in Oslo. Spruce!", {"Oslo": "LOC"}, names=["Spruce"], type=kind)
    assert learnt(given, "spruce in") == [(["Oslo LOC"], [])]


def test_a_last_name_counts_for_persons_only_and_only_where_it_is_one() -> None:
    links = {"Ada Berg": "PERSON", "Gran Berg": "LOC", "Lake Mjosa": "LOC"}
    given = article(
        "Ada Berg saw Lake Mjosa. Berg saw Mjosa.", {k: links[k] for k in list(links)[::2]}
    )
    assert learnt(given) == [(["Ada Berg PERSON", "Lake Mjosa LOC", "Berg PERSON"], ["Mjosa"])]


def test_words_of_two_types_on_one_page_name_nothing_later() -> None:
    text = "Berg, a town, and Bergs Berg."
    spans = [((0, 4), "LOC"), ((24, 28), "PERSON")]
    again = Article(text + " So Berg.", [(0, len(text) + 9)], spans, (), None)
    assert learnt(again) == [(["Berg LOC", "Berg PERSON"], ["Bergs", "So Berg"])]


def test_words_that_are_also_linked_to_an_unknown_item_name_nothing_later() -> None:
    text = "In Oslo and Oslo, or Oslo."
    given = Article(text, [(0, len(text))], [((3, 7), "LOC"), ((12, 16), None)], (), None)
    assert learnt(given) == [(["Oslo LOC"], ["Oslo", "Oslo"])]


def test_a_mention_never_overlaps_a_longer_link() -> None:
    text = "In Oslo is Oslo University. Oslo!"
    given = article(text, {"Oslo": "LOC", "Oslo University": "ORG"})
    assert learnt(given)[0][0] == ["Oslo LOC", "Oslo University ORG", "Oslo LOC"]


def test_in_a_script_without_capitals_a_sentence_without_a_mention_is_unknown() -> None:
    given = article("柏林很大。他去了漢堡。柏林!", {"柏林": "LOC"})
    assert learnt(given) == [(["柏林 LOC", "柏林 LOC"], ["他去了漢堡。"])]


LIKE = {
    "The old house of Kim.": ["Kim"],
    "The University of the West won.": ["The University of the West"],
    "He saw Boeing 747 and 3 birds.": ["Boeing 747"],
    "In March 1999 it rained. Then nothing.": ["In March 1999", "Then"],
    'It rained. She left. "He did not."': ["It"],
    "Smith-Jones and O'Neil": ["Smith-Jones and O'Neil"],
    "NATO's pact": ["NATO's"],
    "Nothing here": ["Nothing"],
    "": [],
}


@pytest.mark.parametrize("text", LIKE)
def test_what_looks_like_a_name(text: str) -> None:
    plain = {"the", "he", "in", "she"}
    assert [text[a:b] for a, b in name_like(text, [], plain)] == LIKE[text]


@given(st.text("aB \n.柏林。1", max_size=40), st.integers(0, 5), st.integers(1, 5))
def test_what_looks_like_a_name_lies_in_the_text_and_off_what_is_covered(
    text: str, start: int, size: int
) -> None:
    covered = [(start, min(start + size, len(text)))] if start < len(text) else []
    for span in name_like(text, covered, {"a"}):
        assert 0 <= span[0] < span[1] <= len(text)
        words = [m.span() for m in whole_words(["B"]).finditer(text[slice(*span)])]
        assert words or may_name(text[slice(*span)])


def test_small_words_and_capitals() -> None:
    assert lower_case_words("The house of Kim's, and 3 a1") == {"house", "of", "and", "a1"}
    assert may_name("iPod")
    assert may_name("柏")
    assert not may_name("church 3")


def test_names_of_an_article() -> None:
    assert names_of("Mercury (planet)", [" Merc ", "", "Mercury"]) == ["Mercury", "Merc"]


def test_of_mentions_that_overlap_the_first_stays_and_of_equal_starts_the_longest() -> None:
    given = [((4, 9), "B"), ((0, 2), "A"), ((0, 5), "C"), ((0, 5), "D"), ((5, 7), "E")]
    assert disjoint(given) == [((0, 5), "C"), ((5, 7), "E")]
    assert disjoint([]) == []


@given(st.lists(st.tuples(st.tuples(st.integers(0, 20), st.integers(1, 5)), st.just("A"))))
def test_disjoint_mentions_never_overlap(given: list[tuple[tuple[int, int], str]]) -> None:
    kept = disjoint([((start, start + size), kind) for (start, size), kind in given])
    assert not any(overlaps(a, b) for (a, _), (b, _) in pairwise(kept))
