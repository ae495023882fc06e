from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.wiki.budget import MAX_UNCLOSED, REDUCED_CODE_POINTS
from stages.wiki.page import ParsedPage
from stages.wiki.site import site_from_siteinfo
from stages.wiki.templates import rules
from stages.wiki.wikitext import parse_wikitext

CASES = Path(__file__).parents[2] / "cases" / "wikitext"
ENGLISH = site_from_siteinfo(b"", "en")


def described(page: ParsedPage) -> dict[str, str]:
    """Write a page as the case files do."""
    links = [
        f"{h.place} {'none' if h.char_start is None else f'{h.char_start}:{h.char_end}'}"
        f" | {h.surface} | {h.target_title} | {h.fragment}"
        for h in page.hyperlinks
    ]
    more = [
        *(
            f"section {s.section} {s.level} {s.char_start}:{s.char_end} {s.title}"
            for s in page.sections[1:]
        ),
        *(f"bold {start}:{end} {page.text[start:end]}" for start, end in page.bold_names),
        *(f"dropped {name} {count}" for name, count in page.dropped_templates.items()),
        *(["disambiguation"] if page.disambiguation else []),
    ]
    blocks = [f"{b.kind} {b.section} {b.char_start}:{b.char_end}" for b in page.blocks]
    return {
        "text": page.text,
        "blocks": "\n".join(blocks),
        "links": "\n".join(link.strip() for link in links),
        "more": "\n".join(more),
    }


def stored_cases() -> list[pytest.ParameterSet]:
    cases = []
    for path in sorted(CASES.glob("*.txt")):
        for entry in re.split(r"^@@@ ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            name, _, body = entry.partition("\n")
            head, *parts = re.split(r"^--- (.*)\n", body, flags=re.MULTILINE)
            fields = dict(zip(parts[::2], parts[1::2], strict=True))
            language = head.removeprefix("language:").strip()
            cases.append(pytest.param(language, fields, id=f"{path.stem}: {name}"))
    return cases


def check_spans(page: ParsedPage) -> None:
    blocks = [page.text[block.char_start : block.char_end] for block in page.blocks]
    assert "\n".join(blocks) == page.text
    assert all(text and "\n" not in text and text == text.strip() for text in blocks)
    for link in page.hyperlinks:
        if link.char_start is None:
            assert link.char_end is None
        else:
            assert page.text[link.char_start : link.char_end] == link.surface
            assert link.surface.strip() == link.surface != ""
            assert link.place in ("prose", "list", "caption")
    assert [section.section for section in page.sections] == list(range(len(page.sections)))
    for section in page.sections:
        assert 0 <= section.char_start <= section.char_end <= len(page.text)
    for start, end in page.bold_names:
        assert 0 <= start < end <= len(page.text)


@pytest.mark.parametrize(("language", "fields"), stored_cases())
def test_case(language: str, fields: dict[str, str]) -> None:
    page = parse_wikitext(fields["wikitext"].removesuffix("\n"), site_from_siteinfo(b"", language))
    found = described(page)
    for part, text in found.items():
        stored = "\n".join(line.rstrip() for line in fields[part].strip("\n").splitlines())
        assert "\n".join(line.rstrip() for line in text.splitlines()) == stored, part
    check_spans(page)


MARKS = (
    *("[[", "]]", "[", "]", "{{", "}}", "{{{", "}}}", "|", "=", "''", "'''", "{|", "|}", "|-", "!"),
    *("<ref>", "</ref>", "<ref/>", "<!--", "-->", "<nowiki>", "</nowiki>", "<div>", "</div>"),
    *("*", "#", ":", ";", "==", "<br>", "&nbsp;", "&#0;", "-{", "}-", "__TOC__", "http://a.b"),
    *("File:a.jpg|thumb|", "Category:b", "nowrap|", "convert|1|mi", "USS|a|b", "lang|x|"),
    *("\n", " ", "(", ")", ", "),
)
wikitexts = st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=6)), max_size=60).map(
    "".join
)


