"""Text with head and tail marked, for people: [head] and {tail}."""

from __future__ import annotations

from collections.abc import Iterable

from storage.spans import Span

HEAD = ("[", "]")
TAIL = ("{", "}")


def marked(text: str, heads: Iterable[Span], tails: Iterable[Span], start: int = 0) -> str:
    """Return `text` with brackets round each mention of the head, braces round each of the tail.

    Args:
        heads: Spans of a text of which `text` is a cut; those that do not lie in it are left out.
        tails: Likewise.
        start: Where the cut begins there.
    """
    spans = [(span, HEAD) for span in heads] + [(span, TAIL) for span in tails]
    for (first, end), (left, right) in sorted(spans, reverse=True):
        a, b = first - start, end - start
        if 0 <= a < b <= len(text):
            text = f"{text[:a]}{left}{text[a:b]}{right}{text[b:]}"
    return text
