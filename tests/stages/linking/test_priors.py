"""Choosing among the items of a name, and letting it be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.linking.priors import Candidate, choose

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        qid=st.integers(1, 40).map("Q{}".format),
        prior=st.floats(0.01, 0.2),
        type=st.sampled_from([None, "PERSON", "LOC", "none"]),
    ),
    max_size=4,
    unique_by=lambda candidate: candidate.qid,
)


@given(CANDIDATES, st.sampled_from([None, frozenset(("PERSON",)), frozenset(("EVENT",))]))
def test_the_choice_is_a_fitting_candidate_with_the_highest_prior(
    candidates: list[Candidate], admitted: frozenset[str] | None
) -> None:
    choice = choose(candidates, admitted)
    fitting = [c for c in candidates if admitted is None or c.type is None or c.type in admitted]
    if choice is None:
        assert fitting == []
        return
    best = next(c for c in fitting if c.qid == choice.qid)
    assert best.prior == max(c.prior for c in fitting)
    assert 0 < choice.score <= 1
    assert choice.margin <= choice.score
    assert choose(list(reversed(candidates)), admitted) == choice


def test_what_the_priors_leave_of_one_is_a_rival() -> None:
    alone = choose([Candidate("Q1", 0.4, None)], None)
    assert alone is not None
    assert (alone.score, alone.margin) == (pytest.approx(0.4), pytest.approx(-0.2))


def test_types_that_do_not_fit_give_their_share_up() -> None:
    candidates = [Candidate("Q1", 0.6, "LOC"), Candidate("Q2", 0.3, "PERSON")]
    choice = choose(candidates, frozenset(("PERSON",)))
    assert choice is not None
    assert (choice.qid, choice.score) == ("Q2", pytest.approx(0.75))


def test_of_two_alike_the_older_item_comes_first_but_without_a_margin() -> None:
    choice = choose([Candidate("Q20", 0.45, None), Candidate("Q3", 0.45, None)], None)
    assert choice is not None
    assert (choice.qid, choice.margin) == ("Q3", 0.0)