@settings(max_examples=400, deadline=None)
@given(wikitexts, st.sampled_from(["en", "de", "zh", "ar", "xx"]))
def test_any_wikitext_has_spans_that_cut_out_the_surfaces(wikitext: str, language: str) -> None:
    check_spans(parse_wikitext(wikitext, site_from_siteinfo(b"", language)))


@settings(max_examples=100, deadline=None)
@given(wikitexts)
def test_the_text_holds_no_character_that_the_page_cannot_have(wikitext: str) -> None:
    private = set(parse_wikitext(wikitext, ENGLISH).text) & set(map(chr, range(0xE000, 0xF900)))
    assert private <= set(wikitext)


@pytest.mark.parametrize("language", ["en", "de", "fr", "ru", "ja", "zh"])
def test_no_rule_of_a_template_leaves_its_own_marks(language: str) -> None:
    given = "|".join(f"{n}=stone" for n in (1, 2, 3, 4, "fr", "lt", "label", "texte", "text"))
    for name in rules(language):
        for arguments in ("stone", "|stone", given, ""):
            wikitext = f"a {{{{{name}|{arguments}}}}} b"
            text = parse_wikitext(wikitext, site_from_siteinfo(b"", language)).text
            assert not set("{}") & set(text), wikitext


def test_the_same_page_gives_the_same_result() -> None:
    wikitext = "'''A''' is [[b]]s {{c|[[d]]}}.\n* [[e]]\n"
    assert parse_wikitext(wikitext, ENGLISH) == parse_wikitext(wikitext, ENGLISH)


@pytest.mark.parametrize(
    "mark",
    ["<ref>", "[http://a.b ", "<!--", "[[a|", "{{a|", "<nowiki>", "</b><nowiki>", "<math></ref>"],
)
def test_a_page_that_would_take_for_ever_is_cut_off(mark: str) -> None:
    opened = max(MAX_UNCLOSED, REDUCED_CODE_POINTS // len(mark)) + 10
    page = parse_wikitext("Kept [[words]].\n" + mark * opened, ENGLISH)
    assert page.truncated
    assert page.text.startswith("Kept words.")


def test_a_long_page_whose_marks_close_is_read_whole() -> None:
    page = parse_wikitext("A<ref>b</ref> [[c]] [http://a.b d].\n\n" * 3_000, ENGLISH)
    assert not page.truncated
    assert len(page.blocks) == len(page.hyperlinks) == 3_000


@pytest.mark.parametrize("depth", [50, 150, 1_500])
def test_deep_nesting_is_read_without_an_error(depth: int) -> None:
    wikitext = "{{nowrap|" * depth + "[[core]]" + "}}" * depth
    check_spans(parse_wikitext(wikitext, ENGLISH))


def test_garbage_collection_is_left_as_it_was() -> None:
    import gc

    assert gc.isenabled()
    parse_wikitext("[[a]]", ENGLISH)
    assert gc.isenabled()


def test_no_markup_is_left_in_real_articles() -> None:
    folder = os.environ.get("RELMILL_REAL_DATA")
    if not folder:
        pytest.skip("RELMILL_REAL_DATA names no folder with real dumps")
    pages = real_articles(Path(folder) / "enwiki-slice")
    assert pages
    for wikitext in pages:
        page = parse_wikitext(wikitext, ENGLISH)
        check_spans(page)
        left = re.findall(
            r"\[\[|\]\]|\{\{|\}\}|''+|</?[a-z]\w*[^<>\n]*>|https?://|\{\||\|\}|(?:^|\n)(?:[*#:;|]|==)"
            r"|\b(?:Category|File):|\b(?:style|colspan|align)=|\|thumb\b|  |\( ?[;,]",
            page.text,
        )
        assert left == []


def real_articles(folder: Path) -> list[str]:
    import bz2
    import xml.etree.ElementTree as ElementTree

    (path,) = folder.glob("*.bz2")
    found = []
    with bz2.open(path) as stream:
        for _, element in ElementTree.iterparse(stream):
            if element.tag.endswith("}page"):
                namespace = element.find("{*}ns")
                text = element.find("{*}revision/{*}text")
                article = namespace is not None and namespace.text == "0"
                if article and element.find("{*}redirect") is None and text is not None:
                    found.append(text.text or "")
                element.clear()
    return found
