"""fingerprint: 16 hex digits for what a thing is made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.fingerprint import CHUNK, canonical_json, file_digest, fingerprint

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same value with every mapping built in the opposite order."""
    if isinstance(value, dict):
        return {k: turned(value[k]) for k in reversed(value)}
    return [turned(v) for v in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_keys_does_not_count_at_any_depth(value: Any) -> None:
    assert fingerprint(value) == fingerprint(turned(value))


@given(VALUES)
def test_canonical_json_reads_back_as_the_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(VALUES, VALUES)
def test_other_values_have_other_fingerprints(one: Any, two: Any) -> None:
    same = canonical_json(one) == canonical_json(two)
    assert (fingerprint(one) == fingerprint(two)) == same


@pytest.mark.parametrize(
    ("one", "two"),
    [({"a": 1}, {"a": "1"}), ({"a": None}, {}), ([1, 2], [2, 1]), (1, 1.0), (True, 1), ("", None)],
)
def test_values_that_look_alike_differ(one: Any, two: Any) -> None:
    assert fingerprint(one) != fingerprint(two)


def test_floats_count_to_their_last_bit() -> None:
    assert fingerprint(0.1 + 0.2) != fingerprint(0.3)
    assert canonical_json(0.1) == "0.1"


def test_a_fingerprint_is_16_hex_digits_and_never_changes() -> None:
    assert fingerprint({"b": [1, 0.5, None], "a": "Zürich"}) == "72b12fbea00a4064"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        fingerprint(value)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        fingerprint({"path": Path("x")})


def test_a_file_digest_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    for data in (b"", b"abc", b"x" * (CHUNK + 1)):
        path = tmp_path / "file"
        path.write_bytes(data)
        assert file_digest(path) == hashlib.sha256(data).hexdigest()
