"""link: which item a mention names, or why none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from stages.link import LINK, LinkConfig
from storage.tables import ALIASES, HYPERLINKS, ITEMS, LINKS, MENTIONS, PAGES, REDIRECTS, TITLES
from tests.conftest import Outcome, RunStage

ITEM_ROWS = [
    {"qid": "Q1", "sitelink_title": "Marie Curie", "label": "Marie Curie", "aliases": ["Curie"]},
    {"qid": "Q2", "sitelink_title": "Warsaw", "label": "Warsaw"},
    {"qid": "Q3", "sitelink_title": "Pierre Curie", "label": "Pierre Curie", "aliases": ["Curie"]},
    {"qid": "Q4", "label": "Radium"},
]
ANCHORS = [("Curie", "Marie Curie")] * 3 + [("the capital", "Warsaw")]


class World:
    """Items, redirects and anchors, from which one page is linked."""

    def __init__(self, run_stage: RunStage) -> None:
        self._run = run_stage
        self.items: list[dict[str, Any]] = list(ITEM_ROWS)
        self.redirects = [("Warszawa", "Warsaw", ""), ("Old Town", "Warsaw", "Old Town")]
        self.anchors = list(ANCHORS)

    def index(self) -> Outcome:
        return self._run(
            INDEX_ALIASES,
            IndexAliasesConfig(),
            {
                ITEMS: self.items,
                REDIRECTS: [
                    {"page_id": i, "title": a, "target_title": b, "fragment": f}
                    for i, (a, b, f) in enumerate(self.redirects)
                ],
                HYPERLINKS: [{"surface": s, "target_title": t} for s, t in self.anchors],
            },
        )

    def link(self, *found: tuple[Any, ...], title: str = "Marie Curie", **config: Any) -> Outcome:
        """Link mentions: (surface, source) with a target title or an NER type behind it."""
        mentions, hyperlinks = [], []
        for at, (surface, source, *more) in enumerate(found):
            place = {"page_id": 1, "char_start": at * 10, "char_end": at * 10 + 5}
            kind = more[0] if source == "ner" and more else None
            mentions.append({**place, "surface": surface, "source": source, "type": kind})
            if source == "hyperlink":
                target, _, fragment = more[0].partition("#")
                link = {"surface": surface, "target_title": target, "fragment": fragment}
                hyperlinks.append({**place, **link})
        hyperlinks.append({"page_id": 1, "target_title": "Nowhere in the text"})
        index = self.index()
        return self._run(
            LINK,
            LinkConfig(**config),
            {
                PAGES: [{"page_id": 1, "title": title}],
                MENTIONS: mentions,
                HYPERLINKS: hyperlinks,
                TITLES: index.given(TITLES),
                ALIASES: index.given(ALIASES),
            },
        )


@pytest.fixture
def world(run_stage: RunStage) -> World:
    return World(run_stage)


def links(outcome: Outcome) -> list[tuple[str, str, float]]:
    return [(r["qid"], r["method"], r["score"]) for r in outcome.rows(LINKS)]


def test_a_hyperlink_takes_the_item_of_its_target(world: World) -> None:
    outcome = world.link(("the city", "hyperlink", "Warsaw"))
    assert outcome.rows(LINKS) == [
        {
            "page_id": 1,
            "char_start": 0,
            "char_end": 5,
            "qid": "Q2",
            "method": "hyperlink",
            "score": 1.0,
        }
    ]
    assert outcome.drops == {}


def test_redirects_are_followed(world: World) -> None:
    assert links(world.link(("w", "hyperlink", "Warszawa"))) == [("Q2", "hyperlink", 1.0)]


def test_a_link_to_a_section_is_dropped(world: World) -> None:
    outcome = world.link(("history", "hyperlink", "Warsaw#History"))
    assert (links(outcome), outcome.drops) == ([], {"section_link": 1})


def test_a_target_without_an_item_is_dropped(world: World) -> None:
    outcome = world.link(("x", "hyperlink", "Red link"), ("y", "hyperlink", "Old Town"))
    assert (links(outcome), outcome.drops) == ([], {"title_without_item": 2})


def test_a_title_takes_the_item_of_its_page(world: World) -> None:
    assert links(world.link(("Marie", "title"))) == [("Q1", "title", 1.0)]


def test_the_title_of_a_page_without_an_item_is_dropped(world: World) -> None:
    outcome = world.link(("Nobody", "title"), title="Nobody")
    assert (links(outcome), outcome.drops) == ([], {"title_without_item": 1})


def test_a_name_that_is_linked_on_the_page_keeps_its_item_there(world: World) -> None:
    outcome = world.link(("Curie", "ner", "PERSON"), ("Curie", "hyperlink", "Pierre Curie"))
    assert links(outcome) == [("Q3", "page", 1.0), ("Q3", "hyperlink", 1.0)]


def test_a_name_that_stands_for_two_on_the_page_goes_by_its_prior(world: World) -> None:
    outcome = world.link(
        ("Curie", "hyperlink", "Pierre Curie"),
        ("Curie", "hyperlink", "Marie Curie"),
        ("Curie", "ner", "PERSON"),
    )
    assert links(outcome)[-1] == ("Q1", "alias", 0.8)


def test_a_name_takes_the_item_with_the_highest_prior(world: World) -> None:
    assert links(world.link(("Curie", "ner", "PERSON"))) == [("Q1", "alias", 0.8)]
    assert links(world.link(("Radium", "ner"))) == [("Q4", "alias", 1.0)]


def test_a_name_below_the_prior_or_the_margin_stays_open(world: World) -> None:
    for config in ({"min_prior": 0.81}, {"min_margin": 0.61}):
        outcome = world.link(("Curie", "ner", "PERSON"), **config)
        assert (links(outcome), outcome.drops) == ([], {"ambiguous": 1})
    assert links(world.link(("Curie", "ner"), min_prior=0.79, min_margin=0.59))


def test_two_items_with_equal_evidence_leave_a_name_open(world: World) -> None:
    world.anchors = []
    outcome = world.link(("Curie", "ner", "PERSON"))
    assert outcome.drops == {"ambiguous": 1}


def test_a_name_that_nobody_knows_is_dropped(world: World) -> None:
    outcome = world.link(("Skłodowska", "ner", "PERSON"), ("curie", "ner", "PERSON"))
    assert (links(outcome), outcome.drops) == ([], {"unknown_name": 2})
    assert outcome.inputs.drop_samples == {"unknown_name": ["Skłodowska", "curie"]}


def test_values_are_never_items(world: World) -> None:
    world.items.append({"qid": "Q9", "label": "1867"})
    outcome = world.link(("1867", "ner", "DATE"))
    assert (links(outcome), outcome.drops) == ([], {"literal": 1})
    assert links(world.link(("1867", "ner", "DATE"), literal_types=())) == [("Q9", "alias", 1.0)]


def test_links_come_in_the_order_of_the_text(world: World) -> None:
    outcome = world.link(
        ("Radium", "ner"), ("Marie", "title"), ("Curie", "ner"), ("w", "hyperlink", "Warsaw")
    )
    starts = [r["char_start"] for r in outcome.rows(LINKS)]
    assert starts == [0, 10, 20, 30]


def test_mentions_of_other_pages_do_not_mix(run_stage: RunStage, world: World) -> None:
    index = world.index()
    mention = {"char_start": 0, "char_end": 5, "surface": "Curie", "source": "ner"}
    outcome = run_stage(
        LINK,
        LinkConfig(),
        {
            PAGES: [{"page_id": 1, "title": "A"}, {"page_id": 2, "title": "B"}],
            MENTIONS: [
                {**mention, "page_id": 1, "source": "hyperlink"},
                {**mention, "page_id": 2},
            ],
            HYPERLINKS: [{**span_on(1), "target_title": "Pierre Curie"}],
            TITLES: index.given(TITLES),
            ALIASES: index.given(ALIASES),
        },
    )
    assert links(outcome) == [("Q3", "hyperlink", 1.0), ("Q1", "alias", 0.8)]


def span_on(page_id: int) -> dict[str, int]:
    return {"page_id": page_id, "char_start": 0, "char_end": 5}


NAME = st.sampled_from(["Curie", "Warsaw", "Radium", "Nobody", "x", "Marie Curie", ""])
TARGET = st.sampled_from(["Warsaw", "Warszawa", "Old Town", "Nobody", "Warsaw#s", "Marie Curie"])
FOUND = st.lists(
    st.tuples(NAME, st.just("hyperlink"), TARGET)
    | st.tuples(NAME, st.just("ner"), st.sampled_from([None, "PERSON", "DATE"]))
    | st.tuples(NAME, st.just("title")),
    max_size=6,
)


@settings(max_examples=25)
@given(
    found=FOUND,
    title=st.sampled_from(["Marie Curie", "Nobody"]),
    min_prior=st.floats(0, 1),
    min_margin=st.floats(0, 1),
)
def test_no_item_is_invented_and_every_mention_is_linked_or_counted(
    run_stage: RunStage,
    found: list[tuple[Any, ...]],
    title: str,
    min_prior: float,
    min_margin: float,
) -> None:
    world = World(run_stage)
    outcome = world.link(*found, title=title, min_prior=min_prior, min_margin=min_margin)
    rows = outcome.rows(LINKS)
    assert {r["qid"] for r in rows} <= {item["qid"] for item in world.items}
    assert all(0 < r["score"] <= 1 for r in rows)
    assert len(rows) + sum(outcome.drops.values()) == len(found)
    known = {(r["surface"], r["qid"]) for r in world.index().rows(ALIASES)}
    for row in rows:
        surface, source, *_ = found[row["char_start"] // 10]
        if row["method"] == "alias":
            assert source == "ner"
            assert (surface, row["qid"]) in known
