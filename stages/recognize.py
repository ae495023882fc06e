"""recognize: cut articles into sentences and find the mentions of entities."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from stages.base import Inputs, Read, Rows, Stage, StageConfig, by_page, runtime, span_of
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

    model: str = Field(
        "blank",
        min_length=1,
        description="spaCy pipeline: blank (hyperlinks and titles only), trained (learnt by "
        "train_ner), name==version of an installed one, or the folder of one, also zipped",
    )
    batch_size: int = runtime(128, ge=1, description="paragraphs that spaCy takes at once")
    gpu: bool = runtime(True, description="use a GPU where spaCy finds one")


def recognize(config: RecognizeConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `sentences` and `mentions` of each article.

    Where mentions overlap, a hyperlink wins over a title and a title over NER. A sentence border
    that falls inside a mention is taken out.

    Drops: "disambiguation" (pages), "overlaps_hyperlink", "overlaps_title" (mentions).
    """
    from stages.ner.pipeline import load, split

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
        linked = [span_of(h) for h in hyperlinks.get(page_id, []) if h["char_start"] is not None]
        cuts: list[Span] = []
        found: list[Mention] = []
        for block in paragraphs.get(page_id, []):
            inner, entities = next(pieces)
            start = block["char_start"]
            cuts += [(start + a, start + b) for a, b in inner]
            found += [((start + a, start + b), kind, "ner") for (a, b), kind in entities]
        mentions = resolve(page_id, linked, title_spans(page), found, inputs)
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
    found: Sequence[Mention],
    inputs: Inputs,
) -> list[Mention]:
    """Return the mentions of a page of which no two overlap, sorted by span.

    A hyperlink whose very span NER found too takes its entity type.
    """
    types = {span: kind for span, kind, _ in found}
    hyperlinks = without_overlap(dict.fromkeys(linked), [])
    free_titles = without_overlap(titles, sorted(hyperlinks))
    inputs_lost(inputs, "overlaps_hyperlink", page_id, len(titles) - len(free_titles))
    taken = sorted([*hyperlinks, *free_titles])
    spans = [span for span, _, _ in found]
    free = without_overlap(spans, sorted(hyperlinks))
    inputs_lost(inputs, "overlaps_hyperlink", page_id, len(spans) - len(free))
    free_of_titles = without_overlap(free, taken)
    inputs_lost(inputs, "overlaps_title", page_id, len(free) - len(free_of_titles))
    mentions: list[Mention] = [(span, types.get(span), "hyperlink") for span in hyperlinks]
    mentions += [(span, types.get(span), "title") for span in free_titles]
    mentions += [(span, types[span], "ner") for span in free_of_titles]
    return sorted(mentions, key=lambda mention: mention[0])


def inputs_lost(inputs: Inputs, reason: str, page_id: int, count: int) -> None:
    """Count mentions that lost against others on a page, if any did."""
    if count:
        inputs.drop(reason, page_id, count)


def title_spans(page: Mapping[str, Any]) -> list[Span]:
    """Return where a page names its own entity: its title, and the bold names of its lead.

    A name counts as a whole word only; of names that overlap, the longest counts.
    """
    from stages.ner.words import whole_words

    text = page["text"]
    names = {text[b["char_start"] : b["char_end"]].strip() for b in page["bold_names"]}
    names.add(re.sub(r"\s*\([^()]*\)$", "", page["title"]))
    names = {name for name in names if len(name) > 1}
    if not names:
        return []
    return [m.span() for m in whole_words(names).finditer(text)]


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


RECOGNIZE = Stage(
    "recognize",
    version=2,
    config=RecognizeConfig,
    reads=reads,
    writes=(SENTENCES, MENTIONS),
    run=recognize,
    facts=facts,
    check=check,
)
