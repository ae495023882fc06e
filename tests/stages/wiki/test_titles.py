from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.wiki.site import Namespace, Site, site_from_siteinfo
from stages.wiki.titles import LinkTarget, normalise_title, parse_target, redirect_target
from storage.errors import SourceError

HEADER = """<mediawiki xml:lang="bg"><siteinfo><sitename>Опит</sitename><dbname>bgwiki</dbname>
<base>https://bg.wikipedia.org/wiki/X</base><case>first-letter</case><namespaces>
<namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Файл</namespace>
<namespace key="2302" case="case-sensitive">Gadget definition</namespace></namespaces></siteinfo>
"""
ENGLISH = site_from_siteinfo(b"", "en")
BULGARIAN = site_from_siteinfo(HEADER.encode(), None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("political theory", LinkTarget(0, "Political theory", "", "")),
        ("Binding_energy#Mass_change", LinkTarget(0, "Binding energy", "Mass change", "")),
        ("OS&nbsp;X", LinkTarget(0, "OS X", "", "")),
        ("  iron  _ age ", LinkTarget(0, "Iron age", "", "")),
        ("Caf%C3%A9", LinkTarget(0, "Café", "", "")),
        ("100% proof", LinkTarget(0, "100% proof", "", "")),
        ("\u200eleft", LinkTarget(0, "Left", "", "")),
        ("ßlang", LinkTarget(0, "ßlang", "", "")),
        ("ათენი", LinkTarget(0, "ათენი", "", "")),
        ("#here", LinkTarget(0, "", "here", "")),
        ("Tides: a history", LinkTarget(0, "Tides: a history", "", "")),
        (":Category:ports", LinkTarget(14, "Ports", "", "")),
        ("IMAGE:mill.jpg", LinkTarget(6, "Mill.jpg", "", "")),
        ("User talk:ann", LinkTarget(3, "Ann", "", "")),
        ("WP:dock", LinkTarget(4, "Dock", "", "")),
        (":fr:Phare", LinkTarget(0, "Phare", "", "fr")),
        ("zh-min-nan:Káng", LinkTarget(0, "Káng", "", "zh-min-nan")),
        ("wikt:buoy", LinkTarget(0, "buoy", "", "wikt")),
        (":en:wick", LinkTarget(0, "Wick", "", "")),
        ("en:Category:ports", LinkTarget(14, "Ports", "", "")),
        ("a<b", LinkTarget(0, "", "", "")),
        ("x" * 300, LinkTarget(0, "", "", "")),
        ("", LinkTarget(0, "", "", "")),
    ],
)
def test_target(raw: str, expected: LinkTarget) -> None:
    assert parse_target(raw, ENGLISH) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("user_talk:ann b", "User talk:Ann b"),
        ("Tom &amp; Jo", "Tom & Jo"),
        ("c#", "C#"),
        ("fr: a film", "Fr: a film"),
    ],
)
def test_title(raw: str, expected: str) -> None:
    assert normalise_title(raw, ENGLISH) == expected


def test_local_canonical_and_further_names_of_a_namespace() -> None:
    for raw in ("Файл:a", "File:a", "image:a", "Картинка:a"):
        assert parse_target(raw, BULGARIAN) == LinkTarget(6, "A", "", "")
    assert normalise_title("image:a", BULGARIAN) == "Файл:A"


def test_a_namespace_may_keep_the_case_of_its_titles() -> None:
    assert parse_target("Gadget definition:x", BULGARIAN).title == "x"
    wiktionary = Site("en", "case-sensitive", (Namespace(0, "", "case-sensitive"),))
    assert parse_target("port", wiktionary).title == "port"


def test_the_header_is_believed_unless_a_language_is_given() -> None:
    assert BULGARIAN.language == "bg"
    assert site_from_siteinfo(HEADER.encode("utf-16"), None) == BULGARIAN
    assert site_from_siteinfo(HEADER.encode(), "de").language == "de"
    inner = HEADER[HEADER.index("<siteinfo") :]
    assert site_from_siteinfo(inner.encode(), None).language == "bg"


def test_a_header_without_a_language_or_cut_off_is_an_error() -> None:
    with pytest.raises(SourceError, match="no language"):
        site_from_siteinfo(b"", None)
    with pytest.raises(SourceError, match="not well-formed"):
        site_from_siteinfo(b"<siteinfo><case></siteinfo>", "en")


def test_a_site_survives_json() -> None:
    assert Site.from_json(BULGARIAN.to_json()) == BULGARIAN
    with pytest.raises(SourceError):
        Site.from_json("{}")


@pytest.mark.parametrize(
    ("wikitext", "title"),
    [
        ("#REDIRECT [[iron age]]", "Iron age"),
        ("  #redirect: [[Port|x]] {{R}}", "Port"),
        ("#REDIRECT[[Port#Pier]]", "Port"),
    ],
)
def test_redirect(wikitext: str, title: str) -> None:
    target = redirect_target(wikitext, ENGLISH)
    assert target is not None
    assert target.title == title
    assert redirect_target("Not a #REDIRECT [[x]]", ENGLISH) is None


def test_redirect_in_the_words_of_the_language() -> None:
    target = redirect_target("#виж [[град]]", BULGARIAN)
    assert target is not None
    assert target.title == "Град"


@given(st.text(max_size=40))
def test_any_target_is_read_and_its_title_reads_as_itself(raw: str) -> None:
    target = parse_target(raw, ENGLISH)
    if target.title and not target.namespace and not target.interwiki and "%" not in raw:
        again = parse_target(target.title, ENGLISH)
        if "&" not in target.title and ":" not in target.title:
            assert again.title == target.title
