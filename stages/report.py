"""report: a leaderboard over seeds, and a page that shows where the figures come from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stages.base import Inputs, Rows, Stage, StageConfig, every, where_written
from storage.tables import (
    CELL_KEY,
    CURVES,
    LEADERBOARD,
    LEARNING_ORDERS,
    METRICS,
    PREDICTIONS,
    PROPERTIES,
)

if TYPE_CHECKING:
    from stages.reporting.agreement import Answer
    from stages.reporting.page import Grid, Section

Row = dict[str, Any]
SAME = (*(name for name in CELL_KEY if name != "seed"), "split", "metric", "headline")
PAGE, MARKDOWN = "report.html", "leaderboard.md"
FIRST = """
SELECT variant, tuple_id, pid, '{by}' AS "by", len({by}_correct) AS epochs,
       CASE WHEN {by}_order < len({by}_correct) THEN {by}_order END AS first
FROM learning_orders WHERE pid <> 'NA' AND {by}_order IS NOT NULL
"""
LEARNT = f"({FIRST.format(by='batch')} UNION ALL {FIRST.format(by='epoch')})"
BY_RELATION = f"""
SELECT variant, "by", pid, first, max(epochs) AS epochs, count(*) AS labels FROM {LEARNT}
GROUP BY ALL ORDER BY ALL
"""
BY_BOTH = f"""
SELECT a.variant AS one, b.variant AS other, a."by", a.first, b.first AS second,
       max(greatest(a.epochs, b.epochs)) AS epochs, count(*) AS labels
