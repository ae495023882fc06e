"""The command line on a finished warehouse: what it prints, writes, refuses, and ends with."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from pipeline.config import builtin_recipes
from storage import open_warehouse
from storage.errors import MissingArtifactError
from storage.refs import Refs
from storage.warehouse import Warehouse
from tests.end_to_end.conftest import Made
from tests.end_to_end.kit import (
    MADE,
    STAGES,
    answer,
    artifacts_in,
    copied,
    done,
    newest,
    parts_of,
    relmill,
)

SHORT = ["--set", "segment.min_words=60"]
AFTER = ("segment", "align", "count_relations", "hold_out")
"""The steps that SHORT makes anew."""
COUNTS = "SELECT count(*) AS n, min(page_id) AS first FROM pages"


@pytest.fixture
def root(made: Made, tmp_path: Path) -> Path:
    """A finished warehouse that the test may change."""
    return copied(made.root, tmp_path / "warehouse")


@pytest.fixture(scope="module")
def two(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two runs: `tiny` under the tag `first`, then with longer documents."""
    root = copied(made.root, tmp_path_factory.mktemp("two") / "warehouse")
    done("tag", "first", "tiny", "--root", root)
    done("run", "tiny", "--in-process", "--workers", 1, *SHORT, "--root", root)
    return root


# plan and explain


def test_plan_of_a_made_warehouse_says_that_all_is_current(made: Made) -> None:
    lines = done("plan", "tiny", "--root", made.root).splitlines()
    assert [line.split()[:2] for line in lines[: len(STAGES)]] == [[s, "current"] for s in STAGES]
    assert "nothing to do" in lines[-1]
    assert relmill("plan", "tiny", "--check", "--root", made.root).code == 0


def test_plan_says_in_words_what_a_changed_value_makes_stale(made: Made) -> None:
    out = done("plan", "tiny", *SHORT, "--root", made.root)
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "min_words: 40 -> 60" in lines["segment"]
    assert "4 shards, last took" in lines["segment"]
    assert "waits for segment; reused if its output is unchanged" in lines["align"]
    assert lines["link"].split() == ["link", "current"]
    after = STAGES[STAGES.index("segment") + 1 :]
    waiting = sum("waits for" in lines[name] for name in after)
    assert f"1 of {len(STAGES)} steps to run; {waiting} more wait" in out
    assert "relmill run tiny --set segment.min_words=60" in out


def test_plan_of_a_fresh_warehouse_says_what_was_never_made_and_makes_nothing(
    tmp_path: Path,
) -> None:
    root = tmp_path / "nothing"
    out = done("plan", "tiny", "--to", "segment", "--root", root)
    assert "never made" in out
    assert "link" not in out
    assert not root.exists()


def test_plan_as_json_names_steps_shards_and_fingerprints(made: Made) -> None:
    plan = json.loads(done("plan", "tiny", *SHORT, "--json", "--root", made.root))
    assert plan["stale"] == list(AFTER)
    steps = {step["stage"]: step for step in plan["steps"]}
    assert list(steps) == list(STAGES)
    assert steps["segment"]["todo"] == [0, 1, 2, 3]
    assert steps["segment"]["reasons"] == ["min_words: 40 -> 60"]
    assert (steps["align"]["todo"], steps["align"]["fingerprint"]) == (None, None)
    assert steps["link"]["artifact"] == newest(made.root).steps["link"]


def test_plan_with_check_ends_with_3_where_something_is_stale(made: Made) -> None:
    assert relmill("plan", "tiny", *SHORT, "--check", "--root", made.root).code == 3


def test_explain_tells_config_inputs_and_how_it_was_last_made(made: Made) -> None:
    out = done("explain", "tiny", "segment", *SHORT, "--root", made.root)
    assert out.startswith("segment: CONFIG\n  min_words: 40 -> 60\n")
    for word in ("reads pages", "reads paragraphs", "fingerprint", 'config then {"min_words": 40}'):
        assert word in out
    assert "4 of 4 shards to make" in out


# run


def test_run_to_a_stage_makes_that_and_what_it_needs(root: Path) -> None:
    done("run", "tiny", "--to", "segment", "--in-process", *SHORT, "--root", root)
    assert newest(root).made == ["segment"]
    assert newest(root).target == "segment"


