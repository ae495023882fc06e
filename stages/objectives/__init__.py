"""What is paid for in pre-training: one file an objective.

A new objective is one file, and its two lines here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from stages.objectives.cp import CpConfig
from stages.objectives.ed import EdConfig
from stages.objectives.mlm import MlmOnlyConfig
from stages.objectives.mtb import MtbConfig
from stages.objectives.rd import RdConfig

if TYPE_CHECKING:
    from stages.model.course import Objective

Config: TypeAlias = Annotated[
    CpConfig | EdConfig | MlmOnlyConfig | MtbConfig | RdConfig,
    Field(discriminator="name"),
]
"""The values of any objective; `name` says of which."""

OBJECTIVES: dict[str, str] = {
    "cp": "stages.objectives.cp:Cp",
    "ed": "stages.objectives.ed:Ed",
    "mlm": "stages.objectives.mlm:Mlm",
    "mtb": "stages.objectives.mtb:Mtb",
    "rd": "stages.objectives.rd:Rd",
}
"""Module and class of each objective by name."""


def make_objective(config: Any, *given: Any) -> Objective:
    """Return the objective of a config; `given` is what all of them are made with."""
    module, _, name = OBJECTIVES[config.name].partition(":")
    objective: Objective = getattr(import_module(module), name)(config, *given)
    return objective
