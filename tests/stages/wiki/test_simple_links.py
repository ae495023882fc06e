"""Simple links: the tokens are those of the grammar, wherever a link stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.wiki.simple_links import SIGN, SimpleLink, tokens_of
from stages.wiki.tokens import kinds, tokenize

WORDS = (
    "[[", "]]", "[[Oak]]", "[[Oak|trees]]", "s ", "|", "''", "\n", "* ", "== ", "{{", "}}", "=",
    "<!--", "-->", "<b>", "</b>", "{|\n", "|-\n", "\n|}", "[http://a.org ", "]", "ash",
)  # fmt: skip


def grammar_tokens(wikitext: str) -> list[object]:
    """Return our tokens with each simple link as the grammar's tokens of it."""
    shown: list[object] = []
    for token in tokens_of(wikitext):
        if type(token) is SimpleLink:
            target, words, _ = token
            shown += [kinds.WikilinkOpen(), kinds.Text(text=target)]
            if words is not None:
                shown += [kinds.WikilinkSeparator(), kinds.Text(text=words)]
            shown.append(kinds.WikilinkClose())
        else:
            shown.append(token)
    return shown


@pytest.mark.parametrize(
    "wikitext",
    [
        "An [[oak]]s, [[Ash (tree)|ash]]es and [[Elm#Leaves| ]].",
        "<!-- [[oak]] --> <nowiki>[[ash]]</nowiki> <math>[[elm]]</math> <!-- [[yew]]",
        "{{name [[oak]]}} {{name|[[ash]]|key=[[elm]]}} {{{[[yew]]|[[fir]]}}}",
        "[[oak [[ash]]]] [[File:Oak.jpg|thumb|An [[ash]]]] [[[elm]]] [[yew|[[fir]]]]",
        "http://oak.org/[[ash]] [http://oak.org/[[ash]] elm] [http://oak.org [[ash]]]",
        '<span class="[[oak]]">[[ash]]</span> <ref name=[[elm]]>[[yew]]</ref>',
        "{|\n! [[oak]] | [[ash]]\n|-\n| [[elm|e]] || [[yew]]\n|}",
        "== [[oak]] ==\n* [[ash]]\n; [[elm]] : [[yew]]",
        "[[File:Oak.jpg]] [[oak&amp;ash]] [[a]b]] [[oak\nash]] [[oak|a|b]]",
        f"an {SIGN}[[oak]]{SIGN}",
    ],
)
def test_tokens_are_those_of_the_grammar(wikitext: str) -> None:
    assert grammar_tokens(wikitext) == tokenize(wikitext.replace(SIGN, ""))


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_no_sign_is_left(wikitext: str) -> None:
    assert SIGN not in str(tokens_of(wikitext)).replace("\\x02", SIGN)
