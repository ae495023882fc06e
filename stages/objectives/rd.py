"""rd: pairs of the same relation come together, pairs of others apart, over many documents.

Shapes: P pairs, L label rows, B sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.objectives.parts import MlmConfig, ObjectiveConfig, Pool

if TYPE_CHECKING:
    from torch import Tensor

    from stages.model.batch import Batch
    from stages.model.chance import Chance
    from stages.model.course import Groups, Taken
    from stages.model.meter import Work
    from stages.model.ragged import Array, Ints
    from stages.model.update import Losses, Output, Rows
    from stages.objectives.relation_pool import LabelRows
    from stages.objectives.setting import Setting


class RdConfig(ObjectiveConfig):
    """Relation discrimination: ERICA's, with weights FineCL's and WCL's.

    Paper: Qin et al., ERICA (ACL 2021), section 3.4, Eq. 3 to 5; Hogan et al., FineCL (NAACL 2022),
    section 3.2, Eq. 5 and 6.
    """

    name: Literal["rd"] = "rd"
    temperature: float = Field(0.05, gt=0.0, description="divides similarities")
    similarity: Literal["cosine", "dot"] = Field("cosine", description="of two pairs")
    pool: Pool = Field(
        "global",
        description="what an anchor is held against: its micro-batch, its process, or the update",
    )
    scopes: tuple[Literal["ss", "sc", "cs", "cc"], ...] = Field(
        ("ss", "sc", "cs", "cc"),
        description="terms by where anchor and positive stand: s, both entities in one sentence; "
        "c, across sentences; empty for one term that does not ask",
    )
    scope_reduction: Literal["mean", "sum"] = Field("mean", description="of the terms")
    positives: Literal["sampled", "all"] = Field(
        "sampled", description="one drawn for each anchor and scope, or all there are"
    )
    negatives: int | None = Field(
        64, ge=1, description="drawn for each anchor out of the pool; null for all"
    )
    na_pairs: int = Field(
        32, ge=0, description="pairs without relation that a document brings as negatives"
    )
    mask_false_negatives: bool = Field(
        True, description="a pair that has the anchor's relation among others is no negative"
    )
    same_doc_shared_entity: Literal["exclude", "keep"] = Field(
        "exclude", description="pairs of the anchor's document that share its head or its tail"
    )
    representation: Literal["mean", "marker"] = Field(
        "mean", description="entities by the mean of their mentions, or by their start markers"
    )
    weights: bool = Field(False, description="whether the weights that denoise gave count")
    weight_positive: bool = Field(
        False, description="whether they count for the positive in the denominator"
    )
    max_pieces: int = Field(512, ge=64, description="pieces of a document, all included")
    mlm: MlmConfig = Field(MlmConfig(), description="masked language modelling beside")


@dataclass(frozen=True)
class RdMicro:
    """A micro-batch of documents.

    Attributes:
        document_B: Numbers of the documents in the corpus.
        group: Least number of a group in it, which differs between updates.
    """

    batch: Batch[Array]
    document_B: Ints
    group: int
    work: Work


class Rd:
    """Contrasts the pairs of many documents by their relations."""

    def __init__(self, config: RdConfig, setting: Setting) -> None:
        from stages.objectives.documents import Documents
        from stages.objectives.relation_pool import Rules
        from stages.objectives.sentences import require_mlm_head

        require_mlm_head(setting.encoder, config.mlm)
        self._config = config
        self._encoder = setting.encoder
        self._documents = Documents(
            setting, config.max_pieces, marked=config.representation == "marker"
        )
        self.dropped = self._documents.dropped
        self._rules = Rules(
            scopes=config.scopes,
            negatives=config.negatives,
            positives=config.positives,
            mask_false_negatives=config.mask_false_negatives,
            exclude_shared=config.same_doc_shared_entity == "exclude",
            weigh=config.weights,
            weight_positive=config.weight_positive,
            temperature=config.temperature,
            similarity=config.similarity,
        )
        self.pool: Pool = config.pool
        terms = config.scopes or ("all",)
        share = 1.0 / len(terms) if config.scope_reduction == "mean" else 1.0
        self.weights: Mapping[str, float] = {
            **{f"rd_{term}": config.weight * share for term in terms},
            "mlm": config.weight * config.mlm.weight,
        }

    def epoch(self, epoch: int) -> Groups:
        """Return the documents in random order."""
        return self._documents.epoch(epoch)

    def lengths(self, rows: Ints) -> Ints:
        """Return the pieces of documents."""
        return self._documents.lengths(rows)

    def names(self, rows: Ints) -> Sequence[str]:
        """Return names of documents."""
        return self._documents.names(rows)

    def collate(self, taken: Taken) -> RdMicro:
        """Return documents with their labelled pairs and some without relation."""
        from stages.model.meter import measured

        order = np.argsort(taken.epochs, kind="stable")
        taken = taken.take(order)

        def view(batch: Batch[Array], chance: Chance) -> Batch[Array]:
            from stages.model.batch import keep

            return keep(batch, {"P": some_na(batch, self._config.na_pairs, chance)})

        batch = self._documents.disguised(taken, view, self._config.mlm)
        return RdMicro(batch, taken.rows, int(taken.groups.min()), measured(self._encoder, batch))

    def forward(self, micro: RdMicro) -> Output:
        """Return the representation of each pair, and the loss of the hidden pieces."""
        from stages.model.update import Output
        from stages.objectives.sentences import mlm_loss

        encoded = self._encoder.encode(micro.batch.to(self._encoder.device))
        losses = {"mlm": mlm_loss(self._encoder, encoded)} if self._config.mlm.weight else {}
        return Output({"pair": encoded.pair_P2D(self._config.representation)}, losses)

    def counts(self, micros: Sequence[RdMicro]) -> Mapping[str, int]:
        """Return the number of hidden pieces."""
        from stages.objectives.sentences import masked_count

        return {"mlm": masked_count([micro.batch for micro in micros])}

    def pooled(self, rows: Rows, micros: Sequence[RdMicro]) -> Losses:
        """Contrast the pairs of this process with those of the pool."""
        import torch

        from stages.model.gather import gather, rank, row_counts
        from stages.objectives.relation_pool import contrast

        pairs, own = rows["pair"], label_rows(micros, rows["pair"])
        others, pool = pairs, own
        if self.pool == "global":
            pair_counts = row_counts(len(pairs), pairs.device)
            others = gather(pairs, pair_counts)
            first = sum(pair_counts[: rank()])
            pool = gathered(own, row_counts(len(own), pairs.device), first)
        dice = torch.Generator(device=pairs.device)
        dice.manual_seed(hash((self._documents.seed, min(m.group for m in micros))) & (2**63 - 1))
        found = contrast(pairs, own, others, pool, self._rules, dice)
        return {f"rd_{term}": loss for term, loss in found.items()}


def some_na(batch: Batch[Array], most: int, chance: Chance) -> Array:
    """Return which pairs stay: all with a relation, and at most `most` without in a sequence."""
    from stages.model.batch import NA, sequence_of
    from stages.objectives.pairing import place_in_group

    kept = np.zeros(len(batch.pair_head_P), dtype=bool)
    kept[batch.label_pair_L[batch.label_relation_L != NA]] = True
    without = np.flatnonzero(~kept)
    sequence = sequence_of(batch, "P")[without]
    first = np.searchsorted(sequence, np.arange(len(batch)))
    lots = chance.uniform("na", batch.key_B[sequence], np.arange(len(without)) - first[sequence])
    order = np.lexsort((lots, sequence))
    kept[without[order[place_in_group(sequence[order]) < most]]] = True
    return kept


def label_rows(micros: Sequence[RdMicro], like: Tensor) -> LabelRows:
    """Return the label rows of micro-batches, one behind the other, on the device of `like`."""
    import torch

    from stages.objectives.documents import entities_in_sequence, label_sequence
    from stages.objectives.relation_pool import LabelRows

    columns: list[list[Array]] = [[] for _ in range(7)]
    first = 0
    for micro in micros:
        batch, pair = micro.batch, micro.batch.label_pair_L
        entity = entities_in_sequence(batch)
        values: list[Array] = [
            pair + first,
            batch.label_relation_L,
            batch.label_weight_L.astype(np.float32),
            micro.document_B[label_sequence(batch)],
            entity[batch.pair_head_P[pair]],
            entity[batch.pair_tail_P[pair]],
            batch.pair_intra_P[pair].astype(bool),
        ]
        for column, of_batch in zip(columns, values, strict=True):
            column.append(of_batch)
        first += len(batch.pair_head_P)
    return LabelRows(*(torch.as_tensor(np.concatenate(c)).to(like.device) for c in columns))


def gathered(own: LabelRows, counts: list[int], first_pair: int) -> LabelRows:
    """Return the label rows of all processes; pairs are numbered through the pool."""
    from dataclasses import fields, replace

    from stages.model.gather import gather
    from stages.objectives.relation_pool import LabelRows

    moved = replace(own, pair_L=own.pair_L + first_pair)
    return LabelRows(*(gather(getattr(moved, field.name), counts) for field in fields(moved)))
