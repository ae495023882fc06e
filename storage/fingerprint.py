"""What a thing is made from, as 16 hex digits; and what a file holds, as its SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

CHUNK = 1 << 20


def canonical_json(value: Any) -> str:
    """Return `value` as JSON that does not depend on the order in which a mapping was built.

    Raises:
        ValueError: If `value` holds a NaN or an infinity, which JSON cannot hold.
        TypeError: If `value` holds something that is no JSON.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def fingerprint(value: Any) -> str:
    """Return 16 hex digits that stand for `value`; equal values give equal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def rows_digest(rows: object) -> str:
    """Return 16 hex digits that stand for lists, tuples and what JSON holds, in their order.

    For what comes in millions: some ten times as fast as `fingerprint`.
    """
    return hashlib.blake2b(msgspec.json.encode(rows), digest_size=8).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in 64 hex digits, reading 1 MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
