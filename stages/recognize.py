"""recognize: cut articles into sentences and find the mentions of entities."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stages.base import (
    Inputs,
    Read,
    Rows,
    Stage,
    StageConfig,
    by_page,
    located,
    runtime,
    span_of,
)
from storage.errors import ConfigError
from storage.fingerprint import file_digest, fingerprint
from storage.spans import Span, merge_across, without_overlap
from storage.tables import HYPERLINKS, MENTIONS, NER_SCORES, PAGES, PARAGRAPHS, SENTENCES, SITE

TRAINED = "trained"
"""Model that the stage train_ner makes."""

Mention = tuple[Span, str | None, str]
"""Span in code points of the page's text, entity type, source."""


class RecognizeConfig(StageConfig):
    """Which pipeline cuts sentences and finds mentions."""

    model: str = located(
        "blank",
        min_length=1,
        description="spaCy pipeline: blank (hyperlinks and titles only), trained (learnt by "
        "train_ner), name==version of an installed one, or the folder of one, also zipped",
    )
    batch_size: int = runtime(128, ge=1, description="paragraphs that spaCy takes at once")
    gpu: bool = runtime(True, description="use a GPU where spaCy finds one")
    carry_over_on_gpu: bool = runtime(
        False,
        description="with a GPU too, carry the rows of unchanged pages over from an earlier dump: "
        "there a model may find other mentions for a page from batch to batch",
    )


