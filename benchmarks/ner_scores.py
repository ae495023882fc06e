"""How well mentions are found: exact spans against gold, and a gazetteer as the baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage.spans import Span

Typed = tuple[Span, str]
ALL = "all"


@dataclass
class Score:
    """Counts of mentions, and what follows from them.

    Attributes:
        gold: Mentions that there are.
        found: Mentions that were found.
        right: Those of both.
    """

    gold: int = 0
    found: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        """Share of what was found that is right; 0 where nothing was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of what there is that was found; 0 where there is nothing."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / (self.gold + self.found) if self.right else 0.0


def scores(documents: Iterable[tuple[Collection[Typed], Collection[Typed]]]) -> dict[str, Score]:
    """Count over documents, each its gold and its found mentions: exact span and type.

    A mention that stands twice in one list counts once.

    Returns:
        Of all types first, then of each.
    """
    by_type: defaultdict[str, Score] = defaultdict(Score)
    total = Score()
    for gold, found in documents:
        wanted, given = set(gold), set(found)
        for mentions, counted in ((wanted, "gold"), (given, "found"), (wanted & given, "right")):
            for _, kind in mentions:
                for score in (total, by_type[kind]):
                    setattr(score, counted, getattr(score, counted) + 1)
    return {ALL: total, **{kind: by_type[kind] for kind in sorted(by_type)}}


def untyped(mentions: Iterable[Typed], without: Collection[str] = ()) -> list[Typed]:
    """Return mentions as mere spans, those of some types left out."""
    return [(span, "span") for span, kind in mentions if kind not in without]


@dataclass(frozen=True)
class Gazetteer:
    """Names with their types, found wherever their words stand; of several the longest, from left.

    Attributes:
        names: Type of each name, by its words.
        longest: Words of the longest name.
    """

    names: Mapping[tuple[str, ...], str]
    longest: int

    def find(self, text: str, tokens: Sequence[Span]) -> Iterator[Typed]:
        """Yield the names in a text that is cut into tokens."""
        words = [text[slice(*token)] for token in tokens]
        at = 0
        while at < len(words):
            for size in range(min(self.longest, len(words) - at), 0, -1):
                kind = self.names.get(tuple(words[at : at + size]))
                if kind is not None:
                    yield (tokens[at][0], tokens[at + size - 1][1]), kind
                    at += size
                    break
            else:
                at += 1


def gazetteer(
    documents: Iterable[tuple[str, Sequence[Span], Collection[Typed]]], min_share: float = 0.0
) -> Gazetteer:
    """Make a gazetteer of the mentions of documents, each a text with its tokens and mentions.

    A name has the type that it has most often.

    Args:
        min_share: How often, of all places where its words stand, a name must be a mention.
    """
    seen: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    read = list(documents)
    for text, tokens, mentions in read:
        for (start, end), kind in mentions:
            words = tuple(text[a:b] for a, b in tokens if start <= a and b <= end)
            if words:
                seen[words][kind] += 1
    longest = max(map(len, seen), default=0)
    names = {words: kinds.most_common(1)[0][0] for words, kinds in seen.items()}
    if min_share:
        standing = Counter(
            words
            for text, tokens, _ in read
            for words in runs([text[a:b] for a, b in tokens], longest)
            if words in names
        )
        names = {w: k for w, k in names.items() if seen[w].total() >= min_share * standing[w]}
    return Gazetteer(names, longest)


def runs(words: Sequence[str], longest: int) -> Iterator[tuple[str, ...]]:
    """Yield all runs of at most so many words."""
    for start in range(len(words)):
        for size in range(1, min(longest, len(words) - start) + 1):
            yield tuple(words[start : start + size])
