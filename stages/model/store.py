"""The one file that every process of a machine maps: `features` as plain columns of numbers.

It is an uncompressed Arrow IPC file of a single record batch, so a column is an array on disk and a
batch is cut out of it without reading the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.model.batch import NA
from stages.model.corpus import COLUMNS, Corpus, Lists
from stages.model.markers import Markers
from stages.model.ragged import Array, Ints, offsets, owners
from storage.aside import written_aside
from storage.lookup import text_key, text_keys

NA_NAME = "NA"
QID = re.compile(r"Q\d+")
UNLINKED = -1
NO_TYPE = -1
# Ids of items that are no QIDs lie above all QIDs.
FOREIGN = 1 << 40


def relations_of(features: Iterable[pa.Table]) -> list[str]:
    """Return the relations that occur: NA, then PIDs by number, then other names."""
    found: set[str] = set()
    for table in features:
        pids = nested(table, "pairs").field("pids").flatten()
        found.update(pc.unique(pids).to_pylist())
    return [NA_NAME, *sorted(found, key=lambda name: (len(name), name))]


def types_of(features: Iterable[pa.Table]) -> list[str]:
    """Return the entity types that occur, sorted."""
    found: set[str] = set()
    for table in features:
        found.update(pc.unique(nested(table, "entities").field("type")).to_pylist())
    return sorted(name for name in found if name is not None)


def write_corpus(
    path: Path,
    features: Iterable[pa.Table],
    relations: Sequence[str],
    types: Sequence[str],
    weights: pa.Table | None = None,
) -> dict[str, int]:
    """Write rows of `features` as a file for `open_corpus`.

    A label whose relation is not among `relations`, or whose weight is 0, is left out, and its pair
    where it was the last: that pair is no example of its relation, and none of NA.

    Args:
        features: Tables with the columns of `features`.
        relations: Names by id; the first is NA.
        types: Names of entity types by number.
        weights: Weight of labels: columns tuple_id, pid (NA for pairs without relation) and
            weight, 0 or more. A label that it does not hold has weight 1.

    Returns:
        How many rows are in, and what was left out or missing, by name.
    """
    counts: dict[str, int] = {}
    parts = [converted(table, relations, types, weights, counts) for table in features]
    meta = {"relations": json.dumps(list(relations)), "types": json.dumps(list(types))}
    whole = pa.concat_tables(parts).combine_chunks().replace_schema_metadata(meta)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside, pa.ipc.new_file(aside, whole.schema) as writer:
        writer.write_table(whole)
    return {"documents": len(whole), **counts}


def open_corpus(path: Path, markers: Markers) -> Corpus:
    """Map a file of `write_corpus` into memory, without reading it."""
    return corpus_of(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), markers)


def corpus_of(whole: pa.Table, markers: Markers) -> Corpus:
    """Return the columns of a converted table as a `Corpus`."""
    meta = {key.decode(): json.loads(value) for key, value in whole.schema.metadata.items()}
    lists = {}
    for name, columns in COLUMNS.items():
        found = [whole[f"{name}.{column}"].combine_chunks() for column in columns]
        bounds = np.asarray(found[0].offsets)
        values = {c: numbers(a.values) for c, a in zip(columns, found, strict=True)}
        lists[name] = Lists(bounds, values)
    names = Names(whole["name"].combine_chunks())
    return Corpus(np.asarray(whole["key"]), names, lists, meta["relations"], meta["types"], markers)


class Names(Sequence[str]):
    """Names of documents, read when they are asked for."""

    def __init__(self, column: pa.Array) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        """Return one name, or those of a slice."""
        if isinstance(row, slice):
            return self._column[row].to_pylist()
        return self._column[int(row)].as_py()


def numbers(values: pa.Array) -> Array:
    """Return a column as an array; bits are unpacked, all else is not copied."""
    return np.asarray(values.to_numpy(zero_copy_only=False))


def converted(
    table: pa.Table,
    relations: Sequence[str],
    types: Sequence[str],
    weights: pa.Table | None,
    counts: dict[str, int],
) -> pa.Table:
    """Return rows of `features` with a list of numbers for each column of COLUMNS."""
    names = table["document_id"].combine_chunks()
    columns: dict[str, pa.Array] = {
        "name": names.cast(pa.large_string()),
        "key": pa.array(text_keys(names.to_pylist())),
    }
    entities = nested(table, "entities")
    known = {
        "entity": {
            "qid": item_numbers(entities.field("qid")),
            "type": pc.index_in(entities.field("type"), value_set=pa.array(types, pa.string())),
        },
        **labelled_pairs(table, relations, weights, counts),
    }
    known["entity"]["type"] = known["entity"]["type"].fill_null(NO_TYPE)
    plural = {"piece": "pieces", "sentence": "sentences", "mention": "mentions"}
    for name, fields in COLUMNS.items():
        if name in plural:
            found, bounds = nested(table, plural[name]), bounds_of(table, plural[name])
            values = {field: found.field(field) for field in fields}
        else:
            bounds = known[name].pop("bounds", None)
            bounds = bounds_of(table, "entities") if bounds is None else bounds
            values = known[name]
        for field in fields:
            columns[f"{name}.{field}"] = pa.LargeListArray.from_arrays(
                pa.array(bounds, pa.int64()), values[field]
            )
    return pa.table(columns)


def labelled_pairs(
    table: pa.Table,
    relations: Sequence[str],
    weights: pa.Table | None,
    counts: dict[str, int],
) -> dict[str, dict[str, pa.Array]]:
    """Return the columns of pairs and of labels; a pair without relations has the label NA."""
    pairs, bounds = nested(table, "pairs"), bounds_of(table, "pairs")
    pids = pairs.field("pids")
    lengths_P = np.asarray(pc.list_value_length(pids)).astype(np.int64)
    label_pair = owners(lengths_P)
    places = pc.index_in(pids.flatten(), value_set=pa.array(relations[1:], pa.string()))
    kept = np.asarray(places.is_valid())
    if unknown := int((~kept).sum()):
        counts["labels_of_other_relations"] = counts.get("labels_of_other_relations", 0) + unknown
    relation = np.asarray(places.fill_null(0))[kept] + 1
    label_pair = label_pair[kept]
    na_P = lengths_P == 0
    # NA labels are put among the others, in the order of their pairs.
    all_pairs = np.concatenate([label_pair, np.flatnonzero(na_P)])
    order = np.argsort(all_pairs, kind="stable")
    all_relations = np.concatenate([relation, np.full(na_P.sum(), NA)])[order]
    all_pairs = all_pairs[order]
    weight = label_weights(pairs, all_pairs, all_relations, relations, weights, counts)
    counted = weight > 0
    if nothing := int((~counted).sum()):
        counts["labels_of_weight_0"] = counts.get("labels_of_weight_0", 0) + nothing
    all_pairs, all_relations, weight = all_pairs[counted], all_relations[counted], weight[counted]
    kept_P = np.bincount(all_pairs, minlength=len(na_P)).astype(bool)
    before_P = np.concatenate([[0], np.cumsum(kept_P)])
    pair_bounds = before_P[bounds]
    label_bounds = np.searchsorted(all_pairs, bounds)
    owner = owners(np.diff(label_bounds))
    chosen = pa.array(kept_P)
    sides = {side: pairs.field(side).filter(chosen) for side in ("head", "tail", "intra")}
    return {
        "pair": {"bounds": pair_bounds, **sides},
        "label": {
            "bounds": label_bounds,
            "pair": pa.array((before_P[all_pairs] - pair_bounds[owner]).astype(np.int32)),
            "relation": pa.array(all_relations.astype(np.int32)),
            "weight": pa.array(weight),
        },
    }


def label_weights(
    pairs: pa.StructArray,
    pair_L: Ints,
    relation_L: Ints,
    relations: Sequence[str],
    weights: pa.Table | None,
    counts: dict[str, int],
) -> Array:
    """Return the weight of each label, fp32."""
    if weights is None:
        return np.ones(len(pair_L), dtype=np.float32)
    tuples = pairs.field("tuple_id").take(pa.array(pair_L))
    names = pa.array(relations, pa.string()).take(pa.array(relation_L))
    given = pc.binary_join_element_wise(
        weights["tuple_id"].combine_chunks(), weights["pid"].combine_chunks(), " "
    )
    place = pc.index_in(pc.binary_join_element_wise(tuples, names, " "), value_set=given)
    if place.null_count:
        counts["labels_without_weight"] = counts.get("labels_without_weight", 0) + place.null_count
    found = weights["weight"].combine_chunks().cast(pa.float32()).take(place)
    return np.asarray(found.fill_null(1.0))


def nested(table: pa.Table, column: str) -> pa.StructArray:
    """Return the values of a column of lists, one list behind the other."""
    return table[column].combine_chunks().flatten()


def bounds_of(table: pa.Table, column: str) -> Ints:
    """Return where the lists of a column begin and end."""
    return offsets(np.asarray(pc.list_value_length(table[column])).astype(np.int64))


def item_numbers(qids: pa.Array) -> pa.Array:
    """Return a number for each item: 42 of "Q42"; -1 for none; a high one for any other name."""
    distinct = pc.unique(qids)
    mapped = [item_number(name) for name in distinct.to_pylist()]
    return pa.array(mapped, pa.int64()).take(pc.index_in(qids, value_set=distinct))


def item_number(name: str | None) -> int:
    """Return the number of one item."""
    if name is None:
        return UNLINKED
    return int(name[1:]) if QID.fullmatch(name) else FOREIGN + text_key(name) % FOREIGN
