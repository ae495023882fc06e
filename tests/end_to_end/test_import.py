"""A recipe with a corpus in the place of dumps: planned, run and read back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.kit import relmill

DOCUMENT = {
    "title": "Bridge",
    "sents": [["The", "bridge", "crosses", "the", "Ure", "."]],
    "vertexSet": [
        [{"name": "bridge", "sent_id": 0, "pos": [1, 2], "type": "LOC"}],
        [{"name": "Ure", "sent_id": 0, "pos": [4, 5], "type": "LOC"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P177", "evidence": [0]}],
}


def test_a_corpus_stands_in_the_place_of_dumps(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text(json.dumps([DOCUMENT]), "utf-8")
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        f'corpus = {{ format = "docred", path = "{tmp_path}/corpus.json" }}\n'
        "shards = { page = 2 }\n",
        "utf-8",
    )
    root = tmp_path / "warehouse"
    assert relmill("run", recipe, "--in-process", "--root", root).code == 0
    query = "SELECT count(*) FILTER (len(pids) > 0) AS labelled, count(*) AS pairs FROM tuples"
    told = relmill("sql", recipe, query, "--format", "json", "--root", root)
    assert json.loads(told.out) == {"labelled": 1, "pairs": 2}
    told = relmill("sql", recipe, "SELECT id FROM annotations", "--format", "json", "--root", root)
    assert json.loads(told.out) == {"id": "Bridge"}
    assert "Everything is current" in relmill("plan", recipe, "--root", root).out
