"""What becomes of wikitext, beside other cleaners: residues, losses, links and speed.

    python -m benchmarks.wikitext [residues] [losses] [links] [speed]

`RELMILL_REAL_DATA` names the folder with the dumps. Without a word all four are printed; the
differences of links go to `--differences` (links.jsonl).
"""

from __future__ import annotations

import argparse
import html
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.articles import SLICE, Article, articles, data_folder, dumps
from benchmarks.peers import Cleaner, installed, wikiextractor
from benchmarks.tree import tree_walk
from stages.wiki.wikitext import parse_wikitext

RESIDUES = {
    "[[ ]]": r"\[\[|\]\]",
    "'' '''": r"''+",
    "HTML tags": r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>\n]*)?/?>",
    "ref residue": r"</?ref\b|\bname ?= ?\"?\w+\"? ?/?>",
    "table rows": r"(?m)^\s*(?:\{\||\|[-+}|]|\|\s|!\s)",
    "thumb, NNpx": r"\bthumb(?:nail)?\s*\||\|\s*thumb|\b\d+px\b|\bupright=",
    "Category:": r"\bCategory:",
    "File: Image:": r"\b(?:File|Image):",
    "== headings": r"(?m)^\s*==+.*==+\s*$",
    "list marks": r"(?m)^[*#:;]+\s*\w",
    "style= etc.": r"\b(?:style|class|align|valign|colspan|rowspan|bgcolor|scope)\s*=",
    "raw URLs": r"https?://",
    "() and (; holes": r"\(\s*\)|\(\s*[;,]",
    "{{ }} {| |}": r"\{\{|\}\}|\{\||\|\}",
}
_WORDS = re.compile(r"\w+")
_QUOTES = re.compile(r"'{2,}")
_HEADING = re.compile(r"(?m)^(=+)\s*(.*?)\s*\1\s*$")


def ours(site: Article) -> Cleaner:
    """Return our cleaner for the wiki of an article."""
    return lambda wikitext: parse_wikitext(wikitext, site.site).text


def normal(text: str) -> str:
    """Return a label without quote runs and with single spaces."""
    return " ".join(_QUOTES.sub("", html.unescape(text)).split())


def texts_of(pages: list[Article]) -> dict[str, list[str]]:
    """Return what each cleaner makes of each page."""
    cleaners = {"relmill": ours(pages[0]), **installed()}
    return {name: [clean(p.wikitext) for p in pages] for name, clean in cleaners.items()}


def residues(texts: dict[str, list[str]]) -> None:
    """Print how often markup is left, by kind and cleaner."""
    print(row("residue", texts))
    for kind, pattern in RESIDUES.items():
        found = [[m for t in pages for m in re.findall(pattern, t)] for pages in texts.values()]
        print(row(kind, [f"{len(each):,}" for each in found]))
    for kind, pattern in RESIDUES.items():
        for text in texts["relmill"]:
            for match in re.finditer(pattern, text):
                near = text[max(match.start() - 40, 0) : match.end() + 40]
                print(f"  left by relmill, {kind}: {near!r}")


def losses(pages: list[Article], texts: dict[str, list[str]]) -> None:
    """Print the prose anchors that each cleaner keeps, and words of wikiextractor's that we keep.

    An anchor is a link to namespace 0 outside of templates, tables, references and captions by
    the library's tree. Of each page and label as many are kept as the text holds the label, at
    most as many as there are.
    """
    anchors = [
        Counter(
            normal(link.label)
            for link in tree_walk(page.wikitext, page.site).links
            if link.place == "prose" and normal(link.label)
        )
        for page in pages
    ]
    total = sum(map(Counter.total, anchors))
    print(row("prose anchors kept", texts))
    kept = {name: sum(map(kept_anchors, anchors, made)) for name, made in texts.items()}
    print(row(f"of {total:,}", [f"{kept[n]:,} ({kept[n] / total:.2%})" for n in texts]))
    if "wikiextractor" in texts:
        both = all_words = 0
        lost: Counter[str] = Counter()
        for page, mine, theirs in zip(pages, texts["relmill"], texts["wikiextractor"], strict=True):
            wanted = words(without_headings(theirs, page.wikitext))
            missing = wanted - words(mine)
            lost += missing
            all_words += wanted.total()
            both += wanted.total() - missing.total()
        print(f"words of wikiextractor's prose that we keep: {both:,} of {all_words:,} "
              f"({both / all_words:.2%})")  # fmt: skip
        print("  most missed:", ", ".join(f"{w} {n}" for w, n in lost.most_common(25)))


