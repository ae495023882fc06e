"""carry: which stages may carry rows over, and what they must then hold to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.carry import Carried, Carry, by_page
from pipeline.dag import DAG
from stages.base import Inputs, Rows, Stage, StageConfig, table_of
from stages.ner.pipeline import blank
from stages.ner.training import NER, TOK2VEC
from storage.artifact import Shard, Shards
from storage.errors import PlanError
from storage.tables import PAGES, SENTENCES
from storage.warehouse import Warehouse

LOCAL = [stage for stage in DAG if stage.row_local is not None]


@pytest.mark.parametrize("stage", LOCAL, ids=lambda stage: stage.name)
def test_a_row_local_stage_reads_pages_from_the_stage_that_digests_them(stage: Stage) -> None:
    (digester,) = (s for s in DAG if PAGES in s.writes and not s.replaces)
    config = stage.config()
    tables = [table_of(read) for read in stage.reads_with(config)]
    assert PAGES in tables
    assert {t.name for t in tables if by_page(t.name)} <= {t.name for t in digester.writes}
    assert stage.axis == PAGES.axis


def test_spacy_finds_the_same_in_a_text_whatever_else_is_in_its_batch() -> None:
    nlp = blank("en")
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
    ner = nlp.add_pipe("ner", config={"model": NER})
    for kind in ("PERSON", "PLACE"):
        ner.add_label(kind)  # type: ignore[attr-defined]
    nlp.initialize()
    words = ("Ada", "Marr", "of", "Oslo", "wrote", "on", "3", "May", "that", "Voss", "was", "sold")
    rng = np.random.default_rng(13)
    texts = [" ".join(rng.choice(words, size=n)) for n in rng.integers(1, 60, size=90)]
    alone = list(nlp.pipe(texts, batch_size=1))
    for size, order in ((128, range(90)), (7, range(90)), (64, rng.permutation(90).tolist())):
        found = nlp.pipe([texts[place] for place in order], batch_size=size)
        for place, doc in zip(order, found, strict=True):
            assert np.array_equal(doc.tensor, alone[place].tensor)
            assert [(e.start, e.end, e.label) for e in doc.ents] == [
                (e.start, e.end, e.label) for e in alone[place].ents
            ]


def test_a_stage_that_counts_more_than_drops_is_refused(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    pages = warehouse.artifact("parse_wikipedia", "0" * 16)
    pages.put_part(PAGES, 0, [PAGES.batch([(1, "A", "A.", 1, None, False, [], "f" * 16)])])

    def run(config: StageConfig, inputs: Inputs) -> list[Rows]:
        inputs.count("pages")
        return []

    stage = Stage(
        "toy", version=1, config=StageConfig, reads=(PAGES,), writes=(SENTENCES,), run=run,
        row_local=lambda config: True,
    )  # fmt: skip
    inputs = Inputs(
        {},
        shard=Shard(0, Shards()),
        scratch=tmp_path,
        files=tmp_path / "files",
        downloads=tmp_path,
    )
    with pytest.raises(PlanError, match="toy is row-local"):
        list(Carried(Carry(pages.name), warehouse, 0).completed(stage, StageConfig(), inputs))
