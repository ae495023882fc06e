"""Names in running text, and the names that a page gives its items."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stages.linking.names import PageNames, occurrences, parts, stem
from stages.ner.words import lower_case_words

TOKENS = st.sampled_from(["Ann", "ann", "Port", "port", "-", ".", "Ann's", "Ånn", "安", "\n", "Bo"])


def found(text: str, *names: str) -> list[str]:
    return [text[a:b] for a, b in occurrences(text, set(names), lower_case_words(text))[0]]


@given(st.lists(TOKENS, max_size=12), st.sampled_from(["", " "]))
def test_every_place_is_a_name_of_its_own_or_counted(tokens: list[str], gap: str) -> None:
    text = gap.join(tokens)
    spans, inside = occurrences(text, {"Ann", "Port Ann"}, lower_case_words(text))
    assert all(text[a:b] in ("Ann", "Port Ann") for a, b in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert len(spans) + inside <= text.count("Ann")
    for _, end in spans:
        assert not text[end : end + 1].isalnum()
        assert not (text[end : end + 1] == " " and text[end + 1 : end + 2].isupper())


def test_the_first_word_of_a_sentence_is_capitalised_for_that_alone() -> None:
    assert found("Near Ann it rains. He is near Ann.", "Ann") == ["Ann", "Ann"]
    assert found("Saint Ann it rains. He is here.", "Ann") == []
    assert found("He is here.\nHere Ann is.", "Ann") == ["Ann"]


def test_a_title_before_several_words_belongs_to_nobodys_name() -> None:
    assert found("President Ann Lee spoke to Ann Lee Park.", "Ann Lee") == ["Ann Lee"]


def test_names_without_capitals_are_taken_as_they_are() -> None:
    assert found("The Big ann Dog", "ann") == ["ann"]


def test_the_stem_of_a_title_is_without_the_last_brackets() -> None:
    assert [stem(t) for t in ("A (b)", "A (b) (c)", "A(b)", "(b)")] == ["A", "A (b)", "A(b)", "(b)"]


def test_parts_of_names() -> None:
    assert parts("Ann B. van der Lee", "PERSON") == {
        "Ann",
        "Lee",
        "B. van der Lee",
        "van der Lee",
        "der Lee",
    }
    assert parts("Queen of Oonagh Vale", "ORG") == set()
    assert parts("Oonagh, Vale", None) == {"Oonagh"}
    assert parts("Oonagh", "PERSON") == parts("the Oonagh", "PERSON") == set()


def test_a_part_counts_behind_the_full_name_and_for_one_item_only() -> None:
    page = PageNames()
    page.add("Ann Lee", "Q1", 10, "PERSON")
    assert page.part("Lee", 5) is None
    assert page.part("Lee", 15) == ("Q1", "PERSON")
    page.add("Bo Lee", "Q2", 20, "PERSON")
    assert page.part("Lee", 30) is None
    assert page.part("Bo", 30) == ("Q2", "PERSON")
    page.add("Bo", "Q3", 40, "ORG")
    assert page.part("Bo", 50) is None
    assert page.full("Bo") == "Q3"
    page.add("Bo", "Q4", 60, "ORG")
    assert page.full("Bo") is None
