"""Into how many processes a training step is launched, and with which command line.

accelerate appears here as a command only: `accelerate launch` starts the processes, and each runs
`pipeline.worker`.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import Field

from stages.base import StageConfig
from storage.errors import ConfigError

WORKER = "pipeline.worker"
ON_CPU = {"ACCELERATE_USE_CPU": "true"}


class Launch(StageConfig):
    """How the processes of training steps are launched: `launch` of a recipe, or of a step.

    Only the precision counts in a fingerprint. What a process computes may hang on their number;
    that its sum does not is the trainer's business, and tested there.
    """

    config: str = Field(
        "single", description="single, ddp, fsdp, cpu2, or a path to a .yaml of accelerate's"
    )
    processes: int | None = Field(
        None, ge=1, description="processes over all machines; as the config says if left out"
    )
    mixed_precision: Literal["no", "bf16", "fp16"] = Field(
        "no", description="precision of forward and backward passes; counts in a fingerprint"
    )


def shipped() -> dict[str, Path]:
    """Return the configs that come with relmill, by name."""
    folder = Path(str(resources.files("pipeline") / "accelerate"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def config_path(launch: Launch) -> Path:
    """Return the file of accelerate's that a launch names.

    Raises:
        ConfigError: If there is none.
    """
    ours = shipped()
    path = ours.get(launch.config, Path(launch.config).expanduser().absolute())
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    raise ConfigError(
        f"launch.config is {launch.config!r}",
        mend=f"It is one of {', '.join(ours)}, or the path of a .yaml of `accelerate config`",
    )


def settings(launch: Launch) -> dict[str, Any]:
    """Return what the file of accelerate's says.

    Raises:
        ConfigError: If it is missing or no YAML.
    """
    path = config_path(launch)
    try:
        found = msgspec.yaml.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise ConfigError(f"no YAML: {error}", where=str(path), mend="Mend the file") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} has no settings", mend="Write it with `accelerate config`")
    return found


def world_size(launch: Launch) -> int:
    """Return how many processes there will be, over all machines.

    Raises:
        ConfigError: If neither the recipe nor the config says.
    """
    given = launch.processes or settings(launch).get("num_processes")
    if not isinstance(given, int) or given < 1:
        raise ConfigError(
            f"{config_path(launch)} does not say num_processes",
            mend="Set launch.processes in the recipe",
        )
    return given


def environment(launch: Launch) -> dict[str, str]:
    """Return what has to stand in the environment beside what is there."""
    return ON_CPU if launch.config == "cpu2" else {}


def arguments(launch: Launch, run_folder: Path, step: str, shard: int) -> list[str]:
    """Return what follows `accelerate launch` for one shard of a step."""
    several_machines = int(settings(launch).get("num_machines") or 1) > 1
    return [
        *("--config_file", str(config_path(launch))),
        *("--num_processes", str(world_size(launch))),
        *("--mixed_precision", launch.mixed_precision),
        # 0 takes a free port; several machines have to agree on one, so their config says it.
        *(() if several_machines else ("--main_process_port", "0")),
        *("--module", WORKER, str(run_folder), step, str(shard)),
    ]


def command(launch: Launch, run_folder: Path, step: str, shard: int) -> list[str]:
    """Return the command line that this very Python launches the step with."""
    program = [sys.executable, "-m", "accelerate.commands.launch"]
    return [*program, *arguments(launch, run_folder, step, shard)]


def command_text(launch: Launch, run_folder: Path, step: str, shard: int) -> str:
    """Return the command line for a cluster's own scheduler, with its environment."""
    named = shlex.join(["accelerate", "launch", *arguments(launch, run_folder, step, shard)])
    return " ".join([*assignments(environment(launch)), named])


def assignments(values: Mapping[str, str]) -> Sequence[str]:
    """Return values of the environment as a shell takes them in front of a command."""
    return [f"{name}={shlex.quote(value)}" for name, value in values.items()]


def require_launchable(launch: Launch) -> None:
    """Check before anything runs that training steps can be launched here.

    Raises:
        ConfigError: If accelerate or torch is missing, or the config of the launch is wrong.
    """
    missing = [name for name in ("accelerate", "torch") if not importlib.util.find_spec(name)]
    if missing:
        raise ConfigError(
            f"training needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            "not installed",
            mend='Install what training needs: pip install "relmill[train]"',
        )
    world_size(launch)
