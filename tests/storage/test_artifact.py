"""artifact: shards of an axis, and what is damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.artifact import Damage, Shard, Shards, source_of, total


@given(st.integers(0, 2**40), st.integers(1, 300), st.integers(1, 5000))
def test_neighbouring_ids_of_a_block_share_a_shard(number: int, count: int, block: int) -> None:
    shards = Shards(count, block)
    first = number // block * block
    assert 0 <= shards.of(number) < count
    assert shards.of(first) == shards.of(number) == shards.of(first + block - 1)
    assert shards.of(first + block * count) == shards.of(number)


def test_a_shard_says_which_it_is() -> None:
    assert str(Shard(3, Shards(256, 1000))) == "shard 3/256"
    assert str(Shard(0, Shards(2), "wikidata-0")) == "wikidata-0"


def test_a_label_names_its_source() -> None:
    assert source_of("wikipedia-12") == "wikipedia"


@pytest.mark.parametrize(
    ("damaged", "records", "share", "excessive"),
    [
        (10, 10, 0.0, False),
        (11, 11, 1.0, False),
        (11, 22, 0.5, False),
        (11, 21, 0.5, True),
        (11, 11_000, 0.001, False),
        (12, 11_000, 0.001, True),
        (11, 1_000_000, 0.0, True),
    ],
)
def test_more_than_ten_and_more_than_the_share_is_too_much(
    damaged: int, records: int, share: float, excessive: bool
) -> None:
    damage = Damage(records, {"a": damaged - 3, "b": 3}, [], share)
    assert damage.damaged == damaged
    assert damage.excessive == excessive


def test_damage_adds_up_by_reason_and_keeps_twenty_samples() -> None:
    together = Damage()
    for shard in range(6):
        samples = [{"where": f"{shard}"}] * 5
        together.add(Damage(100, {"a": 2, f"only {shard}": 1}, samples, 0.25))
    assert together.records == 600
    assert together.counts["a"] == 12
    assert together.counts["only 3"] == 1
    assert len(together.samples) == 20
    assert together.max_share == 0.25


def test_a_shard_without_records_does_not_loosen_the_share() -> None:
    together = Damage()
    for part in (Damage(20, {"a": 20}, [], 0.001), Damage()):
        together.add(part)
    assert together.excessive


def test_totals_come_with_the_largest_first_and_ties_by_name() -> None:
    counters = [{"b": 1, "z": 5}, {"a": 1}, {"b": 0}]
    assert list(total(counters).items()) == [("z", 5), ("a", 1), ("b", 1)]
