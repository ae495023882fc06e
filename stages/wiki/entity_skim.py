"""Entity skim: shorten a long line of a Wikidata dump to the language that is asked for.

A third of a long line are labels, descriptions and sitelinks in hundreds of languages, and every
letter of them that is not Latin stands there as an escape. Finding the few that matter is several
times faster than decoding past the others. Only the layout of the dumps of today is known here; any
other line stays as it is.
"""

from __future__ import annotations

__all__ = ["LONG", "Skimmer"]

LONG = 1 << 13
"""Bytes from which on it is worth it; for the caller to look at."""

START = b'{"type":"item","id":"'
LABELS = b',"labels":{'
DESCRIPTIONS = b'},"descriptions":{'
ALIASES = b'},"aliases":{'
SITELINKS = b'},"sitelinks":{'
BADGES = b"]}"


class Skimmer:
    """Shortens lines.

    A quote within a string stands behind a backslash, so keys with both their quotes, and the
    brackets behind them, never stand within one. The end of an entry may: the line is then cut in
    the wrong place and no JSON any more, which its decoder sees. Damage within what is left out
    is not noticed, but that a line was cut off is.

    Args:
        language: Code of the language that is asked for.
        default: Code that stands for all languages; read where the language itself has nothing.
        wiki: Name of the wiki whose sitelink is asked for.
    """

    def __init__(self, language: str, default: str, wiki: str) -> None:
        self._languages = [b'"%b":{' % code.encode() for code in (language, default)]
        self._wiki = b'"%b":{' % wiki.encode()

    def skim(self, data: bytes) -> bytes:
        """Return a line that says the same to whoever asks for nothing else."""
        if not data.startswith(START):
            return data
        labels = data.find(LABELS)
        descriptions = data.find(DESCRIPTIONS, labels)
        aliases = data.find(ALIASES, descriptions)
        sitelinks = data.rfind(SITELINKS, aliases)
        if min(labels, descriptions, aliases, sitelinks) < 0:
            return data
        link = data.find(self._wiki, sitelinks)
        end = data.find(BADGES, link) + len(BADGES) if link >= 0 else link
        # What closes the line is kept: a line that was cut off must not pass for a whole one.
        closing = max(data.rfind(BADGES) + len(BADGES), sitelinks + len(SITELINKS))
        return b"".join(
            (
                data[: labels + len(LABELS)],
                self._entry(data, labels, descriptions),
                DESCRIPTIONS,
                self._entry(data, descriptions, aliases),
                data[aliases : sitelinks + len(SITELINKS)],
                data[link:end],
                data[closing:],
            )
        )

    def _entry(self, data: bytes, start: int, end: int) -> bytes:
        for key in self._languages:
            at = data.find(key, start, end)
            if at >= 0:
                return data[at : data.find(b'"}', at, end) + 2]
        return b""
