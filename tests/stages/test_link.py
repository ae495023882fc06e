"""link: which item a mention names, or why none; which dates and numbers a text states."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from stages.link import LINK, LinkConfig
from storage.tables import (
    ALIASES,
    HYPERLINKS,
    ITEMS,
    LINKS,
    LITERAL_MENTIONS,
    MENTIONS,
    PAGES,
    REDIRECTS,
    SITE,
    TITLES,
    TRIPLES,
)
from tests.conftest import Outcome, RunStage

ITEM_ROWS = [
    {
        "qid": "Q1",
        "sitelink_title": "Marie Curie",
        "label": "Marie Curie",
        "aliases": ["Curie"],
        "instance_of": ["Q5"],
    },
    {"qid": "Q2", "sitelink_title": "Warsaw", "label": "Warsaw", "instance_of": ["Q515"]},
    {
        "qid": "Q3",
        "sitelink_title": "Pierre Curie",
        "label": "Pierre Curie",
        "aliases": ["Curie"],
        "instance_of": ["Q5"],
    },
    {"qid": "Q4", "label": "Radium", "sitelink_title": "Radium"},
    {"qid": "Q6", "sitelink_title": "Warsaw (ship)", "instance_of": ["Q11446"]},
    {"qid": "Q7", "sitelink_title": "Polonium", "instance_of": ["Q4167410"]},
    {"qid": "Q8", "sitelink_title": "1903", "label": "1903", "instance_of": ["Q577"]},
    {"qid": "Q9", "sitelink_title": "1903 (novel)", "instance_of": ["Q8261"]},
    {"qid": "Q10", "sitelink_title": "Queen of Oonagh Vale"},
]
ANCHORS = [("Curie", "Marie Curie")] * 3 + [("the capital", "Warsaw")]
LANGUAGE = [{"ordinal": 0, "language": "en"}]


class World:
    """Items, redirects and anchors, from which one page is linked."""

    def __init__(self, run_stage: RunStage) -> None:
        self._run = run_stage
        self.items: list[dict[str, Any]] = list(ITEM_ROWS)
        self.redirects = [("Warszawa", "Warsaw", ""), ("Old Town", "Warsaw", "Old Town")]
        self.anchors = list(ANCHORS)
        self._index: Outcome | None = None

    def index(self) -> Outcome:
        return self._run(
            INDEX_ALIASES,
            IndexAliasesConfig(),
            {
                PAGES: [],
                TRIPLES: [],
                ITEMS: self.items,
                REDIRECTS: [
                    {"page_id": i, "title": a, "target_title": b, "fragment": f}
                    for i, (a, b, f) in enumerate(self.redirects)
                ],
                HYPERLINKS: [{"surface": s, "target_title": t} for s, t in self.anchors],
            },
        )

    def link(self, *found: tuple[Any, ...], title: str = "Radium", **config: Any) -> Outcome:
        """Link mentions that stand one behind the other in a text of nothing else.

        Each is (surface, source) with a target title or an NER type behind it.
        """
        text, mentions, hyperlinks = "", [], []
        for surface, source, *more in found:
            start = len(text)
            text += surface + " | "
            place = {"page_id": 1, "char_start": start, "char_end": start + len(surface)}
            kind = more[-1] if source != "hyperlink" and more else None
            mentions.append({**place, "surface": surface, "source": source, "type": kind})
            if source == "hyperlink":
                target, _, fragment = more[0].partition("#")
                link = {"surface": surface, "target_title": target, "fragment": fragment}
                hyperlinks.append({**place, **link})
        hyperlinks.append({"page_id": 1, "target_title": "Nowhere in the text"})
        return self.run(text, mentions, hyperlinks, title, **config)

    def run(
        self,
        text: str,
        mentions: list[dict[str, Any]],
        hyperlinks: list[dict[str, Any]],
        title: str = "Radium",
        language: str = "en",
        **config: Any,
    ) -> Outcome:
        index = self._index = self._index or self.index()
        return self._run(
            LINK,
            LinkConfig(**config),
            {
                PAGES: [{"page_id": 1, "title": title, "text": text}],
                MENTIONS: mentions,
                HYPERLINKS: hyperlinks,
                TITLES: index.given(TITLES),
                ALIASES: index.given(ALIASES),
                SITE: [{"ordinal": 0, "language": language}],
            },
        )


@pytest.fixture
def world(run_stage: RunStage) -> World:
    return World(run_stage)


def links(outcome: Outcome) -> list[tuple[str, str]]:
    return [(r["qid"], r["method"]) for r in outcome.rows(LINKS)]


def literals(outcome: Outcome) -> list[tuple[str, str, int | None]]:
    return [(r["surface"], r["value"], r["precision"]) for r in outcome.rows(LITERAL_MENTIONS)]


def test_a_hyperlink_takes_the_item_of_its_target(world: World) -> None:
    outcome = world.link(("the city", "hyperlink", "Warsaw"))
    assert outcome.rows(LINKS) == [
        {
            "page_id": 1,
            "char_start": 0,
            "char_end": 8,
            "qid": "Q2",
            "method": "hyperlink",
            "score": 1.0,
            "type": "LOC",
        }
    ]
    assert outcome.drops == {}


def test_redirects_are_followed(world: World) -> None:
    assert links(world.link(("w", "hyperlink", "Warszawa"))) == [("Q2", "hyperlink")]


def test_a_link_to_a_section_is_dropped(world: World) -> None:
    outcome = world.link(("history", "hyperlink", "Warsaw#History"))
    assert (links(outcome), outcome.drops) == ([], {"section_link": 1})


def test_a_target_without_an_item_is_dropped(world: World) -> None:
    outcome = world.link(("x", "hyperlink", "Red link"), ("y", "hyperlink", "Old Town"))
    assert (links(outcome), outcome.drops) == ([], {"title_without_item": 2})


def test_a_link_to_a_disambiguation_page_is_dropped(world: World) -> None:
    outcome = world.link(("Polonium", "hyperlink", "Polonium"), ("Polonium", "ner"))
    assert links(outcome) == []
    assert outcome.drops == {"title_without_item": 2}


def test_a_title_takes_the_item_of_its_page(world: World) -> None:
    assert links(world.link(("Ra", "title"))) == [("Q4", "title")]


def test_the_title_of_a_page_without_an_item_is_dropped(world: World) -> None:
    outcome = world.link(("Nobody", "title"), title="Nobody")
    assert (links(outcome), outcome.drops) == ([], {"title_without_item": 1})


def test_a_name_that_is_linked_on_the_page_keeps_its_item_there(world: World) -> None:
    outcome = world.link(("Curie", "ner", "PERSON"), ("Curie", "hyperlink", "Pierre Curie"))
    assert links(outcome) == [("Q3", "page"), ("Q3", "hyperlink")]


def test_the_pages_own_name_means_its_item_even_where_the_words_are_not_a_title(
    world: World,
) -> None:
    outcome = world.link(("Warsaw", "ner", "PRODUCT"), title="Warsaw (ship)")
    assert links(outcome) == [("Q6", "page")]


def test_a_surname_takes_up_the_person_before_it(world: World) -> None:
    world.anchors = []
    outcome = world.link(
        ("Curie", "ner", "PERSON"),
        ("Pierre Curie", "hyperlink", "Pierre Curie"),
        ("Curie", "ner", "PERSON"),
        ("Pierre", "ner", "PERSON"),
    )
    assert links(outcome) == [("Q3", "hyperlink"), ("Q3", "part"), ("Q3", "part")]
    assert outcome.drops == {"ambiguous": 1}


def test_a_surname_that_two_people_of_the_page_share_is_left_to_its_prior(world: World) -> None:
    outcome = world.link(
        ("Pierre Curie", "hyperlink", "Pierre Curie"),
        ("Marie Curie", "hyperlink", "Marie Curie"),
        ("Curie", "ner", "PERSON"),
    )
    assert links(outcome)[2] == ("Q1", "alias")
    world.anchors, world._index = [], None
    outcome = world.link(
        ("Pierre Curie", "hyperlink", "Pierre Curie"),
        ("Marie Curie", "hyperlink", "Marie Curie"),
        ("Curie", "ner", "PERSON"),
    )
    assert (len(links(outcome)), outcome.drops) == (2, {"ambiguous": 1})


def test_a_part_of_a_persons_name_may_be_a_place_where_one_goes_by_it(world: World) -> None:
    """What the page says counts more than NER, unless something of that type has the same name."""
    linked = ("Pierre Curie", "hyperlink", "Pierre Curie")
    outcome = world.link(linked, ("Pierre", "ner", "GPE"))
    assert (links(outcome)[1:], outcome.drops) == ([("Q3", "part")], {})
    town = {"qid": "Q11", "sitelink_title": "Pierre", "label": "Pierre", "instance_of": ["Q515"]}
    world.items, world._index = [*world.items, town], None
    outcome = world.link(linked, ("Pierre", "ner", "GPE"), ("Pierre", "ner", "PERSON"))
    assert links(outcome)[1:] == [("Q11", "alias"), ("Q3", "part")]


def test_the_beginning_of_another_name_is_another_item(world: World) -> None:
    outcome = world.link(
        ("Queen of Oonagh Vale", "hyperlink", "Queen of Oonagh Vale"),
        ("Queen of Oonagh", "ner", "ORG"),
        ("Queen", "ner", "ORG"),
    )
    assert links(outcome) == [("Q10", "hyperlink")]
    assert outcome.drops == {"unknown_name": 2}


def test_a_place_is_taken_up_by_what_stands_before_the_comma(world: World) -> None:
    world.redirects.append(("Oonagh, Vale", "Warsaw", ""))
    outcome = world.link(("Oonagh, Vale", "hyperlink", "Oonagh, Vale"), ("Oonagh", "ner", "GPE"))
    assert links(outcome) == [("Q2", "hyperlink"), ("Q2", "part")]


def test_words_that_the_page_links_to_something_without_an_item_name_no_other(
    world: World,
) -> None:
    for target in ("Red link", "Warsaw#History"):
        outcome = world.link(("Curie", "hyperlink", target), ("Curie", "ner", "PERSON"))
        assert links(outcome) == []
        assert outcome.drops["title_without_item"] >= 1


def test_a_name_that_stands_for_two_on_the_page_goes_by_its_prior(world: World) -> None:
    outcome = world.link(
        ("Curie", "hyperlink", "Pierre Curie"),
        ("Curie", "hyperlink", "Marie Curie"),
        ("Curie", "ner", "PERSON"),
    )
    assert links(outcome)[-1] == ("Q1", "alias")


def test_a_name_takes_the_item_with_the_highest_prior(world: World) -> None:
    rows = {(r["surface"], r["qid"]): r["prior"] for r in world.index().rows(ALIASES)}
    outcome = world.link(("Curie", "ner", "PERSON"), title="Warsaw")
    (row,) = outcome.rows(LINKS)
    assert (row["qid"], row["method"]) == ("Q1", "alias")
    assert row["score"] == pytest.approx(rows["Curie", "Q1"], abs=1e-6)


def test_a_name_below_the_margin_stays_open(world: World) -> None:
    rows = {(r["surface"], r["qid"]): r["prior"] for r in world.index().rows(ALIASES)}
    priors = [rows["Curie", "Q1"], rows["Curie", "Q3"]]
    margin = priors[0] - max(priors[1], 1 - sum(priors))
    outcome = world.link(("Curie", "ner", "PERSON"), min_margin=margin + 1e-5)
    assert (links(outcome), outcome.drops) == ([], {"ambiguous": 1})
    assert links(world.link(("Curie", "ner"), min_margin=margin - 1e-5)) == [("Q1", "alias")]


def test_two_items_with_equal_evidence_leave_a_name_open(world: World) -> None:
    world.anchors = []
    assert world.link(("Curie", "ner", "PERSON")).drops == {"ambiguous": 1}
    chosen = world.link(("Curie", "ner", "PERSON"), min_margin=0.0)
    # The share of items that nobody knows is larger than either: still open.
    assert chosen.drops == {"ambiguous": 1}


def test_an_item_of_another_type_is_ruled_out(world: World) -> None:
    as_place = world.link(("Warsaw", "ner", "GPE"))
    assert links(as_place) == [("Q2", "alias")]
    world.anchors, world._index = [("Warsaw", "Warsaw (ship)")], None
    (row,) = world.link(("Warsaw", "ner", "PRODUCT")).rows(LINKS)
    rows = {(r["surface"], r["qid"]): r["prior"] for r in world._index.rows(ALIASES)}
    ship, city = rows["Warsaw", "Q6"], rows["Warsaw", "Q2"]
    assert (row["qid"], row["score"]) == ("Q6", pytest.approx(ship / (1 - city), abs=1e-5))
    assert world.link(("Warsaw", "ner", None)).drops == {"ambiguous": 1}
    outcome = world.link(("Warsaw", "ner", "PERSON"))
    assert (links(outcome), outcome.drops) == ([], {"wrong_type": 1})


def test_an_item_whose_type_is_not_known_is_never_ruled_out(world: World) -> None:
    for kind in ("PERSON", "EVENT", "a type that nobody knows", None):
        assert links(world.link(("Radium", "ner", kind), title="Warsaw")) == [("Q4", "alias")]


def test_a_name_that_nobody_knows_is_dropped(world: World) -> None:
    outcome = world.link(("Skłodowska", "ner", "PERSON"), ("curie", "ner", "PERSON"))
    assert (links(outcome), outcome.drops) == ([], {"unknown_name": 2})
    assert outcome.inputs.drop_samples == {"unknown_name": ["Skłodowska", "curie"]}


def test_names_of_any_script_are_names(world: World) -> None:
    world.items.append({"qid": "Q11", "label": "東京", "sitelink_title": "東京"})
    world.items.append({"qid": "Q12", "label": "Źródło 😀", "sitelink_title": "Źródło 😀"})
    outcome = world.link(("東京", "ner"), ("Źródło 😀", "ner"))
    assert links(outcome) == [("Q11", "alias"), ("Q12", "alias")]


def test_years_and_numbers_are_no_items_by_name(world: World) -> None:
    world.items += [{"qid": "Q13", "label": "300", "sitelink_title": "300"}]
    outcome = world.link(("1903", "ner"), ("1903", "ner", "DATE"), ("300", "ner", "CARDINAL"))
    assert (links(outcome), outcome.drops) == ([], {"literal": 3})
    assert literals(outcome) == [
        ("1903", "+1903-00-00T00:00:00Z", 9),
        ("300", "+300", None),
    ]


def test_not_even_where_the_page_links_the_same_year(world: World) -> None:
    outcome = world.link(("1903", "hyperlink", "1903"), ("1903", "ner", "DATE"))
    assert links(outcome) == [("Q8", "hyperlink")]
    assert outcome.drops == {"literal": 1}


def test_a_value_that_cannot_be_read_is_counted(world: World) -> None:
    outcome = world.link(("yesterday", "ner", "DATE"))
    assert (outcome.drops, outcome.counts) == ({"literal": 1}, {"unread_value": 1})
    assert literals(outcome) == []


def span_in(text: str, words: str) -> dict[str, Any]:
    start = text.index(words)
    return {
        "page_id": 1,
        "char_start": start,
        "char_end": start + len(words),
        "surface": words,
    }


def test_dates_are_found_without_any_ner(world: World) -> None:
    text = "Born on 7 November 1867, she came to Paris in 1891."
    assert literals(world.run(text, [], [])) == [
        ("7 November 1867", "+1867-11-07T00:00:00Z", 11),
        ("1891", "+1891-00-00T00:00:00Z", 9),
    ]


def test_links_to_pages_of_dates_do_not_hide_the_date(world: World) -> None:
    text = "In December 1903 it was."
    link = span_in(text, "1903")
    outcome = world.run(text, [{**link, "source": "hyperlink"}], [{**link, "target_title": "1903"}])
    assert literals(outcome) == [("December 1903", "+1903-12-00T00:00:00Z", 10)]
    assert links(outcome) == [("Q8", "hyperlink")]


def test_a_book_with_the_name_of_a_year_is_no_date(world: World) -> None:
    text = "He wrote it in 1903."
    link = span_in(text, "1903")
    outcome = world.run(
        text, [{**link, "source": "hyperlink"}], [{**link, "target_title": "1903 (novel)"}]
    )
    assert (links(outcome), literals(outcome)) == ([("Q9", "hyperlink")], [])


def test_the_language_of_the_wiki_says_how_dates_read(world: World) -> None:
    text = "Am 7. November 1867 geboren."
    assert literals(world.run(text, [], [], language="de"))[0][1] == "+1867-11-07T00:00:00Z"
    assert literals(world.run("7 ноември 1867", [], [], language="bg"))[0][2] == 11


def test_links_come_in_the_order_of_the_text(world: World) -> None:
    outcome = world.link(
        ("Radium", "ner"), ("Ra", "title"), ("Curie", "ner"), ("w", "hyperlink", "Warsaw")
    )
    starts = [r["char_start"] for r in outcome.rows(LINKS)]
    assert len(starts) == 4
    assert starts == sorted(starts)


def test_mentions_of_other_pages_do_not_mix(run_stage: RunStage, world: World) -> None:
    index = world.index()
    mention = {"char_start": 0, "char_end": 5, "surface": "Curie", "source": "ner"}
    outcome = run_stage(
        LINK,
        LinkConfig(),
        {
            PAGES: [
                {"page_id": 1, "title": "A", "text": "Curie"},
                {"page_id": 2, "title": "B", "text": "Curie"},
            ],
            MENTIONS: [
                {**mention, "page_id": 1, "source": "hyperlink"},
                {**mention, "page_id": 2},
            ],
            HYPERLINKS: [
                {"page_id": 1, "char_start": 0, "char_end": 5, "target_title": "Pierre Curie"}
            ],
            TITLES: index.given(TITLES),
            ALIASES: index.given(ALIASES),
            SITE: LANGUAGE,
        },
    )
    assert links(outcome) == [("Q3", "hyperlink"), ("Q1", "alias")]


NAME = st.sampled_from(["Curie", "Warsaw", "Radium", "Nobody", "1903", "Marie Curie", ""])
TARGET = st.sampled_from(["Warsaw", "Warszawa", "Old Town", "Nobody", "Warsaw#s", "Marie Curie"])
FOUND = st.lists(
    st.tuples(NAME, st.just("hyperlink"), TARGET)
    | st.tuples(NAME, st.just("ner"), st.sampled_from([None, "PERSON", "DATE", "GPE"]))
    | st.tuples(NAME, st.just("title")),
    max_size=6,
)


@settings(max_examples=40)
@given(
    found=FOUND,
    title=st.sampled_from(["Marie Curie", "Nobody"]),
    min_margin=st.floats(0, 1),
)
def test_no_item_is_invented_and_every_mention_is_linked_or_counted(
    world: World, found: list[tuple[Any, ...]], title: str, min_margin: float
) -> None:
    outcome = world.link(*found, title=title, min_margin=min_margin)
    rows = outcome.rows(LINKS)
    assert world._index is not None
    aliases, titles = world._index.rows(ALIASES), world._index.rows(TITLES)
    known = {(r["surface"], r["qid"]) for r in aliases}
    by_title = {r["title"]: r["qid"] for r in titles}
    assert all(0 < r["score"] <= 1 for r in rows)
    assert len(rows) + sum(outcome.drops.values()) == len(found)
    on_page = {by_title[t] for t in [title, *(f[2] for f in found if len(f) > 2)] if t in by_title}
    starts, at = {}, 0
    for mention in found:
        starts.setdefault(at, mention)
        at += len(mention[0]) + 3
    for row in rows:
        surface, source, *more = starts[row["char_start"]]
        if row["method"] == "alias":
            assert source == "ner"
            assert (surface, row["qid"]) in known
        elif row["method"] == "hyperlink":
            assert row["qid"] == by_title[more[0]]
        else:
            assert row["qid"] in on_page
        assert surface != "1903" or source != "ner"
