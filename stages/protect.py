"""protect: what of the benchmarks must not stand in the training split, as keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig, where_written
from storage.errors import ConfigError
from storage.lookup import Keys, write_lookup
from storage.tables import (
    ALIASES,
    BENCHMARK_FILES,
    ITEM_REDIRECTS,
    PROTECTED_SPLITS,
    REDIRECTS,
)

if TYPE_CHECKING:
    from stages.holding.benchmark import Protected

Kind = Literal["pair", "page", "text"]

BEARERS_QUERY = """
SELECT DISTINCT n.name AS name, a.qid AS qid
FROM aliases a JOIN names n ON lower(a.surface) = lower(n.name)
WHERE a.known IS NOT NULL ORDER BY qid, name
"""


# A page that was renamed, or taken into another, since the benchmark was made.
RENAMED_QUERY = """
WITH RECURSIVE renamed(name, title) AS (
    SELECT n.name, r.target_title FROM names n JOIN redirects r ON lower(r.title) = n.name
    UNION
    SELECT n.name, r.target_title FROM renamed n JOIN redirects r ON r.title = n.title
)
SELECT name, title FROM renamed ORDER BY name, title
"""


class ProtectConfig(StageConfig):
    """How the dev and test parts of the recipe's benchmarks are protected: every one of them is."""

    protect: list[Kind] = Field(
        ["pair"],
        description="what is held out. pair: tuples whose pair a benchmark asks about, by item or, "
        "where either has none, by name, in either order, NA too; page: pages with its titles, and "
        "those that its titles redirect to; "
        "text: documents that share a passage with it",
    )
    by_benchmark: dict[str, list[Kind]] = Field(
        {}, description="the same for single benchmarks, by name; an empty list protects nothing"
    )
    splits: list[Literal["train", "dev", "test"]] = Field(
        ["dev", "test"], description="splits that are protected"
    )
    shingle: int = Field(
        64,
        ge=16,
        description="letters and digits in a row, spaces and punctuation left aside, that make a "
        "passage",
    )
    shortest: int = Field(
        24,
        ge=8,
        description="letters and digits that a shorter text must have to be a passage by itself",
    )


