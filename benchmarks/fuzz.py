"""Any wikitext: it never raises, never hangs, and every offset cuts out its surface.

    python -m benchmarks.fuzz [20000] [--seed 1]

Inputs are made of marks alone, or are pieces of real articles (`RELMILL_REAL_DATA`, where set),
cut off, cut up, doubled and with marks put in; one in a hundred repeats a few marks thousands of
times. Ends with 1 and prints the input if one fails.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import unicodedata
from pathlib import Path

from benchmarks.articles import VARIABLE, articles, dumps
from stages.wiki.page import ParsedPage
from stages.wiki.site import site_from_siteinfo
from stages.wiki.wikitext import parse_wikitext

LANGUAGES = ("en", "de", "zh", "ar", "bg", "xx")
MARKS = (
    *("[[", "]]", "[", "]", "{{", "}}", "{{{", "}}}", "|", "=", "''", "'''", "'''''", "{|", "|}"),
    *("|-", "!", "||", "<ref>", "</ref>", "<ref/>", "<ref name=a>", "<!--", "-->", "<nowiki>"),
    *("</nowiki>", "<nowiki/>", "<div>", "</div>", "<br>", "<b>", "</b>", "<math>", "</math>"),
    *("*", "#", ":", ";", "==", "===", "\n", "\n\n", " ", "  ", "(", ")", ", ", ".", "~~~~"),
    *("&nbsp;", "&#0;", "&#x41;", "&lt;", "&", "-{", "}-", "__TOC__", "http://a.b", "//a.b"),
    *("File:a.jpg|thumb|", "Category:b", ":fr:c", "#x", "nowrap|", "convert|1|mi", "USS|a|b"),
    *("lang|x|", "cite|", "#if:a|b", "<table>", "<td>", "</table>", "\u200e", "\u00a0", "\ud7ff"),
    *("word", "Žluťoučký", "漢字", "עברית", "🦉", "\x00", "\x7f", "\ue000", "a" * 50),
)
SLOW = 5.0
"""CPU seconds after which an input counts as one that hangs."""


def made_up(rng: random.Random) -> str:
    """Return a text of nothing but marks and words."""
    return "".join(rng.choices(MARKS, k=int(rng.expovariate(1 / 60)) + 1))


def mutated(rng: random.Random, pages: list[str]) -> str:
    """Return a stretch of a real article with some damage."""
    page = rng.choice(pages)
    start = rng.randrange(len(page))
    text = page[start : start + int(rng.expovariate(1 / 1500)) + 1]
    for _ in range(rng.randrange(12)):
        at = rng.randrange(len(text) + 1)
        end = at + int(rng.expovariate(1 / 10))
        text = rng.choice(
            (
                text[:at] + rng.choice(MARKS) + text[at:],
                text[:at] + text[end:],
                text[:at] + text[at:end] * rng.randrange(2, 20) + text[end:],
                text[:at] + rng.choice(MARKS) + text[end:],
                text[:at],
            )
        )
    return text


def swollen(rng: random.Random) -> str:
    """Return a few marks over and over, which nothing may close: what makes a parser hang."""
    return "".join(rng.choices(MARKS, k=rng.randrange(1, 4))) * rng.randrange(50, 5000)


def given_input(number: int, rng: random.Random, pages: list[str]) -> str:
    """Return an input: by turns of a real page or made up, each hundredth a swollen one."""
    if number % 100 == 99:
        return swollen(rng)
    return mutated(rng, pages) if pages and number % 2 else made_up(rng)


def faults(page: ParsedPage, wikitext: str) -> list[str]:
    """Return what is wrong with a page."""
    text, found = page.text, []
    blocks = [text[b.char_start : b.char_end] for b in page.blocks]
    if "\n".join(blocks) != text:
        found.append("the blocks are not the text")
    if any(not block or block != block.strip() or "\n" in block for block in blocks):
        found.append("a block is empty or has white space at an end")
    for link in page.hyperlinks:
        if link.char_start is not None and text[link.char_start : link.char_end] != link.surface:
            found.append(f"a span cuts out something else than {link.surface!r}")
        if link.char_start is not None and not link.surface.strip():
            found.append("a span without words")
        if "\n" in link.surface or not link.target_title:
            found.append(f"a link without a title, or with a line feed: {link}")
    for start, end in ((s.char_start, s.char_end) for s in page.sections):
        if not 0 <= start <= end <= len(text):
            found.append("a section outside the text")
    private = {
        c for c in set(text) - set(wikitext) if unicodedata.category(c) in ("Co", "Cc", "Cs")
    }
    if private - {"\n"}:
        found.append(f"characters that the page does not have: {private}")
    return found


def main() -> None:
    """Try as many inputs as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    folder = os.environ.get(VARIABLE)
    pages = [a.wikitext for p in dumps(Path(folder)) for a in articles(p)] if folder else []
    pages = [page for page in pages if page]
    sites = [site_from_siteinfo(b"", language) for language in LANGUAGES]
    slowest, size, spans, truncated = 0.0, 0, 0, 0
    for number in range(given.count):
        wikitext = given_input(number, rng, pages)
        began = time.process_time()
        try:
            page = parse_wikitext(wikitext, sites[number % len(sites)])
            wrong = faults(page, wikitext)
        except Exception as error:
            wrong, page = [f"it raises {error!r}"], None
        seconds = time.process_time() - began
        slowest, size = max(slowest, seconds), size + len(wikitext)
        if seconds > SLOW:
            wrong.append(f"it takes {seconds:.1f} s")
        if wrong or page is None:
            sys.exit(f"input {number} of seed {given.seed}: {'; '.join(wrong)}\n{wikitext!r}")
        spans += sum(link.char_start is not None for link in page.hyperlinks)
        truncated += page.truncated
    print(f"{given.count:,} inputs of {size:,} code points, half of them made of real articles"
          f"{'' if pages else ' (none: no data)'}: no fault; {spans:,} spans checked, "
          f"{truncated} cut off, slowest {slowest * 1000:.0f} ms CPU")  # fmt: skip


if __name__ == "__main__":
    main()
