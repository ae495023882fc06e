"""The pages of evidence say what the figures of the runs say, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import claims, denoising_page, documents, evidence_page

ROOT = Path(__file__).parents[2]
PAGES = {
    "evidence": evidence_page.page,
    "denoising": denoising_page.page,
    "documents": documents.page,
}


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=list(PAGES))
def test_a_page_is_what_its_figures_make(name: str, page: Callable[[Path], str]) -> None:
    figures = ROOT / "benchmarks" / f"{name}.json"
    if not figures.exists():
        pytest.skip(f"{figures.name} is not there: that evidence was not run")
    assert figures.with_suffix(".md").read_text(encoding="utf-8") == page(figures)


def test_the_claims_are_what_the_figures_make() -> None:
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page()


@pytest.mark.parametrize(
    ("effect", "says"),
    [
        ({}, "not run"),
        ({0: 2.0, 2: 3.0}, "2 of 3 seeds run"),
        ({0: 3.0, 1: 3.1, 2: 2.9}, "**shown**"),
        ({0: -3.0, 1: -3.1, 2: -2.9}, "**the contrary shows**"),
        ({0: 0.1, 1: 5.0, 2: 9.0}, "*not shown*"),
        ({0: 3.0, 1: 3.1, 2: -0.1}, "*not shown*"),
    ],
)
def test_a_claim_shows_where_all_seeds_agree_and_the_interval_does(
    effect: dict[int, float], says: str
) -> None:
    assert claims.verdict(effect) == says


def test_the_interval_is_students() -> None:
    low, high = claims.interval({0: 1.0, 1: 2.0, 2: 3.0}) or (0.0, 0.0)
    assert (low, high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5))
