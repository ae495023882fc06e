"""recognize: cut articles into sentences and find the mentions of entities."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig, by_page, runtime, span_of
from storage.errors import ConfigError
from storage.fingerprint import file_digest, fingerprint
from storage.spans import Span, merge_across, without_overlap
from storage.tables import HYPERLINKS, MENTIONS, PAGES, PARAGRAPHS, SENTENCES, SITE

# Kana, ideographs and Hangul stand without spaces: a neighbour of these does not prolong a word.
LETTER = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"

Mention = tuple[Span, str | None, str]
"""Span in code points of the page's text, entity type, source."""


class RecognizeConfig(StageConfig):
    """Which pipeline cuts sentences and finds mentions."""

    model: str = Field(
        "blank",
        min_length=1,
        description="spaCy pipeline: blank (hyperlinks and titles only), name==version of an "
        "installed one, or the folder of one",
    )
    batch_size: int = runtime(128, ge=1, description="paragraphs that spaCy takes at once")


def recognize(config: RecognizeConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield `sentences` and `mentions` of each article.

    Where mentions overlap, a hyperlink wins over a title and a title over NER. A sentence border
    that falls inside a mention is taken out.

    Drops: "disambiguation" (pages), "overlaps_hyperlink", "overlaps_title" (mentions).
    """
    from stages.ner.pipeline import load, split

    nlp = load(model_name(config.model), inputs.rows(SITE)["language"][0].as_py())
    paragraphs = by_page(inputs.rows(PARAGRAPHS))
    hyperlinks = by_page(inputs.rows(HYPERLINKS))
    for page in inputs.rows(PAGES).to_pylist():
        page_id, text = page["page_id"], page["text"]
        if page["disambiguation"]:
            inputs.drop("disambiguation", page_id)
            continue
        blocks = [span_of(block) for block in paragraphs.get(page_id, [])]
        linked = [span_of(h) for h in hyperlinks.get(page_id, []) if h["char_start"] is not None]
        cuts: list[Span] = []
        found: list[Mention] = []
        pieces = split(nlp, (text[start:end] for start, end in blocks), config.batch_size)
        for (start, _), (inner, entities) in zip(blocks, pieces, strict=True):
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
    text = page["text"]
    names = {text[b["char_start"] : b["char_end"]].strip() for b in page["bold_names"]}
    names.add(re.sub(r"\s*\([^()]*\)$", "", page["title"]))
    names = {name for name in names if len(name) > 1}
    if not names:
        return []
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    pattern = "|".join(re.escape(name) for name in longest_first)
    return [m.span() for m in re.finditer(f"(?<!{LETTER})(?:{pattern})(?!{LETTER})", text)]


def model_name(model: str) -> str:
    """Return the name of a model without its version."""
    return model.partition("==")[0]


def facts(config: RecognizeConfig) -> dict[str, str]:
    """Return the version of the model: it counts, whether or not the recipe pins it.

    Raises:
        ConfigError: If the recipe pins no version and the model is not installed.
    """
    name, _, version = config.model.partition("==")
    if name == "blank" or version:
        return {}
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
    if name == "blank" or is_folder(name):
        return
    wanted = f"{name}-{version} --direct" if version else name
    here = installed_version(name, wanted)
    if version and here != version:
        raise ConfigError(
            f"the spaCy model {name} is installed in version {here}, the recipe wants {version}",
            mend=f"Install that one: python -m spacy download {wanted}",
        )


RECOGNIZE = Stage(
    "recognize",
    version=1,
    config=RecognizeConfig,
    reads=(PAGES, PARAGRAPHS, HYPERLINKS, SITE),
    writes=(SENTENCES, MENTIONS),
    run=recognize,
    facts=facts,
    check=check,
)
