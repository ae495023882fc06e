"""CPU seconds of NER: worker processes of our own beside spaCy's, same model, same texts.

    python -m benchmarks.ner_speed MODEL [--processes N] [--words N] [--rounds N]

MODEL is a folder or zip file of a spaCy pipeline, or the name of an installed one. Each way runs in
a process of its own that counts its CPU seconds and those of its children. Beginning (imports,
loading, processes) is measured with a handful of texts and told apart: a run pays it once for all
of its shards.

pipe 1: `nlp.pipe` in one process.
pipe N: `nlp.pipe(n_process=N)`; whole documents travel back.
ours N: N processes that each load the model once and hand back spans alone, as shards do.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median

from benchmarks.articles import SLICE, articles, data_folder, dumps
from stages.ner.pipeline import load, split
from stages.wiki.wikitext import parse_wikitext

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--words", type=int, default=150_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measured(asked.way, asked.model, texts(asked.words))))
        return
    print(f"{'way':<8}{'begin':>8}{'CPU s':>8}{'words a CPU s':>15}{'mentions':>10}")
    found: dict[str, list[tuple[float, float, int, int]]] = {}
    ways = ("pipe 1", f"pipe {asked.processes}", f"ours {asked.processes}")
    for _ in range(asked.rounds):
        for way in ways:
            begin, _, _ = in_a_process(way, 100)
            whole, words, mentions = in_a_process(way, asked.words)
            found.setdefault(way, []).append((whole - begin, begin, words, mentions))
    for way in ways:
        seconds = median(s for s, *_ in found[way])
        begin = median(b for _, b, *_ in found[way])
        *_, words, mentions = found[way][0]
        print(f"{way:<8}{begin:>8.1f}{seconds:>8.1f}{words / seconds:>15,.0f}{mentions:>10,}")
    pairs = zip(found[ways[1]], found[ways[2]], strict=True)
    ratios = ", ".join(f"{theirs[0] / ours[0]:.2f}" for theirs, ours in pairs)
    print(f"{ways[1]} costs {ratios} times the CPU of {ways[2]}, round by round")


def in_a_process(way: str, words: int) -> tuple[float, int, int]:
    """Return what `measured` returns, called in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.ner_speed", *sys.argv[1:], "--way", way]
    command += ["--words", str(words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, read, mentions = json.loads(done.stdout)
    return seconds, read, mentions


def texts(words: int) -> list[str]:
    """Return blocks of English articles, about so many words of them."""
    blocks: list[str] = []
    (dump,) = (path for path in dumps(data_folder()) if path.parent.name == SLICE)
    for article in articles(dump):
        page = parse_wikitext(article.wikitext, article.site)
        for block in page.blocks:
            blocks.append(page.text[block.char_start : block.char_end])
            words -= len(blocks[-1].split())
        if words <= 0:
            break
    return blocks


def measured(way: str, model: str, given: Sequence[str]) -> tuple[float, int, int]:
    """Return CPU seconds of this process and its children, words and mentions."""
    kind, _, processes = way.partition(" ")
    count = int(processes)
    began = cpu_seconds()
    if kind == "ours":
        mentions = ours(model, given, count)
    else:
        nlp = load(model, "en")
        mentions = sum(len(d.ents) for d in nlp.pipe(given, batch_size=BATCH, n_process=count))
    for child in multiprocessing.active_children():
        child.join()
    return cpu_seconds() - began, sum(len(text.split()) for text in given), mentions


def ours(model: str, given: Sequence[str], count: int) -> int:
    """Return how many mentions worker processes find, each in a share of the texts."""
    shares = [given[start::count] for start in range(count)]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=spawned) as pool:
        found = pool.map(spans, [model] * count, shares)
        return sum(len(mentions) for piece in found for _, mentions in piece)


def spans(model: str, given: Sequence[str]) -> list[tuple[list[tuple[int, int]], list[object]]]:
    """Return sentences and mentions of texts; runs in a worker process."""
    return [(cuts, list(found)) for cuts, found in split(load(model, "en"), given, BATCH)]


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
