"""file: weights that somebody else made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.base import StageConfig


class GivenWeights(StageConfig):
    """Weights as a file gives them; a label that it does not name has weight 1."""

    name: Literal["file"] = "file"
    path: str = Field(
        min_length=1,
        description="Parquet file with the columns tuple_id, pid (NA for a tuple without relation) "
        "and weight (0 or more; 0 leaves the label out)",
    )