def test_run_only_refuses_while_something_above_is_stale(root: Path) -> None:
    refused = relmill("run", "tiny", "--only", "align", *SHORT, "--in-process", "--root", root)
    assert refused.code == 2
    assert refused.err.startswith("PlanError: align depends on segment, which is stale.")
    assert "relmill run tiny --set segment.min_words=60 --to align" in refused.err
    done("run", "tiny", "--only", "segment", *SHORT, "--in-process", "--root", root)
    done("run", "tiny", "--only", "align", *SHORT, "--in-process", "--root", root)
    assert newest(root).made == ["align"]


def test_run_force_makes_a_current_stage_again(root: Path) -> None:
    before = parts_of(root)
    words = ("run", "tiny", "--force", "link", "--in-process", "--workers", 1, "--root", root)
    assert "link             " in done(*words)
    assert newest(root).status == "succeeded"
    assert parts_of(root) == before


def test_asking_for_less_later_does_not_hide_what_there_is(root: Path) -> None:
    done("run", "tiny", "--to", "parse_wikidata", "--root", root)
    assert answer(root, "SELECT count(*) AS n FROM tuples")[0]["n"] > 10_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "parse_wikipdia"], "no stage 'parse_wikipdia'. Did you mean parse_wikipedia?"),
        (["--force", "lnk"], "Did you mean link?"),
        (["--set", "segment.min_wrods=3"], "Did you mean segment.min_words?"),
        (["--set", "segmnt.min_words=3"], "there is no section or value 'segmnt'"),
        (["--set", "segment.min_words=few"], "segment.min_words is 'few'"),
        (["--set", "segment.min_words=0"], "greater than or equal to 1"),
        (["--set", "segment.min_words"], "is not stage.field=value"),
        (["--set", "recognize.model=xx_none"], "python -m spacy download xx_none"),
        (["--set", "fetch.wikidata=/no/such/dump.json.bz2"], "there is no file /no/such/dump"),
    ],
)
def test_what_a_user_mistook_is_said_in_one_sentence_before_anything_runs(
    words: list[str], says: str, tmp_path: Path
) -> None:
    refused = relmill("run", "tiny", *words, "--root", tmp_path / "warehouse")
    assert refused.code == 2
    assert says in refused.err
    assert "Traceback" not in refused.text
    assert not (tmp_path / "warehouse" / "artifacts").exists()


def test_a_root_under_a_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = relmill("run", "tiny", "--root", tmp_path / "file" / "warehouse")
    assert refused.code == 2
    assert "cannot be written" in refused.err
    assert "--root or RELMILL_ROOT" in refused.err


def test_a_recipe_may_be_a_file(tmp_path: Path, made: Made) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'seed = 13\nshards = { page = 4, item = 2 }\n[fetch]\nwikipedia = "sample:13"\n'
        'wikidata = "sample:13"\n[segment]\nmin_words = 40\n[recognize]\nmodel = "trained"\n'
        "[train_ner]\npages = 100\nmax_steps = 150\nevaluate_every = 50\n"
    )
    assert relmill("plan", recipe, "--check", "--root", made.root).code == 0
    recipe.write_text("seed = \n")
    broken = relmill("plan", recipe, "--root", made.root)
    assert broken.code == 2
    assert "own.toml: no TOML" in broken.err
    assert "line 1" in broken.err


def test_the_root_may_come_from_the_environment(made: Made) -> None:
    assert "nothing to do" in done("plan", "tiny", RELMILL_ROOT=str(made.root))


# recipes, config, draw


def test_recipes_lists_every_builtin() -> None:
    out = done("recipes")
    assert [line.split()[0] for line in out.splitlines()[2:]] == sorted(builtin_recipes())


def test_config_prints_every_value_with_default_range_and_meaning() -> None:
    out = done("config", "tiny", "segment")
    assert "min_words = 40   # int >= 1; default 128" in out
    assert '"paragraph" | "lead" | "page" | "sentence"' in out
    assert "words that a document may have" in out
    assert "[recognize]" not in out
    whole = done("config", "tiny", *SHORT)
    assert all(f"[{stage}]" in whole for stage in STAGES)
    assert "min_words = 60" in whole
    assert "batch_size = 128   # int >= 1; default 128  (changes speed, never rows)" in whole


