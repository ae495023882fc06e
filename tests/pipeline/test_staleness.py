"""The stale steps of any change are exactly the changed step and what depends on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig
from storage.table import Table
from tests.pipeline import toy
from tests.pipeline.toy import Mill


class AddConfig(StageConfig):
    add: int = Field(0, description="what is added to the sum of the inputs")
    cap: int = Field(1000, description="no row is larger")


Edges = tuple[tuple[int, ...], ...]


def graph(edges: Edges) -> tuple[Stage, ...]:
    """A DAG of as many stages as `edges` has entries; each names the stages that it reads."""
    tables = [
        toy.table(f"t{i}", "page", ("page_id", toy.NUMBER), ("value", toy.NUMBER))
        for i in range(len(edges))
    ]
    return tuple(
        Stage(
            f"s{i}",
            1,
            AddConfig,
            tuple(tables[p] for p in parents),
            (tables[i],),
            adder(i, [tables[p] for p in parents], tables[i]),
        )
        for i, parents in enumerate(edges)
    )


def adder(number: int, reads: list[Table], writes: Table) -> Any:
    def run(config: AddConfig, inputs: Inputs) -> Iterator[Rows]:
        inputs_sum = sum(v for t in reads for v in inputs.rows(t)["value"].to_pylist())
        value = min(inputs_sum + config.add + number + 1, config.cap)
        yield writes, writes.batch([(inputs.shard.index, value)])

    return run


def descendants(edges: Edges, start: int) -> set[str]:
    below = {start}
    for i, parents in enumerate(edges):
        if below & set(parents):
            below.add(i)
    return {f"s{i}" for i in below}


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    size = draw(st.integers(2, 5))
    return tuple(
        tuple(sorted(draw(st.sets(st.integers(0, i - 1), max_size=3)))) if i else ()
        for i in range(size)
    )


class GraphMill(Mill):
    def __init__(self, root: Path, edges: Edges) -> None:
        super().__init__(root, graph(edges))
        self.shards = {"page": 2, "page_block": 1}


@settings(max_examples=20)
@given(edges=graphs(), data=st.data())
def test_a_changed_value_makes_stale_and_makes_anew_just_that_step_and_its_descendants(
    edges: Edges, data: st.DataObject
) -> None:
    change = data.draw(st.integers(0, len(edges) - 1))
    with tempfile.TemporaryDirectory() as folder:
        mill = GraphMill(Path(folder), edges)
        mill.run()
        changed = {f"s{change}": {"add": 100}}
        expected = descendants(edges, change)
        assert mill.stale(**changed) == expected
        assert set(mill.run(**changed).made) == expected
        assert mill.stale(**changed) == set()
        assert mill.stale() == set(), "the earlier tables are still there"


@settings(max_examples=15)
@given(edges=graphs(), data=st.data())
def test_a_change_that_leaves_the_bytes_alone_runs_that_step_alone(
    edges: Edges, data: st.DataObject
) -> None:
    change = data.draw(st.integers(0, len(edges) - 1))
    with tempfile.TemporaryDirectory() as folder:
        mill = GraphMill(Path(folder), edges)
        mill.run()
        assert mill.run(**{f"s{change}": {"cap": 999}}).made == [f"s{change}"]


@settings(max_examples=8)
@given(
    shards=st.tuples(
        *[
            st.fixed_dictionaries(
                {
                    "page": st.integers(1, 5),
                    "item": st.integers(1, 3),
                    "page_block": st.integers(1, 4),
                    "item_block": st.integers(1, 3),
                }
            )
        ]
        * 2
    ),
    letters=st.lists(st.sampled_from("abc"), max_size=12),
)
def test_however_the_axes_are_cut_the_rows_are_the_same(
    shards: tuple[dict[str, int], dict[str, int]], letters: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mill = Mill(Path(folder))
        mill.letters.write_text("".join(f"{i} {word}\n" for i, word in enumerate(letters)))
        rows = []
        for cut in shards:
            mill.shards = cut
            run = mill.run()
            rows.append([mill.rows(run, t) for t in toy.TOY_TABLES if t is not toy.RAW])
        assert rows[0] == rows[1]
