"""What the papers claim, and what of it shows at small size: benchmarks/*.json to docs/claims.md.

    python -m benchmarks.claims

Each claim is a difference between two ways, taken seed by seed. It counts as shown where all three
seeds agree with it and the interval of their mean (Student's t, 95 %) leaves out 0. What did not
show, and what was not run, stands there as plainly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

from benchmarks import denoising_page, documents, evidence_page
from benchmarks.evidence_page import SEEDS, differences, grid, kind_values, semeval_values

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "claims.md"
STUDENT = {2: 12.706, 3: 4.303}
"""97.5 % point of Student's t by the number of seeds."""
FEWREL = "FewRel val_wiki, 5-way 1-shot, no training on it; 16 unseen relations"
SEMEVAL = "SemEval-2010 task 8, C+M, micro-F1"
NOISY = "5,120 sentences of 64 relations, half of the labels swapped within types; " + FEWREL
DOCUMENTS = "Re-DocRED, 50 documents to learn from, 150 scored by F1"
Values = Mapping[int, float]
HEAD = """# Claims of the papers, and what shows here

Written by `python -m benchmarks.claims` from the figures of the runs in `benchmarks/`. Everything
is small: all-MiniLM-L6-v2, its two top layers, up to 10,000 labelled sentences or 500 documents,
one CPU core, three seeds. What shows here may not show at the papers' size; nor must the reverse.

An effect is in points, the mean of the differences of each seed, behind it the differences of seeds
0, 1, 2 and the 95 % interval of their mean by Student's t, which is wide with three seeds.
**Shown**: all three have the sign that is claimed, and the interval leaves out 0. *Not shown*:
else; where all three have the other sign and the interval leaves out 0, **the contrary shows**.
"""


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Attributes:
        says: The claim, in a sentence.
        paper: Where it is made.
        control: What it is held against.
        data: On what, and how much of it.
        command: What runs it again.
        effect: The difference in points by seed, positive where the claim holds.
    """

    says: str
    paper: str
    control: str
    data: str
    command: str
    effect: Values


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page of all claims."""
    rows = [
        (c.says, c.paper, c.control, told(c.effect), verdict(c.effect), c.data, f"`{c.command}`")
        for c in claims()
    ]
    columns = ("claim", "paper", "control", "effect", "here", "data", "command")
    return f"{HEAD}\n{grid(columns, rows)}\n"


def claims() -> list[Claim]:
    """Return every claim with its effect."""
    return [*of_contrast(), *of_learning_order(), *of_weights(), *of_documents()]


def of_contrast() -> list[Claim]:
    """Return the claims of contrastive pre-training on relations."""
    path = HERE / "evidence.json"
    found = evidence_page.read_figures(path) if path.exists() else evidence_page.Found([], {})
    few = {n: kind_values(found, n, "5-way 1-shot") for n in ("none", "cp", "cp-all", "mtb")}
    wiki80 = "7,871 sentences of Wiki80; "

    def semeval(encoder: str, fraction: float, form: str = "C+M") -> Values:
        return semeval_values(found, encoder, fraction, form)

    made = "python -m benchmarks.evidence"
    rows = [
        (
            "Contrastive pre-training on relations helps with relations that it has not seen",
            "CP, section 4.3, table 6",
            "the encoder as it began",
            wiki80 + FEWREL,
            differences(few["cp"], few["none"]),
        ),
        (
            "The same, all layers trained",
            "CP, section 4.3, table 6",
            "the encoder as it began",
            wiki80 + FEWREL,
            differences(few["cp-all"], few["none"]),
        ),
        (
            "Matching the blanks helps with relations that it has not seen",
            "MTB; CP, table 6",
            "the encoder as it began",
            "the same sentences, in which 23 pairs of sentences share their entities; " + FEWREL,
            differences(few["mtb"], few["none"]),
        ),
    ]
    rows += [
        (
            f"CP helps on SemEval with {100 * fraction:g} % of its training data",
            "CP, table 5",
            "the encoder as it began",
            wiki80 + SEMEVAL,
            differences(semeval("cp", fraction), semeval("none", fraction)),
        )
        for fraction in (0.01, 0.1, 1.0)
    ]
    for form, what in (
        ("OnlyC", "mentions beside the context"),
        ("OnlyM", "context beside mentions"),
    ):
        rows.append(
            (
                f"A model uses {what}",
                "CP, section 2, table 1",
                f"{form} alone",
                "SemEval-2010 task 8, 10 % of the training data, no pre-training, micro-F1",
                differences(semeval("none", 0.1), semeval("none", 0.1, form)),
            )
        )
    return [Claim(a, b, c, d, made, e) for a, b, c, d, e in rows]


