"""Values that several objectives have in common."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from stages.base import Share, StageConfig

Pool: TypeAlias = Literal["micro", "rank", "global"]


class ObjectiveConfig(StageConfig):
    """What every objective has: its part in an update."""

    weight: float = Field(1.0, gt=0.0, description="coefficient of all that it pays for")
    share: Share = Field(1.0, gt=0.0, description="share of the groups of an update that it takes")


class MlmConfig(StageConfig):
    """Masked language modelling beside an objective, on the very texts that it encodes.

    Paper: Devlin et al. (NAACL 2019), section 3.1, Task 1; added unweighted by MTB, CP, ERICA.
    """

    weight: float = Field(1.0, ge=0.0, description="coefficient of its loss; 0 for none")
    share: Share = Field(0.15, description="share of pieces that are hidden")
    protect: Literal["mentions", "markers"] = Field(
        "mentions",
        description="what is never hidden: markers and all pieces of mentions, or markers only",
    )


class BlankConfig(StageConfig):
    """How heads and tails are put out of sight.

    Paper: Baldini Soares et al. (ACL 2019), section 4.2.
    """

    probability: Share = Field(
        0.7, description="chance that a head or a tail is replaced by [BLANK], each for itself"
    )
    static: bool = Field(
        False, description="draw once for all epochs, as released code does, not in each epoch"
    )
