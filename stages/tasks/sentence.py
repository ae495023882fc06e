"""Sentence-level relation extraction: one sentence, one pair, one relation.

Papers: SemEval-2010 task 8, Hendrickx et al. (SemEval 2010); TACRED, Zhang et al. (EMNLP 2017);
Wiki80, Han et al., OpenNRE (EMNLP 2019); ChemProt and SciERC as in Beltagy et al., SciBERT (EMNLP
2019), table 1, which scores ChemProt by micro-F1 over all classes, that is by accuracy.
"""

from __future__ import annotations

from stages.tasks.base import NA_NAMES, Head, PairTask
from stages.tasks.scores import Confusion, accuracy, macro_f1, micro_f1, semeval_f1

__all__ = ["ChemProt", "RelationFile", "SciIE", "SemEval", "Tacred", "Wiki80"]


class RelationFile(PairTask):
    """Any file of labelled pairs: micro-F1 without NA, which is accuracy where there is no NA."""

    name = "relation_file"
    metric = "micro_f1"
    head: Head = "linear"
    na: tuple[str, ...] = NA_NAMES

    def scores(self, counts: Confusion) -> dict[str, float]:
        """Return accuracy, micro-F1 and macro-F1, the latter two without NA."""
        occurring = {name for pair in counts for name in pair}
        na = next((name for name in self.na if name in occurring), None)
        micro = micro_f1(counts, na)
        return {
            "accuracy": accuracy(counts),
            "micro_precision": micro.precision,
            "micro_recall": micro.recall,
            "micro_f1": micro.f1,
            "macro_f1": macro_f1(counts, na),
        }


class SemEval(RelationFile):
    """SemEval-2010 task 8: the official macro-F1, and micro-F1, which some papers print."""

    name = "semeval"
    metric = "official_f1"
    na = ("Other",)

    def scores(self, counts: Confusion) -> dict[str, float]:
        """Return the official score beside those of any relation file."""
        return {**super().scores(counts), "official_f1": semeval_f1(counts).f1}


class Tacred(RelationFile):
    """TACRED: micro-F1 without no_relation."""

    name = "tacred"
    na = ("no_relation",)


class Wiki80(RelationFile):
    """Wiki80: accuracy; it has no NA."""

    name = "wiki80"
    metric = "accuracy"
    na = ()


class ChemProt(RelationFile):
    """ChemProt: accuracy over its 13 classes."""

    name = "chemprot"
    metric = "accuracy"
    na = ()


class SciIE(RelationFile):
    """Relation classification of SciERC: macro-F1 over its seven classes."""

    name = "sciie"
    metric = "macro_f1"
    na = ()