def of_learning_order() -> list[Claim]:
    """Return the claims of learning order as a sign of right labels."""
    figures = denoising_figures()
    made = "python -m benchmarks.denoising suite"

    def area(name: str, method: str, by: str, what: str = "auc") -> Values:
        return denoising_page.scores_of(figures.get(f"suite {name}", {}), method, by, what)

    def over(values: Values, least: float) -> Values:
        return {seed: value - least for seed, value in values.items()}

    rows = []
    for percent in (20, 40, 53):
        name = f"wiki80-{percent}"
        data = f"2,940 labels of 30 relations in Wiki80, {percent} % wrong on purpose"
        order, epoch = (area(name, "learning_order", by) for by in ("batch", "epoch"))
        loss = area(name, "mean_loss", "batch")
        last = area(name, "confidence", "epoch")
        rows += [
            (
                "Right labels are learnt before wrong ones (AUC)",
                "FineCL, section 4.1",
                "chance, 50",
                data,
                over(order, 50.0),
            ),
            (
                "Order by batch ranks better than order by epoch (AUC)",
                "FineCL, section 4.2",
                "order by epoch",
                data,
                differences(order, epoch),
            ),
            (
                "Order ranks better than the confidence of the trained classifier (AUC)",
                "FineCL, section 4.4 (WCL)",
                "confidence after the last epoch",
                data,
                differences(order, last),
            ),
            (
                "Order ranks better than the mean loss over the epochs (AUC)",
                "no paper's: a plain rival",
                "mean loss, by batch",
                data,
                differences(order, loss),
            ),
        ]
    people = {
        "arnor": "labels of distant supervision on New York Times that people judged (ARNOR)",
        "multir": "sentences of New York Times that people judged (MultiR)",
        "google-re": "sentences of Wikipedia that people judged (Google)",
    }
    for name, data in people.items():
        for what, within in (("auc", ""), ("within", " within one relation")):
            rows.append(
                (
                    f"On real errors, too, right labels are learnt first{within} (AUC)",
                    "FineCL, section 4.1",
                    "chance, 50",
                    data,
                    over(area(name, "learning_order", "batch", what), 50.0),
                )
            )
    rows.append(
        (
            "Late-learnt NA are missed facts (AUC)",
            "FineCL, section 4.1, turned to NA",
            "chance, 50",
            "pairs without label of 96 documents; of some, people found facts (Revisit-DocRED)",
            over(area("revisit-docred", "learning_order", "batch"), 50.0),
        )
    )
    return [Claim(a, b, c, d, made, e) for a, b, c, d, e in rows]


