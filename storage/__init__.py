"""Where tables lie: schemas, artifacts, fingerprints, Parquet and DuckDB.

In a notebook: `from storage import open_warehouse`, then
`open_warehouse("warehouse").tables("tiny").arrow("tuples")`.
"""

from typing import Any

__all__ = ["open_warehouse"]


def __getattr__(name: str) -> Any:
    # Looked up late, so that importing a module of this package does not load DuckDB.
    if name == "open_warehouse":
        from storage.reading import open_warehouse

        return open_warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
