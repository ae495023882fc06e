"""Names that nobody bears: people, places and works put together from syllables by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tongue:
    """How the names of one country sound.

    Args:
        starts: First syllables of places and surnames.
        middles: Syllables that may stand between; an empty one is allowed.
        places: Last syllables of places.
        surnames: Last syllables of surnames.
        demonym: What is put behind the country's name to make the adjective.
    """

    starts: tuple[str, ...]
    middles: tuple[str, ...]
    places: tuple[str, ...]
    surnames: tuple[str, ...]
    demonym: str


TONGUES = (
    Tongue(
        ("Vosk", "Drel", "Orv", "Tamb", "Skar", "Ulth", "Nerv", "Grisk", "Yald", "Bromm"),
        ("a", "e", "", "ami", "or"),
        ("holm", "gard", "vik", "mund", "stav"),
        ("sen", "vik", "lund", "rud", "dahl"),
        "ic",
    ),
    Tongue(
        ("Cass", "Mirel", "Tev", "Ould", "Palt", "Ress", "Lorv", "Ambr", "Sevr", "Quim"),
        ("i", "an", "o", "ér", "u"),
        ("ona", "ello", "ara", "enza", "isco"),
        ("etti", "onde", "avel", "iro", "anza"),
        "an",
    ),
    Tongue(
        ("Zhel", "Krov", "Bast", "Mod", "Tsarn", "Pev", "Vran", "Ostr", "Glin", "Rud"),
        ("e", "o", "i", "u", "a"),
        ("grav", "slav", "nitsa", "vets", "poly"),
        ("nov", "chuk", "vich", "dar", "ski"),
        "ian",
    ),
    Tongue(
        ("Hae", "Tiv", "Nuu", "Kalo", "Sami", "Rauh", "Pell", "Ylv", "Jok", "Vaen"),
        ("ta", "ka", "lu", "na", "me"),
        ("järvi", "mäki", "salmi", "koste", "linnu"),
        ("nen", "la", "ri", "kko", "sto"),
        "ish",
    ),
    Tongue(
        ("Thrae", "Brek", "Wex", "Pender", "Cul", "Mox", "Harl", "Tyr", "Stam", "Edgel"),
        ("by", "an", "er", "", "ing"),
        ("moor", "combe", "thwick", "mere", "stoke"),
        ("wick", "lock", "thorne", "by", "mott"),
        "er",
    ),
    Tongue(
        ("Dourb", "Chal", "Fresn", "Vaug", "Lis", "March", "Trev", "Gueb", "Noir", "Pless"),
        ("i", "e", "on", "ai", "a"),
        ("gnac", "mont", "ville", "court", "sain"),
        ("ard", "eau", "ille", "ot", "mane"),
        "ois",
    ),
    Tongue(
        ("Azr", "Kham", "Bel", "Tash", "Qor", "Nim", "Sard", "Yaz", "Dal", "Mur"),
        ("a", "i", "u", "ah", "e"),
        ("abad", "zan", "kent", "dur", "mir"),
        ("zadeh", "ani", "uri", "mand", "bek"),
        "i",
    ),
    Tongue(
        ("Ito", "Mbal", "Ndor", "Kwez", "Oru", "Tshi", "Lebo", "Zuv", "Amah", "Runo"),
        ("ka", "wa", "bo", "le", "ni"),
        ("ngo", "mbe", "lani", "tari", "koro"),
        ("mba", "zulo", "kanda", "were", "tso"),
        "ese",
    ),
)
GIVEN_STARTS = (
    "Bram", "Dov", "Eld", "Fen", "Garv", "Hild", "Ism", "Jor", "Kel", "Lorv", "Mir", "Nev", "Osk",
    "Perr", "Quil", "Rann", "Syl", "Tam", "Ulr", "Vind", "Wen", "Yor", "Zel", "Art", "Cael", "Dris",
)  # fmt: skip
GIVEN_ENDS = {
    "male": ("an", "ek", "or", "in", "us", "ard", "o", "iel"),
    "female": ("a", "ia", "ine", "elle", "ith", "ysa", "une", "ette"),
}
ADJECTIVES = (
    "Copper", "Drowned", "Paper", "Seventh", "Hollow", "Salt", "Unfinished", "Amber", "Borrowed",
    "Crooked", "Winter", "Glass", "Patient", "Lesser", "Tin", "Velvet", "Nettle", "Slow",
)  # fmt: skip
NOUNS = (
    "Almanac", "Orchard", "Ferry", "Lantern", "Ledger", "Weathercock", "Aqueduct", "Harvest",
    "Cartographer", "Beekeeper", "Granary", "Tide", "Bellfounder", "Chimney", "Parliament",
    "Staircase", "Glove", "Observatory", "Mill", "Quarry", "Thimble", "Archive",
)  # fmt: skip


class Names:
    """A source of names, none given twice unless asked for by hand."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.used: set[str] = set()

    def place(self, tongue: Tongue) -> str:
        """Return a new place name in a tongue."""
        return self._fresh(lambda: self._join(tongue, tongue.places))

    def country(self, tongue: Tongue) -> str:
        """Return a new country name whose demonym is it with `tongue.demonym` put behind."""
        return self._fresh(lambda: self.rng.choice(tongue.starts) + self.rng.choice(("arn", "ost")))

    def surname(self, tongue: Tongue) -> str:
        """Return a surname in a tongue; surnames repeat, as families do."""
        return self._join(tongue, tongue.surnames)

    def given(self, sex: str) -> str:
        """Return a given name for a sex, `male` or `female`."""
        return self.rng.choice(GIVEN_STARTS) + self.rng.choice(GIVEN_ENDS[sex])

    def person(self, sex: str, surname: str) -> str:
        """Return a full name that no other person bears."""
        return self._fresh(lambda: f"{self.given(sex)} {surname}")

    def work(self, places: Sequence[str]) -> str:
        """Return a new title of a book or a film; it may name a place."""
        rng = self.rng

        def title() -> str:
            adjective, noun = rng.choice(ADJECTIVES), rng.choice(NOUNS)
            return rng.choice(
                (
                    f"The {adjective} {noun}",
                    f"{_article(noun)} {noun} for {self.given('female')}",
                    f"The {noun} of {rng.choice(places)}",
                    f"{adjective} {noun}, {adjective} Days",
                    f"{noun}: The {adjective} Years",
                    f"{rng.choice(('Nine', 'Forty', 'No More'))} {_plural(noun)}",
                )
            )

        return self._fresh(title)

    def _join(self, tongue: Tongue, ends: Sequence[str]) -> str:
        rng = self.rng
        return rng.choice(tongue.starts) + rng.choice(tongue.middles) + rng.choice(ends)

    def _fresh(self, make: Callable[[], str]) -> str:
        name = make()
        while name in self.used:
            name = make()
        self.used.add(name)
        return name


def _article(noun: str) -> str:
    return "An" if noun[0] in "AEIOU" else "A"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
