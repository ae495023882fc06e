"""The tuples of a corpus in formats that others read, each with its card and licences."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pipeline.card import card
from pipeline.corpus_files import FEATURES, WRITERS, Exported, opened
from pipeline.documents import Made, documents
from stages.annotated.write import NA
from storage.errors import ConfigError
from storage.reading import Tables

Format = Literal["docred", "erica", "opennre", "parquet"]

HOW = {
    "docred": """\
One JSON array of documents, as DocRED's: `title`, `sents` (tokens of each sentence), `vertexSet`
(entities, each a list of mentions with `pos` [first, end) in the tokens of sentence `sent_id`, and
the QID as `id`), `labels` (`h`, `t`, `r`; `evidence` is empty where nobody said which sentence
states a label). A page with several documents has their places in its titles.""",
    "erica": """\
JSON arrays of documents as ERICA's scripts write them before word pieces are made: as DocRED's,
without titles, and `pos` lists every token of all mentions of an entity in a sentence.""",
    "opennre": """\
JSON lines as OpenNRE's: `token`, `h` and `t` (`name`, `id`, `type`, `pos` [first, end)),
`relation`. A line is a relation of a pair within one sentence, `NA` for none; a pair with two
relations has two lines; pairs across sentences are left out. `rel2id.json` numbers the
relations.""",
    "parquet": """\
A row is a document: `text`, `sentences` and `entities` with spans in code points of that text,
`tuples` with `head` and `tail` as ordinals of entities and their `pids`, empty for NA.""",
}

WHOLE = "The numbers above are those of the whole corpus, before anything was held out of it."

LEFT_OUT = """\
`left_out` lists the ordered pairs of entities with a QID that have no tuple: they were left out on
purpose (too far apart, deprecated statements only, not sampled, held out) and are no negatives."""

NO_TUPLE = """\
A pair that stands nowhere here was left out on purpose (too far apart, deprecated statements only,
not sampled, held out) and is no negative."""

CUT = {
    "held_out": "tuples held out for a benchmark",
    "sampled_out": "tuples sampled out, each one too many of its relations",
}
"""What to call tuples that hold_out cut, by verdict."""

DATA = {
    "docred": "train.json",
    "erica": "train-*.json",
    "opennre": "train.jsonl",
    "parquet": "train-*.parquet",
}


def export_tuples(
    tables: Tables, format: Format, out: Path, told: Callable[[int], None] = lambda _: None
) -> Exported:
    """Write all documents with tuples, the relations' names, the card and the attribution.

    What hold_out cut is left out and counted: tuples and documents that a benchmark is protected
    from, and tuples that are too many of their relations.

    Args:
        out: A folder that is empty or not there yet.
        told: Is told after each shard how many documents are written.

    Raises:
        ConfigError: If the folder holds something.
        MissingArtifactError: If there are no tuples, or hold_out has not judged them.
    """
    for table in ("tuples", "splits"):
        tables.artifact(table)
    require_empty(out)
    done = Exported()
    relations: set[str] = set()
    revisions: dict[int, tuple[str, int]] = {}

    def left_out(what: str, count: int = 1) -> None:
        done.left_out[what] = done.left_out.get(what, 0) + count

    def watched() -> Iterator[list[Made]]:
        for made in documents(tables, lambda _: left_out("documents held out for a benchmark")):
            for each in made:
                for verdict, count in each.cut.items():
                    left_out(CUT[verdict], count)
                relations.update(r.name for r in each.document.relations)
                revisions[each.page_id] = (each.document.title, each.revision_id)
                done.labels += len(each.document.relations)
            done.documents += len(made)
            yield made
            told(done.documents)

    WRITERS[format](watched(), out, done, len(tables.manifest("tuples").records))
    write_names(tables, sorted(relations), format, out, done)
    write_attribution(tables, revisions, out, done)
    write_card(tables, format, out, done)
    return done


def require_empty(out: Path) -> None:
    """Check that nothing would be written over.

    Raises:
        ConfigError: If the folder holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"--out is {out}, which is {'not empty' if out.is_dir() else 'a file'}",
            mend="Name a folder that is empty or not there yet",
        )


