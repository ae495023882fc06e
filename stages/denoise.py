"""denoise: how much each distant label counts, from what a classifier made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages.base import Inputs, Read, Rows, Stage, StageConfig, select, where_written
from stages.denoising import Config, Ranking
from stages.denoising.file import GivenWeights
from stages.denoising.learning_order import LearningOrder
from stages.denoising.provenance import (
    JUDGED,
    Fitted,
    Provenance,
    columns_of,
    query,
    read_judged,
    taught,
)
from stages.denoising.records import NA, Flags, Floats, Records, pass_of
from stages.denoising.weighting import Weighting, weights
from storage.errors import ConfigError, SourceError, StageError
from storage.fingerprint import file_digest
from storage.tables import (
    DOCUMENTS,
    ENTITIES,
    LEARNING_ORDERS,
    LINKS,
    LITERAL_MENTIONS,
    TUPLE_STATEMENTS,
    TUPLES,
    WEIGHTS,
)
from storage.warehouse import read_parquet

NA_NAME = "NA"
UNSEEN_NA = 0.5
"""Trust in a pair without relation that the classifier was never shown."""
AT_ONCE = 100_000
LABELS = (
    "SELECT tuple_id, unnest(CASE WHEN len(pids) = 0 THEN ['NA'] ELSE pids END) AS pid FROM tuples"
)
RECORDED = f"""
SELECT l.tuple_id, l.pid, o.tuple_id IS NOT NULL AS shown,
       o.batch_correct, o.batch_loss, o.batch_probability,
       o.epoch_correct, o.epoch_loss, o.epoch_probability
FROM ({LABELS}) l LEFT JOIN learning_orders o ON l.tuple_id = o.tuple_id AND l.pid = o.pid
ORDER BY l.tuple_id, l.pid
"""
GIVEN = f"""
SELECT l.tuple_id, l.pid, g.weight
FROM ({LABELS}) l LEFT JOIN given g ON l.tuple_id = g.tuple_id AND l.pid = g.pid
ORDER BY l.tuple_id, l.pid
"""
STRANGERS = f"""
SELECT g.tuple_id, g.pid FROM given g
ANTI JOIN ({LABELS}) l ON l.tuple_id = g.tuple_id AND l.pid = g.pid ORDER BY ALL
"""
LEARNT = "provenance.json"
STATED = (TUPLE_STATEMENTS, LITERAL_MENTIONS)
"""An annotated corpus has none of these."""
TWICE = "SELECT tuple_id, pid FROM given GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"


class DenoiseConfig(StageConfig):
    """Which labels are trusted, and what trust is worth.

    The defaults are FineCL's.
    """

    learning_orders: str | None = select(LEARNING_ORDERS, "which of several learn_order steps")
    method: Config = Field(LearningOrder(), description="what makes a label trusted")
    unseen: Literal["never", "mean"] = Field(
        "never",
        description="trust in a label that the classifier was not shown, or has no class for: as "
        "if never learnt, or the mean of the others",
    )
    weighting: Weighting = Field(Weighting(), description="how trust becomes a weight")
    seed: int = Field(13, ge=0, description="of the labels that are up-sampled")


def denoise(config: DenoiseConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the weight of every label, and of NA for every tuple without one.

    A label that the classifier was not shown is trusted as `unseen` says; NA that it was not shown
    is trusted by one half. Both are counted. Of provenance, what was learnt is kept as a file.

    Drops: "not_a_label" (rows of a file of weights, or of a judged sheet, that name no label of the
    tuples).

    Raises:
        StageError: If no relation label is left.
        SourceError: If a file of weights is wrong, or a sheet teaches nothing.
    """
    if isinstance(config.method, GivenWeights):
        found = given_weights(Path(config.method.path).expanduser(), inputs)
    elif isinstance(config.method, Provenance):
        found = judged_weights(config, config.method, inputs)
    else:
        found = ranked_weights(config, config.method, inputs)
    weight_N, is_na_N = np.asarray(found["weight"]), pc.equal(found["pid"], NA_NAME)
    if not (weight_N[~np.asarray(is_na_N)] > 0).any():
        raise StageError(
            f"none of {len(weight_N):,} labels is left with a weight above 0",
            mend="Keep more of them: denoise.weighting.best_share, denoise.weighting.unlearned",
        )
    inputs.count("labels_left_out", int((weight_N == 0).sum()))
    for batch in found.to_batches(AT_ONCE):
        yield WEIGHTS, batch


