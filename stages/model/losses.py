"""The loss kernels that every objective and task is made of; each returns a sum and a count.

Losses are summed over micro-batches and processes before they are divided, so what is paid for does
not depend on how an update was cut. Similarities and log-sums are taken in fp32.

Shapes: A anchors, K keys, E width, N rows, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from stages.model.batch import NO_LABEL

Similarity = Literal["cosine", "dot"]


@dataclass(frozen=True)
class Loss:
    """A loss before it is divided.

    Attributes:
        sum: Scalar with a gradient, fp32.
        count: Scalar int64: how many terms the sum has.
    """

    sum: Tensor
    count: Tensor

    def mean(self) -> Tensor:
        """Return the mean; 0 where there is no term."""
        return self.sum / self.count.clamp(min=1)

    def __add__(self, other: Loss) -> Loss:
        """Pool the terms of two losses."""
        return Loss(self.sum + other.sum, self.count + other.count)


def at_least_fp32(values: Tensor) -> Tensor:
    """Return half-precision values as fp32, and others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def similarities(anchors_AE: Tensor, keys_KE: Tensor, similarity: Similarity) -> Tensor:
    """Return the similarity of each anchor with each key, in fp32.

    Shape:
        anchors_AE: (A, E). keys_KE: (K, E). Result: (A, K).
    """
    anchors_AE, keys_KE = at_least_fp32(anchors_AE), at_least_fp32(keys_KE)
    if similarity == "cosine":
        anchors_AE = functional.normalize(anchors_AE, dim=-1)
        keys_KE = functional.normalize(keys_KE, dim=-1)
    return anchors_AE @ keys_KE.T


def info_nce(
    similarity_AK: Tensor,
    positive_AK: Tensor,
    negative_AK: Tensor,
    *,
    temperature: float,
    anchor_weight_A: Tensor | None = None,
    key_weight: Tensor | None = None,
    weight_positive: bool = False,
) -> Loss:
    r"""Pull each anchor to its positives, away from its negatives.

    The loss of anchor a is its weight times the mean over its positives p of

        -log  exp(s_ap / t) / (v_p exp(s_ap / t) + sum over its negatives c of w_c exp(s_ac / t))

    where v_p is 1, or w_p with `weight_positive`. Keys that are neither play no part. With all
    weights 1 this is the usual normalised temperature-scaled cross-entropy, with one denominator
    for each positive: another positive is never a negative.

    Shape:
        similarity_AK: (A, K), fp32. positive_AK, negative_AK: (A, K), bool, disjoint.
        anchor_weight_A: (A,), above 0. key_weight: (K,) or (A, K), above 0.

    Returns:
        The sum over anchors that have a positive, and their number.

    Paper: Peng et al. (EMNLP 2020), "Learning from Context or Names?", Eq. 2; Qin et al., ERICA
    (ACL 2021), Eq. 2 and 3; Hogan et al., FineCL (NAACL 2022), Eq. 5 and 6: weights by learning
    order, where the positive itself enters Z with weight 1, as it does in ERICA.
    """
    scaled_AK = similarity_AK / temperature
    weighted_AK = scaled_AK if key_weight is None else scaled_AK + key_weight.log()
    negatives_A1 = (
        weighted_AK.masked_fill(~negative_AK, float("-inf")).logsumexp(dim=1).unsqueeze(1)
    )
    in_z_AK = weighted_AK if weight_positive else scaled_AK
    # log(e^z + e^n) - s, written so that a small loss keeps its digits.
    terms_AK = functional.softplus(negatives_A1 - in_z_AK) + (in_z_AK - scaled_AK)
    found_A = positive_AK.sum(dim=1)
    paid_A = terms_AK.masked_fill(~positive_AK, 0.0).sum(dim=1) / found_A.clamp(min=1)
    if anchor_weight_A is not None:
        paid_A = paid_A * anchor_weight_A
    return Loss(paid_A.sum(), (found_A > 0).sum())


def pair_bce(logits_N: Tensor, same_N: Tensor) -> Loss:
    """Binary cross-entropy: whether two texts speak of the same pair.

    Shape:
        logits_N: (N,), any real number. same_N: (N,), bool.

    Paper: Baldini Soares et al. (ACL 2019), "Matching the Blanks", section 4.1 (no number).
    """
    terms_N = functional.binary_cross_entropy_with_logits(
        at_least_fp32(logits_N), same_N.to(at_least_fp32(logits_N).dtype), reduction="none"
    )
    return Loss(terms_N.sum(), same_N.new_tensor(len(same_N), dtype=torch.int64))


def hinge(better_N: Tensor, worse_N: Tensor, *, margin: float) -> Loss:
    """Want one score above another by a margin: max(0, margin - better + worse).

    Shape:
        better_N, worse_N: (N,).
    """
    terms_N = (margin - at_least_fp32(better_N) + at_least_fp32(worse_N)).clamp(min=0)
    return Loss(terms_N.sum(), torch.tensor(len(better_N), device=better_N.device))


def cross_entropy(logits_NC: Tensor, target_N: Tensor, *, masked_NC: Tensor | None = None) -> Loss:
    """Cross-entropy over classes; rows with the target `NO_LABEL` are not paid for.

    Shape:
        logits_NC: (N, C). target_N: (N,), int64, a class or `NO_LABEL`.
        masked_NC: (N, C), bool: classes that stay out of a row's softmax, such as the other
            relations of a pair that has several.
    """
    logits_NC = at_least_fp32(logits_NC)
    if masked_NC is not None:
        logits_NC = logits_NC.masked_fill(masked_NC, float("-inf"))
    total = functional.cross_entropy(logits_NC, target_N, ignore_index=NO_LABEL, reduction="sum")
    return Loss(total, (target_N != NO_LABEL).sum())


def binary_per_class(logits_NC: Tensor, wanted_NC: Tensor) -> Loss:
    """Binary cross-entropy of each class, where a row may have several; the mean over classes.

    Shape:
        logits_NC: (N, C). wanted_NC: (N, C), bool.

    Returns:
        The sum over rows, and their number.

    Paper: Yao et al., DocRED (ACL 2019), section 4: NA is a class of its own.
    """
    logits_NC = at_least_fp32(logits_NC)
    terms_NC = functional.binary_cross_entropy_with_logits(
        logits_NC, wanted_NC.to(logits_NC.dtype), reduction="none"
    )
    return Loss(terms_NC.mean(dim=1).sum(), torch.tensor(len(logits_NC), device=logits_NC.device))
