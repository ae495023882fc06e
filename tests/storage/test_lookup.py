"""lookup: a memory-mapped map, held against a dict."""

from __future__ import annotations

import tempfile
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.lookup import (
    Lookup,
    pair_keys,
    text_key,
    text_keys,
    write_lookup,
    write_sorted_lookup,
)


def written(folder: Path, keys: list[int], values: list[int]) -> Lookup:
    write_lookup(
        lambda name: folder / name,
        "map",
        np.array(keys, dtype=np.uint64),
        {"value": np.array(values, dtype=np.uint32)},
    )
    files = {path.name: path for path in folder.iterdir()}
    return Lookup(files, "map", ["value"])


def found(lookup: Lookup, keys: list[int]) -> list[list[int]]:
    starts, ends = lookup.ranges(np.array(keys, dtype=np.uint64))
    column = lookup.values("value")
    return [column[a:b].tolist() for a, b in zip(starts, ends, strict=True)]


KEYS = st.integers(0, 8) | st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**32 - 1)), max_size=40), st.lists(KEYS))
def test_a_lookup_answers_as_a_dict_of_lists(
    pairs: list[tuple[int, int]], asked: list[int]
) -> None:
    oracle: dict[int, list[int]] = {}
    for key, value in pairs:
        oracle.setdefault(key, []).append(value)
    asked = [*asked, *oracle]
    with tempfile.TemporaryDirectory() as folder:
        lookup = written(Path(folder), [k for k, _ in pairs], [v for _, v in pairs])
        assert len(lookup) == len(pairs)
        assert found(lookup, asked) == [oracle.get(key, []) for key in asked]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 1000])
def test_a_lookup_that_comes_in_stretches_has_the_bytes_of_one_that_comes_whole(
    tmp_path: Path, count: int
) -> None:
    keys = np.arange(count, dtype=np.uint64) // 3
    values = {"pid": np.arange(count, dtype=np.uint32), "deprecated": keys % 2 == 1}
    write_lookup(lambda name: tmp_path / name, "whole", keys, values)
    stretches = [
        (keys[start : start + 300], {c: v[start : start + 300] for c, v in values.items()})
        for start in range(0, count, 300)
    ]
    columns = {"pid": np.uint32, "deprecated": bool}
    write_sorted_lookup(lambda name: tmp_path / name, "parts", stretches, columns)
    for column in ("key", *columns):
        whole = (tmp_path / f"whole.{column}.npy").read_bytes()
        assert (tmp_path / f"parts.{column}.npy").read_bytes() == whole


def test_the_values_are_mapped_and_not_read(tmp_path: Path) -> None:
    lookup = written(tmp_path, [1], [2])
    base: Any = lookup.values("value")
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), unique=True))
def test_ordered_pairs_have_keys_of_their_own(pairs: list[tuple[int, int]]) -> None:
    keys = pair_keys([h for h, _ in pairs], [t for _, t in pairs]).tolist()
    assert keys == [(h << 32) | t for h, t in pairs]
    assert len(set(keys)) == len(pairs)


def test_equal_texts_have_equal_keys_and_others_other_ones() -> None:
    texts = ["Zürich", "Zu\u0308rich", "zürich", "", " "]
    assert text_keys(texts).tolist() == [text_key(text) for text in texts]
    assert len({text_key(text) for text in texts}) == len(texts)


def test_a_key_never_changes() -> None:
    assert text_key("Warsaw") == 2424747686985248622


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        Lookup({}, "map", ["value"])
