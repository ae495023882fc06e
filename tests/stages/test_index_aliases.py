"""index_aliases: titles through redirects to items, and words to the items they may name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from stages.linking.item_types import TYPES
from stages.linking.priors import (
    KNOWN_AS,
    UNKNOWN_CAPITALISED,
    UNKNOWN_WORD,
    UNKNOWN_WORDS,
)
from storage.lookup import Lookup, text_keys
from storage.tables import ALIASES, HYPERLINKS, ITEMS, PAGES, REDIRECTS, TITLES, TRIPLES
from tests.conftest import Outcome, RunStage

Redirect = tuple[str, str, str]


@pytest.fixture
def index(run_stage: RunStage) -> Any:
    def run(
        items: list[dict[str, Any]],
        redirects: list[Redirect] = (),  # type: ignore[assignment]
        links: list[tuple[str, str]] = (),  # type: ignore[assignment]
        subclasses: list[tuple[str, str]] = (),  # type: ignore[assignment]
        disambiguations: list[str] = (),  # type: ignore[assignment]
        **config: Any,
    ) -> Outcome:
        given = {
            PAGES: [
                {"page_id": i, "title": title, "disambiguation": True}
                for i, title in enumerate(disambiguations)
            ],
            TRIPLES: [
                {"head_qid": a, "statement": i, "pid": "P279", "tail_qid": b, "rank": "normal"}
                for i, (a, b) in enumerate(subclasses)
            ],
            ITEMS: items,
            REDIRECTS: [
                {"page_id": i, "title": a, "target_title": b, "fragment": f}
                for i, (a, b, f) in enumerate(redirects)
            ],
            HYPERLINKS: [
                {"surface": s, "target_title": t.split("#")[0], "fragment": t.partition("#")[2]}
                for s, t in links
            ],
        }
        return run_stage(INDEX_ALIASES, IndexAliasesConfig(**config), given)

    return run


def item(qid: str, title: str | None = None, **values: Any) -> dict[str, Any]:
    return {"qid": qid, "sitelink_title": title, **values}


def titles(outcome: Outcome) -> dict[str, tuple[str, int]]:
    return {r["title"]: (r["qid"], r["hops"]) for r in outcome.rows(TITLES)}


def aliases(outcome: Outcome) -> dict[tuple[str, str], tuple[int, str | None]]:
    return {(r["surface"], r["qid"]): (r["anchors"], r["known"]) for r in outcome.rows(ALIASES)}


def priors(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(r["surface"], r["qid"]): r["prior"] for r in outcome.rows(ALIASES)}


def test_a_title_leads_to_the_item_that_has_it_as_sitelink(index: Any) -> None:
    outcome = index([item("Q270", "Warsaw"), item("Q5")])
    assert titles(outcome) == {"Warsaw": ("Q270", 0)}


def test_redirects_are_followed_over_several_hops(index: Any) -> None:
    redirects = [("Warszawa", "Warsaw", ""), ("Varsovia", "Warszawa", "")]
    assert titles(index([item("Q270", "Warsaw")], redirects)) == {
        "Warsaw": ("Q270", 0),
        "Warszawa": ("Q270", 1),
        "Varsovia": ("Q270", 2),
    }


def test_a_redirect_to_a_section_is_another_thing(index: Any) -> None:
    outcome = index([item("Q270", "Warsaw")], [("Old Town", "Warsaw", "Old Town")])
    assert "Old Town" not in titles(outcome)


def test_a_loop_of_redirects_ends_and_leads_nowhere(index: Any) -> None:
    redirects = [("A", "B", ""), ("B", "A", ""), ("C", "C", "")]
    assert titles(index([item("Q1", "X")], redirects)) == {"X": ("Q1", 0)}


def test_a_loop_through_an_article_ends_at_the_shortest_way(index: Any) -> None:
    redirects = [("X", "Y", ""), ("Y", "X", "")]
    assert titles(index([item("Q1", "X")], redirects)) == {"X": ("Q1", 0), "Y": ("Q1", 1)}


def test_a_redirect_with_an_item_of_its_own_keeps_it(index: Any) -> None:
    outcome = index([item("Q1", "X"), item("Q2", "Y")], [("Y", "X", "")])
    assert titles(outcome) == {"X": ("Q1", 0), "Y": ("Q2", 0)}


def test_the_prior_of_a_surface_is_its_share_of_the_evidence(index: Any) -> None:
    items = [item("Q1", "Paris"), item("Q2", "Paris (Texas)"), item("Q3", "Paris (myth)")]
    links = (
        [("Paris", "Paris")] * 4 + [("Paris", "Paris (Texas)")] * 2 + [("Texas", "Paris (Texas)")]
    )
    outcome = index(items, [], links)
    assert aliases(outcome) == {
        ("Paris", "Q1"): (4, "title"),
        ("Paris", "Q2"): (2, "stem"),
        ("Paris", "Q3"): (0, "stem"),
        ("Texas", "Q2"): (1, None),
    }
    title, stem = KNOWN_AS["title"], KNOWN_AS["stem"]
    total = 4 + title + 2 + stem + stem + UNKNOWN_CAPITALISED
    assert priors(outcome) == pytest.approx(
        {
            ("Paris", "Q1"): (4 + title) / total,
            ("Paris", "Q2"): (2 + stem) / total,
            ("Paris", "Q3"): stem / total,
            ("Texas", "Q2"): 1 / (1 + UNKNOWN_CAPITALISED),
        }
    )


def test_more_words_and_lower_case_leave_less_to_items_that_nobody_knows(index: Any) -> None:
    found = priors(index([item("Q1", label="Bank", aliases=["bank", "Bank of the north", "東京"])]))
    alias = KNOWN_AS["alias"]
    assert found == pytest.approx(
        {
            ("Bank", "Q1"): KNOWN_AS["label"] / (KNOWN_AS["label"] + UNKNOWN_CAPITALISED),
            ("bank", "Q1"): alias / (alias + UNKNOWN_WORD),
            ("Bank of the north", "Q1"): alias / (alias + UNKNOWN_WORDS),
            ("東京", "Q1"): alias / (alias + UNKNOWN_WORD),
        }
    )


def test_of_several_ways_to_be_known_the_most_telling_counts(index: Any) -> None:
    items = [item("Q270", "Warsaw (city)", label="Warsaw", aliases=["Warszawa", "Warsaw"])]
    found = aliases(index(items, [("Varsovia", "Warsaw (city)", "")]))
    assert found == {
        ("Varsovia", "Q270"): (0, "title"),
        ("Warsaw", "Q270"): (0, "label"),
        ("Warszawa", "Q270"): (0, "alias"),
    }


def test_a_link_through_a_redirect_counts_for_the_item_at_its_end(index: Any) -> None:
    outcome = index(
        [item("Q270", "Warsaw")], [("Warszawa", "Warsaw", "")], [("the capital", "Warszawa")]
    )
    assert aliases(outcome)["the capital", "Q270"] == (1, None)


def test_titles_of_disambiguation_pages_lead_nowhere(index: Any) -> None:
    items = [
        item("Q1", "Mercury", label="Mercury", instance_of=["Q4167410"]),
        item("Q2", "Mars", label="Mars", instance_of=["Q9"]),
        item("Q3", "Venus", label="Venus"),
    ]
    links = [("Mercury", "Mercury"), ("Mars", "Mars"), ("Venus", "Venus"), ("the star", "Venus2")]
    outcome = index(
        items,
        [("Venus2", "Venus", ""), ("Mercurius", "Mercury", "")],
        links,
        subclasses=[("Q9", "Q4167410")],
        disambiguations=["Venus"],
    )
    assert titles(outcome) == {}
    assert aliases(outcome) == {("Venus", "Q3"): (0, "label")}
    assert outcome.drops == {"wiki_page": 2, "disambiguation": 1}
    wiki_pages = Lookup(outcome.files, "wiki_pages", [])
    starts, ends = wiki_pages.ranges(text_keys(["Mercury", "Mars", "Venus"]))
    assert (starts < ends).tolist() == [True, True, False]


def test_a_family_name_is_an_item_only_by_hyperlink(index: Any) -> None:
    items = [item("Q1", "Curie (name)", label="Curie", instance_of=["Q101352"])]
    assert aliases(index(items)) == {}
    assert aliases(index(items, [], [("Curie", "Curie (name)")])) == {("Curie", "Q1"): (1, None)}
    assert set(titles(index(items))) == {"Curie (name)"}


def test_items_have_the_entity_type_of_their_classes(index: Any) -> None:
    items = [
        item("Q1", "A", label="a", instance_of=["Q5"]),
        item("Q2", "B", instance_of=["Q77"]),
        item("Q3", "C", instance_of=["Q78"]),
    ]
    outcome = index(items, subclasses=[("Q77", "Q515")])
    assert {r["title"]: r["type"] for r in outcome.rows(TITLES)} == {
        "A": "PERSON",
        "B": "LOC",
        "C": None,
    }
    assert {r["surface"]: r["type"] for r in outcome.rows(ALIASES)}["a"] == "PERSON"
    lookup = Lookup(outcome.files, "titles", ["qid", "type"])
    starts, _ = lookup.ranges(text_keys(["B"]))
    assert TYPES[lookup.values("type")[starts[0]]] == "LOC"


def test_section_links_red_links_and_empty_words_are_no_evidence(index: Any) -> None:
    links = [("history", "Warsaw#History"), ("nothing", "Not there"), ("", "Warsaw")]
    assert set(aliases(index([item("Q270", "Warsaw")], [], links))) == {("Warsaw", "Q270")}


def test_nothing_in_gives_nothing_out_but_the_lookups_are_there(index: Any) -> None:
    outcome = index([])
    assert outcome.rows(TITLES) == outcome.rows(ALIASES) == []
    assert len(Lookup(outcome.files, "titles", ["qid"])) == 0
    assert len(Lookup(outcome.files, "aliases", ["qid", "prior"])) == 0


NAMES = st.sampled_from(["a", "b", "B", "c (d)", "é", "東京", "😀"])


@settings(max_examples=25)
@given(
    st.lists(NAMES, unique=True, max_size=4),
    st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["", "", "s"])), max_size=6),
    st.lists(st.tuples(NAMES, NAMES), max_size=8),
)
def test_tables_are_sorted_priors_add_up_and_the_lookups_say_the_same(
    index: Any, sites: list[str], redirects: list[Redirect], links: list[tuple[str, str]]
) -> None:
    unique = list({r[0]: r for r in redirects}.values())
    outcome = index([item(f"Q{i + 1}", t) for i, t in enumerate(sites)], unique, links)
    rows = outcome.rows(ALIASES)
    assert rows == sorted(rows, key=lambda r: (r["surface"], r["qid"]))
    assert list(titles(outcome)) == sorted(titles(outcome))
    for surface in {r["surface"] for r in rows}:
        assert 0 < sum(r["prior"] for r in rows if r["surface"] == surface) < 1
    assert titles(outcome) == walked(sites, unique)
    lookup = Lookup(outcome.files, "aliases", ["qid", "prior"])
    assert len(lookup) == len(rows)
    for row in rows:
        starts, ends = lookup.ranges(text_keys([row["surface"]]))
        qids = lookup.values("qid")[starts[0] : ends[0]].tolist()
        at = int(starts[0]) + qids.index(int(row["qid"][1:]))
        assert lookup.values("prior")[at] == np.float32(row["prior"])


def walked(sites: list[str], redirects: list[Redirect]) -> dict[str, tuple[str, int]]:
    """Follow each title by hand; where several ways lead on, an article's own item wins."""
    items = {title: f"Q{i + 1}" for i, title in enumerate(sites)}
    targets = {title: target for title, target, fragment in redirects if not fragment}
    found = {}
    for start in {*items, *targets}:
        title, hops, seen = start, 0, set()
        while title not in items and title in targets and title not in seen:
            seen.add(title)
            title, hops = targets[title], hops + 1
        if title in items:
            found[start] = (items[title], hops)
    return found


def test_evidence_that_does_not_fit_in_memory_gives_the_same_rows_and_lookups(index: Any) -> None:
    items = [
        item(f"Q{i + 1}", f"T{i}", label=f"name {i % 7}", aliases=[f"{i}" + "x" * 2000])
        for i in range(900)
    ]
    links = [(f"name {i % 5}", f"T{i % 11}") for i in range(400)]
    at_once, spilled = index(items, [], links), index(items, [], links, held_mb=1, bucket_bits=3)
    assert spilled.rows(ALIASES) == at_once.rows(ALIASES)
    for name, path in at_once.files.items():
        assert spilled.files[name].read_bytes() == path.read_bytes()
