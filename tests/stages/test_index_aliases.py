"""index_aliases: titles through redirects to items, and words to the items they may name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.index_aliases import INDEX_ALIASES, IndexAliasesConfig
from storage.lookup import Lookup, text_keys
from storage.tables import ALIASES, HYPERLINKS, ITEMS, REDIRECTS, TITLES
from tests.conftest import Outcome, RunStage

Redirect = tuple[str, str, str]


@pytest.fixture
def index(run_stage: RunStage) -> Any:
    def run(
        items: list[dict[str, Any]],
        redirects: list[Redirect] = (),  # type: ignore[assignment]
        links: list[tuple[str, str]] = (),  # type: ignore[assignment]
    ) -> Outcome:
        given = {
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
        return run_stage(INDEX_ALIASES, IndexAliasesConfig(), given)

    return run


def item(qid: str, title: str | None = None, **values: Any) -> dict[str, Any]:
    return {"qid": qid, "sitelink_title": title, **values}


def titles(outcome: Outcome) -> dict[str, tuple[str, int]]:
    return {r["title"]: (r["qid"], r["hops"]) for r in outcome.rows(TITLES)}


def aliases(outcome: Outcome) -> dict[tuple[str, str], tuple[int, bool, float]]:
    return {
        (r["surface"], r["qid"]): (r["anchors"], r["known"], r["prior"])
        for r in outcome.rows(ALIASES)
    }


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
    found = aliases(index(items, [], links))
    assert found["Paris", "Q1"] == (4, True, 5 / 9)
    assert found["Paris", "Q2"] == (2, True, 3 / 9)
    assert found["Paris", "Q3"] == (0, True, 1 / 9)
    assert found["Texas", "Q2"] == (1, False, 1.0)


def test_labels_aliases_titles_and_redirects_are_known_names(index: Any) -> None:
    items = [item("Q270", "Warsaw (city)", label="Warsaw", aliases=["Warszawa", "Warsaw"])]
    found = aliases(index(items, [("Varsovia", "Warsaw (city)", "")]))
    assert found == {
        ("Varsovia", "Q270"): (0, True, 1.0),
        ("Warsaw", "Q270"): (0, True, 1.0),
        ("Warszawa", "Q270"): (0, True, 1.0),
    }


def test_a_link_through_a_redirect_counts_for_the_item_at_its_end(index: Any) -> None:
    outcome = index(
        [item("Q270", "Warsaw")], [("Warszawa", "Warsaw", "")], [("the capital", "Warszawa")]
    )
    assert aliases(outcome)["the capital", "Q270"] == (1, False, 1.0)


def test_section_links_red_links_and_empty_words_are_no_evidence(index: Any) -> None:
    links = [("history", "Warsaw#History"), ("nothing", "Not there"), ("", "Warsaw")]
    assert set(aliases(index([item("Q270", "Warsaw")], [], links))) == {("Warsaw", "Q270")}


def test_nothing_in_gives_nothing_out_but_the_lookups_are_there(index: Any) -> None:
    outcome = index([])
    assert outcome.rows(TITLES) == outcome.rows(ALIASES) == []
    assert len(Lookup(outcome.files, "titles", ["qid"])) == 0
    assert len(Lookup(outcome.files, "aliases", ["qid", "prior"])) == 0


NAMES = st.sampled_from(["a", "b", "B", "c (d)", "é", "東京", "😀"])


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
        assert sum(r["prior"] for r in rows if r["surface"] == surface) == pytest.approx(1)
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
