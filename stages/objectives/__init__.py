"""What is paid for in pre-training: one file an objective.

A new objective is one file, and its two lines here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from stages.objectives.cp import CpConfig
from stages.objectives.mlm import MlmOnlyConfig
from stages.objectives.mtb import MtbConfig

if TYPE_CHECKING:
    from stages.model.course import Objective

Config: TypeAlias = Annotated[
    CpConfig | MlmOnlyConfig | MtbConfig,
    Field(discriminator="name"),
]
"""The values of any objective; `name` says of which."""

OBJECTIVES: dict[str, str] = {
    "cp": "stages.objectives.cp:Cp",
    "mlm": "stages.objectives.mlm:Mlm",
    "mtb": "stages.objectives.mtb:Mtb",
}
"""Module and class of each objective by name."""


def make_objective(config: Any, *given: Any) -> Objective:
    """Return the objective of a config; `given` is what all of them are made with."""
    module, _, name = OBJECTIVES[config.name].partition(":")
    objective: Objective = getattr(import_module(module), name)(config, *given)
    return objective