def test_draw_prints_every_stage_and_every_table() -> None:
    out = done("draw")
    assert out.startswith("flowchart TD")
    for name in (*STAGES, *MADE):
        assert name in out
    assert "segment -- documents --> align" in out


# show, sql, trace


def test_show_lists_every_table_with_rows_and_sources(made: Made) -> None:
    out = done("show", "tiny", "--root", made.root)
    for name in MADE:
        assert f"\n{name} " in out
    assert "samplewiki-20260101-pages-articles-multistream.xml.bz2" in out
    assert "20260101" in out
    assert "Apache-2.0" in out


def test_show_tells_all_about_one_table(made: Made) -> None:
    out = done("show", "tiny", "tuples", "--root", made.root)
    for column in MADE["tuples"].columns:
        assert column.meaning in out
    for word in ("few_triples", "made by  align version", "sorted by page_id", "segment/"):
        assert word in out


def test_show_of_an_unknown_table_lists_those_there_are(made: Made) -> None:
    refused = relmill("show", "tiny", "tupels", "--root", made.root)
    assert refused.code == 2
    assert "no table 'tupels'" in refused.err
    assert "tuples" in refused.err


def test_sql_answers_in_every_format(made: Made, tmp_path: Path) -> None:
    rows = answer(made.root, COUNTS)
    assert rows == [{"n": 243, "first": rows[0]["first"]}]
    table = done("sql", "tiny", COUNTS, "--root", made.root)
    assert table.splitlines()[0].split() == ["n", "first"]
    assert "(1 row)" in table
    text = done("sql", "tiny", COUNTS, "--format", "csv", "--root", made.root)
    assert list(csv.DictReader(io.StringIO(text))) == [{k: str(v) for k, v in rows[0].items()}]
    for form in ("table", "csv", "json", "parquet"):
        path = tmp_path / f"rows.{form}"
        out = done("sql", "tiny", COUNTS, "--format", form, "--output", path, "--root", made.root)
        assert out.strip() == f"1 rows in {path}" or out.strip() == f"1 row in {path}"
        assert path.stat().st_size > 0
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    assert json.loads((tmp_path / "rows.json").read_text()) == rows[0]
    assert (tmp_path / "rows.csv").read_text() == text


def test_sql_writes_lists_and_times_in_every_format(made: Made, tmp_path: Path) -> None:
    query = "SELECT t.pids, p.revision_time FROM tuples t JOIN pages p USING (page_id) LIMIT 3"
    assert len(answer(made.root, query)) == 3
    text = done("sql", "tiny", query, "--format", "csv", "--root", made.root)
    first = next(csv.DictReader(io.StringIO(text)))
    assert isinstance(json.loads(first["pids"]), list)


def test_sql_knows_saved_questions(made: Made) -> None:
    assert "place of birth" in done("sql", "tiny", "@relation_counts", "--root", made.root)
    assert "few_triples" in done("sql", "tiny", "@dropped_rows", "--root", made.root)
    assert done("sql", "tiny", "@link_sample", "--root", made.root)
    refused = relmill("sql", "tiny", "@relations", "--root", made.root)
    assert refused.code == 2
    assert "Saved: @dropped_rows, @link_sample, @relation_counts." in refused.err


def test_sql_that_is_wrong_is_refused_in_duckdbs_words(made: Made) -> None:
    refused = relmill("sql", "tiny", "SELECT nothing FROM pages", "--root", made.root)
    assert refused.code == 2
    assert 'column "nothing" not found' in refused.err
    assert "The tables are aliases, " in refused.err
    assert "Traceback" not in refused.err


def test_with_set_only_tables_of_just_that_config_are_shown(two: Path) -> None:
    query = "SELECT count(*) AS n, min(words) AS shortest FROM documents"
    # Without overrides, the newest run counts; with them, the tables that they make.
    longer, first = answer(two, query), answer(two, query, "--set", "segment.min_words=40")
    assert longer == answer(two, query, *SHORT)
    assert longer[0]["shortest"] >= 60 > first[0]["shortest"] >= 40
    assert first == answer(two, query, "--tag", "first")
    assert "40" in done("show", "tiny", "documents", "--tag", "first", "--root", two)


