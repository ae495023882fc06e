"""Items that were merged, some of them twice, count as the one that is left."""

from __future__ import annotations

import pytest

from stages.align import final_item


@pytest.mark.parametrize(
    ("leads", "expected"),
    [({}, 1), ({1: 2}, 2), ({1: 2, 2: 3}, 3), ({1: 1}, 1), ({1: 2, 2: 1}, 2)],
)
def test_the_end_of_a_chain_of_redirects(leads: dict[int, int], expected: int) -> None:
    assert final_item(1, leads) == expected
