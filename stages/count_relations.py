"""count_relations: how often each relation is a label, and which labels a bound would keep."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig
from storage.runs import fitted
from storage.tables import RELATION_COUNTS, TUPLES

QUERY = """
WITH labels AS (
    SELECT unnest(pids) AS pid, page_id, document_id, tuple_id FROM tuples WHERE len(pids) > 0
),
drawn AS (
    SELECT pid, page_id, document_id, CAST({draw} AS BIGINT) AS draw FROM labels
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY pid ORDER BY draw) AS place FROM drawn
)
SELECT pid, count(*) AS tuples, count(DISTINCT document_id) AS documents,
       count(DISTINCT page_id) AS pages, {bound} AS keep_upto
FROM placed GROUP BY pid ORDER BY pid
"""
DRAW = "md5_number_lower('{seed}/' || tuple_id) >> 1"
"""A number below 2^63 by seed and tuple alone; `stages.holding.draws.drawn` is the same."""


class CountRelationsConfig(StageConfig):
    """How many tuples a relation may have."""

    max_tuples: int | None = Field(
        None,
        ge=1,
        description="tuples of the training split that one relation may have over the corpus, "
        "sampled by seed (P530 and its like swamp small corpora); none: any number",
    )
    seed: int = Field(13, description="seed of that sample; set by the recipe's own `seed`")


def count_relations(config: CountRelationsConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield one `relation_counts` row a relation.

    Each tuple draws a number by the seed and its id, and on nothing else does that hang. With
    `max_tuples`, a relation takes those of its tuples that drew the smallest numbers: `keep_upto`
    is the largest of these. hold_out leaves a tuple out that none of its relations takes, so a
    relation may keep a few more than the bound, of tuples that another relation takes as well. What
    is held out for a benchmark counts here like the rest.
    """
    bound = "CAST(NULL AS BIGINT)"
    if config.max_tuples is not None:
        bound = f"CASE WHEN count(*) > {config.max_tuples} THEN " + (
            f"max(draw) FILTER (WHERE place <= {config.max_tuples}) END"
        )
    query = QUERY.format(draw=DRAW.format(seed=config.seed), bound=bound)
    for batch in inputs.sql(query):
        yield RELATION_COUNTS, fitted(RELATION_COUNTS, batch)


COUNT_RELATIONS = Stage(
    "count_relations",
    version=1,
    config=CountRelationsConfig,
    reads=(TUPLES,),
    writes=(RELATION_COUNTS,),
    run=count_relations,
)
