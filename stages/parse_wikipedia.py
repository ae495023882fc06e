"""parse_wikipedia: read articles to plain text with the exact place of every hyperlink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stages.base import Inputs, Pending, Rows, ShardCounts, Share, Stage, StageConfig, runtime
from stages.raw import file_names, is_own, shard_records
from storage.errors import StageError
from storage.fingerprint import rows_digest
from storage.tables import (
    HYPERLINKS,
    PAGES,
    PARAGRAPHS,
    REDIRECTS,
    SECTIONS,
    SITE,
    SOURCES,
    TEMPLATE_REDIRECTS,
)

if TYPE_CHECKING:
    from stages.wiki.dump import RawPage
    from stages.wiki.page import Hyperlink
    from stages.wiki.site import Site

ROWS_AT_ONCE = 64


class ParseWikipediaConfig(StageConfig):
    """How much damage a dump may have."""

    max_damaged_share: Share = runtime(
        0.001,
        description="share of pages that may be damaged; more, and more than 10, stop the run",
    )
    shards: ShardCounts = runtime(ShardCounts(), description="set by the recipe's own `shards`")


def parse_wikipedia(config: ParseWikipediaConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the text, sections, paragraphs and hyperlinks of each article, and the redirects.

    Drops (pages): "namespace" (not 0), "other_model" (no wikitext), "redirect_elsewhere" (to
    another namespace or wiki). Damaged pages are counted under their reason with a sample; of
    pages with the same id, all but the first are "duplicate_page_id".
    Counts: "template NAME" for templates that were dropped out of prose, by the name that their
    redirects lead to.
    """
    if is_own(inputs, "wikipedia"):
        yield from own_pages(config, inputs)
        return
    from stages.wiki.dump import parse_page
    from stages.wiki.records import DamagedRecord
    from stages.wiki.site import Site

    names = template_names(inputs)
    sites = [Site.from_json(text) for text in inputs.rows(SITE)["site"].to_pylist()]
    pending = Pending(PAGES, SECTIONS, PARAGRAPHS, HYPERLINKS, REDIRECTS)
    cut = config.shards.along("page")
    file_name = file_names(inputs, "wikipedia")
    known: set[int] = set()
    for number, (ordinal, record) in enumerate(shard_records(inputs, "wikipedia", cut), 1):
        inputs.seen(config.max_damaged_share)
        try:
            page = parse_page(record.data)
            if page.page_id in known:
                raise DamagedRecord("duplicate_page_id", f"title {page.title!r}")
        except DamagedRecord as damage:
            name = "a page without id" if record.key is None else f"page {record.key}"
            where = f"{file_name(ordinal)}, {name}, byte {record.where}"
            inputs.damaged(damage.reason, where=where, sample=str(damage.detail))
            continue
        known.add(page.page_id)
        if page.namespace != 0:
            inputs.drop("namespace", page.title)
        elif page.redirect_title is not None:
            add_redirect(page, sites[ordinal], pending, inputs)
        elif page.model != "wikitext":
            inputs.drop("other_model", page.title)
        else:
            add_article(page, sites[ordinal], pending, inputs, names.get(ordinal, {}))
        if number % ROWS_AT_ONCE == 0:
            yield from pending.flush()
    yield from pending.flush()


