"""Relation discrimination over a pool of label rows: what is a positive, what a negative, the loss.

A label row is a pair of entities with one of its relations; a pair with two relations is two rows,
one without any is one row with the relation NA. Rows of NA are never anchors, only negatives.

Shapes: P pairs, L label rows, A anchors, K keys (label rows of the pool), N sampled negatives.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from stages.model.losses import Loss, Similarity, info_nce, similarities

Scope: TypeAlias = Literal["ss", "sc", "cs", "cc"]
"""Where anchor and positive stand: s, their two entities share a sentence; c, they do not."""
NA = 0
# Anchors whose similarities with all keys are in memory at once.
ANCHORS_AT_ONCE = 1024


@dataclass(frozen=True)
class LabelRows:
    """Label rows of a pool, one behind the other.

    Attributes:
        pair_L: Number of the pair in the pool.
        relation_L: Id of the relation, NA among them.
        weight_L: Weight of the label, above 0.
        document_L: Number of the document, of its own in the corpus.
        head_L, tail_L: Numbers of the entities within their document.
        intra_L: Whether some sentence holds both.
    """

    pair_L: Tensor
    relation_L: Tensor
    weight_L: Tensor
    document_L: Tensor
    head_L: Tensor
    tail_L: Tensor
    intra_L: Tensor

    def __getitem__(self, chosen: Tensor) -> LabelRows:
        return LabelRows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.relation_L)


@dataclass(frozen=True)
class Rules:
    """How anchors are held against the pool.

    Attributes:
        scopes: Terms of the loss; none for one term that asks nothing of where pairs stand.
        negatives: Negatives of an anchor, drawn from the pool; None for all there are.
        positives: One drawn for each anchor and scope, or all there are.
        mask_false_negatives: A pair that has the anchor's relation among others is no negative.
        exclude_shared: Rows of the anchor's document that share its head or its tail play no part.
        weigh: Whether the weights of labels count.
        weight_positive: Whether they count for the positive in the denominator too.
    """

    scopes: tuple[Scope, ...] = ("ss", "sc", "cs", "cc")
    negatives: int | None = 64
    positives: Literal["sampled", "all"] = "sampled"
    mask_false_negatives: bool = True
    exclude_shared: bool = True
    weigh: bool = False
    weight_positive: bool = False
    temperature: float = 0.05
    similarity: Similarity = "cosine"


def contrast(
    own_PE: Tensor,
    own: LabelRows,
    pool_PE: Tensor,
    pool: LabelRows,
    rules: Rules,
    dice: torch.Generator,
) -> dict[str, Loss]:
    """Return the loss of each scope over the anchors of this process.

    Shape:
        own_PE, pool_PE: representations of pairs, which `pair_L` numbers.

    Returns:
        By scope, or under "all" where there are none, the sum over the anchors that have a positive
        there, and their number.

    Paper: Qin et al., ERICA (ACL 2021), Eq. 3 to 5; with weights Hogan et al., FineCL (NAACL 2022),
    Eq. 5 and 6.
    """
    names = rules.scopes or ("all",)
    nothing = Loss(own_PE.sum() * 0.0, torch.zeros((), dtype=torch.int64, device=own_PE.device))
    losses: dict[str, Loss] = dict.fromkeys(names, nothing)
    holds_PR = relations_of_pairs(pool, len(pool_PE))
    for chosen in torch.nonzero(own.relation_L != NA).flatten().split(ANCHORS_AT_ONCE):
        anchors = own[chosen]
        similarity = similarities(own_PE[anchors.pair_L], pool_PE, rules.similarity)
        similarity_AK = similarity[:, pool.pair_L]
        usable_AK = (
            ~shares_an_entity(anchors, pool) if rules.exclude_shared else all_of(anchors, pool)
        )
        same_AK = anchors.relation_L[:, None] == pool.relation_L[None]
        negative_AK = usable_AK & ~same_AK
        if rules.mask_false_negatives:
            negative_AK &= ~holds_PR[pool.pair_L][:, anchors.relation_L].T
        if rules.negatives is not None:
            negative_AK = drawn(negative_AK, rules.negatives, dice)
        for name in names:
            positive_AK = usable_AK & same_AK & in_scope(anchors, pool, name)
            positive_AK &= ~same_pair(anchors, pool)
            if rules.positives == "sampled":
                positive_AK = drawn(positive_AK, 1, dice)
            losses[name] = losses[name] + info_nce(
                similarity_AK,
                positive_AK,
                negative_AK,
                temperature=rules.temperature,
                anchor_weight_A=anchors.weight_L if rules.weigh else None,
                key_weight=pool.weight_L if rules.weigh else None,
                weight_positive=rules.weight_positive,
            )
    return losses


def relations_of_pairs(pool: LabelRows, pairs: int) -> Tensor:
    """Return which relations each pair of the pool has, (P, R), bool."""
    relations = int(pool.relation_L.max()) + 1 if len(pool) else 1
    holds = torch.zeros(pairs, relations, dtype=torch.bool, device=pool.relation_L.device)
    holds[pool.pair_L, pool.relation_L] = True
    return holds


def shares_an_entity(anchors: LabelRows, pool: LabelRows) -> Tensor:
    """Return which keys are of the anchor's document and have its head or its tail, (A, K)."""
    same_document = anchors.document_L[:, None] == pool.document_L[None]
    same_head = anchors.head_L[:, None] == pool.head_L[None]
    same_tail = anchors.tail_L[:, None] == pool.tail_L[None]
    return same_document & (same_head | same_tail)


def same_pair(anchors: LabelRows, pool: LabelRows) -> Tensor:
    """Return which keys are of the anchor's very pair, (A, K)."""
    same_document = anchors.document_L[:, None] == pool.document_L[None]
    same_head = anchors.head_L[:, None] == pool.head_L[None]
    same_tail = anchors.tail_L[:, None] == pool.tail_L[None]
    return same_document & same_head & same_tail


def all_of(anchors: LabelRows, pool: LabelRows) -> Tensor:
    """Return every key but the anchor's very pair, (A, K)."""
    return ~same_pair(anchors, pool)


def in_scope(anchors: LabelRows, pool: LabelRows, scope: str) -> Tensor:
    """Return which anchors and keys stand where a scope wants them, (A, K)."""
    if scope == "all":
        return torch.ones(len(anchors), len(pool), dtype=torch.bool, device=pool.intra_L.device)
    anchor_A = anchors.intra_L == (scope[0] == "s")
    key_K = pool.intra_L == (scope[1] == "s")
    return anchor_A[:, None] & key_K[None]


def drawn(mask_AK: Tensor, count: int, dice: torch.Generator) -> Tensor:
    """Draw `count` of the keys that a mask allows each anchor, or all where there are fewer.

    Shape:
        mask_AK, result: (A, K), bool.
    """
    if mask_AK.shape[1] <= count:
        return mask_AK
    lots = torch.rand(mask_AK.shape, generator=dice, device=mask_AK.device)
    best = lots.masked_fill(~mask_AK, -1.0).topk(count, dim=1).indices
    chosen = torch.zeros_like(mask_AK).scatter_(1, best, True)
    return chosen & mask_AK