def recognize(config: RecognizeConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `sentences` and `mentions` of each article.

    Beside hyperlinks, the page's own names and what NER finds, a name that is hyperlinked counts
    wherever it stands again. Where mentions overlap, a hyperlink wins over a title, a title over
    such a repeat, and a repeat over NER, unless NER found a longer name around it. A sentence
    border that falls inside a mention is taken out.

    Drops: "disambiguation" (pages), "within_longer_name" (titles and repeats),
    "overlaps_hyperlink", "overlaps_title", "overlaps_repeat" (mentions), all under the id of their
    page, as a row-local stage must.
    """
    from stages.linking.names import occurrences
    from stages.ner.pipeline import load, split
    from stages.ner.words import lower_case_words

    name = model_name(config.model)
    if name == TRAINED:
        name = str(inputs.files(NER_SCORES)["ner_model.zip"])
    nlp = load(name, inputs.rows(SITE)["language"][0].as_py(), gpu=config.gpu)
    paragraphs = by_page(inputs.rows(PARAGRAPHS))
    hyperlinks = by_page(inputs.rows(HYPERLINKS))
    pages = inputs.rows(PAGES).to_pylist()
    # All blocks go through spaCy as one stream: its batches take no notice of pages.
    texts = (
        page["text"][block["char_start"] : block["char_end"]]
        for page in pages
        if not page["disambiguation"]
        for block in paragraphs.get(page["page_id"], [])
    )
    pieces = split(nlp, texts, config.batch_size)
    for page in pages:
        page_id, text = page["page_id"], page["text"]
        if page["disambiguation"]:
            inputs.drop("disambiguation", page_id)
            continue
        shown = [h for h in hyperlinks.get(page_id, []) if h["char_start"] is not None]
        plain = lower_case_words(text)
        titles, lost = occurrences(text, title_names(page), plain)
        repeats, more = occurrences(text, repeated_names(text, shown), plain)
        inputs_lost(inputs, "within_longer_name", page_id, lost + more)
        cuts: list[Span] = []
        found: list[Mention] = []
        for block in paragraphs.get(page_id, []):
            inner, entities = next(pieces)
            start = block["char_start"]
            cuts += [(start + a, start + b) for a, b in inner]
            found += [((start + a, start + b), kind, "ner") for (a, b), kind in entities]
        mentions = resolve(page_id, [span_of(h) for h in shown], titles, repeats, found, inputs)
        cuts = merge_across(cuts, [span for span, _, _ in mentions])
        yield SENTENCES, SENTENCES.batch([(page_id, i, a, b) for i, (a, b) in enumerate(cuts)])
        yield (
            MENTIONS,
            MENTIONS.batch(
                [(page_id, a, b, text[a:b], kind, source) for (a, b), kind, source in mentions]
            ),
        )


def resolve(
    page_id: int,
    linked: Sequence[Span],
    titles: Sequence[Span],
    repeats: Sequence[Span],
    found: Sequence[Mention],
    inputs: Inputs,
) -> list[Mention]:
    """Return the mentions of a page of which no two overlap, sorted by span.

    Whatever has the very span that NER found too takes its entity type.
    """
    types = {span: kind for span, kind, _ in found}
    longer = sorted(types)
    kept = dict.fromkeys(linked, "hyperlink")
    repeated = [span for span in repeats if not strictly_within(span, longer)]
    for source, spans in (("title", titles), ("repeat", repeated), ("ner", list(types))):
        for stronger in ("hyperlink", "title", "repeat"):
            taken = sorted(span for span, of in kept.items() if of == stronger)
            free = without_overlap(spans, taken)
            if source != "repeat":
                # A repeat that is the hyperlink or title itself is no loss.
                inputs_lost(inputs, f"overlaps_{stronger}", page_id, len(spans) - len(free))
            spans = free
        kept |= dict.fromkeys(spans, source)
    return [(span, types.get(span), kept[span]) for span in sorted(kept)]


def strictly_within(span: Span, others: Sequence[Span]) -> bool:
    """Whether one of some sorted spans, of which no two overlap, holds a span and more."""
    at = bisect_right(others, (span[0], span[1])) - 1
    near = others[max(at, 0) : at + 2]
    return any(a <= span[0] and span[1] <= b and (a, b) != span for a, b in near)


def inputs_lost(inputs: Inputs, reason: str, page_id: int, count: int) -> None:
    """Count mentions that lost against others on a page, if any did."""
    if count:
        inputs.drop(reason, page_id, count)


def title_names(page: Mapping[str, Any]) -> set[str]:
    """Return by which words a page names its own entity: its title, and the bold ones of its lead.

    Names of one letter are none.
    """
    text = page["text"]
    names = {text[b["char_start"] : b["char_end"]].strip() for b in page["bold_names"]}
    names.add(re.sub(r"\s*\([^()]*\)$", "", page["title"]))
    return {name for name in names if len(name) > 1}


def repeated_names(text: str, hyperlinks: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the words of hyperlinks that are names wherever they stand on the page.

    They are capitalised, of three letters or more, and lead to one title only: without capitals a
    name is not to be told from a word.
    """
    targets: dict[str, set[tuple[str, str]]] = {}
    for link in hyperlinks:
        words = text[link["char_start"] : link["char_end"]]
        targets.setdefault(words, set()).add((link["target_title"], link["fragment"]))
    return {
        words
        for words, found in targets.items()
        if len(words) > 2 and words[0].isupper() and len(found) == 1
    }


def model_name(model: str) -> str:
    """Return the name of a model without its version."""
    return model.partition("==")[0]


def facts(config: RecognizeConfig) -> dict[str, str]:
    """Return the version of the model: it counts, whether or not the recipe pins it.

    Raises:
        ConfigError: If the recipe pins no version and the model is not installed.
    """
    name, _, version = config.model.partition("==")
    if name in ("blank", TRAINED) or version:
        return {}
    if Path(name).is_file():
        return {"model": file_digest(Path(name))}
    if is_folder(name):
        files = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return {"model": fingerprint([[str(p.relative_to(name)), file_digest(p)] for p in files])}
    return {"model": installed_version(name, name)}


def installed_version(name: str, wanted: str) -> str:
    """Return the version of an installed spaCy pipeline.

    Args:
        name: Name of its package.
        wanted: What `spacy download` would be asked for.

    Raises:
        ConfigError: If it is not installed, with the command that installs it.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise ConfigError(
            f"the spaCy model {name!r} is not installed",
            mend=f"Install it: python -m spacy download {wanted}; or do without NER: "
            "--set recognize.model=blank",
        ) from error


def is_folder(name: str) -> bool:
    """Whether a model is the folder of one, and not an installed one.

    Raises:
        ConfigError: If it is the folder of something else.
    """
    if not Path(name).is_dir():
        return False
    if not (Path(name) / "config.cfg").is_file():
        raise ConfigError(
            f"recognize.model is {name!r}, a folder without config.cfg: no spaCy model",
            mend="Name the folder that `nlp.to_disk` wrote, or do without NER: "
            "--set recognize.model=blank",
        )
    return True


def check(config: RecognizeConfig) -> None:
    """Check that the model is installed, in the version that the recipe pins.

    Raises:
        ConfigError: If it is not, with the command that installs it.
    """
    name, _, version = config.model.partition("==")
    if name in ("blank", TRAINED) or Path(name).is_file() or is_folder(name):
        return
    wanted = f"{name}-{version} --direct" if version else name
    here = installed_version(name, wanted)
    if version and here != version:
        raise ConfigError(
            f"the spaCy model {name} is installed in version {here}, the recipe wants {version}",
            mend=f"Install that one: python -m spacy download {wanted}",
        )


def reads(config: RecognizeConfig) -> tuple[Read, ...]:
    """Return what it reads: a model of train_ner only where that is wanted."""
    tables: tuple[Read, ...] = (PAGES, PARAGRAPHS, HYPERLINKS, SITE)
    return (*tables, NER_SCORES) if config.model == TRAINED else tables


def row_local(config: RecognizeConfig) -> bool:
    """Whether a page's rows hang on that page alone.

    On a CPU the products of matrices come out the same to the bit whatever else is in a batch.
    """
    gpu = config.gpu and find_spec("cupy") is not None and Path("/dev/nvidiactl").exists()
    return model_name(config.model) == "blank" or config.carry_over_on_gpu or not gpu


RECOGNIZE = Stage(
    "recognize",
    version=4,
    config=RecognizeConfig,
    reads=reads,
    writes=(SENTENCES, MENTIONS),
    run=recognize,
    facts=facts,
    check=check,
    row_local=row_local,
)