@pytest.mark.parametrize("command", [["show", "tiny", "tuples"], ["sql", "tiny", "FROM tuples"]])
def test_tables_not_made_yet_are_refused_with_the_command_that_makes_them(
    command: list[str], made: Made
) -> None:
    refused = relmill(*command, "--set", "segment.unit=page", "--root", made.root)
    assert refused.code == 2
    assert f"relmill run tiny --root {made.root} --set segment.unit=page" in refused.err


def test_a_warehouse_without_the_recipe_names_the_command_that_makes_it(tmp_path: Path) -> None:
    refused = relmill("show", "tiny", "--root", tmp_path)
    assert refused.code == 2
    assert f"relmill run tiny --root {tmp_path}" in refused.err


def test_tag_and_set_exclude_each_other(two: Path) -> None:
    refused = relmill("show", "tiny", "--tag", "first", *SHORT, "--root", two)
    assert refused.code == 2
    assert "--tag and --set exclude each other" in refused.err


def test_trace_follows_a_page_through_every_table(made: Made) -> None:
    title = answer(
        made.root,
        "SELECT title FROM pages JOIN tuples USING (page_id) GROUP BY 1 ORDER BY count(*) DESC",
    )[0]["title"]
    out = done("trace", "tiny", title, "--root", made.root)
    for block in ("pages", "hyperlinks", "sentences", "mentions", "links", "documents", "tuples"):
        assert f"\n\n{block}: " in f"\n\n{out}"
    assert title in out


def test_trace_of_a_redirect_or_a_misspelt_title_says_where_to_look(made: Made) -> None:
    redirect = answer(made.root, "SELECT title, target_title FROM redirects LIMIT 1")[0]
    refused = relmill("trace", "tiny", redirect["title"], "--root", made.root)
    assert refused.code == 2
    assert redirect["target_title"] in refused.err
    title = answer(made.root, "SELECT title FROM pages ORDER BY length(title) DESC LIMIT 1")
    near = relmill("trace", "tiny", f"{title[0]['title']}x", "--root", made.root)
    assert f"Near it: {title[0]['title']}" in near.err


# log, diff, tag, prune, verify


def test_log_lists_the_newest_run_first_with_what_it_made(two: Path) -> None:
    lines = done("log", "tiny", "--root", two).splitlines()[2:]
    assert [line.split()[1] for line in lines] == ["succeeded", "succeeded"]
    assert "segment, align" in lines[0]
    assert "segment.min_words=60" in lines[0]
    assert len(done("log", "other", "--root", two).splitlines()) == 2


def test_diff_tells_config_rows_and_a_sample_of_changed_rows(two: Path) -> None:
    run = newest(two).id
    out = done("diff", "first", run, "--table", "documents", "--root", two)
    assert "config min_words: 40 -> 60" in out
    assert "rows only in the old" in out
    assert "    - document_id=" in out
    assert "+ 0 rows only in the new" in out
    assert "the same artifact" in done("diff", "first", run, "--table", "pages", "--root", two)
    steps = [s.steps["segment"] for s in Refs(Warehouse(two)).runs()]
    assert "config min_words: 40 -> 60" in done("diff", steps[1], steps[0], "--root", two)
    assert relmill("diff", "first", run, "--root", two).code == 2
    assert "relmill log" in relmill("diff", "nothing", "first", "--root", two).err


def test_tag_lists_refuses_to_move_and_forgets(root: Path) -> None:
    done("tag", "one", "tiny", "--root", root)
    assert done("tag", "--root", root).splitlines()[2].split()[:2] == ["one", "tiny"]
    done("run", "tiny", "--only", "segment", *SHORT, "--in-process", "--root", root)
    refused = relmill("tag", "one", "tiny", "--root", root)
    assert refused.code == 2
    assert "relmill tag --remove one" in refused.err
    assert relmill("tag", "no spaces", "tiny", "--root", root).code == 2
    done("tag", "--remove", "one", "--root", root)
    assert len(done("tag", "--root", root).splitlines()) == 2