def kept_anchors(anchors: Counter[str], text: str) -> int:
    """Return how many anchors have their label in a text."""
    flat = normal(text)
    return sum(min(count, flat.count(label)) for label, count in anchors.items())


def words(text: str) -> Counter[str]:
    """Count the words of a text."""
    return Counter(_WORDS.findall(text.lower()))


def without_headings(text: str, wikitext: str) -> str:
    """Return a text of wikiextractor without the lines that are headings of the page."""
    titles = {normal(title) + "." for _, title in _HEADING.findall(wikitext)}
    return "\n".join(line for line in text.split("\n") if normal(line) not in titles)


def links(paths: Iterable[Path], differences: Path) -> None:
    """Print how far our links agree with those of the library's tree, on every dump."""
    kinds: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    with differences.open("w", encoding="utf-8") as out:
        for path in paths:
            found = compare(path, out.write, kinds)
            totals += found
            if found["tree"]:
                print(row(path.parent.name + "/" + path.name[:24], agreement(found)))
    print(row("all", agreement(totals)))
    print("differences by kind:", dict(kinds.most_common()), "in", differences)


def compare(path: Path, write: Callable[[str], object], kinds: Counter[str]) -> Counter[str]:
    """Compare the links of a dump's pages; a pair is a target and its label."""
    sums: Counter[str] = Counter()
    for page in articles(path):
        tree = Counter((link.target, normal(link.label))
                       for link in tree_walk(page.wikitext, page.site).links)  # fmt: skip
        mine = Counter((link.target_title, normal(link.surface))
                       for link in parse_wikitext(page.wikitext, page.site).hyperlinks)  # fmt: skip
        theirs_only, ours_only = tree - mine, mine - tree
        sums.update(pages=1, tree=tree.total(), same=(tree & mine).total())
        targets = Counter(t for t, _ in theirs_only.elements())
        targets.subtract(t for t, _ in ours_only.elements())
        for side, pairs in (("tree", theirs_only), ("relmill", ours_only)):
            for target, label in sorted(pairs.elements()):
                kind = "other label" if not targets[target] else f"target only of {side}"
                kinds[f"{side}: {kind}"] += 1
                entry = {"page": page.title, "dump": page.dump, "side": side, "kind": kind,
                         "target": target, "label": label}  # fmt: skip
                write(json.dumps(entry, ensure_ascii=False) + "\n")
    return sums


def agreement(sums: Counter[str]) -> list[str]:
    """Return the columns of a row of link agreement."""
    share = sums["same"] / sums["tree"] if sums["tree"] else 1
    return [f"{sums['pages']:,} pages", f"{sums['same']:,} of {sums['tree']:,}", f"{share:.3%}"]


def speed(pages: list[Article], repeats: int) -> None:
    """Print CPU seconds for the same pages, each the best of several turns taken in rotation."""
    site = pages[0].site
    runs: dict[str, Callable[[str], object]] = {
        "relmill": lambda wikitext: parse_wikitext(wikitext, site),
        "mwparserfromhell parse + tree walk": lambda wikitext: tree_walk(wikitext, site),
    }
    with_links = wikiextractor(links=True)
    if with_links is not None:
        runs["wikiextractor, links"] = with_links
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            began = time.process_time()
            for page in pages:
                run(page.wikitext)
            best[name] = min(best[name], time.process_time() - began)
    size = sum(len(page.wikitext.encode()) for page in pages) / 1e6
    for name, seconds in best.items():
        print(row(name, [f"{seconds:.2f} s", f"{size / seconds:.2f} MB/s",
                         f"{seconds / best['relmill']:.2f}x our time"]))  # fmt: skip


def row(name: str, columns: Iterable[object]) -> str:
    """Return a row of a table."""
    return f"{name:<36}" + "".join(f"{column!s:>22}" for column in columns)


def main() -> None:
    """Print what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", help="residues, losses, links, speed; none for all")
    parser.add_argument("--differences", type=Path, default=Path("links.jsonl"))
    parser.add_argument("--repeats", type=int, default=3, help="turns of each in `speed`")
    given = parser.parse_args()
    parts = given.parts or ["residues", "losses", "links", "speed"]
    paths = dumps(data_folder())
    pages = [page for path in paths if path.parent.name == SLICE for page in articles(path)]
    print(f"{len(pages)} articles of {SLICE}")
    if {"residues", "losses"} & set(parts):
        texts = texts_of(pages)
        if "residues" in parts:
            residues(texts)
        if "losses" in parts:
            losses(pages, texts)
    if "links" in parts:
        links(paths, given.differences)
    if "speed" in parts:
        speed(pages, given.repeats)


if __name__ == "__main__":
    main()
