"""The number that a tuple draws, by which a bound on its relation samples."""

from __future__ import annotations

import hashlib


def drawn(tuple_id: str, seed: int) -> int:
    """Return the number below 2^63 that a tuple draws; DuckDB's md5_number_lower says the same."""
    digest = hashlib.md5(f"{seed}/{tuple_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1
