"""A knowledge graph and texts of one's own, from the files to labelled tuples."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.selection import select
from storage.warehouse import Warehouse
from tests.end_to_end.kit import done

RECIPE = """
shards = { page = 1, item = 2 }
[fetch]
facts = "FOLDER/facts.tsv"
labels = "FOLDER/names.tsv"
text = "FOLDER/text.jsonl"
[segment]
unit = "page"
"""
TEXT = "Mario Brun was a baker. He was born in Lirona, in the hills of Valdoria."


def test_facts_of_ones_own_label_texts_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "facts.tsv").write_text("mario\tborn_in\tlirona\nlirona\tlies_in\tvaldoria\n")
    (tmp_path / "names.tsv").write_text("mario\tMario Brun\nlirona\tLirona\n")
    start = TEXT.index("Lirona")
    place = {"start": start, "end": start + 6, "entity": "lirona"}
    line = {"id": "a1", "title": "Mario Brun", "entity": "mario", "text": TEXT}
    (tmp_path / "text.jsonl").write_text(json.dumps(line | {"mentions": [place]}))
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE.replace("FOLDER", str(tmp_path)))
    done("run", recipe, "--in-process", "--workers", 1, "--root", tmp_path / "w")
    rows = select(Warehouse(tmp_path / "w"), str(recipe)).sql(
        """SELECT h.own_id AS head, r.own_id AS relation, a.own_id AS tail, p.own_id AS page
        FROM tuples t, unnest(t.pids) AS labels(pid)
        JOIN own_ids h ON h.id = t.head_qid JOIN own_ids a ON a.id = t.tail_qid
        JOIN own_ids r ON r.id = pid JOIN own_ids p ON p.id = CAST(t.page_id AS VARCHAR)"""
    )
    assert rows.to_pylist() == [
        {"head": "mario", "relation": "born_in", "tail": "lirona", "page": "a1"}
    ]