def ranked_weights(config: DenoiseConfig, method: Ranking, inputs: Inputs) -> pa.Table:
    """Return weights by how a method ranks labels."""
    if method.name == "uniform":
        labels = sorted_labels(inputs, LABELS + " ORDER BY ALL")
        shown_N = np.ones(len(labels), dtype=bool)
        records = Records(relation_numbers(labels), None, None)
    else:
        labels = sorted_labels(inputs, RECORDED)
        shown_N = np.asarray(labels["shown"])
        seen = labels.filter(pa.array(shown_N))
        records = Records(
            relation_numbers(labels)[shown_N], pass_of(seen, "batch"), pass_of(seen, "epoch")
        )
    inputs.count("labels_never_shown", int((~shown_N).sum()))
    relation_N = relation_numbers(labels)
    trust_N: Floats = np.where(relation_N == NA, UNSEEN_NA, 0.0)
    learned_N: Flags = np.zeros(len(labels), dtype=bool)
    if shown_N.any():
        # The same dice both times: what is up-sampled for one is so for the other.
        trust_N[shown_N] = method.trust(records, np.random.default_rng(config.seed))
        learned_N[shown_N] = method.learned(records, np.random.default_rng(config.seed))
    if config.unseen == "mean" and (known_N := shown_N & (relation_N != NA)).any():
        unseen_N = ~shown_N & (relation_N != NA)
        trust_N[unseen_N], learned_N[unseen_N] = trust_N[known_N].mean(), True
    weight_N = weights(trust_N, relation_N, config.weighting, learned_N=learned_N)
    return pa.table([labels["tuple_id"], labels["pid"], pa.array(weight_N)], schema=WEIGHTS.schema)


def judged_weights(config: DenoiseConfig, method: Provenance, inputs: Inputs) -> pa.Table:
    """Return weights by how labels came about, as a sheet of judged ones teaches.

    NA is trusted by one half: no statement gave it, and no sheet asks about it.
    """
    absent = {t.name: t.schema.empty_table() for t in STATED if not inputs.has(t)}
    model = learnt(method, inputs, absent)
    given = {**absent, "judged": JUDGED.empty_table()}
    labels = pa.concat_tables(
        pa.table(
            [batch["tuple_id"], batch["pid"], pa.array(model.trust(columns_of(batch)))],
            ["tuple_id", "pid", "trust"],
        )
        for batch in inputs.sql(f"{query()} ORDER BY ALL", given)
    )
    relation_N = relation_numbers(labels)
    trust_N = np.where(relation_N == NA, UNSEEN_NA, np.asarray(labels["trust"]))
    learned_N = np.ones(len(labels), dtype=bool)
    weight_N = weights(trust_N, relation_N, config.weighting, learned_N=learned_N)
    return pa.table([labels["tuple_id"], labels["pid"], pa.array(weight_N)], schema=WEIGHTS.schema)


