"""Titles to items as arrays, and rows in buckets."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stages.linking.buckets import Buckets
from stages.linking.title_index import MOST_HOPS, title_index

KEY = st.integers(0, 8)


@given(st.dictionaries(KEY, st.integers(1, 9), max_size=4), st.dictionaries(KEY, KEY, max_size=8))
def test_redirects_lead_where_a_walk_by_hand_does(
    items: dict[int, int], redirects: dict[int, int]
) -> None:
    articles = (
        np.array(list(values), kind)
        for values, kind in (
            (items, np.uint64),
            (items.values(), np.uint32),
            (items.values(), np.uint8),
        )
    )
    index = title_index([tuple(articles)]).with_redirects(  # type: ignore[list-item]
        np.array(list(redirects), np.uint64), np.array(list(redirects.values()), np.uint64)
    )
    expected = {}
    for start in {*items, *redirects}:
        key, hops = start, 0
        while key not in items and key in redirects and hops < MOST_HOPS:
            key, hops = redirects[key], hops + 1
        if key in items:
            expected[start] = items[key], items[key], hops
    columns = (index.qids.tolist(), index.types.tolist(), index.hops.tolist())
    assert dict(zip(index.keys.tolist(), zip(*columns, strict=True), strict=True)) == expected
    assert index.keys.tolist() == sorted(expected)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(1, 4))
def test_buckets_give_all_rows_back_and_no_key_twice(
    tmp_path_factory: object, keys: list[int], bits: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("buckets")  # type: ignore[attr-defined]
    schema = pa.schema([("key", pa.uint64()), ("row", pa.int64())])
    buckets = Buckets(folder, schema, bits, held=100)
    for row, key in enumerate(keys):
        buckets.add(pa.RecordBatch.from_pylist([{"key": key, "row": row}], schema))
    taken = [bucket.to_pylist() for bucket in buckets.take()]
    assert sorted(r["row"] for bucket in taken for r in bucket) == list(range(len(keys)))
    for before, behind in pairwise(taken):
        assert max(r["key"] for r in before) < min(r["key"] for r in behind)
    assert list(folder.iterdir()) == []
    assert list(buckets.take()) == []
