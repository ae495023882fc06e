"""index_aliases: which titles lead to which item, and which words may name which items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.base import Inputs, Rows, Stage, StageConfig
from storage.lookup import Array, text_keys, write_lookup
from storage.tables import ALIASES, HYPERLINKS, ITEMS, REDIRECTS, TITLES
from storage.warehouse import fitted

# Redirects are followed backwards from titles that have an item. The bound on hops ends loops:
# MediaWiki itself follows one hop and has bots straighten longer chains.
TITLES_QUERY = """
WITH RECURSIVE leads AS (
    SELECT sitelink_title AS title, qid, 0 AS hops FROM items WHERE sitelink_title IS NOT NULL
    UNION
    SELECT r.title, l.qid, l.hops + 1
    FROM redirects r JOIN leads l ON r.target_title = l.title
    WHERE r.fragment = '' AND l.hops < 10
)
SELECT title, arg_min(qid, (hops, qid)) AS qid, CAST(min(hops) AS INTEGER) AS hops
FROM leads GROUP BY title ORDER BY title
"""

ALIASES_QUERY = """
WITH evidence AS (
    SELECT h.surface, t.qid, count(*) AS anchors, false AS known
    FROM hyperlinks h JOIN titles t ON h.target_title = t.title
    WHERE h.fragment = '' AND h.surface <> '' GROUP BY ALL
    UNION ALL
    SELECT regexp_replace(title, ' \\([^()]*\\)$', ''), qid, 0, true FROM titles
    UNION ALL
    SELECT label, qid, 0, true FROM items WHERE label IS NOT NULL
    UNION ALL
    SELECT unnest(aliases), qid, 0, true FROM items
),
pooled AS (
    SELECT surface, qid, CAST(sum(anchors) AS BIGINT) AS anchors, bool_or(known) AS known
    FROM evidence WHERE surface <> '' GROUP BY surface, qid
)
SELECT surface, qid, anchors, known,
       (anchors + known::INTEGER) / sum(anchors + known::INTEGER) OVER (PARTITION BY surface)
           AS prior
FROM pooled ORDER BY surface, qid
"""


class IndexAliasesConfig(StageConfig):
    """Nothing to choose yet: every title, label, alias and anchor is evidence."""


def index_aliases(config: IndexAliasesConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `titles` and `aliases`, and keep both as lookups that workers map into memory.

    The prior of a surface for an item is its share of the evidence: one for each hyperlink that
    has these words and leads to the item, one if Wikidata or a title knows the name.
    """
    found = [fitted(TITLES, batch) for batch in inputs.sql(TITLES_QUERY)]
    titles = pa.Table.from_batches(found, TITLES.schema)
    yield from ((TITLES, batch) for batch in titles.to_batches())
    keys = text_keys(titles["title"].to_pylist())
    write_lookup(inputs.keep, "titles", keys, {"qid": item_numbers(titles["qid"])})
    surfaces, qids, priors = [], [], []
    for batch in inputs.sql(ALIASES_QUERY, {"titles": titles}):
        surfaces.append(text_keys(batch["surface"].to_pylist()))
        qids.append(item_numbers(batch["qid"]))
        priors.append(batch["prior"].to_numpy().astype(np.float32))
        yield ALIASES, batch
    values = {"qid": joined(qids, np.uint32), "prior": joined(priors, np.float32)}
    write_lookup(inputs.keep, "aliases", joined(surfaces, np.uint64), values)


def joined(arrays: list[Array], kind: type[np.generic]) -> Array:
    """Return arrays one behind the other; an empty one where there is none."""
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def item_numbers(qids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint32]:
    """Return the numbers of QIDs: 42 of "Q42"."""
    return np.asarray(pc.cast(pc.utf8_slice_codeunits(qids, 1), pa.uint32()))


INDEX_ALIASES = Stage(
    "index_aliases",
    version=1,
    config=IndexAliasesConfig,
    reads=(HYPERLINKS, REDIRECTS, ITEMS),
    writes=(TITLES, ALIASES),
    run=index_aliases,
)