def learnt(method: Provenance, inputs: Inputs, absent: Mapping[str, pa.Table]) -> Fitted:
    """Return the model that a judged sheet teaches, and keep what it says as a file."""
    path = Path(method.sheet).expanduser()
    judged = read_judged(path)
    asked = f"FROM ({query()}) WHERE is_right IS NOT NULL ORDER BY ALL"
    batches = list(inputs.sql(asked, {**absent, "judged": judged}))
    known = {(row["tuple_id"], row["pid"]) for b in batches for row in b.to_pylist()}
    for row in judged.to_pylist():
        if (row["tuple_id"], row["pid"]) not in known:
            inputs.drop("not_a_label", f"{row['tuple_id']} {row['pid']}")
    model, told = taught(batches, len(judged), path, method.penalty)
    inputs.keep(LEARNT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return model


def sorted_labels(inputs: Inputs, query: str) -> pa.Table:
    """Return the answer to a query for labels in the order of the key.

    Raises:
        StageError: If there is none.
    """
    found = pa.Table.from_batches(batches) if (batches := list(inputs.sql(query))) else None
    if found is None or not len(found):
        raise StageError("there are no tuples", mend="Look at the drops of align")
    return found.combine_chunks()


def relation_numbers(labels: pa.Table) -> Any:
    """Return the number of each label's relation, by the order of names; 0 for NA."""
    names = sorted(set(pc.unique(labels["pid"]).to_pylist()) - {NA_NAME})
    place = pc.index_in(labels["pid"], value_set=pa.array([NA_NAME, *names], pa.string()))
    return np.asarray(place).astype(np.int64)


def given_weights(path: Path, inputs: Inputs) -> pa.Table:
    """Return weights as a file gives them, 1 for labels that it does not name.

    Raises:
        SourceError: If a weight is below 0 or not finite, or a label stands there twice.
    """
    given = read_parquet(path, WEIGHTS.schema)
    weight_G = np.asarray(given["weight"])
    if (wrong := np.flatnonzero(~(np.isfinite(weight_G) & (weight_G >= 0)))).size:
        row = given.slice(int(wrong[0]), 1).to_pylist()[0]
        raise SourceError(
            f"the weight of {row['tuple_id']} {row['pid']} is {row['weight']}",
            where=str(path),
            mend="Weights are 0 or more, and finite",
        )
    for batch in inputs.sql(TWICE, {"given": given}):
        for row in batch.to_pylist():
            raise SourceError(
                f"{row['tuple_id']} {row['pid']} stands there twice",
                where=str(path),
                mend="Give each label one weight",
            )
    for batch in inputs.sql(STRANGERS, {"given": given}):
        for row in batch.to_pylist():
            inputs.drop("not_a_label", f"{row['tuple_id']} {row['pid']}")
    found = pa.Table.from_batches(list(inputs.sql(GIVEN, {"given": given})))
    inputs.count("labels_not_in_the_file", found["weight"].null_count)
    columns = [found["tuple_id"], found["pid"], found["weight"].fill_null(1.0)]
    return pa.table(columns, schema=WEIGHTS.schema)


def reads(config: DenoiseConfig) -> tuple[Read, ...]:
    """Return what the stage reads: no learning order where the method asks for none."""
    if isinstance(config.method, Provenance):
        return (TUPLES, ENTITIES, LINKS, DOCUMENTS, *(where_written(table) for table in STATED))
    alone = config.method.name in ("uniform", "file")
    return (TUPLES,) if alone else (TUPLES, LEARNING_ORDERS)


def given_file(config: DenoiseConfig) -> tuple[str, Path] | None:
    """Return the field and the path of a file that the method reads."""
    if isinstance(config.method, GivenWeights):
        return "path", Path(config.method.path).expanduser()
    if isinstance(config.method, Provenance):
        return "sheet", Path(config.method.sheet).expanduser()
    return None


def facts(config: DenoiseConfig) -> dict[str, str]:
    """Return the digest of a given file, of weights or of judgements."""
    given = given_file(config)
    if given is None or not given[1].is_file():
        return {}
    return {"weights" if given[0] == "path" else "sheet": file_digest(given[1])}


def check(config: DenoiseConfig) -> None:
    """Check that a given file is there, and that no weighting is asked of given weights.

    Raises:
        ConfigError: If not.
    """
    given = given_file(config)
    if given and not given[1].is_file():
        what = "a Parquet file" if given[0] == "path" else "a sheet of `relmill sample`, judged"
        raise ConfigError(
            f"there is no file {str(given[1])!r}", mend=f"Set denoise.method.{given[0]} to {what}"
        )
    if not isinstance(config.method, GivenWeights):
        return
    if config.weighting != Weighting():
        raise ConfigError(
            "denoise.weighting says how trust becomes a weight, and a file gives weights as they "
            "are",
            mend="Leave denoise.weighting out",
        )


DENOISE = Stage(
    "denoise",
    version=2,
    config=DenoiseConfig,
    reads=reads,
    writes=(WEIGHTS,),
    run=denoise,
    facts=facts,
    check=check,
    variants=True,
)
