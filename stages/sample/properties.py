"""The real Wikidata ids that the world uses: properties, classes, occupations, common nouns."""

from __future__ import annotations

from typing import NamedTuple


class Property(NamedTuple):
    """A property as its line of the dump needs it."""

    pid: str
    label: str
    datatype: str
    description: str
    aliases: tuple[str, ...] = ()


class Concept(NamedTuple):
    """A class, an occupation or a common noun, by its real QID.

    `page` is whether Wikipedia has an article on it, under `label` with its first letter raised.
    """

    qid: str
    label: str
    superclass: str
    page: bool
    gloss: str


_ITEM, _TIME, _QUANTITY = "wikibase-item", "time", "quantity"
PROPERTIES = (
    Property("P6", "head of government", _ITEM, "head of the executive of a place", ("mayor",)),
    Property("P17", "country", _ITEM, "sovereign state of this item", ("land", "state")),
    Property("P19", "place of birth", _ITEM, "where a person was born", ("birthplace", "born in")),
    Property("P20", "place of death", _ITEM, "where a person died", ("deathplace", "died in")),
    Property("P22", "father", _ITEM, "male parent of the subject", ("dad", "parent")),
    Property("P25", "mother", _ITEM, "female parent of the subject", ("mum", "parent")),
    Property("P26", "spouse", _ITEM, "whom the subject married", ("husband", "wife", "partner")),
    Property("P27", "country of citizenship", _ITEM, "state of a citizen", ("nationality",)),
    Property("P31", "instance of", _ITEM, "class of which this is an example", ("is a", "is an")),
    Property("P36", "capital", _ITEM, "seat of government of a territory", ("capital city",)),
    Property("P40", "child", _ITEM, "offspring of the subject", ("son", "daughter")),
    Property("P47", "shares border with", _ITEM, "territory next to it", ("borders",)),
    Property("P50", "author", _ITEM, "main creator of a written work", ("writer", "written by")),
    Property("P54", "member of sports team", _ITEM, "club of a player", ("played for", "team")),
    Property("P57", "director", _ITEM, "director of a motion picture", ("directed by",)),
    Property("P69", "educated at", _ITEM, "institution attended", ("alma mater", "studied at")),
    Property("P106", "occupation", _ITEM, "what a person does for a living", ("profession", "job")),
    Property("P108", "employer", _ITEM, "organization a person works for", ("works for",)),
    Property("P112", "founded by", _ITEM, "founder of an organization", ("founder",)),
    Property("P131", "located in the administrative territorial entity", _ITEM, "where it lies"),
    Property("P143", "imported from Wikimedia project", _ITEM, "source of a claim's value"),
    Property("P144", "based on", _ITEM, "work on which this one rests", ("adapted from",)),
    Property("P159", "headquarters location", _ITEM, "seat of an organization", ("head office",)),
    Property("P279", "subclass of", _ITEM, "all of these are also those", ("is also a",)),
    Property("P361", "part of", _ITEM, "object of which this is a part", ("within",)),
    Property("P373", "Commons category", "string", "category on Wikimedia Commons"),
    Property("P495", "country of origin", _ITEM, "where a work comes from", ("comes from",)),
    Property("P569", "date of birth", _TIME, "when the subject was born", ("born on",)),
    Property("P570", "date of death", _TIME, "when the subject died", ("died on",)),
    Property("P571", "inception", _TIME, "when it was founded", ("founded", "established")),
    Property("P577", "publication date", _TIME, "when a work came out", ("release date",)),
    Property("P580", "start time", _TIME, "when a statement began to hold", ("from", "since")),
    Property("P582", "end time", _TIME, "when a statement ceased to hold", ("to", "until")),
    Property("P585", "point in time", _TIME, "when a statement held", ("as of", "date")),
    Property("P625", "coordinate location", "globe-coordinate", "where on the globe it lies"),
    Property("P813", "retrieved", _TIME, "when a source was looked up"),
    Property("P856", "official website", "url", "website of the subject"),
    Property("P1082", "population", _QUANTITY, "number of inhabitants", ("inhabitants",)),
    Property("P1476", "title", "monolingualtext", "published name of a work"),
    Property("P1549", "demonym", "monolingualtext", "name for people of a place"),
    Property("P2044", "elevation above sea level", _QUANTITY, "height of a place", ("altitude",)),
)