def test_prune_shows_first_and_takes_only_what_neither_tag_nor_run_holds(
    two: Path, tmp_path: Path
) -> None:
    root = copied(two, tmp_path / "warehouse")
    shutil.copytree(two / "tags", root / "tags", dirs_exist_ok=True)
    before = artifacts_in(root)
    options = ["--keep", "1", "--grace", "0", "--root", root]
    assert "0 artifacts" in done("prune", *options)
    done("tag", "--remove", "first", "--root", root)
    dry = done("prune", *options)
    doomed = set(dry.splitlines()[:-1])
    assert {name.split("/")[0] for name in doomed} == set(AFTER)
    assert "run again with --yes" in dry
    assert artifacts_in(root) == before
    done("prune", *options, "--yes")
    assert set(artifacts_in(root)) == set(before) - doomed
    assert relmill("verify", "--root", root).code == 0
    assert answer(root, "SELECT count(*) AS n FROM tuples")[0]["n"] > 0


def test_prune_leaves_young_artifacts_alone(root: Path) -> None:
    shutil.rmtree(root / "runs")
    assert "0 artifacts" in done("prune", "--keep", "0", "--root", root)


def test_verify_names_the_part_in_which_one_byte_was_flipped(root: Path) -> None:
    assert f"{len(STAGES)} artifacts are as they were made" in done("verify", "--root", root)
    warehouse = Warehouse(root)
    part = warehouse.named(newest(root).steps["link"]).part("links", 2)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    broken = relmill("verify", "tiny", "--root", root)
    assert broken.code != 0
    assert f"{newest(root).steps['link']}/links/part-00002.parquet is damaged" in broken.out
    assert "1 file of link is not as made" in broken.err
    part.unlink()
    assert "part-00002.parquet is missing" in relmill("verify", "--root", root).out


@pytest.mark.parametrize("way", ["forced", "folder removed"])
def test_what_verify_found_broken_is_made_again_as_it_says(
    way: str, root: Path, made: Made
) -> None:
    step = Warehouse(root).named(newest(root).steps["link"])
    step.part("links", 2).write_bytes(b"")
    mend = "relmill run RECIPE --force link; or remove their folders under artifacts/ and run"
    assert mend in relmill("verify", "--root", root).err
    force = ["--force", "link"] if way == "forced" else []
    if way == "folder removed":
        shutil.rmtree(step.folder)
    done("run", "tiny", *force, "--in-process", "--workers", 1, "--root", root)
    assert newest(root).made == ["link"]
    assert parts_of(root) == made.parts
    done("verify", "tiny", "--root", root)


def test_verify_finds_a_damaged_file_beside_the_tables(root: Path) -> None:
    file = next(root.glob("artifacts/index_aliases/*/files/*"))
    os.truncate(file, file.stat().st_size - 1)
    broken = relmill("verify", "--root", root)
    assert broken.code != 0
    assert f"files/{file.name} is damaged" in broken.out


# from other programs


def test_the_catalog_opens_in_any_duckdb_with_a_schema_a_recipe_and_tag(two: Path) -> None:
    with duckdb.connect(str(two / "catalog.duckdb"), read_only=True) as catalog:
        views = catalog.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall()
        assert {name for schema, name in views if schema == "tiny"} == set(MADE)
        assert {name for schema, name in views if schema == "first"} == set(MADE)
        counts = catalog.execute(
            "SELECT (SELECT count(*) FROM first.documents), (SELECT count(*) FROM tiny.documents)"
        ).fetchone()
        assert counts is not None
        assert counts[0] > counts[1] > 0
        stages = catalog.execute("SELECT stage, count(*) FROM manifests GROUP BY 1").fetchall()
        assert dict(stages) == dict.fromkeys(STAGES, 1) | dict.fromkeys(AFTER, 2)
        row = catalog.execute(
            "SELECT config->>'min_words', len(records) FROM manifests WHERE stage = 'segment' "
            "ORDER BY made_at LIMIT 1"
        ).fetchone()
        assert row is not None
        assert row[0] == "40"


def test_a_notebook_gets_tables_as_arrow(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELMILL_ROOT", raising=False)
    tables = open_warehouse(two).tables("tiny")
    documents = tables.arrow("documents")
    assert documents.schema.equals(MADE["documents"].schema)
    assert documents.num_rows == tables.sql("SELECT count(*) AS n FROM documents")["n"][0].as_py()
    assert open_warehouse(two).tagged("first").arrow("documents").num_rows > documents.num_rows
    assert all(path.is_file() for path in tables.paths("tuples"))
    with pytest.raises(MissingArtifactError, match="no successful run of tiny"):
        open_warehouse().tables("tiny")
