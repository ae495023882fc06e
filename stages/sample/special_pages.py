"""Pages that are no articles on one thing: redirects, disambiguation, lists, templates and more.

Their entities (Wikidata has items for most of them) are added to the world here, before it is
written.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from stages.sample.furniture import bare_link
from stages.sample.markup import Piece, words
from stages.sample.pages import Page
from stages.sample.properties import CLASS_OF
from stages.sample.sentence import Sentence
from stages.sample.world import Entity, Fact, Statement, World

TEMPLATES = {
    "Template:Infobox person": '<includeonly>{| class="infobox"\n! {{{name}}}\n|}</includeonly>',
    "Template:Infobox settlement": "<noinclude>For a [[City]].</noinclude>{{{name|}}}",
    "Template:Infobox book": "<includeonly>''{{{name}}}'', {{{author|}}}</includeonly>",
    "Template:Convert": "<includeonly>{{#invoke:convert|convert}}</includeonly>",
    "Template:Disambiguation": "<includeonly>This page lists things of one name.</includeonly>",
    "Template:Hndis": "<includeonly>This page lists people of one name.</includeonly>",
    "Template:Short description": "<includeonly><div>{{{1}}}</div></includeonly>",
    "Template:Reflist": "<references />",
    "Template:Citation needed": "<includeonly><sup>[citation needed]</sup></includeonly>",
}
SURNAME_PAGES = 2


def item(world: World, kind: str, title: str, *, page: bool = True) -> Entity:
    """Add the item of a page that is about no thing, and return it."""
    taken = max(int(qid[1:]) for qid in world.entities if int(qid[1:]) < 10_000_000)
    entity = Entity(f"Q{taken + 3}", kind, title, (CLASS_OF[kind],), title=title, page=page)
    world.entities[entity.qid] = entity
    world.statements.append(Statement(Fact(entity.qid, "P31", CLASS_OF[kind])))
    return entity


def redirects(world: World) -> list[Page]:
    """Return the redirects: other names, a chain, a loop, to a section, to a small first letter."""
    found = []
    for entity in world.entities.values():
        if entity.page:
            found += [_redirect(name, entity.title) for name in entity.redirects]
    found = found[:34]
    known = {page.title for page in found}
    for entity in world.entities.values():
        entity.redirects = [name for name in entity.redirects if name in known]
    town, other = [city for city in world.of_kind("city") if city.page][:2]
    world.without_qid += [f"{city.title}#History" for city in world.of_kind("city") if city.page]
    world.without_qid += [f"History of {town.name}", f"Port of {other.name}"] * 8
    town.redirects.append(f"Old {town.name}")
    return [
        *found,
        _redirect("Bridges", "bridge"),
        _redirect("Novel writer", "novelist", keyword="#redirect"),
        _redirect("Libraries", "library", keyword="#REDIRECT:"),
        _redirect(f"History of {town.name}", town.title, fragment="History"),
        _redirect(f"Old {town.name}", f"Ancient {town.name}"),
        _redirect(f"Ancient {town.name}", town.title),
        _redirect(f"Port of {other.name}", f"{other.name} Harbour"),
        _redirect(f"{other.name} Harbour", f"Port of {other.name}"),
        _redirect(f"{town.name.upper()}", town.title.replace(" ", "_")),
        _redirect("Template:Dab", "Template:Disambiguation", namespace=10),
    ]


def _redirect(
    title: str, target: str, *, fragment: str = "", keyword: str = "#REDIRECT", namespace: int = 0
) -> Page:
    section = f"#{fragment}" if fragment else ""
    text = f"{keyword} [[{target}{section}]]\n\n{{{{R from alternative name}}}}"
    canonical = target.replace("_", " ")
    return Page(0, title, namespace, text, redirect=canonical[0].upper() + canonical[1:])


def disambiguations(world: World) -> list[Page]:
    """Return a disambiguation page for each name that several articles bear, and for surnames."""
    bearers: defaultdict[str, list[Entity]] = defaultdict(list)
    families: defaultdict[str, list[Entity]] = defaultdict(list)
    titles = set()
    for entity in world.entities.values():
        if entity.page:
            titles.add(entity.title)
            bearers[entity.name].append(entity)
            if entity.kind == "person":
                families[entity.short].append(entity)
    pages = []
    for name, entities in bearers.items():
        if len(entities) > 1:
            title = f"{name} (disambiguation)" if name in titles else name
            pages.append(_disambiguation(world, title, name, entities))
    large = [(name, group) for name, group in families.items() if len(group) > 2]
    for name, group in large[:SURNAME_PAGES]:
        pages.append(_disambiguation(world, name, name, group))
    return pages


def _disambiguation(world: World, title: str, name: str, entities: list[Entity]) -> Page:
    item(world, "disambiguation", title)
    people = all(entity.kind == "person" for entity in entities)
    lines = [f"* {bare_link(entity)}, a {entity.kind}" for entity in entities]
    lines.append(f"* [[{name} Rock]], an islet")
    mark = "{{hndis}}" if people else "{{disambiguation}}" if len(name) % 3 else "{{dab}}"
    return Page(0, title, 0, "\n".join((f"'''{name}''' may refer to:", "", *lines, "", mark)))


def lists(world: World) -> list[Page]:
    """Return list articles; an item of a list is a sentence, its nested notes too."""
    pages = []
    for country in world.of_kind("country")[:3]:
        title = f"List of cities in {country.name}"
        item(world, "list", title)
        intro = Sentence(
            [
                words("This list names cities of "),
                Piece(f"[[{country.title}]]", country.name, country.qid),
                words("."),
            ]
        )
        lines, blocks = [intro.wiki, ""], [[intro]]
        for city in [c for c in world.of_kind("city") if c.country == country.qid][:8]:
            entry = Sentence([Piece(bare_link(city), city.name, city.qid)], place="list")
            note = Sentence([words(f"first named in {city.year}")], place="list")
            lines += [f"* {entry.wiki}", f"** {note.wiki}"]
            blocks += [[entry], [note]]
        lines += ["", f"[[Category:{country.name}]]"]
        pages.append(Page(0, title, 0, "\n".join(lines), blocks=blocks))
    return pages


def without_item(world: World) -> list[Page]:
    """Return two articles of which Wikidata has no item."""
    pages = []
    for region in world.of_kind("region")[:2]:
        name = f"{region.name} Rock"
        first = Sentence(
            [
                Piece(f"'''{name}'''", name),
                words(" is an islet off "),
                Piece(bare_link(region), region.name, region.qid),
                words("."),
            ]
        )
        second = Sentence([words("Nobody lives there.")])
        text = f"{first.wiki} {second.wiki}\n\n{{{{stub|islet}}}}"
        pages.append(Page(0, name, 0, text, blocks=[[first, second]]))
    return pages


def others(world: World) -> list[Page]:
    """Return templates, a category and a page of the project."""
    category = item(world, "category", "Category:Person articles of the sample").title
    item(world, "template", "Template:Reflist")
    project = "This page is about the [[Wikipedia:Manual|manual]]. See [[City]] for an example."
    return [
        *(Page(0, title, 10, text) for title, text in TEMPLATES.items()),
        Page(0, category, 14, "People of the sample. {{Catmain|Writer}}\n[[Category:Sample]]"),
        Page(0, "Wikipedia:About the sample", 4, project),
    ]


def add_item_redirects(world: World, count: int = 6) -> None:
    """Let some items have been merged: an old QID redirects to each, and stands in a statement."""
    taken = max(int(qid[1:]) for qid in world.entities if int(qid[1:]) < 10_000_000)
    kept = [entity.qid for entity in world.of_kind("person") if entity.page][:count]
    for number, qid in enumerate(kept):
        old = f"Q{taken + 11 + number}"
        world.item_redirects.append((old, qid))
        places = [i for i, s in enumerate(world.statements) if s.fact.tail == qid]
        for place in places[:1]:
            recorded = world.statements[place]
            world.statements[place] = replace(recorded, fact=recorded.fact._replace(tail=old))