def export_model(tables: Tables, table: str, variant: str | None, out: Path) -> list[Path]:
    """Copy the folder of an encoder, or of a fine-tuned model, and return its files.

    Args:
        table: encoders or predictions.
        variant: Of which step; None where there is one.
        out: A folder that is empty or not there yet.

    Raises:
        ConfigError: If the folder holds something, or the step kept no model.
    """
    files = tables.files(table, variant)
    require_empty(out)
    if "config.json" not in files:
        step = tables.step(table, variant)
        raise ConfigError(
            f"{step} of {tables.origin} kept no model",
            mend=f"Make it with one: relmill run RECIPE --set {step}.keep_model=true",
        )
    out.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(path, out / name)) for name, path in sorted(files.items())]


def write_names(
    tables: Tables, relations: list[str], format: Format, out: Path, done: Exported
) -> None:
    """Write what each relation is called, and for OpenNRE its number: NA is 0."""
    names: dict[str, str] = {}
    if "properties" in tables.stages:
        rows = tables.sql("SELECT pid, label FROM properties WHERE label IS NOT NULL").to_pylist()
        names = {row["pid"]: row["label"] for row in rows}
    with opened(out / "rel_info.json", done) as put:
        put(json.dumps({r: names.get(r, r) for r in relations}, ensure_ascii=False, indent=1))
    if format == "opennre":
        with opened(out / "rel2id.json", done) as put:
            numbered = enumerate([NA, *(r for r in relations if r != NA)])
            put(json.dumps({name: number for number, name in numbered}, indent=1))


def write_attribution(
    tables: Tables, revisions: dict[int, tuple[str, int]], out: Path, done: Exported
) -> None:
    """Write the revision of each text, with the link that names its authors."""
    host = host_of(tables)
    with opened(out / "attribution.tsv", done) as put:
        put("page_id\ttitle\trevision_id\tlink\n")
        for page_id, (title, revision) in sorted(revisions.items()):
            link = f"https://{host}/w/index.php?oldid={revision}" if host and revision else ""
            put(f"{page_id}\t{title}\t{revision}\t{link}\n")


def host_of(tables: Tables) -> str:
    """Return the host of the wiki; empty where the texts are not those of one known Wikipedia."""
    if not {"site", "sources"} <= set(tables.stages):
        return ""
    names = set(tables.arrow("site")["dbname"].to_pylist())
    licences = [
        r["licence"] for r in tables.arrow("sources").to_pylist() if r["source"] == "wikipedia"
    ]
    name = names.pop() if len(names) == 1 else ""
    if not name.endswith("wiki") or not all("CC BY-SA" in licence for licence in licences):
        return ""
    return f"{name.removesuffix('wiki').replace('_', '-')}.wikipedia.org"


def write_card(tables: Tables, format: Format, out: Path, done: Exported) -> None:
    """Write README.md: the corpus's card, how the files read, and where `datasets` finds them."""
    left = "".join(f"\n\nLeft out: {n:,} {what}." for what, n in done.left_out.items() if n)
    with opened(out / "README.md", done) as put:
        put(
            "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
            f"    path: {DATA[format]}\n{features(format)}---\n\n"
            f"{card(tables)}\n\n## Files\n\n{HOW[format]}\n\n{WHOLE}\n\n"
            f"{LEFT_OUT if format in ('docred', 'erica') else NO_TUPLE}{left}\n\n"
            "`rel_info.json` names the relations, `attribution.tsv` the revision of each text.\n"
            "With Hugging Face's `datasets`: `load_dataset(FOLDER)`.\n"
        )


def features(format: Format) -> str:
    """Return the columns of a JSON format as a line of the card's head; Parquet has its own."""
    if format not in FEATURES:
        return ""
    return f"dataset_info: {json.dumps({'features': FEATURES[format]})}\n"