def protect(config: ProtectConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `protected_splits` row a split, and keep its keys as lookups for hold_out.

    A name of a benchmark's entity that has no item also means every item with this label, title or
    alias, where the recipe has a knowledge graph.

    Drops: "text_too_short" (texts that no shingle can protect), and what `stages.annotated.read`
    drops of a format.
    Paper: Qin et al., ERICA (ACL 2021), section 5.1, holds out by names alone.

    Raises:
        ConfigError: If a benchmark is named that the recipe does not have.
    """
    from stages.holding import held_out as stored

    files = sorted(
        inputs.rows(BENCHMARK_FILES).to_pylist(), key=lambda row: (row["benchmark"], row["split"])
    )
    require_known(config, [row["benchmark"] for row in files])
    current = current_items(inputs) if inputs.has(ITEM_REDIRECTS) else {}
    found: list[Protected] = []
    files = [row for row in files if row["split"] in config.splits]
    for row in files:
        inputs.report(f"reading {row['benchmark']} {row['split']}")
        found.append(gathered(row, kinds_of(row, config), config, current, inputs))
        if short := found[-1].short:
            inputs.drop("text_too_short", f"{row['benchmark']} {row['split']}", short)
    if inputs.has(REDIRECTS):
        follow_redirects(found, inputs)
    for name, keys in (
        (stored.PAIRS, [p.pairs for p in found]),
        (stored.PAGES, [p.pages for p in found]),
        (stored.PASSAGES, [p.passages for p in found]),
    ):
        splits = np.repeat(np.arange(len(keys)), [len(own) for own in keys]).astype(np.uint16)
        write_lookup(inputs.keep, name, united(keys), {"split": splits})
    write_lookup(inputs.keep, stored.ENDS, np.unique(united([p.ends for p in found])), {})
    lengths = np.array(sorted(set().union(*(p.lengths for p in found))), np.uint64)
    write_lookup(inputs.keep, stored.LENGTHS, lengths, {"length": lengths.astype(np.uint32)})
    items, names = bearers(found, inputs) if inputs.has(ALIASES) else (united([]), united([]))
    write_lookup(inputs.keep, stored.BEARERS, items, {"name": names})
    yield (
        PROTECTED_SPLITS,
        PROTECTED_SPLITS.batch(
            [
                (ordinal, row["benchmark"], row["split"], kinds_of(row, config), *sizes(protected))
                for ordinal, (row, protected) in enumerate(zip(files, found, strict=True))
            ]
        ),
    )


def kinds_of(row: Mapping[str, Any], config: ProtectConfig) -> list[Kind]:
    """Return what is held out for the benchmark of a file."""
    return sorted(set(config.by_benchmark.get(row["benchmark"], config.protect)))


def sizes(protected: Protected) -> tuple[int, ...]:
    """Return the numbers of documents, pairs, titles and passages of a split."""
    both = (len(protected.titles), len(protected.passages))
    return (protected.documents, protected.asked, *both)


def follow_redirects(found: Sequence[Protected], inputs: Inputs) -> None:
    """Add to the titles of each split those that they redirect to, step by step to the end."""
    from stages.holding.benchmark import page_name

    names = sorted(set().union(*(p.titles for p in found)))
    given = {"names": pa.table({"name": pa.array(names, pa.string())})}
    for batch in inputs.sql(RENAMED_QUERY, given) if names else ():
        for row in batch.to_pylist():
            for protected in found:
                if row["name"] in protected.titles:
                    protected.titles.add(page_name(row["title"]))


def require_known(config: ProtectConfig, names: Sequence[str]) -> None:
    """Check that every benchmark with a word of its own is one of the recipe's.

    Raises:
        ConfigError: For the first that is not.
    """
    for name in config.by_benchmark:
        if name not in names:
            raise ConfigError(
                f"protect.by_benchmark names {name!r}, and the recipe has no such benchmark",
                mend=f"It has {', '.join(sorted(set(names))) or 'none'}",
            )


def gathered(
    row: dict[str, Any],
    kinds: Sequence[Kind],
    config: ProtectConfig,
    current: dict[str, str],
    inputs: Inputs,
) -> Protected:
    """Return what is to be protected of one split."""
    from stages.annotated import read
    from stages.holding.benchmark import Protected

    protected = Protected(kinds, config.shingle, config.shortest)
    path = inputs.files(BENCHMARK_FILES)[row["file"]]
    for document in read(row["format"], path, inputs, split=row["split"]):
        protected.add(document, current)
    return protected


def current_items(inputs: Inputs) -> dict[str, str]:
    """Return the item that is left for each that was merged into another."""
    from stages.alignment.merged import Merged

    merges = inputs.rows(ITEM_REDIRECTS)
    gone, kept = (
        np.asarray(pc.utf8_slice_codeunits(merges[name], 1).cast("uint64"))
        for name in ("qid", "target_qid")
    )
    ends = Merged(gone, kept).current(gone).tolist()
    return {f"Q{old}": f"Q{end}" for old, end in zip(gone.tolist(), ends, strict=True)}


def bearers(found: Sequence[Protected], inputs: Inputs) -> tuple[Keys, Keys]:
    """Return the items that bear names of entities without items, and the keys of these names."""
    from stages.holding.keys import name_key

    names = sorted(set().union(*(p.names for p in found)))
    given = {"names": pa.table({"name": pa.array(names, pa.string())})}
    items, keys = [], []
    for batch in inputs.sql(BEARERS_QUERY, given):
        items += pc.utf8_slice_codeunits(batch["qid"], 1).cast("uint64").to_pylist()
        keys += [name_key(name) for name in batch["name"].to_pylist()]
    return np.array(items, np.uint64), np.array(keys, np.uint64)


def united(keys: Sequence[Keys]) -> Keys:
    """Return arrays of keys one behind the other."""
    return np.concatenate([np.empty(0, np.uint64), *keys])


PROTECT = Stage(
    "protect",
    version=2,
    config=ProtectConfig,
    reads=(
        BENCHMARK_FILES,
        where_written(ALIASES),
        where_written(ITEM_REDIRECTS),
        where_written(REDIRECTS),
    ),
    writes=(PROTECTED_SPLITS,),
    run=protect,
)