def of_weights() -> list[Claim]:
    """Return the claims of what weights by learning order do for pre-training and training."""
    figures = denoising_figures()
    few = {
        name: {
            seed: 100 * one["scores"][name]["5-way 1-shot"]
            for seed, one in figures.get("pretraining", {}).items()
        }
        for name in denoising_page.ROWS
    }
    trimmed = {
        name: {
            seed: 100 * row["accuracy"]
            for seed, rows in figures.get("trimming", {}).items()
            for row in rows
            if row["kept"] == name
        }
        for name in ("all", "first two, by batch", "random, as many as first two, by batch")
    }
    pretraining, trimming = (
        f"python -m benchmarks.denoising {n}" for n in ("pretraining", "trimming")
    )
    claimed = "FineCL, section 3.2"
    return [
        Claim(says, paper, control, data, command, differences(few[one], few[other]))
        for says, paper, control, data, command, one, other in (
            (
                "Weights by learning order help pre-training on noisy labels (alpha = e)",
                *(claimed, "all labels alike", NOISY, pretraining, "e-mean", "noisy"),
            ),
            (
                "The same with alpha = e³",
                *(
                    "FineCL has alpha = e",
                    "all labels alike",
                    NOISY,
                    pretraining,
                    "e3-mean",
                    "noisy",
                ),
            ),
            (
                "It is the order that helps, not that weights differ",
                *(claimed, "the weights shuffled", NOISY, pretraining, "e-mean", "shuffled"),
            ),
            (
                "The same within relations",
                *(claimed, "shuffled within relations", NOISY, pretraining, "e-mean", "within"),
            ),
            (
                "Only the labels learnt in the first two epochs are better than all",
                *("FineCL, table 2", "all labels alike", NOISY, pretraining, "first", "noisy"),
            ),
            (
                "They are better than as many random ones",
                *("FineCL, table 2", "random labels", NOISY, pretraining, "first", "random"),
            ),
        )
    ] + [
        Claim(
            f"A classifier learns as well or better from what was learnt in two epochs{than}",
            "FineCL, table 2",
            control,
            "Wiki80, 30 relations, 53 % of the labels wrong; accuracy on held-out true ones",
            trimming,
            differences(trimmed["first two, by batch"], trimmed[name]),
        )
        for than, control, name in (
            (" than from all", "all labels", "all"),
            (
                " than from random ones",
                "as many random labels",
                "random, as many as first two, by batch",
            ),
        )
    ]


def of_documents() -> list[Claim]:
    """Return the claims of pre-training on documents."""
    path = HERE / "documents.json"
    found = documents.read_figures(path) if path.exists() else {}
    made = "python -m benchmarks.documents"
    rows = (
        (
            "ERICA's relation discrimination helps",
            "ERICA, section 5.1, table 6",
            "clean rd",
            "clean none",
        ),
        (
            "ERICA's entity discrimination helps",
            "ERICA, section 5.1, table 6",
            "clean ed",
            "clean none",
        ),
        ("Both together help", "ERICA, section 5.1, table 6", "clean erica", "clean none"),
        (
            "Both together help more than RD alone",
            "ERICA, section 5.1, table 6",
            "clean erica",
            "clean rd",
        ),
        (
            "FineCL helps more than ERICA on noisy labels",
            "FineCL, table 3",
            "noisy noise-finecl",
            "noisy erica",
        ),
        (
            "FineCL helps more than WCL on noisy labels",
            "FineCL, table 3",
            "noisy noise-finecl",
            "noisy noise-wcl",
        ),
    )
    return [
        Claim(
            says,
            paper,
            other.removeprefix("clean ").replace("noisy noise-", "").replace("noisy ", ""),
            ("half of the labels wrong; " if "noisy" in one else "") + DOCUMENTS,
            made,
            differences(found.get(one, {}), found.get(other, {})),
        )
        for says, paper, one, other in rows
    ]


def denoising_figures() -> denoising_page.Figures:
    """Return the figures on denoising, if there are any."""
    path = HERE / "denoising.json"
    return denoising_page.read_figures(path) if path.exists() else {}


def interval(effect: Values) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean, where there are seeds enough to tell."""
    if len(effect) not in STUDENT:
        return None
    half = STUDENT[len(effect)] * stdev(effect.values()) / sqrt(len(effect))
    return mean(effect.values()) - half, mean(effect.values()) + half


def told(effect: Values) -> str:
    """Return an effect: its mean, each seed, its interval."""
    if not effect:
        return "not run"
    each = " ".join(f"{effect[s]:+.1f}" if s in effect else "-" for s in SEEDS)
    bounds = interval(effect)
    behind = "" if bounds is None else f"; {bounds[0]:+.1f} to {bounds[1]:+.1f}"
    return f"{mean(effect.values()):+.1f} ({each}{behind})"


def verdict(effect: Values) -> str:
    """Return whether an effect shows."""
    if not effect:
        return "not run"
    bounds = interval(effect)
    if bounds is None or len(effect) < len(SEEDS):
        return f"{len(effect)} of {len(SEEDS)} seeds run"
    if all(value > 0 for value in effect.values()) and bounds[0] > 0:
        return "**shown**"
    if all(value < 0 for value in effect.values()) and bounds[1] < 0:
        return "**the contrary shows**"
    return "*not shown*"


if __name__ == "__main__":
    main()
