"""Site: what a wiki's dump header and MediaWiki itself say of its titles and links."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from storage.errors import SourceError

__all__ = ["Facts", "Namespace", "Site", "facts", "site_from_siteinfo"]

FIRST_LETTER = "first-letter"
CASE_SENSITIVE = "case-sensitive"


@dataclass(frozen=True)
class Namespace:
    """One namespace as siteinfo states it.

    Attributes:
        key: Number of the namespace; 0 is that of articles.
        name: Local name, "" for key 0.
        case: "first-letter" (the first letter of a title is upper case) or "case-sensitive".
    """

    key: int
    name: str
    case: str


@dataclass(frozen=True)
class Facts:
    """What MediaWiki knows of one language and the dump header does not say.

    Attributes:
        trail: Matches the letters behind `]]` that belong to the link.
        aliases: Lower-cased further names of namespaces.
        disambiguation: Lower-cased names of the templates that mark disambiguation pages.
        redirect: Matches a redirect's magic word at the start of a page.
        image_options: Lower-cased words that say how a file is shown; they are no caption.
        dotted_i: Whether the capital of "i" is a dotted one.
    """

    trail: re.Pattern[str]
    aliases: dict[str, int]
    disambiguation: frozenset[str]
    redirect: re.Pattern[str]
    image_options: frozenset[str]
    dotted_i: bool


@dataclass(frozen=True)
class Site:
    """A wiki: its language, the case of its titles and its namespaces.

    Attributes:
        language: Language code as in the wiki's address: "en", "zh", "ltg".
        case: Title case of namespaces that state none of their own.
        namespaces: The namespaces of siteinfo; empty where the dump has no siteinfo.
    """

    language: str
    case: str
    namespaces: tuple[Namespace, ...]

    @cached_property
    def keys(self) -> dict[str, int]:
        """Key of a namespace by each of its lower-cased names, canonical and local."""
        names = dict(_shared()["namespaces"])
        names.update(facts(self.language).aliases)
        names.update({namespace.name.lower(): namespace.key for namespace in self.namespaces})
        names.pop("", None)
        return names

    @cached_property
    def names(self) -> dict[int, str]:
        """Name of a namespace by its key: the local one, else the canonical English one."""
        canonical = {key: name.capitalize() for name, key in _shared()["namespaces"].items()}
        return canonical | {namespace.key: namespace.name for namespace in self.namespaces}

    @cached_property
    def sensitive(self) -> frozenset[int]:
        """Keys of the namespaces whose titles keep the case of their first letter."""
        stated = {namespace.key: namespace.case for namespace in self.namespaces}
        every = {key: stated.get(key, self.case) for key in (*self.names, 0)}
        return frozenset(key for key, case in every.items() if case == CASE_SENSITIVE)

    @cached_property
    def facts(self) -> Facts:
        """What MediaWiki knows of this language."""
        return facts(self.language)

    def is_language(self, prefix: str) -> bool:
        """Whether a lower-cased link prefix leads to this project in another language."""
        return prefix in _languages()

    def is_interwiki(self, prefix: str) -> bool:
        """Whether a lower-cased link prefix leads to another wiki at all."""
        return prefix in _languages() or prefix in _projects()

    def to_json(self) -> str:
        """Return the site as JSON, the same bytes for equal sites."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Site:
        """Return the site that `to_json` wrote.

        Raises:
            SourceError: If `text` is not such JSON.
        """
        try:
            stored = json.loads(text)
            namespaces = tuple(Namespace(**namespace) for namespace in stored["namespaces"])
            return cls(stored["language"], stored["case"], namespaces)
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"the description of a wiki cannot be read: {error}",
                where="site",
                mend="Fetch the dump again.",
            ) from error


def site_from_siteinfo(header: bytes, language: str | None) -> Site:
    """Read the `<siteinfo>` element of a dump.

    Args:
        header: The element as UTF-8 or, with a byte order mark, UTF-16; text around it does not
            matter. Without one the site has the canonical namespaces only.
        language: Language code that overrides what the header says; None to believe the header.

    Raises:
        SourceError: If there is a `<siteinfo>` that is not well-formed, or no language is known.
    """
    text = _decode(header)
    found = re.search(r"<siteinfo\b.*?</siteinfo>", text, re.DOTALL)
    stated = language or _language_of(text)
    if not stated:
        raise SourceError(
            "the dump's header names no language",
            where="siteinfo",
            mend="State the wiki's language: --set fetch.language=CODE.",
        )
    if found is None:
        return Site(stated, FIRST_LETTER, ())
    try:
        element = ElementTree.fromstring(found.group())
    except ElementTree.ParseError as error:
        raise SourceError(
            f"the dump's header is not well-formed: {error}",
            where="siteinfo",
            mend="Fetch the dump again.",
        ) from error
    case = (element.findtext("case") or FIRST_LETTER).strip()
    namespaces = tuple(
        Namespace(int(node.get("key", "0")), (node.text or "").strip(), node.get("case") or case)
        for node in element.iter("namespace")
        if re.fullmatch(r"-?\d+", node.get("key", ""))
    )
    return Site(stated, case, namespaces)


def _decode(header: bytes) -> str:
    wide = header[:2] in (b"\xff\xfe", b"\xfe\xff")
    return header.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _language_of(text: str) -> str:
    """Return the language of the root's xml:lang, else of the address, else of the wiki's name."""
    for pattern in (
        r"<mediawiki\b[^>]*\bxml:lang=[\"']([\w-]+)",
        r"<base>\s*https?://([\w-]+)\.(?:m\.)?wiki",
        r"<dbname>\s*([a-z_]+?)wiki\b",
    ):
        found = re.search(pattern, text)
        if found:
            return found.group(1).replace("_", "-").lower()
    return ""


@cache
def facts(language: str) -> Facts:
    """Return what the data file says of a language; an unknown one gets what holds everywhere.

    Args:
        language: Language code; of "zh-yue" what is not stated is taken from "zh".
    """
    stored = _data()["language"]
    own = stored.get(language) or stored.get(language.partition("-")[0]) or {}
    shared = _shared()
    words = [*shared["redirect"], *own.get("redirect", [])]
    options = {word for entry in stored.values() for word in entry.get("image_options", [])}
    marks = {name for entry in stored.values() for name in entry.get("disambiguation", [])}
    return Facts(
        trail=re.compile(own.get("trail", shared["trail"])),
        aliases=own.get("aliases", {}),
        disambiguation=frozenset(own.get("disambiguation", marks) + shared["disambiguation"])
        if own
        else frozenset(marks.union(shared["disambiguation"])),
        redirect=re.compile(
            rf"\s*(?:{'|'.join(map(re.escape, words))})\s*:?\s*\[\[([^\[\]{{|}}]+)", re.IGNORECASE
        ),
        image_options=frozenset(options.union(shared["image_options"])),
        dotted_i=own.get("dotted_i", False),
    )


@cache
def _data() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("mediawiki.toml").read_text("utf-8")
    return tomllib.loads(text)


def _shared() -> dict[str, Any]:
    shared: dict[str, Any] = _data()["every"]
    return shared


@cache
def _languages() -> frozenset[str]:
    return frozenset(_data()["interwiki"]["languages"])


@cache
def _projects() -> frozenset[str]:
    return frozenset(_data()["interwiki"]["projects"])