CLASSES = (
    Concept("Q5", "human", "Q215627", False, "member of our species"),
    Concept("Q515", "city", "Q486972", True, "large and permanent settlement"),
    Concept("Q532", "village", "Q486972", False, "small settlement"),
    Concept("Q486972", "human settlement", "Q2221906", False, "place where people live"),
    Concept("Q6256", "country", "Q2221906", False, "territory with a government of its own"),
    Concept("Q10864048", "first-level administrative division", "Q2221906", False, "region"),
    Concept("Q2221906", "geographic location", "Q35120", False, "point or area on a globe"),
    Concept("Q43229", "organization", "Q35120", False, "group of people with a purpose"),
    Concept("Q3918", "university", "Q43229", True, "institution of higher education and research"),
    Concept("Q180958", "faculty", "Q43229", False, "division within a university"),
    Concept("Q4830453", "business", "Q43229", False, "organization that sells goods or services"),
    Concept("Q476028", "association football club", "Q43229", False, "club that plays football"),
    Concept("Q571", "book", "Q35120", False, "written work between covers"),
    Concept("Q11424", "film", "Q35120", False, "sequence of moving images"),
    Concept("Q215627", "person", "Q35120", False, "being with rights and duties"),
    Concept("Q35120", "entity", "", False, "anything that can be thought of"),
    Concept("Q4167410", "Wikimedia disambiguation page", "Q17442446", False, "page of one name"),
    Concept("Q13406463", "Wikimedia list article", "Q17442446", False, "page that lists things"),
    Concept("Q4167836", "Wikimedia category", "Q17442446", False, "category of a wiki"),
    Concept("Q11266439", "Wikimedia template", "Q17442446", False, "template of a wiki"),
    Concept("Q17442446", "Wikimedia internal item", "Q35120", False, "item that serves a wiki"),
    Concept("Q328", "English Wikipedia", "Q35120", False, "encyclopedia in English"),
    Concept("Q11573", "metre", "Q35120", False, "unit of length"),
    Concept("Q1985727", "proleptic Gregorian calendar", "Q35120", False, "calendar"),
    Concept("Q1985786", "Julian calendar", "Q35120", False, "calendar"),
)
OCCUPATIONS = (
    Concept("Q6625963", "novelist", "Q36180", True, "writer of long stories"),
    Concept("Q36180", "writer", "Q215627", False, "person who writes"),
    Concept("Q49757", "poet", "Q36180", False, "writer of verse"),
    Concept("Q1028181", "painter", "Q215627", True, "artist who paints pictures"),
    Concept("Q42973", "architect", "Q215627", True, "person who designs buildings"),
    Concept("Q81096", "engineer", "Q215627", False, "person who builds by calculation"),
    Concept("Q82955", "politician", "Q215627", False, "person who holds public office"),
    Concept("Q201788", "historian", "Q36180", False, "person who studies the past"),
    Concept("Q2526255", "film director", "Q215627", True, "person who directs films"),
    Concept("Q937857", "association football player", "Q215627", False, "footballer"),
    Concept("Q43845", "businessperson", "Q215627", False, "person who runs a business"),
)
NOUNS = (
    Concept("Q12280", "bridge", "Q35120", True, "structure that carries a way over an obstacle"),
    Concept("Q7075", "library", "Q35120", True, "room or house full of books"),
    Concept("Q44782", "port", "Q35120", True, "place where ships load and unload"),
    Concept("Q44494", "mill", "Q35120", True, "machine that grinds"),
    Concept("Q33506", "museum", "Q35120", True, "house that keeps and shows things"),
    Concept("Q16970", "church", "Q35120", True, "building for worship"),
    Concept("Q820477", "mine", "Q35120", True, "pit from which ore is taken"),
)
CONCEPTS = (*CLASSES, *OCCUPATIONS, *NOUNS)
CLASS_OF = {
    "person": "Q5",
    "country": "Q6256",
    "region": "Q10864048",
    "city": "Q515",
    "village": "Q532",
    "university": "Q3918",
    "faculty": "Q180958",
    "company": "Q4830453",
    "club": "Q476028",
    "book": "Q571",
    "film": "Q11424",
    "disambiguation": "Q4167410",
    "list": "Q13406463",
    "category": "Q4167836",
    "template": "Q11266439",
}
ROLE_OCCUPATIONS = {
    "book": ("Q6625963", "Q49757", "Q201788", "Q36180"),
    "film": ("Q2526255",),
    "club": ("Q937857",),
    "company": ("Q43845", "Q81096"),
    "city": ("Q82955",),
    "university": ("Q201788", "Q81096", "Q42973"),
    "": ("Q1028181", "Q42973", "Q6625963"),
}
"""What a person does because of the kind of thing that they made, ran or served."""