FROM {LEARNT} a JOIN {LEARNT} b USING (tuple_id, pid)
WHERE a.variant < b.variant AND a."by" = b."by" GROUP BY ALL ORDER BY ALL
"""


class ReportConfig(StageConfig):
    """What the report shows."""

    title: str = Field("Leaderboard", description="heading of the page")
    split: Literal["dev", "test"] = Field("test", description="split that plots and errors are of")
    compare: list[tuple[str, str]] = Field(
        [("C+M", "C+T"), ("C+M", "OnlyC")],
        description="pairs of input formats whose right and wrong predictions are compared",
    )
    errors: int = Field(
        50, ge=0, description="errors that the second format makes alone, drawn for a sheet"
    )
    seed: int = Field(13, ge=0, description="seed of that draw; set by the recipe's own `seed`")


def report(config: ReportConfig, inputs: Inputs) -> Iterator[Rows]:
    """Yield the leaderboard, and keep it as Markdown and as one page of HTML with plots.

    For every pair of input formats that were run alike, a sheet of errors is kept as CSV. Where the
    recipe has learn_order, the page also says how soon distant labels were learnt.
    """
    from stages.reporting.page import html_page, markdown_page

    rows = leaderboard(inputs.rows(METRICS).to_pylist())
    yield LEADERBOARD, LEADERBOARD.batch([tuple(row.values()) for row in rows])
    predictions = [
        row for row in inputs.rows(PREDICTIONS).to_pylist() if row["split"] == config.split
    ]
    sections = [
        *boards(rows),
        *by_fraction(rows, config),
        *agreements(predictions, config, inputs),
        *confusions(predictions),
        *learning_curves(inputs.rows(CURVES).to_pylist()),
        *(learnt_labels(inputs) if inputs.has(LEARNING_ORDERS) else []),
    ]
    inputs.keep(PAGE).write_text(html_page(config.title, sections), encoding="utf-8")
    inputs.keep(MARKDOWN).write_text(markdown_page(config.title, sections), encoding="utf-8")


def grouped(rows: Sequence[Row], names: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Return rows by the values of some columns, sorted by these."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return dict(sorted(groups.items()))


def leaderboard(metrics: Sequence[Row]) -> list[Row]:
    """Return one row for all seeds of otherwise equal runs."""
    from stages.tasks.scores import summary

    rows = []
    for key, group in grouped(metrics, SAME).items():
        over = summary([row["value"] for row in group])
        rows.append(
            {
                **dict(zip(SAME, key, strict=True)),
                "mean": over.mean,
                "median": over.median,
                "deviation": over.deviation,
                "runs": over.runs,
                "seeds": sorted(row["seed"] for row in group),
            }
        )
    return rows


def boards(rows: Sequence[Row]) -> Iterator[Section]:
    """Yield a table a benchmark and split: the headline scores, best first."""
    from stages.reporting.page import Section

    headline = [row for row in rows if row["headline"]]
    for (benchmark, split, metric), group in grouped(
        headline, ("benchmark", "split", "metric")
    ).items():
        group.sort(key=lambda row: (row["fraction"], row["setting"], -row["mean"], row["encoder"]))
        yield Section(
            f"{benchmark}, {split}: {metric}",
            "Mean, median and standard deviation over seeds, in percent.",
            [board(group)],
        )


def board(rows: Sequence[Row]) -> Grid:
    """Return rows of the leaderboard as a table."""
    from stages.reporting.page import Grid

    return Grid(
        (
            *("encoder", "input", "setting", "data"),
            *("mean", "median", "deviation", "runs"),
        ),
        [
            (
                row["encoder"],
                row["input_format"],
                row["setting"],
                f"{100 * row['fraction']:g} %",
                f"{100 * row['mean']:.1f}",
                f"{100 * row['median']:.1f}",
                f"{100 * row['deviation']:.1f}",
                str(row["runs"]),
            )
            for row in rows
        ],
        frozenset({"data", "mean", "median", "deviation", "runs"}),
    )


def by_fraction(rows: Sequence[Row], config: ReportConfig) -> Iterator[Section]:
    """Yield a plot of the score by the size of the training data, where there are two sizes."""
    from stages.reporting.page import Section
    from stages.reporting.plots import fraction_plot

    shown = [r for r in rows if r["headline"] and r["split"] == config.split and r["fraction"] > 0]
    names = ("benchmark", "metric", "input_format", "setting")
    for (benchmark, metric, form, setting), group in grouped(shown, names).items():
        if len({row["fraction"] for row in group}) > 1:
            lines = {
                encoder: [(r["fraction"], r["mean"], r["deviation"]) for r in own]
                for (encoder,), own in grouped(group, ("encoder",)).items()
            }
            title = f"{benchmark} by size of training data, {' '.join([form, setting]).strip()}"
            note = "Bars are one standard deviation over seeds."
            yield Section(title, note, plots=[fraction_plot(lines, metric)])


def agreements(
    predictions: Sequence[Row], config: ReportConfig, inputs: Inputs
) -> Iterator[Section]:
    """Yield what input formats get right and wrong together, and keep sheets of errors."""
    from stages.reporting.agreement import agreement, errors_alone, sheet
    from stages.reporting.page import Grid, Section

    rows = []
    alike = ("benchmark", "encoder", "fraction", "seed", "setting")
    for key, group in grouped(predictions, alike).items():
        formats = {form: answers(own) for (form,), own in grouped(group, ("input_format",)).items()}
        for first, second in config.compare:
            if first not in formats or second not in formats:
                continue
            found = agreement(formats[first], formats[second])
            benchmark, encoder, fraction, seed, _ = key
            rows.append(
                (
                    *(benchmark, encoder, f"{100 * fraction:g} %", str(seed), first, second),
                    f"{100 * found.right_shared:.1f}",
                    f"{100 * found.wrong_shared:.1f}",
                )
            )
            names = errors_alone(formats[first], formats[second], config.errors, config.seed)
            if names:
                pair = f"{first}-{second}".replace("+", "")
                name = f"errors-{benchmark}-{encoder}-{fraction:g}-{seed}-{pair}.csv"
                text = sheet(names, formats[second])
                inputs.keep(name.replace("/", "_")).write_text(text, encoding="utf-8")
    if rows:
        columns = ("benchmark", "encoder", "data", "seed", "first", "second", "right", "wrong")
        yield Section(
            "What two input formats get right and wrong together",
            "Share of the first one's right (wrong) predictions that the second gets right (wrong) "
            "too, in percent.",
            [Grid(columns, rows, frozenset({"data", "seed", "right", "wrong"}))],
        )


def answers(rows: Sequence[Row]) -> Mapping[str, Answer]:
    """Return predictions by example."""
    from stages.reporting.agreement import Answer

    return {row["example"]: Answer(row["gold"], row["predicted"], row["text"]) for row in rows}


def confusions(predictions: Sequence[Row]) -> Iterator[Section]:
    """Yield how relations were taken for one another, all seeds together."""
    from stages.reporting.page import Section
    from stages.reporting.plots import confusion_plot
    from stages.tasks.scores import confusion

    alone = [row for row in predictions if row["cluster"] is None]
    names = ("benchmark", "encoder", "input_format", "fraction")
    for (benchmark, encoder, form, fraction), group in grouped(alone, names).items():
        counts = confusion([r["gold"] for r in group], [r["predicted"] for r in group])
        title = f"{benchmark}, {encoder}, {form}, {100 * fraction:g} % of the data"
        plot = confusion_plot({(g, p or ""): n for (g, p), n in counts.items()}, title)
        yield Section(f"Confusion of relations: {title}", plots=[plot])


def learning_curves(curves: Sequence[Row]) -> Iterator[Section]:
    """Yield the course of each value that was measured, as the mean over seeds."""
    from stages.reporting.page import Section
    from stages.reporting.plots import curve_plot

    for (benchmark, name), group in grouped(curves, ("benchmark", "name")).items():
        lines = {}
        kinds = ("encoder", "input_format", "setting", "fraction")
        for key, own in grouped(group, kinds).items():
            encoder, form, setting, fraction = key
            label = " ".join(filter(None, (encoder, form, setting, f"{100 * fraction:g} %")))
            lines[label] = [
                (step, mean(row["value"] for row in same))
                for (step,), same in grouped(own, ("step",)).items()
            ]
        yield Section(f"Learning curves: {benchmark}, {name}", plots=[curve_plot(lines, name)])


def learnt_labels(inputs: Inputs) -> Iterator[Section]:
    """Yield how soon distant labels were learnt, and whether two models learnt the same ones."""
    from stages.reporting.learned import by_epoch, by_relation, same_labels

    counted = [row for batch in inputs.sql(BY_RELATION) for row in batch.to_pylist()]
    names = relation_names(inputs)
    models = {}
    for (variant, by), group in grouped(counted, ("variant", "by")).items():
        orders = {
            names.get(pid, pid): {row["first"]: row["labels"] for row in own}
            for (pid,), own in grouped(group, ("pid",)).items()
        }
        models[f"{variant}, by {by}"] = orders, max(row["epochs"] for row in group)
    if models:
        yield by_epoch({name: (together(o.values()), k) for name, (o, k) in models.items()})
    for name, (orders, epochs) in models.items():
        yield by_relation(name, orders, epochs)
    shared = [row for batch in inputs.sql(BY_BOTH) for row in batch.to_pylist()]
    for (by, one, other), group in grouped(shared, ("by", "one", "other")).items():
        both = {(row["first"], row["second"]): row["labels"] for row in group}
        pair = (one, f"{other}, by {by}")
        yield same_labels(pair, both, max(row["epochs"] for row in group))


def relation_names(inputs: Inputs) -> dict[str, str]:
    """Return what relations are called, by PID, where the corpus has Wikidata's properties."""
    if not inputs.has(PROPERTIES):
        return {}
    rows = inputs.rows(PROPERTIES).select(["pid", "label"]).to_pylist()
    return {row["pid"]: f"{row['label']} ({row['pid']})" for row in rows if row["label"]}


def together(orders: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    """Return how many labels of all relations have each order."""
    found: Counter[Any] = Counter()
    for each in orders:
        found.update(each)
    return found


def check(config: ReportConfig) -> None:
    """Check that plots can be drawn.

    Raises:
        ConfigError: If the extra for training and reports is not installed.
    """
    from importlib.util import find_spec

    from storage.errors import ConfigError

    if find_spec("matplotlib") is None:
        raise ConfigError(
            "plots need matplotlib, which is not installed",
            mend="Install what training and its reports need: pip install 'relmill[train]'",
        )


REPORT = Stage(
    "report",
    version=2,
    config=ReportConfig,
    reads=(
        *(every(METRICS), every(PREDICTIONS), every(CURVES)),
        every(LEARNING_ORDERS, if_written=True),
        where_written(PROPERTIES),
    ),
    writes=(LEADERBOARD,),
    run=report,
    check=check,
)