def own_pages(config: ParseWikipediaConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the same of texts of one's own, which fetch has checked.

    A mention whose entity is known is a hyperlink, what a text is about a redirect of its title.
    """
    from stages.own.texts import decoded

    pending = Pending(PAGES, SECTIONS, PARAGRAPHS, HYPERLINKS, REDIRECTS)
    records = shard_records(inputs, "wikipedia", config.shards.along("page"))
    known: set[int] = set()
    for number, (_, record) in enumerate(records, 1):
        text = decoded(record.data)
        page_id = text.page_id
        if page_id in known:
            inputs.seen(0.0)
            inputs.damaged("duplicate_page_id", where=f"text {text.id!r}", sample=text.name)
            continue
        known.add(page_id)
        sections = [(page_id, 0, 0, "", 0, len(text.text))]
        paragraphs = [(page_id, i, 0, "prose", *span) for i, span in enumerate(text.blocks())]
        links = sorted((m.start, m.end, m.entity) for m in text.mentions)
        hyperlinks = [
            (page_id, i, start, end, text.text[start:end], entity, "", "prose")
            for i, (start, end, entity) in enumerate(links)
        ]
        read: tuple[Any, ...] = (text.name, text.text, False, [])
        digest = rows_digest([*read, sections, paragraphs, hyperlinks])
        pending.add(PAGES, (page_id, *read[:2], 0, None, *read[2:], digest))
        pending.add(SECTIONS, *sections)
        pending.add(PARAGRAPHS, *paragraphs)
        pending.add(HYPERLINKS, *hyperlinks)
        if text.entity and text.entity != text.name:
            pending.add(REDIRECTS, (page_id, text.name, text.entity, ""))
        if number % ROWS_AT_ONCE == 0:
            yield from pending.flush()
    yield from pending.flush()


def add_redirect(page: RawPage, site: Site, pending: Pending, inputs: Inputs) -> None:
    """Add the row of a redirect of namespace 0.

    The export names the target page alone; the section stands only in the wikitext.
    """
    from stages.wiki.titles import normalise_title, parse_target, redirect_target

    target = redirect_target(page.text, site) or parse_target(page.redirect_title or "", site)
    if target.namespace != 0 or not target.title or target.interwiki:
        inputs.drop("redirect_elsewhere", page.title)
        return
    title = normalise_title(page.title, site)
    pending.add(REDIRECTS, (page.page_id, title, target.title, target.fragment))


def template_names(inputs: Inputs) -> dict[int, Mapping[str, str]]:
    """Return, by dump file, where each redirect of a template leads in the end."""
    from stages.wiki.template_redirects import canonical_names

    rows: dict[int, list[tuple[str, str]]] = {}
    for row in inputs.rows(TEMPLATE_REDIRECTS).to_pylist():
        rows.setdefault(row["ordinal"], []).append((row["title"], row["target_title"]))
    return {ordinal: canonical_names(found) for ordinal, found in rows.items()}


def add_article(
    page: RawPage, site: Site, pending: Pending, inputs: Inputs, templates: Mapping[str, str]
) -> None:
    """Add the rows of an article; every span was cut out of the text and compared.

    Args:
        templates: Where each redirect of a template leads.
    """
    from stages.wiki.titles import normalise_title
    from stages.wiki.wikitext import parse_wikitext

    parsed = parse_wikitext(page.text, site, redirects=templates)
    page_id = page.page_id
    if parsed.truncated:
        inputs.damaged("over_budget", where=f"page {page_id}", sample=page.title)
    for name, count in parsed.dropped_templates.items():
        inputs.count(f"template {name}", count)
    require_exact(page_id, parsed.text, parsed.hyperlinks)
    bold = [{"char_start": start, "char_end": end} for start, end in parsed.bold_names]
    title, revision = normalise_title(page.title, site), (page.revision_id, page.revision_time)
    # Sections, blocks and hyperlinks name their columns in the order of the tables.
    sections = [(page_id, *section) for section in parsed.sections]
    paragraphs = [
        (page_id, number, block.section, block.kind, block.char_start, block.char_end)
        for number, block in enumerate(parsed.blocks)
    ]
    hyperlinks = [(page_id, number, *link) for number, link in enumerate(parsed.hyperlinks)]
    read = (title, parsed.text, parsed.disambiguation, bold)
    digest = rows_digest([*read, sections, paragraphs, hyperlinks])
    pending.add(PAGES, (page_id, *read[:2], *revision, *read[2:], digest))
    pending.add(SECTIONS, *sections)
    pending.add(PARAGRAPHS, *paragraphs)
    pending.add(HYPERLINKS, *hyperlinks)


def require_exact(page_id: int, text: str, links: Iterable[Hyperlink]) -> None:
    """Check that the span of each hyperlink cuts its surface out of the text.

    Raises:
        StageError: If one does not: the parser is wrong, not the page.
    """
    for start, end, surface, *_ in links:
        if start is not None and text[start:end] != surface:
            raise StageError(
                f"hyperlinks.char_start..char_end is {start}..{end}, which cuts "
                f"{text[start:end]!r} and not {surface!r} out of the text",
                where=f"page {page_id}",
                mend="Report this page: offsets must count code points of pages.text",
            )


PARSE_WIKIPEDIA = Stage(
    "parse_wikipedia",
    version=5,
    config=ParseWikipediaConfig,
    reads=(SOURCES["wikipedia"], SITE, TEMPLATE_REDIRECTS),
    writes=(PAGES, SECTIONS, PARAGRAPHS, HYPERLINKS, REDIRECTS),
    run=parse_wikipedia,
)
