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
    from stages.objectives.setting import Setting

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


def make_objective(config: Any, setting: Setting) -> Objective:
    """Return the objective of a config."""
    module, _, name = OBJECTIVES[config.name].partition(":")
    objective: Objective = getattr(import_module(module), name)(config, setting)
    return objective
