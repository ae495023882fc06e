"""precision: what a judged sheet says."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.precision import read_sheet, score, weighted, wilson
from pipeline.sampling import OTHERS, allotted, gathered, write_sheet
from stages.denoising.sheet import COLUMNS, Judged
from storage.errors import ConfigError

LINE = Judged("P17", 30, "1:0-9/0-1", "P17", "Ada", "country", "Ruritania", "Ada", "[Ada] of {it}")


def lines(stratum: str, labels: int, judgements: str) -> list[Judged]:
    """Lines of a stratum, judged by a word of the letters y, n and ?."""
    return [replace(LINE, stratum=stratum, labels=labels, judgement=j) for j in judgements]


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    # Computed by hand from the formula, and published in tables of the interval.
    [(8, 10, 0.4902, 0.9433), (50, 100, 0.4038, 0.5962), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1)],
)
def test_wilsons_interval(right: int, judged: int, low: float, high: float) -> None:
    found = wilson(right, judged)
    assert found.share == right / judged
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_a_worked_example_is_weighted_back_to_the_corpus() -> None:
    # 90 % of the labels lie in a stratum with 8 of 10 right, 10 % in one with 5 of 10:
    # .9 * .8 + .1 * .5 = .77; below sqrt((.9 * (.8 - .4902))^2 + (.1 * (.5 - .2366))^2) = .2801.
    found = score(lines("P17", 900, "y" * 8 + "n" * 2) + lines("P19", 100, "y" * 5 + "n" * 5))
    assert found.precision.share == pytest.approx(0.77)
    assert found.precision.low == pytest.approx(0.77 - 0.2801, abs=1e-4)
    assert found.precision.high == pytest.approx(0.77 + 0.1317, abs=1e-4)
    assert [(s.name, s.judged, s.right) for s in found.strata] == [("P17", 10, 8), ("P19", 10, 5)]
    assert (found.covered, found.open) == (1.0, 0)


def test_what_is_not_judged_counts_nowhere_and_is_told() -> None:
    found = score(lines("P17", 75, "yn??") + lines("P19", 25, ["", "?"]))  # type: ignore[arg-type]
    assert found.precision == wilson(1, 2)
    assert (found.covered, found.open) == (0.75, 4)
    assert found.strata[1].precision is None
    with pytest.raises(ConfigError, match="no line of the sheet is judged"):
        score(lines("P17", 75, "??"))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_single_stratum_has_wilsons_own_interval(counts: tuple[int, int]) -> None:
    alone = wilson(*counts)
    found = weighted([(1.0, alone)])
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    assert 0 <= alone.low <= alone.share <= alone.high <= 1


@given(
    st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 60), min_size=1),
    st.integers(1, 300),
)
def test_quotas_are_even_complete_and_within_each_stratum(counts: dict[str, int], n: int) -> None:
    quotas = allotted(counts, n)
    assert sum(quotas.values()) == min(n, sum(counts.values()))
    assert all(0 <= quotas[name] <= counts[name] for name in counts)
    short = [quotas[name] for name in counts if quotas[name] < counts[name]]
    assert not short or max(quotas.values()) - min(short) <= 1


def test_the_rarest_strata_are_put_together() -> None:
    counts = {"P1": 5, "P2": 50, "P3": 7, "P4": 20}
    assert gathered(counts, 4) == {"P2": 50, "P4": 20, "P3": 7, "P1": 5}
    assert gathered(counts, 3) == {"P2": 50, "P4": 20, OTHERS: 12}
    assert gathered(counts, 1) == {OTHERS: 82}


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.tsv"])
def test_a_sheet_reads_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    made = [
        replace(LINE, text='[Ada], "so to say";\u2028\tof {it}', judgement="yes"),
        replace(LINE, head="Zoë", tail="Łódź"),
    ]
    write_sheet(made, tmp_path / name)
    assert read_sheet(tmp_path / name) == made
    assert (tmp_path / name).read_bytes().startswith(b"\xef\xbb\xbf")
    with pytest.raises(ConfigError, match="may hold judgements"):
        write_sheet(made, tmp_path / name)


def test_a_sheet_that_a_spreadsheet_saved_with_semicolons_reads_too(tmp_path: Path) -> None:
    write_sheet([replace(LINE, judgement="no")], tmp_path / "a.csv")
    rows = list(csv.reader((tmp_path / "a.csv").read_text("utf-8-sig").splitlines()))
    with (tmp_path / "b.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    assert read_sheet(tmp_path / "b.csv") == [replace(LINE, judgement="no")]


def test_no_cell_begins_as_a_formula(tmp_path: Path) -> None:
    write_sheet([replace(LINE, text="=cmd()", head="-1", tail="@x")], tmp_path / "a.csv")
    row = next(csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8-sig", newline="")))
    assert (row["text"], row["head"], row["tail"]) == (" =cmd()", " -1", " @x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ",".join(COLUMNS) + "\nP17,30" + ",x" * 7 + ",perhaps\n",
            "line 2: the judgement 'perhaps'",
        ),
        (f"{','.join(COLUMNS)}\nP17,many{',x' * 7},yes\n", "labels is 'many'"),
        ("stratum,judgement\n", "has no column head, labels"),
        ("", "has no column"),
    ],
)
def test_what_is_no_sheet_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_sheet(tmp_path / "a.csv")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_sheet(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("Zoë".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_sheet(tmp_path / "latin.csv")
